// Bytes that are written front to back into memory that grows: what every encoder of this layer fills.

import { writeVarint } from '../base/bytes.ts';

const ENCODER = new TextEncoder();

export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  /** @param bytesHint about what will be written; it grows beyond it. */
  constructor(bytesHint: number) {
    this.bytes = new Uint8Array(Math.max(64, bytesHint));
  }

  /** Makes room for `more` bytes; callers then write into `bytes` and move `length` themselves. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length] = value;
    this.length += 1;
  }

  /** Bytes [start, end) of `source`. */
  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    if (end - start <= 24) {
      for (let i = start; i < end; i += 1) this.bytes[this.length + i - start] = source[i] ?? 0;
    } else {
      this.bytes.set(source.subarray(start, end), this.length);
    }
    this.length += end - start;
  }

  /** Any text, as UTF-8. */
  text(text: string): void {
    this.reserve(3 * text.length);
    this.length += ENCODER.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  /** Text of ASCII characters only: faster than `text` for short pieces. */
  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i += 1) this.bytes[this.length + i] = text.charCodeAt(i);
    this.length += text.length;
  }

  /** A protobuf varint of a safe integer. */
  varint(value: number): void {
    this.reserve(8);
    this.length = writeVarint(this.bytes, this.length, value);
  }

  /** A protobuf varint of a u64 in two halves. */
  varint64(high: number, low: number): void {
    this.reserve(10);
    this.length = writeVarint64(this.bytes, this.length, high, low);
  }

  /** A u64 in two halves, as decimal digits. */
  decimal(high: number, low: number): void {
    this.ascii(high < 0x20_0000 ? String(high * 0x1_0000_0000 + low) : String((BigInt(high) << 32n) | BigInt(low)));
  }

  /** What was written; the writer is not used after it. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

/** Writes a varint of a u64 in two halves and returns the offset behind it. */
export function writeVarint64(bytes: Uint8Array, at: number, high: number, low: number): number {
  let restHigh = high;
  let restLow = low;
  let next = at;
  while (restHigh > 0) {
    bytes[next] = (restLow & 0x7f) | 0x80;
    restLow = ((restLow >>> 7) | (restHigh << 25)) >>> 0;
    restHigh >>>= 7;
    next += 1;
  }
  return writeVarint(bytes, next, restLow);
}

/** Bytes that a u64 in two halves takes as a varint. */
export function varint64Bytes(high: number, low: number): number {
  let size = 1;
  let restHigh = high;
  let restLow = low;
  while (restHigh > 0 || restLow >= 0x80) {
    restLow = ((restLow >>> 7) | (restHigh << 25)) >>> 0;
    restHigh >>>= 7;
    size += 1;
  }
  return size;
}
