// Calls a server of stores (call-server.ts) over one HTTP/2 connection: many calls at once, connected anew when it is lost.
//
// remote-chunk-store.ts and its likes speak through it. It knows nothing of what is called.
//
//   Z16 A call whose earlier attempt may have taken effect never fails with effect none.
//   Z17 An answer counts only if it came whole and unchanged.

import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { type Effect, type ErrorCode, refused, StoreError } from '../../../model/errors.ts';
import type { Checksum } from '../../../ports/checksum.ts';
import { type CallFailure, decodeAnswerHead } from '../../../wire/call-failure.ts';
import { FrameReader, GarbledFrame } from '../../../wire/call-frame.ts';
import { CallMac } from './call-mac.ts';
import { CALL_PATH } from './call-server.ts';
import { openSession } from './call-session.ts';

/** Attempts at a call that the server did not take, or that may be made twice: what is lost once is seldom lost three times. */
const ATTEMPTS_MAX = 3;
/** Calls at once; more is somebody who does not wait for answers. */
const CALLS_MAX = 1_024;
/** After a connection failed, calls fail as it did for this long: nobody knocks a thousand times a second. */
const KNOCK_MS = 50;
/** How long a connection, on which a call got no answer, has to answer a ping. */
const PONG_MS_MAX = 1_000;
const NOTHING: readonly Uint8Array[] = [];

export interface CallClientOptions {
  /** `http://host:port` (prior knowledge) or `https://host:port`. */
  readonly url: string;
  readonly secret: string;
  readonly checksum: Checksum;
  /** A call, all its attempts together, takes no longer. */
  readonly callMsMax: number;
  /** The longest body of an answer. */
  readonly answerBytesMax: number;
  /** PEM of an authority that the system does not know. */
  readonly ca?: string;
}

export interface Call {
  readonly head: Uint8Array;
  readonly body?: readonly Uint8Array[];
  /** CRC-32 over the body, where the caller knows it. */
  readonly bodyCrc?: number;
  /** Made twice, it has the effect and the answer of once. */
  readonly mayRepeat: boolean;
}

export interface Served {
  /** Owned by the caller, as is the body. */
  readonly given: Uint8Array;
  readonly body: Uint8Array;
}

/** The server has not the identity that a call named. Nothing was done. */
export class OtherZone extends StoreError {
  constructor(message: string) {
    super('unavailable', 'none', message);
  }
}

/** Why an attempt failed. */
class AttemptFailure extends Error {
  readonly effect: Effect;

  constructor(message: string, effect: Effect) {
    super(message);
    this.effect = effect;
  }
}

export class CallClient {
  readonly url: string;
  readonly #options: CallClientOptions;
  readonly #mac: CallMac;
  #open: ClientHttp2Session | undefined;
  #opening: Promise<ClientHttp2Session> | undefined;
  #calls = 0;
  #isClosed = false;

  constructor(options: CallClientOptions) {
    this.url = options.url;
    this.#options = options;
    this.#mac = new CallMac(options.secret);
  }

  /**
   * @throws StoreError as the server says it; `unavailable` when it does not answer: effect none if it certainly took nothing,
   *   unknown otherwise. OtherZone.
   */
  async call(call: Call): Promise<Served> {
    if (this.#isClosed) throw refused('unavailable', `calls to ${this.url} have ended`);
    if (this.#calls >= CALLS_MAX) throw refused('throttled', `${CALLS_MAX} calls to ${this.url} at once`);
    this.#calls += 1;
    try {
      return await this.#attempts(call);
    } finally {
      this.#calls -= 1;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#open?.destroy();
    await this.#opening?.catch(() => undefined);
    this.#open?.destroy();
  }

  async #attempts(call: Call): Promise<Served> {
    const deadline = performance.now() + this.#options.callMsMax;
    const { body = NOTHING, mayRepeat } = call;
    const request = this.#sign(call);
    let effect: Effect = 'none';
    for (let attempt = 1; ; attempt += 1) {
      let failure: CallFailure | AttemptFailure;
      try {
        const answer = await this.#attempt(request, body, deadline - performance.now());
        if ('given' in answer) return answer;
        failure = answer.failure;
      } catch (error) {
        if (!(error instanceof AttemptFailure)) throw error;
        failure = error;
      }
      if (failure.effect === 'unknown') effect = 'unknown';
      const isTransient = failure instanceof AttemptFailure || failure.code === 'garbled';
      const isAgain = isTransient && (effect === 'none' || mayRepeat) && attempt < ATTEMPTS_MAX && performance.now() < deadline;
      if (!isAgain) throw this.#errorOf(failure, effect);
    }
  }

  #sign({ head, body = NOTHING, bodyCrc }: Call): Uint8Array {
    const { checksum } = this.#options;
    const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
    const crc = bodyCrc ?? body.reduce((sum, part) => checksum.crc32(part, sum), 0);
    return this.#mac.sign(head, bodyBytes, crc, checksum);
  }

  #errorOf(failure: CallFailure | AttemptFailure, effect: Effect): StoreError {
    const hint = 'code' in failure && failure.code === 'unauthorized' ? ' (MILLRACE_ZONE_SECRET is not the same on both sides)' : '';
    const message = `${this.url}: ${failure.message}${hint}`;
    if (failure instanceof AttemptFailure) return new StoreError('unavailable', effect, message);
    if (failure.code === 'other_zone' && effect === 'none') return new OtherZone(message);
    return new StoreError(STORE_CODES[failure.code], effect, message);
  }

  async #attempt(request: Uint8Array, body: readonly Uint8Array[], msMax: number): Promise<Served | { readonly failure: CallFailure }> {
    const begun = performance.now();
    const session = await this.#connected(msMax);
    const left = msMax - (performance.now() - begun);
    if (left <= 0) throw new AttemptFailure('no connection in time', 'none');
    const { checksum, answerBytesMax } = this.#options;
    const reader = new FrameReader({ kind: 'answer', bodyBytesMax: answerBytesMax, checksum });
    const bytes = (stream: ClientHttp2Stream): void => send(stream, request, body);
    try {
      await exchange(
        session,
        bytes,
        (piece) => reader.push(piece),
        left,
        () => this.#suspect(session),
      );
      const { head, body: answered } = reader.finish();
      const answer = decodeAnswerHead(head);
      return 'failure' in answer ? answer : { given: answer.given, body: answered };
    } catch (error) {
      if (error instanceof GarbledFrame) throw new AttemptFailure(error.message, 'unknown');
      throw error;
    }
  }

  /** The connection, made if there is none. @throws AttemptFailure with effect none */
  async #connected(msMax: number): Promise<ClientHttp2Session> {
    const open = this.#open;
    if (open !== undefined && !open.destroyed && !open.closed) return open;
    this.#opening ??= this.#connect();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new AttemptFailure('no connection in time', 'none')), Math.max(msMax, 1));
    try {
      return await Promise.race([this.#opening, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<ClientHttp2Session> {
    const { url, ca, callMsMax } = this.#options;
    try {
      const session = await openSession(url, callMsMax, ca === undefined ? {} : { ca });
      this.#opening = undefined;
      if (this.#isClosed) session.destroy();
      this.#open = session;
      // A server that ends answers what it has; the next calls go to whoever comes.
      session.once('goaway', () => {
        if (this.#open === session) this.#open = undefined;
      });
      return session;
    } catch (error) {
      setTimeout(() => {
        this.#opening = undefined;
      }, KNOCK_MS).unref();
      throw new AttemptFailure(error instanceof Error ? error.message : String(error), 'none');
    }
  }

  /** A call got no answer: perhaps nobody is there any more, and no other call will get one. */
  #suspect(session: ClientHttp2Session): void {
    if (session.destroyed) return;
    const timer = setTimeout(() => session.destroy(), PONG_MS_MAX);
    timer.unref();
    try {
      session.ping((error) => {
        if (error === null) clearTimeout(timer);
      });
    } catch {
      session.destroy();
    }
  }
}

/** `unauthorized` is a fault of the deployment, not of the client of the store that waits for it. */
const STORE_CODES = {
  garbled: 'unavailable',
  unauthorized: 'unavailable',
  other_zone: 'unavailable',
  invalid: 'invalid',
  disk_full: 'disk_full',
  throttled: 'throttled',
  storage: 'storage',
  unavailable: 'unavailable',
  corrupt: 'corrupt',
  other: 'storage',
} as const satisfies Record<CallFailure['code'], ErrorCode>;

function send(stream: ClientHttp2Stream, request: Uint8Array, body: readonly Uint8Array[]): void {
  stream.cork();
  stream.write(request);
  for (const part of body) if (part.length > 0) stream.write(part);
  stream.end();
  stream.uncork();
}

/** One stream, from its opening to the end of its answer. @throws AttemptFailure, or what `take` throws */
function exchange(
  session: ClientHttp2Session,
  start: (stream: ClientHttp2Stream) => void,
  take: (piece: Uint8Array) => void,
  msMax: number,
  onSilence: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let stream: ClientHttp2Stream;
    try {
      stream = session.request({ ':method': 'POST', ':path': CALL_PATH, 'content-type': 'application/octet-stream' });
    } catch (error) {
      reject(new AttemptFailure(`the connection is gone (${error instanceof Error ? error.message : String(error)})`, 'none'));
      return;
    }
    let hasEnded = false;
    const timer = setTimeout(() => {
      onSilence();
      fail(new AttemptFailure(`no answer within ${Math.round(msMax)} ms`, 'unknown'));
    }, msMax);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    };
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) fail(new AttemptFailure(`it answers ${headers[':status']}: no server of stores`, 'unknown'));
    });
    stream.on('data', (piece: Uint8Array) => {
      try {
        take(piece);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
    stream.on('end', () => {
      hasEnded = true;
      clearTimeout(timer);
      resolve();
    });
    stream.on('error', () => undefined);
    stream.on('close', () => {
      if (hasEnded) return;
      // A server that refuses a stream says that it did nothing of it.
      const isRefused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
      fail(new AttemptFailure('the connection was lost', isRefused ? 'none' : 'unknown'));
    });
    start(stream);
  });
}
