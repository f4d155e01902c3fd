// An append or read session: frames out, frames in, and what they mean.

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Exchange, Head } from './exchange.ts';
import { type Ack, type Batch, decodeAck, decodeBatch, encodeAppend, type ProtoAppend } from './proto.ts';

export const FLAG_TERMINAL = 0x80;
export const FLAG_ZSTD = 0x20;
export const FLAG_GZIP = 0x40;
export const FLAG_RECONNECT = 0x10;

export interface Frame {
  readonly flags: number;
  /** As it came, perhaps compressed. */
  readonly payload: Buffer;
  /** The whole frame in hex, with its length. */
  readonly hex: string;
}

export interface Terminal {
  readonly status: number;
  readonly body: unknown;
}

export function frame(payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntBE(payload.length + 1, 0, 3);
  head[3] = flags;
  return Buffer.concat([head, payload]);
}

export function packedFrame(payload: Uint8Array, codec: 'gzip' | 'zstd'): Buffer {
  return codec === 'gzip' ? frame(gzipSync(payload), FLAG_GZIP) : frame(zstdCompressSync(payload), FLAG_ZSTD);
}

export class Session {
  readonly exchange: Exchange;
  readonly #head: Head;
  #held = Buffer.alloc(0);

  private constructor(exchange: Exchange, head: Head) {
    this.exchange = exchange;
    this.#head = head;
  }

  static async of(exchange: Exchange): Promise<Session> {
    return new Session(exchange, await exchange.head);
  }

  get status(): number {
    return this.#head.status;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#head.headers;
  }

  append(input: ProtoAppend): void {
    this.exchange.write(frame(encodeAppend(input)));
  }

  send(bytes: Uint8Array): void {
    this.exchange.write(bytes);
  }

  halfClose(): void {
    this.exchange.end();
  }

  /** The next frame; undefined when the answer has ended. @throws when it ended inside a frame, or was cut */
  async frame(): Promise<Frame | undefined> {
    for (;;) {
      const length = this.#held.length < 3 ? undefined : 3 + this.#held.readUIntBE(0, 3);
      if (length !== undefined && this.#held.length >= length) {
        const whole = this.#held.subarray(0, length);
        this.#held = this.#held.subarray(length);
        return { flags: whole[3] ?? 0, payload: whole.subarray(4), hex: whole.toString('hex') };
      }
      const piece = await this.exchange.read();
      if (piece === undefined) {
        if (this.#held.length > 0) throw new Error(`the answer ended inside a frame: ${this.#held.toString('hex')}`);
        return undefined;
      }
      this.#held = Buffer.concat([this.#held, piece]);
    }
  }

  /** The next frame, which must be a regular one. */
  async regular(): Promise<Frame> {
    const next = await this.frame();
    if (next === undefined) throw new Error('expected a frame, got the end of the session');
    if ((next.flags & FLAG_TERMINAL) !== 0) throw new Error(`expected a frame, got ${printTerminal(next)}`);
    return next;
  }

  async ack(): Promise<Ack> {
    return decodeAck(unpacked(await this.regular()));
  }

  async batch(): Promise<Batch> {
    return decodeBatch(unpacked(await this.regular()));
  }

  /** The terminal frame, which must be next, and the end of the answer behind it. */
  async terminal(): Promise<Terminal> {
    const next = await this.frame();
    if (next === undefined) throw new Error('expected a terminal frame, got the end of the session');
    if (next.flags !== FLAG_TERMINAL) throw new Error(`expected a terminal frame, got ${next.hex}`);
    await this.ended();
    return { status: next.payload.readUInt16BE(0), body: JSON.parse(next.payload.toString('utf8', 2)) };
  }

  /** The end without a terminal frame, which must be next. */
  async ended(): Promise<void> {
    const next = await this.frame();
    if (next !== undefined) throw new Error(`expected the end of the session, got ${next.hex}`);
  }

  /** All batches until the session ends. */
  async batches(): Promise<Batch[]> {
    const found: Batch[] = [];
    for (let next = await this.frame(); next !== undefined; next = await this.frame()) {
      if ((next.flags & FLAG_TERMINAL) !== 0) throw new Error(`expected batches, got ${printTerminal(next)}`);
      found.push(decodeBatch(unpacked(next)));
    }
    return found;
  }

  /** What the answer holds when it is no session. */
  async text(): Promise<string> {
    const pieces: Buffer[] = [];
    for (let piece = await this.exchange.read(); piece !== undefined; piece = await this.exchange.read()) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }
}

function printTerminal({ payload }: Frame): string {
  return `a terminal frame: ${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`;
}

export function unpacked({ flags, payload }: Frame): Buffer {
  if ((flags & FLAG_ZSTD) !== 0) return zstdDecompressSync(payload);
  return (flags & FLAG_GZIP) === 0 ? payload : gunzipSync(payload);
}
