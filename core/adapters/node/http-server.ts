// One plaintext port that speaks HTTP/1.1 and prior-knowledge HTTP/2: the first bytes of a connection say which.
//
//   A15  A connection that says nothing, or takes for ever to say it, is closed; a request under way is never timed out here.
//
// The handler gets node's own request and response of either protocol. What a request's body may cost is the handler's to bound.

import { createServer as createHttp1Server, type Server as Http1Server, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

const MIB = 1024 * 1024;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** What a client may have on its way to us before we read it: one append session must fill a fast network. */
const STREAM_WINDOW_BYTES = 16 * MIB;
/** Twice that, so that one session that is not read does not stop the others of its connection. */
const CONNECTION_WINDOW_BYTES = 32 * MIB;
const STREAMS_MAX = 256;
/** Node refuses new streams above this: queued answers count, and a batch of a read session is up to 2 MiB. */
const SESSION_MEMORY_MIB = 512;
const CONNECTIONS_MAX = 16_384;

/** From a connection's start to its first byte, and between requests; clients open connections ahead of use. */
const IDLE_MS_MAX = 75_000;
/** From the first byte of a request to the end of its head. */
const HEADERS_MS_MAX = 20_000;
const HEADERS_CHECK_MS = 5_000;
/** After this long without a packet the network is asked whether the client still exists. */
const SILENCE_MS_MAX = 60_000;
const HEADER_BYTES_MAX = 32 * 1024;

export interface HttpServerOptions {
  handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
  /** For tests; the defaults are above. */
  readonly idleMsMax?: number;
  readonly headersMsMax?: number;
}

export interface HttpServer {
  /** Resolves with the port, once connections are taken. */
  listen(port: number, host: string): Promise<number>;
  readonly connectionsCount: number;
  /** Takes no new connection, and lets those that are there go once their requests are answered. */
  drain(): void;
  /** Closes whatever is left. */
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new SharedPortServer(options);
}

class SharedPortServer implements HttpServer {
  readonly #server: Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #idleMsMax: number;
  #isDraining = false;

  constructor({ handle, idleMsMax = IDLE_MS_MAX, headersMsMax = HEADERS_MS_MAX }: HttpServerOptions) {
    this.#idleMsMax = idleMsMax;
    this.#http1 = createHttp1Server({
      requestTimeout: 0,
      headersTimeout: headersMsMax,
      connectionsCheckingInterval: Math.min(HEADERS_CHECK_MS, headersMsMax),
      keepAliveTimeout: idleMsMax,
      maxHeaderSize: HEADER_BYTES_MAX,
      noDelay: true,
    });
    this.#http1.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (this.#isDraining) response.setHeader('connection', 'close');
      handle(request, response);
    });
    this.#http1.on('clientError', answerClientError);
    // It never listens by itself; this starts its check of headers that take too long.
    this.#http1.emit('listening');
    this.#http2 = createHttp2Server({
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX },
      maxSessionMemory: SESSION_MEMORY_MIB,
    });
    this.#http2.on('request', handle);
    this.#http2.on('session', (session) => this.#addSession(session));
    this.#http2.on('sessionError', () => undefined);
    this.#server = createServer({ noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: SILENCE_MS_MAX }, (socket) =>
      this.#accept(socket),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  get connectionsCount(): number {
    return this.#sockets.size;
  }

  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host, backlog: 1_024 }, () => {
        this.#server.off('error', reject);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  drain(): void {
    this.#isDraining = true;
    this.#server.close();
    this.#http1.closeIdleConnections();
    for (const session of this.#sessions) session.close();
  }

  async close(): Promise<void> {
    this.drain();
    this.#http1.close();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    // Gone are only the sockets; what their handlers still do is theirs.
    while (this.#sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), this.#idleMsMax);
    socket.once('close', () => clearTimeout(timer));
    let seen: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) {
        seen = seen.length === 0 ? piece : Buffer.concat([seen, piece]);
      }
      if (seen.length === 0) return;
      const compared = Math.min(seen.length, PREFACE.length);
      const isPreface = seen.compare(PREFACE, 0, compared, 0, compared) === 0;
      if (isPreface && compared < PREFACE.length) return;
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      this.#handOver(socket, seen, isPreface);
    };
    const onEnd = (): void => {
      socket.destroy();
    };
    socket.on('readable', onReadable);
    socket.once('end', onEnd);
  }

  #handOver(socket: Socket, seen: Buffer, isHttp2: boolean): void {
    // HTTP/1 clients may close their half after a request; on HTTP/2 a closed half is a closed connection.
    if (isHttp2) socket.allowHalfOpen = false;
    socket.unshift(seen);
    (isHttp2 ? this.#http2 : this.#http1).emit('connection', socket);
    if (!isHttp2) socket.resume();
  }

  #addSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#closeWhenIdle(session);
    if (this.#isDraining) session.close();
  }

  /** A connection without a stream for this long goes; one with streams stays, however quiet they are. */
  #closeWhenIdle(session: ServerHttp2Session): void {
    let openCount = 0;
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => session.close(), this.#idleMsMax);
      timer.unref();
    };
    arm();
    session.on('stream', (stream) => {
      openCount += 1;
      clearTimeout(timer);
      stream.once('close', () => {
        openCount -= 1;
        if (openCount === 0 && !session.closed) arm();
      });
    });
    session.once('close', () => clearTimeout(timer));
  }
}

/** A request that cannot be parsed, or whose head never ends: JSON here too. */
function answerClientError(error: NodeJS.ErrnoException, socket: NodeJS.WritableStream & { destroyed?: boolean; destroy?(): void }): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy?.();
    return;
  }
  const isTimeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = isTimeout ? '408 Request Timeout' : isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const code = isTimeout ? 'request_timeout' : 'bad_header';
  const body = JSON.stringify({ code, message: isTimeout ? 'the request head took too long' : 'the request cannot be parsed' });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy?.(),
  );
}
