// The order of strings by their UTF-8 bytes, which is that of their code points and not that of JavaScript's `<`.

const LAST_CODE_POINT = 0x10ffff;
const SURROGATES_START = 0xd800;
const SURROGATES_END = 0xe000;

/** Negative, zero or positive, as `a` comes before, with or after `b`. Both are well-formed. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** UTF-16 puts code points above U+FFFF (surrogates) before U+E000; UTF-8 puts them last. */
function rank(unit: number): number {
  if (unit < SURROGATES_START) return unit;
  return unit >= SURROGATES_END ? unit - (SURROGATES_END - SURROGATES_START) : unit + 0x2000;
}

/** The smallest string behind every string that starts with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = (last.codePointAt(0) ?? 0) + 1;
    if (next > LAST_CODE_POINT) continue;
    const wellFormed = next >= SURROGATES_START && next < SURROGATES_END ? SURROGATES_END : next;
    return points.join('') + String.fromCodePoint(wellFormed);
  }
  return undefined;
}

/** The smallest string behind `text`. */
export function successor(text: string): string {
  return `${text}\0`;
}
