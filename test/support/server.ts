// The real process on a data folder of its own: started, killed, stopped and started again, always from outside.
//
// A server is ready once it has printed the line with its URL, which it does when /health answers 200.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '../..');
const OUTPUT_CHARS_MAX = 256 * 1024;
/** A whole line, so that a port is never read in part. */
const URL_LINE = /\b(https?:\/\/[^\s/"'`]+:\d+).*\n/;

export interface ServerOptions {
  /** Default: a new temporary folder, removed by `dispose`. */
  readonly dataDir?: string;
  /** Default 0: any free port. A restart keeps the port that the first start got. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** What to run instead of `node functions/local/main.ts`; `PATH` finds the project's own node first. */
  readonly command?: readonly [string, ...string[]];
  readonly readyTimeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Children that run, so that none outlives the tests, however they end. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Server {
  readonly dataDir: string;
  readonly #ownsDataDir: boolean;
  readonly #options: ServerOptions;
  #port: number;
  #url = '';
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #output = '';
  #state = 'not started';

  constructor(dataDir: string, ownsDataDir: boolean, options: ServerOptions) {
    this.dataDir = dataDir;
    this.#ownsDataDir = ownsDataDir;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  /** Origin, without a path. */
  get url(): string {
    return this.#url;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What the process printed since its last start, both streams. */
  get output(): string {
    return this.#output;
  }

  /** Whether the process runs, or how it ended. */
  get state(): string {
    return this.#state;
  }

  /** Settles when the process that runs now has ended. */
  get exited(): Promise<Exit> {
    return this.#exit;
  }

  /** Starts the process without waiting for it to be ready. */
  spawn(): void {
    const [program, ...args] = this.#options.command ?? [
      process.execPath,
      '--max-semi-space-size=128',
      '--external-memory-accounted-in-global-limit',
      'functions/local/main.ts',
    ];
    const child = spawn(program, args, {
      cwd: ROOT,
      env: {
        ...process.env,
        // Vitest sets these for its own workers; the product must not see them.
        NODE_ENV: undefined,
        NODE_OPTIONS: undefined,
        VITEST: undefined,
        PATH: `${path.join(ROOT, 'node_modules/.bin')}${path.delimiter}${process.env['PATH'] ?? ''}`,
        UV_THREADPOOL_SIZE: '16',
        // Tests start the process some hundred times.
        NODE_COMPILE_CACHE: path.join(tmpdir(), 'millrace-test-compile-cache'),
        PORT: String(this.#port),
        MILLRACE_DATA_DIR: this.dataDir,
        ...this.#options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#output = '';
    this.#state = 'running';
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX);
        if (process.env['MILLRACE_TEST_OUTPUT'] === '1') process.stderr.write(text);
      });
    }
    this.#exit = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#output += String(error);
        running.delete(child);
        resolve({ code: null, signal: null });
      });
      child.once('close', (code, signal) => {
        running.delete(child);
        this.#state = `ended with ${code ?? signal}`;
        resolve({ code, signal });
      });
    });
  }

  /** Waits for the line with the URL. */
  async ready(): Promise<void> {
    const deadline = Date.now() + (this.#options.readyTimeoutMs ?? 20_000);
    let exit: Exit | undefined;
    void this.#exit.then((value) => {
      exit = value;
    });
    for (;;) {
      const url = URL_LINE.exec(this.#output)?.[1];
      if (url !== undefined) {
        this.#url = url;
        this.#port = Number(new URL(url).port);
        return;
      }
      if (exit !== undefined) throw new Error(`the server ended (${exit.code ?? exit.signal}) before it was ready:\n${this.#output}`);
      if (Date.now() > deadline) {
        await this.kill();
        throw new Error(`the server was not ready in time:\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exit;
  }

  /** SIGTERM, and waits until the process has ended. */
  async stop(): Promise<Exit> {
    this.#child?.kill('SIGTERM');
    return await this.#exit;
  }

  /** Ends the process if it runs, and removes the data folder if it is the server's own. */
  async dispose(): Promise<void> {
    await this.kill();
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** A server on its own folder that has not been started yet. */
export async function newServer(options: ServerOptions = {}): Promise<Server> {
  const dataDir = options.dataDir ?? (await mkdtemp(path.join(tmpdir(), 'millrace-')));
  return new Server(dataDir, options.dataDir === undefined, options);
}

export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const server = await newServer(options);
  try {
    await server.start();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}
