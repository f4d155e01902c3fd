// One call to a store in another process, and its answer: the bodies of one HTTP/2 request and its response. (docs/chunk-server.md)
//
//   request := magic u32 'MRrq' | prelude | mac 32 | body
//   answer  := magic u32 'MRan' | prelude | body
//   prelude := version u8 = 1 | reserved u8 = 0 | headBytes u16 | bodyBytes u32 | bodyCrc u32 | head | headCrc u32
//
// bodyCrc is CRC-32 over the body, headCrc over everything before it. The mac is over everything before itself; whoever sends and
// receives makes and checks it (nothing here knows a secret). What stands in a head: chunk-call.ts, call-failure.ts.
//
//   Z17 A frame counts only when it came whole and unchanged; a receiver holds no more of it than its bounds allow.

import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts';
import type { Checksum } from '../ports/checksum.ts';

export type FrameKind = 'request' | 'answer';

export const MAC_BYTES = 32;
const MAGIC: Readonly<Record<FrameKind, number>> = { request: 0x4d52_7271, answer: 0x4d52_616e };
const VERSION = 1;
/** Everything before the head. */
const START_BYTES = 16;
const CRC_BYTES = 4;
const HEAD_BYTES_MAX = 0xffff;
const NOTHING = new Uint8Array(0);

/** What came is not what was sent, or not all of it. */
export class GarbledFrame extends Error {
  override readonly name = 'GarbledFrame';
}

/**
 * Everything before the body. In a request the last MAC_BYTES are left free for the mac.
 *
 * @param head at most 65,535 bytes
 */
export function encodePrelude(kind: FrameKind, head: Uint8Array, bodyBytes: number, bodyCrc: number, checksum: Checksum): Uint8Array {
  if (head.length > HEAD_BYTES_MAX) throw new RangeError(`a head of ${head.length} bytes is too long for a frame`);
  const crcAt = START_BYTES + head.length;
  const bytes = new Uint8Array(crcAt + CRC_BYTES + macBytes(kind));
  writeU32(bytes, 0, MAGIC[kind]);
  bytes[4] = VERSION;
  writeU16(bytes, 6, head.length);
  writeU32(bytes, 8, bodyBytes);
  writeU32(bytes, 12, bodyCrc);
  bytes.set(head, START_BYTES);
  writeU32(bytes, crcAt, checksum.crc32(bytes.subarray(0, crcAt)));
  return bytes;
}

function macBytes(kind: FrameKind): number {
  return kind === 'request' ? MAC_BYTES : 0;
}

export interface Prelude {
  readonly head: Uint8Array;
  readonly bodyBytes: number;
  /** What a request's mac is over. */
  readonly signed: Uint8Array;
  /** Empty in an answer. */
  readonly mac: Uint8Array;
}

/** A frame that came whole and unchanged. */
export interface Frame {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  /** The checksum of the body, which it matches. */
  readonly bodyCrc: number;
}

export interface FrameReaderOptions {
  readonly kind: FrameKind;
  readonly bodyBytesMax: number;
  readonly checksum: Checksum;
  /** Called once the prelude is whole and unchanged, before memory is taken for the body; may throw to take none of it. */
  readonly onPrelude?: (prelude: Prelude) => void;
}

/** Puts one frame together from the pieces of a byte stream. `push` them all, then `finish`. */
export class FrameReader {
  readonly #options: FrameReaderOptions;
  /** Of a prelude that came in several pieces. */
  #held: Uint8Array = NOTHING;
  #prelude: Prelude | undefined;
  #bodyCrc = 0;
  #body: Uint8Array = NOTHING;
  #bodyAt = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  /** @throws GarbledFrame, or whatever `onPrelude` throws */
  push(piece: Uint8Array): void {
    let rest = piece;
    if (this.#prelude === undefined) {
      const joined = this.#held.length === 0 ? piece : join(this.#held, piece);
      const length = this.#preludeBytes(joined);
      if (length === undefined || joined.length < length) {
        this.#held = joined === piece ? copyOf(piece) : joined;
        return;
      }
      this.#held = NOTHING;
      this.#open(copyOf(joined.subarray(0, length)));
      rest = joined.subarray(length);
    }
    if (rest.length > this.#body.length - this.#bodyAt) throw new GarbledFrame('bytes came behind the end of a frame');
    this.#body.set(rest, this.#bodyAt);
    this.#bodyAt += rest.length;
  }

  /** @returns head and body, which the caller owns. @throws GarbledFrame when anything of it is missing or changed */
  finish(): Frame {
    if (this.#prelude === undefined || this.#bodyAt < this.#body.length) throw new GarbledFrame('a frame was cut short');
    if (this.#options.checksum.crc32(this.#body) !== this.#bodyCrc) throw new GarbledFrame('a body does not match its checksum');
    return { head: this.#prelude.head, body: this.#body, bodyCrc: this.#bodyCrc };
  }

  /** Undefined while too little is there to know. */
  #preludeBytes(bytes: Uint8Array): number | undefined {
    const { kind } = this.#options;
    if (bytes.length < START_BYTES) return undefined;
    if (readU32(bytes, 0) !== MAGIC[kind]) throw new GarbledFrame(`what came is no ${kind}`);
    if (bytes[4] !== VERSION) throw new GarbledFrame(`a ${kind} of version ${bytes[4]}; this side speaks version ${VERSION}`);
    return START_BYTES + readU16(bytes, 6) + CRC_BYTES + macBytes(kind);
  }

  #open(prelude: Uint8Array): void {
    const { kind, checksum, bodyBytesMax, onPrelude } = this.#options;
    const macAt = prelude.length - macBytes(kind);
    const crcAt = macAt - CRC_BYTES;
    if (checksum.crc32(prelude.subarray(0, crcAt)) !== readU32(prelude, crcAt)) {
      throw new GarbledFrame('a head does not match its checksum');
    }
    const bodyBytes = readU32(prelude, 8);
    if (bodyBytes > bodyBytesMax) throw new GarbledFrame(`a body of ${bodyBytes} bytes; ${bodyBytesMax} are the most`);
    const opened: Prelude = {
      head: prelude.subarray(START_BYTES, crcAt),
      bodyBytes,
      signed: prelude.subarray(0, macAt),
      mac: prelude.subarray(macAt),
    };
    onPrelude?.(opened);
    this.#prelude = opened;
    this.#bodyCrc = readU32(prelude, 12);
    this.#body = new Uint8Array(bodyBytes);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

/** Whoever gave it may use its memory again; `slice` of a Buffer is a view. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
