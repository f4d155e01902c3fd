// Serves calls over HTTP: takes one request whole, checks it, lets a service do what it asks, and answers in the same exchange.
//
// functions/chunk-server and the development cluster put a service behind it (chunk-service.ts and its likes). Other paths are
// /health and /metrics, which need no secret and tell none.
//
//   Z17 A service is asked only for what came whole and unchanged, from somebody who has the secret.
//   Z20 Calls and their bytes in memory are bounded, whatever clients send: what does not fit is refused without effect before
//       memory is taken for it; a body that does not come, and an answer that is not taken, end in bounded time.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { invariant } from '../../../base/invariant.ts';
import { StoreError } from '../../../model/errors.ts';
import type { Checksum } from '../../../ports/checksum.ts';
import { type CallFailure, callCode, encodeFailure, encodeServed } from '../../../wire/call-failure.ts';
import { encodePrelude, type Frame, FrameReader, GarbledFrame, type Prelude } from '../../../wire/call-frame.ts';
import { CallMac } from './call-mac.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

const MIB = 1024 * 1024;
export const CALL_PATH = '/call';

export const CALL_SERVER_LIMITS = {
  /** Calls at once: three channel tasks, each with its window at every channel. */
  callsMax: 1_024,
  /** Of bodies and answers in memory: more than a disk writes in a tenth of a second. */
  bytesMax: 128 * MIB,
  /** From a request's head to the end of its body, and from an answer's start to its end. */
  exchangeMsMax: 10_000,
} as const;

export type CallServerLimits = { readonly [name in keyof typeof CALL_SERVER_LIMITS]: number };

export interface CallAnswer {
  readonly given: Uint8Array;
  readonly body?: Uint8Array;
}

/** What a service refuses by itself, beside StoreErrors. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  readonly code: CallFailure['code'];

  constructor(code: CallFailure['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface CallService {
  readonly bodyBytesMax: number;
  /**
   * @param body owned by the service; its checksum is `bodyCrc`
   * @throws StoreError, or CallRefused: nothing was done
   */
  serve(head: Uint8Array, body: Uint8Array, bodyCrc: number): Promise<CallAnswer>;
}

export interface CallServerOptions {
  readonly secret: string;
  readonly service: CallService;
  readonly checksum: Checksum;
  /** Whether /health says 200. */
  readonly isReady: () => boolean;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  /** Told of what is wrong with this program, not of what clients do. */
  readonly report: (error: unknown) => void;
  /** For tests. */
  readonly limits?: Partial<CallServerLimits>;
}

export class CallServer {
  readonly #options: CallServerOptions;
  readonly #limits: CallServerLimits;
  readonly #mac: CallMac;
  #calls = 0;
  #bytes = 0;
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: CallServerOptions) {
    this.#options = options;
    this.#limits = { ...CALL_SERVER_LIMITS, ...options.limits };
    this.#mac = new CallMac(options.secret);
  }

  /** Calls that are not answered to their end. */
  get callsCount(): number {
    return this.#calls;
  }

  /** Bytes of bodies and answers in memory. */
  get bytesCount(): number {
    return this.#bytes;
  }

  handle(request: Request, response: Response): void {
    // Whoever is gone is gone.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const { url, method } = request;
    if (url === CALL_PATH && method === 'POST') this.#take(request, response);
    else if (url === '/health') plain(response, this.#isServing() ? 200 : 503, this.#isServing() ? 'ready\n' : 'not ready\n');
    else if (url === '/metrics') void this.#answerMetrics(response);
    else plain(response, 404, 'not found\n');
  }

  /** Takes no new call; resolves once those under way are answered, or after `msMax`. */
  async drain(msMax: number): Promise<void> {
    this.#isDraining = true;
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, msMax);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isServing(): boolean {
    return !this.#isDraining && this.#options.isReady();
  }

  async #answerMetrics(response: Response): Promise<void> {
    try {
      plain(response, 200, await this.#options.metrics());
    } catch (error) {
      this.#options.report(error);
      plain(response, 500, 'metrics failed\n');
    }
  }

  #take(request: Request, response: Response): void {
    const { callsMax, exchangeMsMax } = this.#limits;
    if (!this.#isServing() || this.#calls >= callsMax) {
      const isFull = this.#isServing();
      this.#refuse(request, response, isFull ? 'throttled' : 'unavailable', isFull ? `${callsMax} calls at once` : 'it is not serving');
      return;
    }
    this.#calls += 1;
    const call: RunningCall = { bytes: 0, isClosed: false, isServed: false, timer: undefined };
    const cut = (): void => cutOff(request, response);
    response.once('close', () => {
      call.isClosed = true;
      clearTimeout(call.timer);
      this.#letGo(call);
    });
    call.timer = setTimeout(cut, exchangeMsMax);
    const answered = this.#read(request, call).then(
      async (frame) => {
        clearTimeout(call.timer);
        return await this.#serve(frame);
      },
      (error: unknown): Answered => ({ head: encodeFailure(this.#failureOf(error)) }),
    );
    void answered.then(({ head, body }) => {
      call.isServed = true;
      if (call.isClosed) {
        this.#letGo(call);
        return;
      }
      clearTimeout(call.timer);
      call.timer = setTimeout(cut, exchangeMsMax);
      this.#hold(call, body?.length ?? 0);
      this.#send(response, head, body);
    });
  }

  /** Z20: what a client no longer waits for is still in memory until it is served. */
  #letGo(call: RunningCall): void {
    if (!call.isClosed || !call.isServed) return;
    this.#bytes -= call.bytes;
    this.#calls -= 1;
    invariant(this.#bytes >= 0 && this.#calls >= 0, 'Z20: a call is let go once');
    if (this.#calls === 0) this.#onIdle?.();
  }

  #hold(call: RunningCall, bytes: number): void {
    call.bytes += bytes;
    this.#bytes += bytes;
  }

  /** The request, whole; rejects as soon as something is wrong with it, and takes no more of it then. */
  #read(request: Request, call: RunningCall): Promise<Frame> {
    const { service, checksum } = this.#options;
    const onPrelude = (prelude: Prelude): void => this.#admit(prelude, call);
    const reader = new FrameReader({ kind: 'request', bodyBytesMax: service.bodyBytesMax, checksum, onPrelude });
    return new Promise((resolve, reject) => {
      let isOver = false;
      const attempt = (work: () => void): void => {
        if (isOver) return;
        try {
          work();
        } catch (error) {
          isOver = true;
          reject(error);
        }
      };
      request.on('data', (piece: Uint8Array) => attempt(() => reader.push(piece)));
      request.once('end', () =>
        attempt(() => {
          resolve(reader.finish());
          isOver = true;
        }),
      );
      request.once('close', () =>
        attempt(() => {
          throw new GarbledFrame('the connection was cut');
        }),
      );
    });
  }

  /** Z17, Z20: before memory is taken for its body. */
  #admit({ signed, mac, bodyBytes }: Prelude, call: RunningCall): void {
    if (!this.#mac.isRight(signed, mac)) throw new CallRefused('unauthorized', 'the request was not made with the secret of this server');
    const { bytesMax } = this.#limits;
    if (this.#bytes + bodyBytes > bytesMax) throw new CallRefused('throttled', `more than ${bytesMax} bytes are in flight`);
    this.#hold(call, bodyBytes);
  }

  async #serve({ head, body, bodyCrc }: Frame): Promise<Answered> {
    try {
      const answer = await this.#options.service.serve(head, body, bodyCrc);
      return { head: encodeServed(answer.given), ...(answer.body === undefined ? {} : { body: answer.body }) };
    } catch (error) {
      return { head: encodeFailure(this.#failureOf(error)) };
    }
  }

  #failureOf(error: unknown): CallFailure {
    if (error instanceof GarbledFrame) return { code: 'garbled', effect: 'none', message: error.message };
    if (error instanceof CallRefused) return { code: error.code, effect: 'none', message: error.message };
    if (error instanceof StoreError) return { code: callCode(error.code), effect: error.effect, message: error.message };
    this.#options.report(error);
    return { code: 'other', effect: 'unknown', message: 'the server failed; its log says how' };
  }

  #refuse(request: Request, response: Response, code: CallFailure['code'], message: string): void {
    const timer = setTimeout(() => cutOff(request, response), this.#limits.exchangeMsMax);
    response.once('close', () => clearTimeout(timer));
    request.resume();
    this.#send(response, encodeFailure({ code, effect: 'none', message }));
  }

  #send(response: Response, head: Uint8Array, body: Uint8Array = NOTHING): void {
    const { checksum } = this.#options;
    const prelude = encodePrelude('answer', head, body.length, checksum.crc32(body), checksum);
    answer(response, 200, 'application/octet-stream', body.length === 0 ? [prelude] : [prelude, body]);
  }
}

const NOTHING = new Uint8Array(0);

/** How an answer goes out. */
interface Answered {
  readonly head: Uint8Array;
  readonly body?: Uint8Array;
}

interface RunningCall {
  bytes: number;
  /** Nobody waits for its answer any more: it was taken, or the client is gone. */
  isClosed: boolean;
  isServed: boolean;
  timer: NodeJS.Timeout | undefined;
}

function plain(response: Response, status: number, text: string): void {
  answer(response, status, 'text/plain; charset=utf-8', [Buffer.from(text)]);
}

function answer(response: Response, status: number, type: string, parts: readonly Uint8Array[]): void {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const headers = { 'content-type': type, 'content-length': bytes, 'cache-control': 'no-store' };
  if (!('stream' in response)) {
    response.writeHead(status, headers);
    for (const part of parts) response.write(part);
    response.end();
    return;
  }
  const { stream } = response;
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': status, ...headers });
  for (const part of parts.slice(0, -1)) stream.write(part);
  // With the last bytes: by itself the end is a packet of its own, and wakes the client a second time.
  stream.end(parts.at(-1));
}

/** One exchange; on HTTP/2 the others of its connection go on. */
function cutOff(request: Request, response: Response): void {
  if ('stream' in request) request.stream.close(constants.NGHTTP2_CANCEL);
  else response.destroy();
}
