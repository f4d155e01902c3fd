// One request and its answer, the same over HTTP/1.1 and HTTP/2, straight on the node streams.
//
//   A8   Nothing is written after the client is gone, and nothing that it does throws into the process.
//   A17  A client that takes nothing of what is sent to it for too long is cut.
//   A9   A request whose body is not read to its end is answered all the same, and does not hold its connection for ever.

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { BasinOfHost } from '../../wire/basin-host.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** A body that goes on after its answer is thrown away for this long; then the connection (HTTP/1) or stream (HTTP/2) is cut. */
const LINGER_MS = 5_000;

const ignore = (): void => undefined;
/** Every exchange ends so: one error for all, as an error costs its stack. */
const GONE = new Error('the exchange is over');

/** How many answers of an HTTP/1 connection wait to be taken: clients may send requests ahead. */
const waitingAnswers = new WeakMap<Socket, number>();

function watchSocket(socket: Socket | undefined, ms: number): () => void {
  if (socket === undefined) return ignore;
  waitingAnswers.set(socket, (waitingAnswers.get(socket) ?? 0) + 1);
  // Nobody listens for the timeout: then node itself ends the connection.
  socket.setTimeout(ms);
  return () => {
    const left = (waitingAnswers.get(socket) ?? 1) - 1;
    waitingAnswers.set(socket, left);
    if (left === 0) socket.setTimeout(0);
  };
}

/** A request may name the whole URL, as it does to a proxy; then the host is the one in there. */
function originForm(target: string): { readonly target: string; readonly authority?: string | undefined } {
  if (target.startsWith('/')) return { target };
  const [whole, authority, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? [];
  if (whole === undefined) return { target };
  return { target: rest.startsWith('/') ? rest : `/${rest}`, authority };
}

export class Exchange {
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  /** Behind the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** The host that the client asked, with its port. */
  readonly host: string | undefined;
  /** What the host that the client asked says of the basin. */
  readonly hostBasin: string | undefined;
  readonly #request: IncomingMessage | undefined;
  readonly #response: ServerResponse | undefined;
  readonly #stream: ServerHttp2Stream | undefined;
  readonly #gone = new AbortController();
  readonly #readMs: number;
  #added: OutgoingHttpHeaders | undefined;
  #hasHead = false;
  #isEnded = false;

  /** @param readMs how long the client may take nothing of what is sent to it. */
  constructor(request: NodeRequest, response: NodeResponse, readMs: number, basinOfHost: BasinOfHost) {
    this.#readMs = readMs;
    const { target: url, authority } = originForm(request.url ?? '/');
    const queryAt = url.indexOf('?');
    this.method = request.method ?? 'GET';
    this.path = queryAt < 0 ? url : url.slice(0, queryAt);
    this.query = queryAt < 0 ? '' : url.slice(queryAt + 1);
    this.headers = request.headers;
    this.host = authority ?? (request.headers[':authority'] as string | undefined) ?? request.headers.host;
    this.hostBasin = basinOfHost(this.host);
    if ('stream' in request) {
      this.#stream = (request as Http2ServerRequest).stream as ServerHttp2Stream;
      request.on('error', ignore);
      this.#stream.on('error', ignore);
      this.#stream.once('close', () => this.#gone.abort(GONE));
    } else {
      this.#request = request;
      this.#response = response as ServerResponse;
      this.#request.on('error', ignore);
      this.#response.on('error', ignore);
      this.#response.once('close', () => this.#gone.abort(GONE));
    }
  }

  /** The request's body. Whoever reads it handles its end. */
  get body(): Readable {
    return (this.#stream ?? this.#request) as Readable;
  }

  /** Aborted once nothing can be sent any more: the client went away, or the answer is complete. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get hasHead(): boolean {
    return this.#hasHead;
  }

  /** Headers of the answer, whatever it will be. */
  addHeaders(headers: OutgoingHttpHeaders): void {
    this.#added = { ...this.#added, ...headers };
  }

  /** Sends the head at once, before any of the body exists. */
  head(status: number, given: OutgoingHttpHeaders): void {
    if (this.#hasHead || this.#gone.signal.aborted) return;
    this.#hasHead = true;
    const headers = this.#added === undefined ? given : { ...given, ...this.#added };
    if (this.#stream !== undefined) {
      if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.respond({ ...headers, ':status': status });
      return;
    }
    this.#response?.writeHead(status, headers);
    this.#response?.flushHeaders();
  }

  /** Undefined while the client keeps up; else resolves once it has (or is gone). */
  write(bytes: Uint8Array): Promise<void> | undefined {
    const writable = this.#stream ?? this.#response;
    if (writable === undefined || this.#gone.signal.aborted || this.#isEnded || writable.destroyed) return undefined;
    if (writable.write(bytes)) return undefined;
    return new Promise((resolve) => {
      const stopWatching = this.#watchProgress();
      const done = (): void => {
        stopWatching();
        writable.off('drain', done);
        writable.off('close', done);
        resolve();
      };
      writable.once('drain', done);
      writable.once('close', done);
    });
  }

  /** Ends the answer; a body that still comes in is not waited for. */
  end(bytes?: Uint8Array): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#stream !== undefined) this.#endStream(this.#stream, bytes);
    else if (this.#response !== undefined && this.#request !== undefined) this.#endResponse(this.#request, this.#response, bytes);
  }

  /** The whole answer in one write. */
  answer(status: number, given: OutgoingHttpHeaders, body: Uint8Array): void {
    const headers = this.#added === undefined ? given : { ...given, ...this.#added };
    const sized = status === 204 ? headers : { ...headers, 'content-length': body.length };
    const bytes = this.method === 'HEAD' || body.length === 0 ? undefined : body;
    if (this.#stream !== undefined) this.head(status, sized);
    else if (!this.#hasHead && !this.#gone.signal.aborted) {
      // Without a flush of its own, the head leaves in one packet with the body.
      this.#hasHead = true;
      this.#response?.writeHead(status, sized);
    }
    this.end(bytes);
  }

  /** For an answer that broke in its middle: the client must not take it for whole. */
  destroy(): void {
    this.#isEnded = true;
    if (this.#stream !== undefined) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else this.#request?.socket.destroy();
  }

  /** The same, without waiting for what is still to be sent: that would keep a stream from closing. */
  cut(): void {
    this.destroy();
    this.#stream?.destroy();
  }

  /** Cuts a client that takes nothing: node tells when a connection makes no progress, also while bytes wait to be sent. */
  #watchProgress(): () => void {
    const stream = this.#stream;
    if (stream === undefined) return watchSocket(this.#request?.socket, this.#readMs);
    const cut = (): void => this.cut();
    stream.setTimeout(this.#readMs, cut);
    return () => {
      if (!stream.destroyed) stream.setTimeout(0, cut);
    };
  }

  #endStream(stream: ServerHttp2Stream, bytes: Uint8Array | undefined): void {
    if (stream.destroyed || stream.closed) return;
    stream.removeAllListeners('data');
    stream.resume();
    stream.once('finish', () => {
      if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    if (bytes === undefined) stream.end();
    else stream.end(bytes);
    if (stream.writableLength > 0) stream.once('close', this.#watchProgress());
  }

  #endResponse(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) response.end();
    else response.end(bytes);
    // Before node's own listener, which then watches the connection for its next request.
    if (response.writableLength > 0) response.prependOnceListener('finish', this.#watchProgress());
    if (request.complete) {
      request.resume();
      return;
    }
    request.removeAllListeners('data');
    request.resume();
    const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
    timer.unref();
    request.once('end', () => clearTimeout(timer));
    request.once('close', () => clearTimeout(timer));
  }
}
