// gzip and zstd by the host's zlib, synchronously: frames are at most 2 MiB.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { refused, StoreError } from '../../model/errors.ts';
import type { Codec } from '../../ports/codec.ts';

/** RFC 9659: what a decoder must have memory for, and need not go beyond. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };
/** RFC 8878: zstd data is one frame or more. Each costs a decoder's start, however little it holds. */
const ZSTD_FRAMES_MAX = 64;

interface Unpacked {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

export const zlibCodec: Codec = {
  decompress(encoding, bytes, bytesMax) {
    try {
      return encoding === 'gzip' ? gunzipSync(bytes, { maxOutputLength: bytesMax }) : unpackZstd(bytes, bytesMax);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        throw refused('too_large', `more than ${bytesMax} bytes come out of it`);
      }
      throw refused('bad_frame', `it is not valid ${encoding}`);
    }
  },
  compress: (encoding, bytes) => (encoding === 'gzip' ? gzipSync(bytes) : zstdCompressSync(bytes)),
};

/** Node ends with the first frame, and says nothing of what stands behind it. */
function unpackZstd(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const frames: Buffer[] = [];
  let left = bytesMax;
  for (let at = 0; at < bytes.length || frames.length === 0; ) {
    if (frames.length === ZSTD_FRAMES_MAX) throw new Error(`more than ${ZSTD_FRAMES_MAX} frames`);
    // A bound of 0 is none for node.
    const options = { maxOutputLength: Math.max(1, left), params: ZSTD_PARAMS, info: true };
    const { buffer, engine } = zstdDecompressSync(bytes.subarray(at), options) as unknown as Unpacked;
    frames.push(buffer);
    left -= buffer.length;
    at += engine.bytesWritten;
  }
  if (left < 0) throw refused('too_large', `more than ${bytesMax} bytes come out of it`);
  return frames.length === 1 ? (frames[0] ?? bytes) : Buffer.concat(frames);
}
