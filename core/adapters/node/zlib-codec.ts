// gzip and zstd by the host's zlib, synchronously: frames are at most 2 MiB.

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { refused } from '../../model/errors.ts';
import type { Codec } from '../../ports/codec.ts';

export const zlibCodec: Codec = {
  decompress(encoding, bytes, bytesMax) {
    try {
      return (encoding === 'gzip' ? gunzipSync : zstdDecompressSync)(bytes, { maxOutputLength: bytesMax });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        throw refused('too_large', `more than ${bytesMax} bytes come out of it`);
      }
      throw refused('bad_frame', `it is not valid ${encoding}`);
    }
  },
  compress: (encoding, bytes) => (encoding === 'gzip' ? gzipSync(bytes) : zstdCompressSync(bytes)),
};
