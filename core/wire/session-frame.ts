// Frames of an S2S session. (S2 v1 API, section 4.2.)
//
//   frame := length u24 = 1 + payload bytes | flags u8 | payload
//   flags := bit 7: terminal · bits 6-5: compression (0 none, 1 zstd, 2 gzip) · bit 4: reconnect advised · bits 3-0: ignored
//   terminal payload := status u16 | JSON error body, never compressed
//
//   A3  A parser holds at most one frame beside the piece that came last, whatever a client sends.

import { readU24, writeU16, writeU24 } from '../base/bytes.ts';
import { refused } from '../model/errors.ts';
import { SESSION_FRAME_BYTES_MAX } from '../model/limits.ts';
import type { Codec, Encoding } from '../ports/codec.ts';
import type { ErrorAnswer } from './error-answer.ts';

/** Length and flags: what encoders leave free in front of a payload. */
export const FRAME_HEAD_BYTES = 4;
const TERMINAL = 0x80;
export const RECONNECT = 0x10;
const COMPRESSION_FLAGS: Readonly<Record<Encoding, number>> = { zstd: 0x20, gzip: 0x40 };
const COMPRESSION_MASK = 0x60;
const PAYLOAD_BYTES_MAX = SESSION_FRAME_BYTES_MAX - 1;
/** Shorter payloads are sent as they are. */
export const COMPRESSED_BYTES_MIN = 1_024;

const ENCODER = new TextEncoder();

/** Fills in the head of `frame`, whose first FRAME_HEAD_BYTES were left free, and compresses the payload where that was asked for. */
export function sealFrame(frame: Uint8Array, advise = false, codec?: Codec, encoding?: Encoding): Uint8Array {
  const payload = frame.subarray(FRAME_HEAD_BYTES);
  const flags = advise ? RECONNECT : 0;
  if (codec === undefined || encoding === undefined || payload.length < COMPRESSED_BYTES_MIN) {
    return writeHead(frame, flags);
  }
  const packed = codec.compress(encoding, payload);
  if (packed.length >= payload.length) return writeHead(frame, flags);
  const out = new Uint8Array(FRAME_HEAD_BYTES + packed.length);
  out.set(packed, FRAME_HEAD_BYTES);
  return writeHead(out, flags | COMPRESSION_FLAGS[encoding]);
}

function writeHead(frame: Uint8Array, flags: number): Uint8Array {
  writeU24(frame, 0, frame.length - 3);
  frame[3] = flags;
  return frame;
}

/** The frame that ends a session with an error. */
export function encodeTerminalFrame({ status, body }: ErrorAnswer): Uint8Array {
  const text = ENCODER.encode(body);
  const frame = new Uint8Array(FRAME_HEAD_BYTES + 2 + text.length);
  writeU16(frame, FRAME_HEAD_BYTES, status);
  frame.set(text, FRAME_HEAD_BYTES + 2);
  return writeHead(frame, TERMINAL);
}

const NOTHING = new Uint8Array(0);

/** Finds the frames in pieces of a byte stream. `push` a piece, then take `next` until there is none. */
export class SessionFrameParser {
  readonly #codec: Codec;
  /** What came last; its bytes from `#at` on are not looked at yet. */
  #piece: Uint8Array = NOTHING;
  #at = 0;
  /** A frame that spans pieces gathers here; the memory serves one frame after another. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Bytes of a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Gives the memory back that large frames needed; only between frames. */
  release(): void {
    if (this.#heldBytes === 0 && this.#at >= this.#piece.length) this.#held = NOTHING;
  }

  /** Only when `next` found nothing more in the piece before. The bytes must stay as they are until then. */
  push(piece: Uint8Array): void {
    this.#piece = piece;
    this.#at = 0;
  }

  /**
   * The payload of the next frame, decompressed, valid until the next call; undefined when more bytes are needed.
   *
   * @throws StoreError `bad_frame`: nothing behind it can be trusted.
   */
  next(): Uint8Array | undefined {
    const frame = this.#take();
    if (frame === undefined) return undefined;
    const flags = frame[3] ?? 0;
    if ((flags & TERMINAL) !== 0) throw refused('bad_frame', 'a client sends no terminal frame');
    const payload = frame.subarray(FRAME_HEAD_BYTES);
    switch (flags & COMPRESSION_MASK) {
      case 0:
        return payload;
      case COMPRESSION_FLAGS.zstd:
        return this.#unpack('zstd', payload);
      case COMPRESSION_FLAGS.gzip:
        return this.#unpack('gzip', payload);
      default:
        throw refused('bad_frame', 'a frame names an unknown compression');
    }
  }

  /** The byte stream is over. @throws StoreError `bad_frame` in the middle of a frame. */
  finish(): void {
    if (this.#heldBytes > 0 || this.#at < this.#piece.length) throw refused('bad_frame', 'the session ends inside a frame');
  }

  #unpack(encoding: Encoding, payload: Uint8Array): Uint8Array {
    try {
      return this.#codec.decompress(encoding, payload, PAYLOAD_BYTES_MAX);
    } catch (error) {
      throw refused('bad_frame', `a frame cannot be decompressed: ${(error as Error).message}`);
    }
  }

  #take(): Uint8Array | undefined {
    if (this.#heldBytes === 0) {
      const left = this.#piece.length - this.#at;
      const size = left >= 3 ? frameBytes(this.#piece, this.#at) : Number.POSITIVE_INFINITY;
      if (size <= left) {
        const frame = this.#piece.subarray(this.#at, this.#at + size);
        this.#at += size;
        return frame;
      }
    }
    return this.#gather();
  }

  /** Adds the piece to what is held; a whole frame, if that completes it. */
  #gather(): Uint8Array | undefined {
    if (this.#heldBytes < 3) this.#hold(3 - this.#heldBytes, 3);
    if (this.#heldBytes < 3) return undefined;
    const size = frameBytes(this.#held, 0);
    this.#hold(size - this.#heldBytes, size);
    if (this.#heldBytes < size) return undefined;
    this.#heldBytes = 0;
    return this.#held.subarray(0, size);
  }

  #hold(wanted: number, size: number): void {
    const end = Math.min(this.#piece.length, this.#at + wanted);
    const needed = this.#heldBytes + end - this.#at;
    if (needed > this.#held.length) {
      // Grows with what came, not with what the length promises.
      const grown = new Uint8Array(Math.max(needed, Math.min(size, 2 * this.#held.length)));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(this.#piece.subarray(this.#at, end), this.#heldBytes);
    this.#heldBytes = needed;
    this.#at = end;
  }
}

/** The whole frame's size, by the length in front. */
function frameBytes(bytes: Uint8Array, at: number): number {
  const length = readU24(bytes, at);
  if (length === 0) throw refused('bad_frame', 'a frame of length 0');
  if (length > SESSION_FRAME_BYTES_MAX) {
    throw refused('bad_frame', `a frame of ${length} bytes; at most ${SESSION_FRAME_BYTES_MAX} are allowed`);
  }
  return 3 + length;
}
