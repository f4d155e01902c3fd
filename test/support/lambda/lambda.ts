// A Lambda function on this machine: its bundle as a process of its own behind Lambda's Runtime API, with the ways of Lambda. An
// environment takes one invocation at a time; it is frozen between invocations; one that is not over in time is killed, and the
// next invocation gets a new environment, as after a crash.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';

export interface LambdaOptions {
  /** Holds index.mjs. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of an invocation. */
  readonly timeoutMs: number;
}

/** An invocation that failed, as Lambda tells it. */
export class InvocationError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.name = 'InvocationError';
    this.type = type;
  }
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const CLIENT = path.join(import.meta.dirname, 'runtime-client.ts');
/** AWS's own client of the Runtime API, where it is installed. */
const RIC = process.env['MILLRACE_TEST_RIC'];
const LOG_CHARS_MAX = 64 * 1024;
const PATH = /^\/2018-06-01\/runtime\/(?:(invocation\/next)|invocation\/([^/]+)\/(response|error)|(init\/error))$/;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function createLambda(options: LambdaOptions): Promise<Lambda> {
  const server = http.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return new Lambda(options, server, address.port);
}

export class Lambda {
  readonly #options: LambdaOptions;
  readonly #server: http.Server;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #idle: ServerResponse | undefined;
  #current: Invocation | undefined;
  #timer: NodeJS.Timeout | undefined;
  #deadline = 0;
  #spawnedAt = 0;
  #coldMs: number | undefined;
  #coldProcessorMs = Number.NaN;
  #log = '';

  constructor(options: LambdaOptions, server: http.Server, port: number) {
    this.#options = options;
    this.#server = server;
    this.#port = port;
    server.on('request', (request, response) => void this.#handle(request, response));
  }

  /** From the start of the process until it asked for its first invocation; on a busy machine most of that is waiting. */
  get coldStart(): string {
    return `cold start ${Math.round(this.#coldMs ?? Number.NaN)} ms, of which the processor worked ${this.#coldProcessorMs} ms`;
  }

  /** Of the process that runs; undefined: the next invocation starts one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get log(): string {
    return this.#log;
  }

  /**
   * @param isTimed false: the process is told when its time is over, and lives on, as one does that was frozen meanwhile
   * @throws InvocationError
   */
  async invoke(event: unknown, { timeoutMs = this.#options.timeoutMs, isTimed = true } = {}): Promise<unknown> {
    if (this.#current !== undefined) throw new Error('an environment takes one invocation at a time');
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#current = { id: randomUUID(), event, resolve, reject };
    });
    if (this.#child === undefined) this.#spawn();
    if (isTimed) this.#timer = setTimeout(() => this.#fail('Sandbox.Timedout', `Task timed out after ${timeoutMs} ms`), timeoutMs);
    this.#deadline = Date.now() + timeoutMs;
    this.#child?.kill('SIGCONT');
    this.#give();
    return await answered;
  }

  /** Stops the process where it stands, for as long as the test likes. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async dispose(): Promise<void> {
    const child = this.#child;
    clearTimeout(this.#timer);
    child?.kill('SIGKILL');
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #spawn(): void {
    const { folder, env } = this.#options;
    this.#spawnedAt = performance.now();
    this.#coldMs = undefined;
    const child = spawn(process.execPath, RIC === undefined ? [CLIENT] : [RIC, 'index.handler'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        LAMBDA_TASK_ROOT: folder,
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${this.#port}`,
        AWS_LAMBDA_FUNCTION_NAME: 'test',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
        AWS_LAMBDA_LOG_FORMAT: 'Text',
        AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/test',
        AWS_LAMBDA_LOG_STREAM_NAME: 'test',
        _HANDLER: 'index.handler',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_CHARS_MAX);
      });
    }
    child.once('close', (code, signal) => {
      running.delete(child);
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#idle = undefined;
      this.#settle((invocation) => invocation.reject(new InvocationError('Runtime.ExitError', `ended with ${code ?? signal}`)));
    });
  }

  /** The environment is given up: it takes nothing any more. */
  #fail(type: string, message: string): void {
    const child = this.#child;
    this.#child = undefined;
    this.#idle = undefined;
    child?.kill('SIGKILL');
    this.#settle((invocation) => invocation.reject(new InvocationError(type, message)));
  }

  #settle(act: (invocation: Invocation) => void): void {
    clearTimeout(this.#timer);
    const invocation = this.#current;
    this.#current = undefined;
    if (invocation !== undefined) act(invocation);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, isNext, id, kind, isInitError] = PATH.exec(request.url ?? '') ?? [];
    if (isNext !== undefined) {
      if (this.#coldMs === undefined) {
        this.#coldMs = performance.now() - this.#spawnedAt;
        this.#coldProcessorMs = processorMs(this.#child?.pid ?? 0);
      }
      this.#idle = response;
      if (this.#current === undefined) this.freeze();
      else this.#give();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    response.writeHead(202).end('{}');
    if (isInitError !== undefined || kind === 'error') {
      const { errorType, errorMessage } = JSON.parse(body) as { errorType: string; errorMessage: string };
      if (isInitError !== undefined) this.#fail(errorType, errorMessage);
      else if (this.#current?.id === id) this.#settle((invocation) => invocation.reject(new InvocationError(errorType, errorMessage)));
    } else if (kind === 'response' && this.#current?.id === id) {
      this.#settle((invocation) => invocation.resolve(JSON.parse(body)));
    }
  }

  #give(): void {
    const invocation = this.#current;
    const response = this.#idle;
    if (invocation === undefined || response === undefined) return;
    this.#idle = undefined;
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.id,
      'lambda-runtime-deadline-ms': String(this.#deadline),
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:123456789012:function:test',
      'lambda-runtime-trace-id': 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0',
    });
    response.end(JSON.stringify(invocation.event));
  }
}

/** What all threads of a process had of the processors, user and system (proc(5)). */
function processorMs(pid: number): number {
  const TICK_MS = 10;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return TICK_MS * (Number(fields[11]) + Number(fields[12]));
}
