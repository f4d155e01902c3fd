// The names and other texts that requests are drawn from: those of the fixtures most of the time, so that a good share gets past every
// check, and then what is missing, going, foreign or no name at all.

import fc from 'fast-check';

export const BASINS = { plain: 'fuzz-basin', auto: 'fuzz-auto-basin', secret: 'fuzz-secret-basin', gone: 'fuzz-gone-basin' } as const;
export const STREAMS = { full: 'full', spaced: 'a/b é', strict: 'strict', gone: 'gone' } as const;
/** 32 bytes each, in base64. */
export const KEYS = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map((key) => key.toString('base64')) as [string, string];
/** When virtual time begins, in seconds. */
export const START_SECS = 1_800_000_000;

/** Some values, each with how often it comes. */
export function often<T>(...choices: readonly (readonly [weight: number, value: T | fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(
    ...choices.map(([weight, value]) => ({
      weight,
      arbitrary: value instanceof fc.Arbitrary ? value : fc.constant(value),
    })),
  );
}

const ODD = ['', '.', '..', '\0', '\ud800', '__proto__', 'constructor', ' ', 'a\nb', 'x'.repeat(600), 'é'.repeat(300), '\u{1f600}', 'null'];
/** Any characters. (fast-check's own arbitrary of all of Unicode takes a second to come up.) */
export const anyText: fc.Arbitrary<string> = fc
  .array(often<number>([2, fc.integer({ min: 0x20, max: 0x7e })], [1, fc.integer({ min: 0, max: 0x10ffff })]), { maxLength: 10 })
  .map((points) => String.fromCodePoint(...points));
export const oddText: fc.Arbitrary<string> = often<string>([4, anyText], [3, fc.constantFrom(...ODD)]);

/** Names that requests give, and others use. */
export const madeName = (prefix: string): fc.Arbitrary<string> => fc.nat({ max: 9 }).map((at) => `${prefix}${at}`);
export const basinName: fc.Arbitrary<string> = often<string>(
  [12, BASINS.plain],
  [3, BASINS.auto],
  [3, BASINS.secret],
  [1, BASINS.gone],
  [2, 'fuzz-none-basin'],
  [4, madeName('fuzz-made-')],
  [1, fc.constantFrom('UPPERCASE', 'short', '-dash-ed', 'dashed--', 'x'.repeat(49), 'ünicode-basin')],
  [1, oddText],
);
export const streamName: fc.Arbitrary<string> = often<string>(
  [10, STREAMS.full],
  [3, STREAMS.spaced],
  [2, STREAMS.strict],
  [1, STREAMS.gone],
  [2, 'none'],
  [4, madeName('made/')],
  [1, oddText],
);
export const tokenId: fc.Arbitrary<string> = often<string>(
  [8, madeName('token-')],
  [3, 'kept'],
  [1, 'other-token'],
  [1, 'none'],
  [1, oddText],
);
export const namePart: fc.Arbitrary<string> = often<string>([4, ''], [3, 'fuzz-'], [3, 'f'], [2, 'made/'], [2, 'token-'], [1, oddText]);

export const u64: fc.Arbitrary<bigint> = often<bigint>(
  [6, fc.bigInt({ min: 0n, max: 20n })],
  [2, fc.constantFrom(604_800n, BigInt(START_SECS), BigInt(START_SECS) * 1_000n, 1_024n)],
  [1, fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -1n)],
);
export const time: fc.Arbitrary<string> = often<string>(
  [6, fc.constantFrom('2030-01-01T00:00:00Z', '2999-12-31T23:59:59.999999999+01:00', '2027-01-15T08:00:00.001Z')],
  [1, fc.constantFrom('1969-12-31T23:59:59Z', '2027-02-30T00:00:00Z', '2030-01-01', 'soon', '')],
);
