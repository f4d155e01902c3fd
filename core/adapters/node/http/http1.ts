// Serves HTTP/1.1 on connections that somebody else accepted: full duplex, bounded heads, no end to a request under way.
//
// What node would answer by itself, with an empty body or none, is answered in JSON.

import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { answerPlainly } from './plain-answer.ts';

/** How often heads are looked at that take too long. */
const HEADERS_CHECK_MS = 5_000;

/** From the start of a drain to the end of idle connections. */
const IDLE_CLOSE_MS = 250;

export interface Http1Options {
  readonly headerBytesMax: number;
  readonly headersMsMax: number;
  /** Between requests. */
  readonly idleMsMax: number;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export class Http1 {
  readonly #server: NodeServer;
  /** The requests of a connection that are not answered to their end. */
  readonly #owed = new WeakMap<Duplex, Map<ServerResponse, IncomingMessage>>();
  /** Connections that are told so once they have what they are owed. */
  readonly #refused = new WeakSet<Duplex>();
  #isRetired = false;

  constructor({ headerBytesMax, headersMsMax, idleMsMax, handle }: Http1Options) {
    this.#server = createServer({
      requestTimeout: 0,
      headersTimeout: headersMsMax,
      connectionsCheckingInterval: Math.min(HEADERS_CHECK_MS, headersMsMax),
      keepAliveTimeout: idleMsMax,
      maxHeaderSize: headerBytesMax,
      noDelay: true,
      requireHostHeader: false,
    });
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      this.#owe(request, response);
      if (this.#isRetired) response.setHeader('connection', 'close');
      const problem = hostProblem(request);
      if (problem === undefined) handle(request, response);
      else refuse(request, response, problem);
    };
    this.#server.on('request', onRequest);
    this.#server.on('checkContinue', (request, response) => {
      // Behind an answer that is not complete, node would put it between this one's head and body.
      if (response.socket !== null) response.writeContinue();
      onRequest(request, response);
    });
    // An expectation that is not known is as good as none.
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('connect', (_, socket) =>
      answerPlainly(socket, { status: 405, code: 'method_not_allowed', message: 'this server is no proxy' }),
    );
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseUnparsed(error, socket));
    // It never listens by itself; this starts its check of headers that take too long.
    this.#server.emit('listening');
  }

  serve(socket: Socket): void {
    this.#server.emit('connection', socket);
    socket.resume();
  }

  /** Each answer from now on tells its client to close the connection. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Lets connections go once their requests are answered. */
  drain(): void {
    this.retire();
    // A request may be on its way on one that is idle: better told that nothing has happened than cut.
    setTimeout(() => this.#server.closeIdleConnections(), IDLE_CLOSE_MS).unref();
  }

  close(): void {
    this.#server.close();
  }

  #owe(request: IncomingMessage, response: ServerResponse): void {
    const owed = this.#owed.get(request.socket) ?? new Map<ServerResponse, IncomingMessage>();
    this.#owed.set(request.socket, owed.set(response, request));
    response.once('close', () => owed.delete(response));
  }

  /** Whole requests that came before what cannot be parsed have their answers first: a client takes answers in order. */
  #refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
    const before = [...(this.#owed.get(socket) ?? [])].find(([, request]) => request.complete)?.[0];
    if (before === undefined || !socket.writable || socket.destroyed) answerClientError(error, socket);
    else if (!this.#refused.has(socket)) {
      this.#refused.add(socket);
      const again = (): void => {
        this.#refused.delete(socket);
        this.#refuseUnparsed(error, socket);
      };
      before.once('close', again);
    }
  }
}

/** HTTP/1.1 asks for exactly one Host: of two, each hop might believe another one. */
function hostProblem({ httpVersionMinor, headers, rawHeaders }: IncomingMessage): string | undefined {
  if (headers.host === undefined) return httpVersionMinor === 0 ? undefined : 'the request lacks its `host` header';
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.length === 4 && /^host$/i.test(rawHeaders[at] ?? '')) hosts += 1;
  return hosts === 1 ? undefined : 'the request has more than one `host` header';
}

function refuse(request: IncomingMessage, response: ServerResponse, message: string): void {
  const body = JSON.stringify({ code: 'bad_header', message });
  response.on('error', () => undefined);
  response.writeHead(400, { 'content-type': 'application/json', 'content-length': body.length, connection: 'close' });
  response.end(request.method === 'HEAD' ? '' : body);
}

/** A request that cannot be parsed, or whose head never ends. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    answerPlainly(socket, { status: 408, code: 'request_timeout', message: 'the request head took too long' });
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  answerPlainly(socket, { status, code: 'bad_header', message: 'the request cannot be parsed' });
}
