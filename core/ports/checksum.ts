/** CRC-32 (IEEE 802.3, as in zlib). Synchronous, because a checksum on a thread pool would end in real order. */
export interface Checksum {
  /** The checksum of `bytes`, going on from `seed` (the checksum of what came before; 0 at the start). An unsigned 32-bit integer. */
  crc32(bytes: Uint8Array, seed?: number): number;
}
