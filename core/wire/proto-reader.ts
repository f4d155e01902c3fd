// Reads the protobuf wire format in place: tags, varints and lengths, all inside a bound. One reader serves a whole message.
//
//   A1  A decoder reads only inside the bytes it was given, and allocates no more than they allow.

import { refused, type StoreError } from '../model/errors.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

export class ProtoReader {
  readonly bytes: Uint8Array;
  at: number;
  /** The last varint in two halves. */
  high = 0;
  low = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes;
    this.at = start;
  }

  /** A varint of up to 64 bits before `end`, into `high` and `low`. @throws StoreError `bad_proto` */
  varint(end: number): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= end) throw bad('it ends inside a number');
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= (bits & 0x0f) << 28;
        high = bits >>> 4;
      } else {
        if (shift === 63 && bits > 1) throw bad('a number exceeds 64 bits');
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw bad('a number is longer than ten bytes');
  }

  /** A field's tag: number × 8 + wire type. */
  tag(end: number): number {
    const byte = this.bytes[this.at] ?? 0;
    if (this.at < end && byte < 0x80 && byte >= 8) {
      this.at += 1;
      return byte;
    }
    this.varint(end);
    if (this.high !== 0 || this.low < 8) throw bad('a field has an impossible number');
    return this.low;
  }

  /** The end of a length-delimited field that starts here; `at` is behind its length. */
  lengthEnd(end: number): number {
    this.varint(end);
    const fieldEnd = this.at + this.low;
    if (this.high !== 0 || fieldEnd > end) throw bad('a field is longer than what holds it');
    return fieldEnd;
  }

  /** Passes over an unknown field. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint(end);
        return;
      case FIXED64:
        this.at += 8;
        break;
      case LENGTH_DELIMITED:
        this.at = this.lengthEnd(end);
        return;
      case FIXED32:
        this.at += 4;
        break;
      default:
        throw bad('a field has an unknown wire type');
    }
    if (this.at > end) throw bad('it ends inside a field');
  }
}

export function bad(why: string): StoreError {
  return refused('bad_proto', `the protobuf message cannot be decoded: ${why}`);
}
