// The CRC-32 of two byte strings from the CRC-32 of each, so that no byte is summed twice.
//
// A CRC is the remainder of a polynomial over GF(2): putting `n` bytes behind a string multiplies it by x^(8n), and the
// conditioning at both ends cancels out. Polynomials are kept as zlib keeps them, the coefficient of x^0 in the highest bit.
// (Mark Adler's note on combining CRCs; Hacker's Delight, chapter 14.)

/** x^32 + x^26 + … + 1 without its highest term, reflected. */
const POLYNOMIAL = 0xedb8_8320;
const ONE = 0x8000_0000;

/** a × b, modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0;
  let rest = a;
  let shifted = b;
  while (rest !== 0) {
    if (rest < 0) product ^= shifted;
    rest <<= 1;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return product;
}

/** x^(8 × 2^k) at k: one squaring after the other. */
const BYTES_POWERS = ((): Int32Array => {
  const powers = new Int32Array(32);
  let power = ONE >>> 8;
  for (let k = 0; k < 32; k += 1) {
    powers[k] = power;
    power = multiply(power | 0, power);
  }
  return powers;
})();

/**
 * @param first CRC-32 of what comes first
 * @param second CRC-32 of what follows it
 * @param secondBytes how much follows, 0 to 2^32 − 1
 * @returns CRC-32 of both, unsigned
 */
export function combineCrc32(first: number, second: number, secondBytes: number): number {
  let shifted = first | 0;
  let bytes = secondBytes;
  for (let k = 0; bytes !== 0; k += 1) {
    if ((bytes & 1) !== 0) shifted = multiply(BYTES_POWERS[k] ?? 0, shifted >>> 0) | 0;
    bytes >>>= 1;
  }
  return (shifted ^ second) >>> 0;
}
