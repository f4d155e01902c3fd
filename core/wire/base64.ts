// Standard padded base64 (RFC 4648, section 4), strict, between byte arrays.

import type { ByteWriter } from './byte-writer.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGITS = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
const PADDING = 0x3d;
const INVALID = 0xff;
const VALUES = new Uint8Array(256).fill(INVALID);
for (let i = 0; i < DIGITS.length; i += 1) VALUES[DIGITS[i] ?? 0] = i;

/**
 * Decodes text [start, end) of `source` into `out` at `at`, which has room for three quarters of it.
 *
 * @returns the offset behind the decoded bytes, or undefined when the text is not base64: wrong length, character,
 *   padding, or bits behind the last byte.
 */
export function decodeBase64(source: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number | undefined {
  const length = end - start;
  if (length % 4 !== 0) return undefined;
  let padding = 0;
  if (length > 0 && source[end - 1] === PADDING) padding = source[end - 2] === PADDING ? 2 : 1;
  const wholeEnd = end - (padding > 0 ? 4 : 0);
  let next = at;
  for (let i = start; i < wholeEnd; i += 4) {
    const a = VALUES[source[i] ?? 0] ?? INVALID;
    const b = VALUES[source[i + 1] ?? 0] ?? INVALID;
    const c = VALUES[source[i + 2] ?? 0] ?? INVALID;
    const d = VALUES[source[i + 3] ?? 0] ?? INVALID;
    if ((a | b | c | d) > 63) return undefined;
    out[next] = (a << 2) | (b >> 4);
    out[next + 1] = (b << 4) | (c >> 2);
    out[next + 2] = (c << 6) | d;
    next += 3;
  }
  return padding === 0 ? next : decodeLast(source, wholeEnd, padding, out, next);
}

function decodeLast(source: Uint8Array, start: number, padding: number, out: Uint8Array, at: number): number | undefined {
  const a = VALUES[source[start] ?? 0] ?? INVALID;
  const b = VALUES[source[start + 1] ?? 0] ?? INVALID;
  const c = padding === 2 ? 0 : (VALUES[source[start + 2] ?? 0] ?? INVALID);
  if ((a | b | c) > 63) return undefined;
  if ((padding === 2 ? b & 0x0f : c & 0x03) !== 0) return undefined;
  out[at] = (a << 2) | (b >> 4);
  if (padding === 1) out[at + 1] = (b << 4) | (c >> 2);
  return at + 3 - padding;
}

/** Writes bytes [start, end) of `source` as base64 text. */
export function writeBase64(out: ByteWriter, source: Uint8Array, start: number, end: number): void {
  out.reserve(4 * Math.ceil((end - start) / 3));
  const target = out.bytes;
  let at = out.length;
  for (let i = start; i < end; i += 3) {
    const left = end - i;
    const a = source[i] ?? 0;
    const b = left > 1 ? (source[i + 1] ?? 0) : 0;
    const c = left > 2 ? (source[i + 2] ?? 0) : 0;
    target[at] = DIGITS[a >> 2] ?? 0;
    target[at + 1] = DIGITS[((a & 3) << 4) | (b >> 4)] ?? 0;
    target[at + 2] = left > 1 ? (DIGITS[((b & 15) << 2) | (c >> 6)] ?? 0) : PADDING;
    target[at + 3] = left > 2 ? (DIGITS[c & 63] ?? 0) : PADDING;
    at += 4;
  }
  out.length = at;
}
