// Takes a unary request's body in, whole, and packs answers: bounded in bytes each, in bytes together, and in time.
//
//   A10  Bodies in memory, as they came and unpacked, never exceed the budget, whatever clients send; what does not fit is refused
//        before it is kept. Answers that wait to be taken have a budget of their own.

import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { Gate } from '../../base/gate.ts';
import { refused, StoreError } from '../../model/errors.ts';
import { REQUEST_BODY_BYTES_MAX } from '../../model/limits.ts';
import type { Encoding } from '../../ports/codec.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';
import type { HttpPatience } from './patience.ts';

/** All bodies and frames that are being taken in, together. */
const BODIES_BYTES_MAX = 256 * 1024 * 1024;
/** All answers that are worth counting and wait to be taken, together. */
const ANSWERS_BYTES_MAX = 256 * 1024 * 1024;
/** Smaller answers are bounded by the number of requests. */
const ANSWER_BYTES_COUNTED = 16 * 1024;
/** A body is unpacked in pieces, which are then joined. */
const UNPACKING_BYTES_MAX = 2 * REQUEST_BODY_BYTES_MAX;
/** RFC 9659: what a decoder must have memory for, and need not go beyond. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };
/** RFC 8878: zstd data is one frame or more. */
const ZSTD_FRAMES_MAX = 64;
/** They share the thread pool with storage; more would only take memory. */
const ZLIB_JOBS_MAX = 4;
/** Shorter answers are not worth compressing. */
const PACKED_BYTES_MIN = 1_024;

const NOTHING = new Uint8Array(0);
const UNPACK = {
  gzip: (body: Uint8Array) => promisify(gunzip)(body, { maxOutputLength: REQUEST_BODY_BYTES_MAX }),
  zstd: unpackZstd,
};
const inflateZstd = promisify(zstdDecompress);
const PACK = { gzip: promisify(gzip), zstd: promisify(zstdCompress) };

interface ZstdFrame {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

export class BodyBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = BODIES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws StoreError `throttled` */
  take(bytes: number): void {
    if (!this.tryTake(bytes)) throw refused('throttled', 'too many large requests at once; try again later');
  }

  /** False where there is not as much left. */
  tryTake(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What all requests share that have a body, or get one. */
export class Bodies {
  readonly budget = new BodyBudget();
  readonly answers = new BodyBudget(ANSWERS_BYTES_MAX);
  readonly zlib = new Gate(ZLIB_JOBS_MAX);
  readonly patience: HttpPatience;
  readonly draining: Draining;

  constructor(patience: HttpPatience, draining: Draining) {
    this.patience = patience;
    this.draining = draining;
  }
}

/**
 * The body, decompressed; the budget holds it until `use` is done.
 *
 * @throws StoreError `too_large`, `request_timeout`, `client_hangup`, `throttled`, `draining`, `bad_header` for an unknown encoding
 */
export async function withBody<T>(exchange: Exchange, bodies: Bodies, use: (body: Uint8Array) => Promise<T>): Promise<T> {
  const encoding = requestEncoding(exchange.headers['content-encoding']);
  const declared = Number(exchange.headers['content-length'] ?? 0);
  if (declared > REQUEST_BODY_BYTES_MAX) throw tooLarge();
  const held = { bytes: 0 };
  try {
    const body = await collect(exchange, bodies, held);
    return await use(encoding === undefined || body.length === 0 ? body : await unpack(exchange, bodies, encoding, body, held));
  } finally {
    bodies.budget.give(held.bytes);
  }
}

function collect(exchange: Exchange, { budget, patience, draining }: Bodies, held: { bytes: number }): Promise<Uint8Array> {
  const { body, gone } = exchange;
  const pieces: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    // Of a stream that is closed already no event comes.
    if (gone.aborted || body.destroyed) throw refused('client_hangup', 'the client went away');
    const onLate = (): void => settle(refused('request_timeout', 'the request body took too long'));
    const timers = [setTimeout(onLate, patience.bodyMs), setTimeout(onLate, patience.bodySilenceMs)];
    const onGone = (): void => {
      // Every body is closed in the end: an error costs its stack.
      if (!isSettled) settle(refused('client_hangup', 'the client went away'));
    };
    const onDrained = (): void => settle(serverDraining());
    let isSettled = false;
    const settle = (error?: unknown): void => {
      isSettled = true;
      for (const timer of timers) clearTimeout(timer);
      gone.removeEventListener('abort', onGone);
      draining.over.removeEventListener('abort', onDrained);
      body.removeAllListeners('data');
      if (error !== undefined) reject(error);
      else resolve(pieces.length === 1 ? (pieces[0] ?? NOTHING) : Buffer.concat(pieces));
    };
    gone.addEventListener('abort', onGone, { once: true });
    draining.over.addEventListener('abort', onDrained, { once: true });
    body.once('error', onGone);
    body.once('end', () => settle());
    body.once('close', onGone);
    body.on('data', (piece: Uint8Array) => {
      timers[1]?.refresh();
      try {
        if (held.bytes + piece.length > REQUEST_BODY_BYTES_MAX) throw tooLarge();
        budget.take(piece.length);
        held.bytes += piece.length;
        pieces.push(piece);
      } catch (error) {
        settle(error);
      }
    });
  });
}

function requestEncoding(header: string | undefined): Encoding | undefined {
  const name = header?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return undefined;
  if (name === 'gzip' || name === 'zstd') return name;
  throw refused('bad_header', 'content-encoding is gzip or zstd');
}

/** Nobody knows what comes out of it: the budget gives for the worst, and has back what was not needed. */
function unpack(
  { gone }: Exchange,
  { budget, zlib }: Bodies,
  encoding: Encoding,
  body: Uint8Array,
  held: { bytes: number },
): Promise<Uint8Array> {
  return zlib.run(async () => {
    if (gone.aborted) throw refused('client_hangup', 'the client went away');
    budget.take(UNPACKING_BYTES_MAX);
    held.bytes += UNPACKING_BYTES_MAX;
    const unpacked = await unpacking(encoding, body);
    const unneeded = held.bytes - unpacked.length;
    budget.give(unneeded);
    held.bytes -= unneeded;
    return unpacked;
  });
}

async function unpacking(encoding: Encoding, body: Uint8Array): Promise<Uint8Array> {
  try {
    return await UNPACK[encoding](body);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    if (error instanceof StoreError) throw error;
    throw refused('bad_header', `the request body is not ${encoding} as its content-encoding says`);
  }
}

/** Node ends with the first frame, and says nothing of what stands behind it. */
async function unpackZstd(body: Uint8Array): Promise<Uint8Array> {
  const frames: Buffer[] = [];
  let left = REQUEST_BODY_BYTES_MAX;
  for (let at = 0; at < body.length; ) {
    if (frames.length === ZSTD_FRAMES_MAX) throw new Error(`more than ${ZSTD_FRAMES_MAX} frames`);
    // A bound of 0 is none for node.
    const options = { maxOutputLength: Math.max(1, left), params: ZSTD_PARAMS, info: true };
    const { buffer, engine } = (await inflateZstd(body.subarray(at), options)) as unknown as ZstdFrame;
    frames.push(buffer);
    left -= buffer.length;
    at += engine.bytesWritten;
  }
  if (left < 0) throw tooLarge();
  return frames.length === 1 ? (frames[0] ?? NOTHING) : Buffer.concat(frames);
}

function tooLarge(): Error {
  return refused('too_large', `a request body is at most ${REQUEST_BODY_BYTES_MAX} bytes`);
}

/** Of a session's frames: zstd if it is listed, else gzip if it is, whatever their weights. (S2 v1 API, section 4.2.) */
export function acceptedEncoding(header: string | string[] | undefined): Encoding | undefined {
  if (header === undefined) return undefined;
  const names = String(header)
    .split(',')
    .map((part) => part.split(';', 1)[0]?.trim().toLowerCase());
  if (names.includes('zstd')) return 'zstd';
  return names.includes('gzip') ? 'gzip' : undefined;
}

/** Of an answer: what the client likes best, and never what it refuses (RFC 9110, section 12.5.3). Of equals, zstd. */
export function answerEncoding(header: string | string[] | undefined): Encoding | undefined {
  let best: Encoding | undefined;
  let bestWeight = 0;
  for (const part of String(header ?? '').split(',')) {
    const [name, ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (name !== 'zstd' && name !== 'gzip') continue;
    const weight = Number(parameters.find((text) => text.startsWith('q='))?.slice(2) ?? 1);
    if (!(weight > bestWeight) && !(weight === bestWeight && weight > 0 && name === 'zstd')) continue;
    best = name;
    bestWeight = weight;
  }
  return best;
}

/** The body as it is sent, and how it is packed. */
export async function packBody(
  body: Uint8Array,
  accept: string | string[] | undefined,
  { zlib }: Bodies,
): Promise<{ body: Uint8Array; encoding?: Encoding }> {
  const encoding = body.length > PACKED_BYTES_MIN ? answerEncoding(accept) : undefined;
  return encoding === undefined ? { body } : { body: await zlib.run(() => PACK[encoding](body)), encoding };
}

/** Counts an answer until it is taken, or its client gone. Only what changed nothing may be refused. @throws StoreError `throttled` */
export function holdAnswer({ gone }: Exchange, { answers }: Bodies, body: Uint8Array): void {
  if (body.length < ANSWER_BYTES_COUNTED || gone.aborted) return;
  answers.take(body.length);
  gone.addEventListener('abort', () => answers.give(body.length), { once: true });
}
