// One port that speaks HTTP/1.1 and HTTP/2: in plaintext the first bytes of a connection say which, with a certificate TLS does.
//
//   A15  A connection that says nothing, or takes for ever to say it, is closed; a request under way is never timed out here.
//
// The handler gets node's own request and response of either protocol. What a request's body may cost is the handler's to bound.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { httpVersion, isTls, lookAtFirstBytes } from './http/first-bytes.ts';
import { Http1 } from './http/http1.ts';
import { Http2 } from './http/http2.ts';
import { answerPlainly } from './http/plain-answer.ts';
import { type Certificate, Tls } from './http/tls.ts';

const CONNECTIONS_MAX = 16_384;
/** From a connection's start to its first byte, and between requests; clients open connections ahead of use. */
const IDLE_MS_MAX = 75_000;
/** From the first byte of a request to the end of its head, and of a handshake to its end. */
const HEADERS_MS_MAX = 20_000;
/** After this long without a packet the network is asked whether the client still exists. */
const SILENCE_MS_MAX = 60_000;
const HEADER_BYTES_MAX = 32 * 1024;

export interface HttpServerOptions {
  handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
  /** With one, the port speaks TLS and nothing else. */
  readonly certificate?: Certificate;
  /** For tests; the defaults are above. */
  readonly idleMsMax?: number;
  readonly headersMsMax?: number;
}

export interface HttpServer {
  /** Resolves with the port, once connections are taken. Where it fails, it may be tried again. */
  listen(port: number, host: string): Promise<number>;
  readonly connectionsCount: number;
  /** For handshakes from now on. @throws Error when it cannot be used; then nothing changes. */
  replaceCertificate(certificate: Certificate): void;
  /** Takes no new connection, and tells clients to take another one for their next requests; those that come all the same are served. */
  retire(): void;
  /** The same, and lets connections go once what is under way is answered. */
  drain(): void;
  /** Closes whatever is left. */
  close(): Promise<void>;
}

/** @throws Error when the certificate cannot be used. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new SharedPortServer(options);
}

class SharedPortServer implements HttpServer {
  readonly #server: Server;
  readonly #http1: Http1;
  readonly #http2: Http2;
  readonly #tls: Tls | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #idleMsMax: number;

  constructor({ handle, certificate, idleMsMax = IDLE_MS_MAX, headersMsMax = HEADERS_MS_MAX }: HttpServerOptions) {
    this.#idleMsMax = idleMsMax;
    this.#http1 = new Http1({ handle, headerBytesMax: HEADER_BYTES_MAX, headersMsMax, idleMsMax });
    this.#http2 = new Http2({ handle, headerBytesMax: HEADER_BYTES_MAX, idleMsMax });
    if (certificate !== undefined) {
      this.#tls = new Tls(certificate, headersMsMax, (socket, protocol) => {
        if (protocol === 'h2') this.#http2.serve(socket);
        else
          lookAtFirstBytes(
            socket,
            idleMsMax,
            () => true,
            () => this.#http1.serve(socket),
          );
      });
    }
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
      const onError = (error: Error): void => {
        this.#server.off('listening', onListening);
        reject(error);
      };
      const onListening = (): void => {
        this.#server.off('error', onError);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      };
      this.#server.once('error', onError).once('listening', onListening);
      this.#server.listen({ port, host, backlog: 1_024 });
    });
  }

  replaceCertificate(certificate: Certificate): void {
    if (this.#tls === undefined) throw new Error('a server that started without a certificate speaks plaintext');
    this.#tls.replace(certificate);
  }

  retire(): void {
    this.#server.close();
    this.#http1.retire();
    this.#http2.retire();
  }

  drain(): void {
    this.retire();
    this.#http1.drain();
    this.#http2.drain();
  }

  async close(): Promise<void> {
    this.drain();
    this.#http1.close();
    this.#http2.close();
    for (const socket of this.#sockets) socket.destroy();
    // Gone are only the sockets; what their handlers still do is theirs.
    while (this.#sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const tls = this.#tls;
    if (tls === undefined) {
      lookAtFirstBytes(socket, this.#idleMsMax, httpVersion, (version) => (version === 'h2' ? this.#http2 : this.#http1).serve(socket));
      return;
    }
    lookAtFirstBytes(socket, this.#idleMsMax, isTls, (spoken) => {
      if (spoken === 'tls') tls.serve(socket);
      else answerPlainly(socket, { status: 400, code: 'bad_header', message: 'this port speaks TLS: use https' });
    });
  }
}
