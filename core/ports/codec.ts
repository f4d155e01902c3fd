/** How bytes on the wire may be compressed. */
export type Encoding = 'gzip' | 'zstd';

/** Compression. Synchronous, because a thread pool would end in real order; callers bound what they pass. */
export interface Codec {
  /**
   * The plain bytes of a whole gzip member or zstd frame.
   *
   * @param bytesMax the most that may come out; nothing larger is allocated.
   * @throws StoreError `bad_frame` when the bytes are not valid, `too_large` when they would exceed `bytesMax`.
   */
  decompress(encoding: Encoding, bytes: Uint8Array, bytesMax: number): Uint8Array;
  compress(encoding: Encoding, bytes: Uint8Array): Uint8Array;
}
