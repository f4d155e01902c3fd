// One HTTP/1.1 connection to the production server without a network: bytes go into node's own parser and what comes out is read
// strictly. A byte that does not belong to an answer is an error here.

import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name; one that comes twice is an error. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** False while a chunked body goes on. */
  readonly isWhole: boolean;
}

const HEAD_END = '\r\n\r\n';

export class MemoryConnection {
  readonly #client: Duplex;
  readonly #server: Duplex;
  /** Of each request that is not answered: whether its answer has a body. */
  readonly #asked: { readonly isHead: boolean }[] = [];
  readonly #answers: RawAnswer[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #partial: RawAnswer | undefined;
  #isClosed = false;
  #broken: Error | undefined;

  constructor(serve: (socket: Socket) => void) {
    const [client, server] = duplexPair();
    this.#client = client;
    this.#server = server;
    const ignore = (): Duplex => server;
    Object.assign(server, { setTimeout: ignore, setNoDelay: ignore, setKeepAlive: ignore });
    for (const side of [client, server]) side.on('error', () => undefined);
    client.on('data', (bytes: Buffer) => this.#take(bytes));
    for (const event of ['end', 'close']) client.once(event, () => this.#close());
    serve(server as unknown as Socket);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What the client was answered that is no answer. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** Says which request the next bytes are. */
  expect(method: string): void {
    this.#asked.push({ isHead: method === 'HEAD' });
  }

  send(bytes: Uint8Array): void {
    if (!this.#isClosed && this.#client.writable) this.#client.write(bytes);
  }

  /** Whole answers that nobody took yet. */
  shift(): RawAnswer | undefined {
    return this.#answers.shift();
  }

  /** The answer that is coming in. */
  peek(): RawAnswer | undefined {
    return this.#answers[0] ?? this.#partial;
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
    this.#close();
  }

  #close(): void {
    this.#isClosed = true;
    this.#advance();
  }

  #take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    this.#advance();
  }

  #advance(): void {
    try {
      for (let found = this.#parse(false); found !== undefined; found = this.#parse(false)) this.#answers.push(found);
      this.#partial = this.#parse(true);
      if (this.#asked.length === 0 && this.#bytes.length > 0) throw new Error(`bytes behind the last answer: ${this.#bytes}`);
    } catch (error) {
      this.#broken ??= error as Error;
    }
  }

  #parse(isPartial: boolean): RawAnswer | undefined {
    const headEnd = this.#bytes.indexOf(HEAD_END);
    if (headEnd < 0) return undefined;
    const [line = '', ...fields] = this.#bytes.toString('latin1', 0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${line} `)?.[1]);
    if (!(status >= 100)) throw new Error(`no answer begins like that: ${line}`);
    const bodyAt = headEnd + HEAD_END.length;
    if (status < 200) {
      this.#bytes = this.#bytes.subarray(bodyAt);
      return this.#parse(isPartial);
    }
    const headers = headersOf(fields);
    // What cannot be parsed is answered with a body, whatever its method was meant to be.
    const isUnparsed = status >= 400 && headers['connection'] === 'close' && this.#bytes.length > bodyAt;
    const isBodiless = status === 204 || (this.#asked[0]?.isHead === true && !isUnparsed);
    const length = isBodiless ? 0 : headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
    const body = length === undefined ? chunked(this.#bytes, bodyAt) : sized(this.#bytes, bodyAt, length);
    if (!body.isWhole) return isPartial ? { status, headers, body: body.bytes, isWhole: false } : undefined;
    if (isPartial) return { status, headers, body: body.bytes, isWhole: true };
    this.#asked.shift();
    this.#bytes = this.#bytes.subarray(body.end);
    return { status, headers, body: body.bytes, isWhole: true };
  }
}

interface Body {
  readonly bytes: Buffer;
  readonly end: number;
  readonly isWhole: boolean;
}

function headersOf(fields: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const [, name = '', value = ''] = /^([!-9;-~]+): ?([\t\x20-\xff]*)$/.exec(field) ?? [];
    const key = name.toLowerCase();
    if (key === '' || headers[key] !== undefined) throw new Error(`not one field of an answer's head: ${JSON.stringify(field)}`);
    headers[key] = value;
  }
  return headers;
}

function sized(bytes: Buffer, at: number, length: number): Body {
  if (!Number.isSafeInteger(length)) throw new Error('a content-length that is no number');
  const end = at + length;
  return { bytes: bytes.subarray(at, end), end, isWhole: bytes.length >= end };
}

function chunked(bytes: Buffer, start: number): Body {
  const pieces: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return { bytes: Buffer.concat(pieces), end: at, isWhole: false };
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no length of a chunk: ${JSON.stringify(line)}`);
    const length = Number.parseInt(line, 16);
    const end = lineEnd + 2 + length;
    if (bytes.length < end + 2) return { bytes: Buffer.concat(pieces), end: at, isWhole: false };
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') throw new Error('a chunk does not end where it says');
    if (length === 0) return { bytes: Buffer.concat(pieces), end: end + 2, isWhole: true };
    pieces.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
