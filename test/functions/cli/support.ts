// `millrace` as a person runs it: a process of its own, its streams, its exit code.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const ROOT = path.join(import.meta.dirname, '../../..');
export const MAIN = path.join(ROOT, 'functions/cli/main.ts');
export const LAUNCHER = path.join(ROOT, 'functions/cli/millrace.mjs');
const WAIT_MS_MAX = 20_000;

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What standard input holds; default: nothing, and it is closed. */
  readonly input?: string | Buffer;
  /** Instead of this Node and main.ts. */
  readonly command?: readonly string[];
}

const running = new Set<ChildProcessWithoutNullStreams>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A command that runs, with its input open. */
export class CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly result: Promise<CliResult>;
  readonly #out: Buffer[] = [];
  #stderr = '';

  constructor(args: readonly string[], { env = {}, command = [process.execPath, MAIN] }: CliOptions = {}) {
    const [program = process.execPath, ...first] = command;
    this.child = spawn(program, [...first, ...args], {
      env: {
        ...process.env,
        NODE_ENV: undefined,
        NODE_OPTIONS: undefined,
        VITEST: undefined,
        MILLRACE_TOKEN: undefined,
        S2_ACCESS_TOKEN: undefined,
        NODE_COMPILE_CACHE: path.join(tmpdir(), 'millrace-test-compile-cache'),
        ...env,
      },
      stdio: 'pipe',
    });
    running.add(this.child);
    this.child.stdout.on('data', (chunk: Buffer) => this.#out.push(chunk));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // A command may end before it has read its input.
    this.child.stdin.on('error', () => undefined);
    this.result = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        const out = Buffer.concat(this.#out);
        resolve({ code, signal, out, stdout: out.toString(), stderr: this.#stderr });
      });
    });
  }

  get stdout(): string {
    return Buffer.concat(this.#out).toString();
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until `isDone`. @throws with what was printed when that takes too long */
  async until(isDone: (process: CliProcess) => boolean): Promise<void> {
    const deadline = Date.now() + WAIT_MS_MAX;
    while (!isDone(this)) {
      if (Date.now() > deadline) throw new Error(`it never came to that; stdout: ${this.stdout}; stderr: ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const process = new CliProcess(args, options);
  process.child.stdin.end(options.input ?? '');
  return await process.result;
}

/** `runCli` against one server. */
export function cliFor(url: string, env: Readonly<Record<string, string>> = {}) {
  const withUrl = (options: CliOptions = {}): CliOptions => ({ ...options, env: { MILLRACE_URL: url, ...env, ...options.env } });
  return {
    run: async (args: readonly string[], options?: CliOptions): Promise<CliResult> => await runCli(args, withUrl(options)),
    start: (args: readonly string[], options?: CliOptions): CliProcess => new CliProcess(args, withUrl(options)),
    /** @returns standard output. @throws when it does not end with 0 */
    ok: async (args: readonly string[], options?: CliOptions): Promise<string> => {
      const { code, stdout, stderr } = await runCli(args, withUrl(options));
      if (code !== 0) throw new Error(`millrace ${args.join(' ')} ended with ${code}: ${stderr}`);
      return stdout;
    },
  };
}
