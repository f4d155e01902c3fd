// S2 sessions over prior-knowledge HTTP/2, as lean as they can be: what the benches, the crash test and the black-box tests speak.

import http2 from 'node:http2';
import {
  type Ack,
  decodeAck,
  decodeReadBatch,
  decodeTerminal,
  FrameCutter,
  type InBatch,
  TERMINAL,
  type TerminalFrame,
} from './protocol.ts';

const WINDOW_BYTES = 16 * 1024 * 1024;

/** What a session ended with: an HTTP answer other than 200, or a terminal frame. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(`${status} ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
  }
}

/** One HTTP/2 connection with wide windows. */
export async function connect(origin: string): Promise<http2.ClientHttp2Session> {
  const connection = http2.connect(origin, { settings: { initialWindowSize: WINDOW_BYTES } });
  await new Promise<void>((resolve, reject) => {
    connection.once('connect', () => {
      connection.setLocalWindowSize(WINDOW_BYTES);
      resolve();
    });
    connection.once('error', reject);
  });
  connection.on('error', () => undefined); // Each stream on it reports the loss by itself.
  return connection;
}

/** Further headers, such as a key. */
export type MoreHeaders = Readonly<Record<string, string>>;

function requestHead(method: string, basin: string, stream: string, query: string, more: MoreHeaders = {}): http2.OutgoingHttpHeaders {
  return {
    ':method': method,
    ':path': `/v1/streams/${encodeURIComponent(stream)}/records${query}`,
    'content-type': 's2s/proto',
    accept: 'application/protobuf',
    authorization: 'Bearer none',
    's2-basin': basin,
    ...more,
  };
}

interface Handlers {
  onOpen(): void;
  onFrame(payload: Buffer): void;
  /** Once: without an error after a clean end. */
  onEnd(error?: Error): void;
}

/** Reads the answer of a session: its head, its frames, and the one way in which it ended. */
function follow(stream: http2.ClientHttp2Stream, handlers: Handlers): void {
  const cutter = new FrameCutter();
  let status = 0;
  let errorText = '';
  let terminal: TerminalFrame | undefined;
  let ended = false;
  function end(error?: Error): void {
    if (ended) return;
    ended = true;
    handlers.onEnd(error);
  }
  stream.on('response', (head) => {
    status = head[':status'] ?? 0;
    if (status === 200) handlers.onOpen();
  });
  stream.on('data', (bytes: Buffer) => {
    if (status !== 200) {
      errorText += bytes.toString();
      return;
    }
    try {
      for (const frame of cutter.push(bytes)) {
        if (frame.flag & TERMINAL) terminal = decodeTerminal(frame.payload);
        else if (terminal === undefined) handlers.onFrame(frame.payload);
      }
    } catch (error) {
      end(error as Error);
      stream.destroy();
    }
  });
  stream.on('error', (error) => end(error));
  stream.on('end', () => {
    if (status !== 200) end(new SessionError(status, parseBody(errorText)));
    else if (terminal !== undefined) end(new SessionError(terminal.status, terminal.body));
    else if (cutter.isMidFrame) end(new Error('the answer ended inside a frame'));
    else if (stream.readableAborted) end(new Error('the answer was cut'));
    else end();
  });
  stream.on('close', () => end(new Error('the connection was lost')));
}

function parseBody(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { text };
  }
}

interface Pending {
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: Error) => void;
}

/** An append session: frames go out as they are given, acknowledgements come back in order. */
export class AppendSession {
  readonly opened: Promise<void>;
  readonly #stream: http2.ClientHttp2Stream;
  readonly #pending: Pending[] = [];
  #error: Error | undefined;
  #onEnded: () => void = () => undefined;
  readonly #ended: Promise<void>;

  constructor(connection: http2.ClientHttp2Session, basin: string, stream: string, more?: MoreHeaders) {
    this.#stream = connection.request(requestHead('POST', basin, stream, '', more), { endStream: false });
    this.#ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.opened = new Promise((resolve, reject) => {
      follow(this.#stream, {
        onOpen: resolve,
        onFrame: (payload) => this.#pending.shift()?.resolve(decodeAck(payload)),
        onEnd: (error) => {
          this.#error = error ?? new Error('the session has ended');
          reject(this.#error);
          for (const one of this.#pending.splice(0)) one.reject(this.#error);
          this.#onEnded();
        },
      });
    });
    this.opened.catch(() => undefined); // Whoever waits for an acknowledgement hears of it.
  }

  get inFlight(): number {
    return this.#pending.length;
  }

  /** Sends one frame of an AppendInput. @throws SessionError, or what broke the connection. */
  async append(frame: Buffer): Promise<Ack> {
    if (this.#error !== undefined) throw this.#error;
    return await new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
      this.#stream.write(frame);
    });
  }

  /** Writes bytes that need not be a frame, for tests of bad input. */
  writeRaw(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  /** Half-closes, and waits until the server has ended its answer. @returns what it ended with, if not cleanly. */
  async finish(): Promise<Error | undefined> {
    this.#stream.end();
    await this.#ended;
    return this.#error?.message === 'the session has ended' ? undefined : this.#error;
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

export interface ReadHandlers {
  onBatch(batch: InBatch): void;
  onEnd(error?: Error): void;
}

export interface OpenRead {
  readonly stream: http2.ClientHttp2Stream;
  close(): void;
}

/** A read session that decodes every batch. `query` starts with `?` or is empty. */
export function openRead(
  connection: http2.ClientHttp2Session,
  basin: string,
  stream: string,
  query: string,
  handlers: ReadHandlers,
  more?: MoreHeaders,
): OpenRead {
  const raw: Handlers = {
    onOpen: () => undefined,
    onFrame: (payload) => handlers.onBatch(decodeReadBatch(payload)),
    onEnd: (error) => handlers.onEnd(error),
  };
  return openRawRead(connection, basin, stream, query, raw, more);
}

/** A read session that hands over each frame as it is. */
export function openRawRead(
  connection: http2.ClientHttp2Session,
  basin: string,
  stream: string,
  query: string,
  handlers: Handlers,
  more?: MoreHeaders,
): OpenRead {
  const request = connection.request(requestHead('GET', basin, stream, query, more));
  follow(request, handlers);
  return { stream: request, close: () => request.destroy() };
}

/** Everything that a bounded read returns. @throws SessionError */
export async function readAll(
  connection: http2.ClientHttp2Session,
  basin: string,
  stream: string,
  query: string,
  more?: MoreHeaders,
): Promise<InBatch[]> {
  return await new Promise((resolve, reject) => {
    const batches: InBatch[] = [];
    const handlers: ReadHandlers = {
      onBatch: (batch) => batches.push(batch),
      onEnd: (error) => (error === undefined ? resolve(batches) : reject(error)),
    };
    openRead(connection, basin, stream, query, handlers, more);
  });
}
