// Ways to damage bytes: what a broken client, or one that means harm, makes of a good message.

import fc from 'fast-check';

export type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly to: number }
  | { readonly kind: 'drop'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array };

/** What parsers of JSON, protobuf, queries and heads trip over. */
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\\u',
  '\\ud800',
  'null',
  '1e999',
  '-',
  '&',
  '=',
  '%',
  '%ff',
  '\0',
  '\x80',
  '\xff',
  '\xff\xff\xff\xff',
];

const at = fc.nat({ max: 4_096 });
const length = fc.integer({ min: 1, max: 16 });
export const noise: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 48 });

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('cut' as const), to: at }),
  fc.record({ kind: fc.constant('drop' as const), at, length }),
  fc.record({
    kind: fc.constant('insert' as const),
    at,
    bytes: fc.oneof(
      fc.constantFrom(...TOKENS).map((text) => Uint8Array.from(Buffer.from(text, 'latin1'))),
      noise,
    ),
  }),
  fc.record({ kind: fc.constant('repeat' as const), at, length }),
  fc.record({ kind: fc.constant('noise' as const), bytes: noise }),
);

/** Places are taken modulo the length. */
export function damaged(bytes: Uint8Array, how: Damage): Buffer {
  const place = (value: number): number => value % (bytes.length + 1);
  const until = (value: number): Uint8Array => bytes.subarray(0, place(value));
  const from = (value: number): Uint8Array => bytes.subarray(place(value));
  switch (how.kind) {
    case 'flip': {
      const out = Buffer.from(bytes);
      if (out.length > 0) out[how.at % out.length] = (out[how.at % out.length] ?? 0) ^ (1 << how.bit);
      return out;
    }
    case 'cut':
      return Buffer.from(until(how.to));
    case 'drop':
      return Buffer.concat([until(how.at), bytes.subarray(place(how.at) + how.length)]);
    case 'insert':
      return Buffer.concat([until(how.at), how.bytes, from(how.at)]);
    case 'repeat':
      return Buffer.concat([until(how.at), bytes.subarray(place(how.at), place(how.at) + how.length), from(how.at)]);
    case 'noise':
      return Buffer.from(how.bytes);
  }
}
