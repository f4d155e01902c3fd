// One request on a connection of its own, with both directions open: for sessions, events, and whatever is read piece by piece.

import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { Readable, Writable } from 'node:stream';
import type { WireRequest } from './http.ts';

export interface Origin {
  /** Scheme, host and port. */
  readonly url: string;
  /** Whether a certificate that nobody vouches for will do. */
  readonly insecure?: boolean;
}

export interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Exchange {
  /** The head of the answer; may come before the request has ended. */
  readonly head: Promise<Head>;
  write(bytes: Uint8Array): void;
  /** Ends the request; the answer goes on. */
  end(bytes?: string | Uint8Array): void;
  /** The next piece of the answer's body; undefined at its end. @throws when it is cut */
  read(): Promise<Buffer | undefined>;
  /** Goes away without a word. */
  abandon(): void;
  /** Stops and starts taking what comes. */
  pause(): void;
  resume(): void;
}

export async function openExchange(origin: Origin, request: WireRequest, signal: AbortSignal): Promise<Exchange> {
  return request.over === 'h2' ? await openHttp2(origin, request, signal) : openHttp1(origin, request, signal);
}

/** A connection on which several streams may be opened; ends with the signal. */
export async function connectHttp2(
  origin: Origin,
  signal: AbortSignal,
  options: http2.ClientSessionOptions & http2.SecureClientSessionOptions = {},
): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(origin.url, { ...(origin.insecure === true ? { rejectUnauthorized: false } : {}), ...options });
  signal.addEventListener('abort', () => session.destroy(), { once: true });
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
    session.once('close', () => reject(new Error('the connection was closed')));
  });
  session.on('error', () => undefined);
  return session;
}

async function openHttp2(origin: Origin, { method, path, headers }: WireRequest, signal: AbortSignal): Promise<Exchange> {
  const session = await connectHttp2(origin, signal);
  const { host, ...others } = headers;
  const stream = session.request(
    { ':method': method, ':path': path, ...(host === undefined ? {} : { ':authority': host }), ...others },
    { endStream: false },
  );
  const head = new Promise<Head>((resolve, reject) => {
    stream.once('response', (found) => {
      const { ':status': status, ...rest } = found;
      resolve({ status: Number(status), headers: flat(rest) });
    });
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the stream was closed before its head came')));
  });
  stream.once('close', () => session.close());
  return exchangeOf(head, Promise.resolve(stream), stream, () => session.destroy());
}

function openHttp1(origin: Origin, { method, path, headers }: WireRequest, signal: AbortSignal): Exchange {
  const isTls = origin.url.startsWith('https:');
  const url = new URL(origin.url);
  const request = (isTls ? https : http).request({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (isTls ? 443 : 80),
    method,
    path,
    headers,
    agent: false,
    ...(origin.insecure === true ? { rejectUnauthorized: false } : {}),
  });
  signal.addEventListener('abort', () => request.destroy(new Error('the case is over')), { once: true });
  const response = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  response.catch(() => undefined);
  const head = response.then((found) => ({ status: found.statusCode ?? 0, headers: flat(found.headers) }));
  if (method !== 'GET') request.flushHeaders();
  return exchangeOf(head, response, request, () => request.destroy());
}

function flat(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  );
}

function exchangeOf(head: Promise<Head>, input: Promise<Readable>, output: Writable, abandon: () => void): Exchange {
  head.catch(() => undefined);
  const pieces = new Pieces(input);
  output.on('error', () => undefined);
  return {
    head,
    write: (bytes) => void output.write(bytes),
    end: (bytes) => void (bytes === undefined ? output.end() : output.end(bytes)),
    read: () => pieces.next(),
    abandon,
    pause: () => pieces.pause(),
    resume: () => pieces.resume(),
  };
}

/** What comes, in the pieces in which it comes. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  readonly #waiting: PromiseWithResolvers<Buffer | undefined>[] = [];
  #input: Readable | undefined;
  #end: { readonly error?: Error } | undefined;

  constructor(input: Promise<Readable>) {
    input.then(
      (stream) => this.#listen(stream),
      (error: Error) => this.#finish({ error }),
    );
  }

  next(): Promise<Buffer | undefined> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) return Promise.resolve(piece);
    if (this.#end !== undefined) return this.#end.error === undefined ? Promise.resolve(undefined) : Promise.reject(this.#end.error);
    const waiting = Promise.withResolvers<Buffer | undefined>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  pause(): void {
    this.#input?.pause();
  }

  resume(): void {
    this.#input?.resume();
  }

  #listen(stream: Readable): void {
    this.#input = stream;
    stream.on('data', (piece: Buffer) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#pieces.push(piece);
      else waiting.resolve(piece);
    });
    stream.once('end', () => this.#finish({}));
    stream.once('error', (error: Error) => this.#finish({ error }));
    stream.once('close', () => this.#finish({ error: new Error('the answer was cut') }));
  }

  #finish(end: { readonly error?: Error }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const waiting of this.#waiting) {
      if (end.error === undefined) waiting.resolve(undefined);
      else waiting.reject(end.error);
    }
  }
}
