// The processes of a development cluster: started with their settings, listened to, and ended together.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = path.join(import.meta.dirname, '../..');
/** What a process prints once it serves. */
const LISTENS = /^millrace listens on (https?:\/\/\S+)/;
const READY_MS_MAX = 30_000;
/** A process drains for 3 s and closes what it has within 5; beyond that it is killed. */
const STOP_MS_MAX = 8_000;
/** Of what a process said last, for whoever asks why it ended. */
const LAST_LINES_MAX = 5;

export interface ProcessOptions {
  /** For people. */
  readonly name: string;
  /** Its entry, from the root of the project. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

export class ClusterProcess {
  readonly name: string;
  readonly url: Promise<string>;
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];

  /** @param tell gets each line of its log */
  constructor({ name, script, env, flags = [] }: ProcessOptions, tell: (line: string) => void) {
    this.name = name;
    this.#child = spawn(process.execPath, [...flags, script], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A terminal's Ctrl-C is for the cluster, which ends its processes in order.
      detached: true,
    });
    const listening = Promise.withResolvers<string>();
    this.url = listening.promise;
    this.url.catch(() => undefined);
    this.#lines('stdout', (line) => {
      const url = LISTENS.exec(line)?.[1];
      if (url !== undefined) listening.resolve(url);
    });
    this.#lines('stderr', (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > LAST_LINES_MAX) this.#lastLines.shift();
      tell(`[${name}] ${line}`);
    });
    const timer = setTimeout(() => listening.reject(new Error(`${name} does not serve after ${READY_MS_MAX / 1_000} s`)), READY_MS_MAX);
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        clearTimeout(timer);
        listening.reject(new Error(`${name} ended (${how}): ${this.#lastLines.join('\n')}`));
        resolve(how);
      };
      this.#child.once('error', (error) => end(String(error)));
      this.#child.once('close', (code, signal) => end(signal ?? `exit ${code}`));
    });
    void this.url.then(
      () => clearTimeout(timer),
      () => undefined,
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** SIGTERM, and SIGKILL where that does not end it. Resolves once it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.ended;
    clearTimeout(timer);
  }

  #lines(of: 'stdout' | 'stderr', take: (line: string) => void): void {
    const stream = this.#child[of];
    if (stream !== null) createInterface({ input: stream }).on('line', take);
  }
}
