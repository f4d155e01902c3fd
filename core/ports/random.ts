/** Randomness. Identities and nonces need bits that nobody can guess or repeat. */
export interface Random {
  /** `count` unpredictable bytes; the caller owns them. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  unit(): number;
}
