// A sum over a set of small numbers, as its members come and go: equal sets, equal sums.

export class SetSum {
  #low = 0;
  #high = 0;

  /** Puts `member` in, or takes it out. */
  toggle(member: number): void {
    this.#low ^= scattered(2 * member);
    this.#high ^= scattered(2 * member + 1);
  }

  /** 53 bits. */
  get value(): number {
    return (this.#high >>> 11) * 0x1_0000_0000 + (this.#low >>> 0);
  }
}

/** 32 bits that look random. (The finalizer of MurmurHash3.) */
function scattered(of: number): number {
  let bits = Math.imul(of + 1, 0x9e37_79b9);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
