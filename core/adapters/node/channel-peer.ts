// Reaches other processes of the deployment over HTTP/1.1, on connections that are kept: one exchange at a time on each, streaming
// both ways, so that a session never waits for another one.

import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { refused, StoreError } from '../../model/errors.ts';
import type { ChannelPeers, PeerAnswer, PeerCall, PeerHeaders, PeerRequest } from '../../ports/channel-peer.ts';

/** A peer that is there takes a connection in a round trip. */
const CONNECT_MS_MAX = 1_000;
/** Exchanges with one peer at once, sessions included: half of what it takes from all. */
const CALLS_MAX = 8_192;
const IDLE_CONNECTIONS_MAX = 256;
/** After this long without a packet the network is asked, every second and ten times at most, whether the peer still exists. */
const SILENCE_MS_MAX = 5_000;
/** More of an answer that nobody wants is not read for the sake of its connection. */
const UNWANTED_BYTES_MAX = 16 * 1024;

const ignore = (): void => undefined;

export function createChannelPeers(): ChannelPeers {
  return new Peers();
}

class Peers implements ChannelPeers {
  readonly #options = {
    keepAlive: true,
    keepAliveMsecs: SILENCE_MS_MAX,
    maxFreeSockets: IDLE_CONNECTIONS_MAX,
    scheduling: 'lifo',
  } as const;
  readonly #plain = new http.Agent(this.#options);
  readonly #secure = new https.Agent(this.#options);
  readonly #open = new Map<string, number>();

  open(base: string, request: PeerRequest): PeerCall {
    const count = this.#open.get(base) ?? 0;
    if (count >= CALLS_MAX) throw refused('throttled', 'too many requests are passed on at once; try again later');
    this.#open.set(base, count + 1);
    const { protocol, hostname, port } = new URL(base);
    const isSecure = protocol === 'https:';
    const { method, target, headers } = request;
    const out = (isSecure ? https : http).request({
      agent: isSecure ? this.#secure : this.#plain,
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port: port || (isSecure ? 443 : 80),
      method,
      path: target,
      headers: headers as Record<string, string | string[]>,
      setHost: false,
      // The certificate is that of the peer, whatever host the client asked.
      ...(isSecure ? { servername: hostname } : {}),
    });
    out.once('close', () => this.#closed(base));
    return new Call(base, out, isSecure);
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #closed(base: string): void {
    const left = (this.#open.get(base) ?? 1) - 1;
    if (left === 0) this.#open.delete(base);
    else this.#open.set(base, left);
  }
}

class Call implements PeerCall {
  readonly answer: Promise<PeerAnswer>;
  readonly #out: ClientRequest;
  #body: AnswerBody | undefined;
  /** What was sent may have been taken. */
  #isConnected = false;
  #isClosed = false;

  constructor(base: string, out: ClientRequest, isSecure: boolean) {
    this.#out = out;
    out.once('socket', (socket) => this.#watchConnect(socket, isSecure));
    this.answer = new Promise((resolve, reject) => {
      const fail = (error?: Error): void => reject(this.#failure(base, error));
      out.on('error', fail);
      out.once('close', () => fail());
      out.once('response', (response) => {
        const body = new AnswerBody(response, base);
        this.#body = body;
        resolve({ status: response.statusCode ?? 502, headers: response.headers as PeerHeaders, next: () => body.next() });
      });
    });
    // Whoever closes the call no longer asks.
    this.answer.catch(ignore);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const out = this.#out;
    if (out.destroyed || out.writableEnded || out.write(bytes)) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        out.off('drain', done);
        out.off('close', done);
        resolve();
      };
      out.once('drain', done);
      out.once('close', done);
    });
  }

  end(): void {
    if (!this.#out.destroyed) this.#out.end();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isSent = this.#out.writableFinished;
    if (isSent && this.#body?.letGo() === true) return;
    this.#out.destroy();
  }

  #watchConnect(socket: Socket, isSecure: boolean): void {
    if (!socket.connecting) {
      this.#isConnected = true;
      return;
    }
    const timer = setTimeout(() => this.#out.destroy(new Error(`no connection within ${CONNECT_MS_MAX} ms`)), CONNECT_MS_MAX);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      this.#isConnected = true;
    });
    socket.once('close', () => clearTimeout(timer));
  }

  #failure(base: string, error: Error | undefined): StoreError {
    const effect = this.#isConnected ? 'unknown' : 'none';
    const what = this.#isConnected ? 'did not answer' : 'is not reached';
    return new StoreError('unavailable', effect, `the task that serves the stream ${what}; try again`, { cause: error ?? base });
  }
}

/** The body of an answer, taken piece by piece. */
class AnswerBody {
  readonly #response: IncomingMessage;
  readonly #base: string;
  #wake: () => void = ignore;
  #isOver = false;

  constructor(response: IncomingMessage, base: string) {
    this.#response = response;
    this.#base = base;
    const wake = (): void => this.#wake();
    response.on('readable', wake);
    response.on('error', wake);
    response.once('end', () => {
      this.#isOver = true;
      wake();
    });
    response.once('close', wake);
  }

  async next(): Promise<Uint8Array | 'end'> {
    const response = this.#response;
    for (;;) {
      const piece = response.read() as Uint8Array | null;
      if (piece !== null) return piece;
      if (this.#isOver) return 'end';
      if (response.destroyed || response.errored !== null) {
        throw new StoreError('unavailable', 'unknown', 'the task that serves the stream broke off; try again', { cause: this.#base });
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Reads what is left of a short answer, so that its connection can be used again. False: it is not worth that. */
  letGo(): boolean {
    if (this.#isOver) return true;
    const length = Number(this.#response.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    if (!(length <= UNWANTED_BYTES_MAX)) return false;
    this.#response.removeAllListeners('readable');
    this.#response.resume();
    return true;
  }
}
