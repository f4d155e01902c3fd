// Small disks of their own for a server, which a test really fills: tmpfs mounts in a mount namespace that goes with its process.
//
// Needs unshare and nsenter (util-linux), and a kernel that lets this user make mounts; a container often does not.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { ServerOptions } from './server.ts';

const MIB = 1024 * 1024;
const NAMESPACES = ['--user', '--map-root-user', '--mount'];
const MAIN = path.join(import.meta.dirname, '../../functions/local/main.ts');

/** Why this machine cannot have small disks; undefined when it can. */
export function whyNoDisks(): string | undefined {
  try {
    execFileSync('nsenter', ['--version'], { stdio: 'pipe' });
    execFileSync('unshare', [...NAMESPACES, 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no disks can be mounted here: ${String(error).split('\n')[0]}`;
  }
}

/** Folders of a data folder that are disks by themselves, each with its size in MiB; `.` is the data folder. */
export type Sizes = Readonly<Record<string, number>>;

export class SmallDisks {
  readonly #dataDir: string;
  readonly #holder: ChildProcess;

  private constructor(dataDir: string, holder: ChildProcess) {
    this.#dataDir = dataDir;
    this.#holder = holder;
  }

  /** Mounts the disks over folders of `dataDir`, for the servers that `command` starts and for nobody else. */
  static async mount(dataDir: string, sizes: Sizes): Promise<SmallDisks> {
    const script = Object.entries(sizes)
      .sort(([a], [b]) => a.length - b.length)
      .map(
        ([folder, mib]) =>
          `mkdir -p '${path.join(dataDir, folder)}' && mount -t tmpfs -o size=${mib}m none '${path.join(dataDir, folder)}'`,
      );
    // `exec`: the namespace lives as long as this one process.
    const holder = spawn('unshare', [...NAMESPACES, 'sh', '-c', `${script.join(' && ')} && echo mounted && exec sleep infinity`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      holder.stdout?.once('data', () => resolve());
      holder.once('exit', () => reject(new Error('the disks could not be mounted')));
    });
    process.once('exit', () => holder.kill('SIGKILL'));
    return new SmallDisks(dataDir, holder);
  }

  /** The data folder as this process sees it. */
  get dataDir(): string {
    return this.#seen();
  }

  /** Starts the server where it sees the disks. */
  get command(): NonNullable<ServerOptions['command']> {
    return [...this.#enter, process.execPath, MAIN];
  }

  /** Runs a script of this project where it sees the disks. @returns what it printed */
  run(script: string, ...args: string[]): string {
    const [program, ...enter] = this.#enter;
    return execFileSync(program, [...enter, process.execPath, script, ...args], { encoding: 'utf8' });
  }

  /** Fills what is left of a disk, to its last page. */
  async fill(folder: string): Promise<void> {
    await mkdir(this.#seen(folder), { recursive: true });
    const file = await open(this.#seen(folder, 'filler'), 'a');
    try {
      for (let bytes = MIB; bytes >= 4_096; ) {
        const full = await file.write(Buffer.alloc(bytes)).then(
          ({ bytesWritten }) => bytesWritten < bytes,
          (error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOSPC') throw error;
            return true;
          },
        );
        if (full) bytes /= 2;
      }
    } finally {
      await file.close();
    }
  }

  /** Gives back what `fill` took. */
  async empty(folder: string): Promise<void> {
    await rm(this.#seen(folder, 'filler'), { force: true });
  }

  resize(folder: string, mib: number): void {
    const [program, ...args] = this.#enter;
    execFileSync(program, [...args, 'mount', '-o', `remount,size=${mib}m`, path.join(this.#dataDir, folder)]);
  }

  async freeBytes(folder: string): Promise<number> {
    const found = await statfs(this.#seen(folder));
    return found.bavail * found.bsize;
  }

  unmount(): void {
    this.#holder.kill('SIGKILL');
  }

  get #enter(): [string, ...string[]] {
    return ['nsenter', '--target', String(this.#holder.pid), '--user', '--mount', '--preserve-credentials'];
  }

  /** A path as this process sees it. */
  #seen(...parts: string[]): string {
    return path.join(`/proc/${this.#holder.pid}/root`, this.#dataDir, ...parts);
  }
}
