// The image as a folder, made by what its Dockerfile says, and its commands run in it as a container runs them: by a user without
// rights, on a file system that nothing can be written to but the volumes. Where that cannot be had, it is said why.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeImage } from '#stacks/image.ts';

/** Nobody: neither who runs the tests, nor the owner of any file. */
const UID = 65_534;

export interface Image {
  /** Absolute, of the folder that is the working directory of the image. */
  readonly folder: string;
  /** What the Dockerfile says, by instruction: the last FROM, USER, CMD and so on, as they stand there. */
  readonly says: Readonly<Record<string, string>>;
  /** Of the CMD, with the arguments of a container's own command in its place. */
  command(own?: readonly string[], volumes?: readonly string[]): [string, ...string[]];
  /** What ENV sets. */
  readonly env: Readonly<Record<string, string>>;
  /** A folder that the process may write to. */
  volume(): string;
  dispose(): void;
}

export function whyNoImage(): string | undefined {
  if (process.getuid?.() !== 0) return 'who is not root cannot run a process as another user';
  const mounts = spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -o remount,ro,bind /'], { encoding: 'utf8' });
  if (mounts.status !== 0) return `no file system can be made read-only here: ${mounts.stderr ?? mounts.error}`;
  return spawnSync('setpriv', ['--version']).status === 0 ? undefined : 'setpriv is not there; install it with: apt-get install util-linux';
}

export function makeImage(): Image {
  const base = mkdtempSync(path.join(tmpdir(), 'millrace-image-'));
  const context = path.join(base, 'context');
  writeImage(context);
  const lines = readFileSync(path.join(context, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line));
  const instructions = lines.map((line): [string, string] => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
  const says = Object.fromEntries(instructions);
  const root = path.join(base, 'root');
  const folder = path.join(root, says['WORKDIR'] ?? '');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of instructions) {
    if (name !== 'COPY') continue;
    const files = text.split(' ');
    const to = path.resolve(folder, files.pop() ?? '');
    for (const file of files) cpSync(path.join(context, file), path.join(to, file), { recursive: true });
  }
  rmSync(context, { recursive: true });
  chmodSync(base, 0o755);
  const words = (says['ENV'] ?? '').split(' ').map((pair): [string, string] => pair.split('=') as [string, string]);
  return {
    folder,
    says,
    env: { ...Object.fromEntries(words), NODE_COMPILE_CACHE: '' },
    command(own, volumes = []) {
      const [program, ...args] = own ?? (JSON.parse(says['CMD'] ?? '[]') as string[]);
      const node = program === 'node' ? process.execPath : (program ?? '');
      const mounts = volumes.map((volume) => `mount --bind '${volume}' '${volume}' && `).join('');
      const script = `${mounts}mount -o remount,ro,bind / && cd '${folder}' && exec "$@"`;
      const user = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--no-new-privs'];
      return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...user, node, ...args];
    },
    volume() {
      const volume = mkdtempSync(path.join(base, 'volume-'));
      chownSync(volume, UID, UID);
      return volume;
    },
    dispose: () => rmSync(base, { recursive: true, force: true }),
  };
}
