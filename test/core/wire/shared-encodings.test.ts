import { describe, expect, test } from 'vitest';
import type { SeqNum, StreamPosition } from '#core/model/ids.ts';
import type { ReadBatch } from '#core/model/read.ts';
import { SharedEncodings } from '#core/wire/shared-encodings.ts';

const TAIL: StreamPosition = { seqNum: 9 as SeqNum, timestamp: 5n };
const BYTES = new Uint8Array([1, 2, 3]);

function batchOf(change: Partial<ReadBatch> = {}, bytes = BYTES, first = 4): ReadBatch {
  return { runs: [{ first: first as SeqNum, count: 5, bytes }], count: 5, meteredBytes: 40, tail: TAIL, ...change };
}

/** How many of the batches were encoded, one after the other. */
function encodings(batches: readonly (readonly [string, ReadBatch])[], bytesMax?: number): number {
  const shared = new SharedEncodings(bytesMax);
  let count = 0;
  const made = new Map<Uint8Array, string>();
  for (const [format, batch] of batches) {
    const encoded = shared.encode(format, batch, () => {
      count += 1;
      return new Uint8Array(100);
    });
    made.set(encoded, format);
    expect(made.get(encoded)).toBe(format);
  }
  return count;
}

describe('A16: one encoding', () => {
  test('serves all followers that get the same batch in a format', () => {
    expect(
      encodings([
        ['json', batchOf()],
        ['json', batchOf()],
        ['proto', batchOf()],
        ['json', batchOf()],
        ['proto', batchOf()],
      ]),
    ).toBe(2);
  });

  test.each<[string, ReadBatch]>([
    ['another tail', batchOf({ tail: { seqNum: 10 as SeqNum, timestamp: 5n } })],
    ['another time at the tail', batchOf({ tail: { seqNum: 9 as SeqNum, timestamp: 6n } })],
    ['other bytes', batchOf({}, BYTES.slice())],
    ['a part of the bytes', batchOf({}, BYTES, 5)],
    ['more runs', batchOf({ runs: [...batchOf().runs, ...batchOf().runs] })],
  ])('is not given for %s', (_, other) => {
    expect(
      encodings([
        ['json', batchOf()],
        ['json', other],
      ]),
    ).toBe(2);
  });

  test('is neither kept nor given where the key of one reader decrypted the batch', () => {
    const decrypted = batchOf({ isDecrypted: true });
    expect(
      encodings([
        ['json', decrypted],
        ['json', decrypted],
        ['json', batchOf()],
        ['json', decrypted],
      ]),
    ).toBe(4);
  });

  test('is not kept for readers that catch up', () => {
    const { tail: _, ...behind } = batchOf();
    expect(
      encodings([
        ['json', behind],
        ['json', behind],
      ]),
    ).toBe(2);
  });

  test('is forgotten, oldest first, when too many bytes are kept', () => {
    const other = batchOf({}, new Uint8Array(1));
    expect(
      encodings(
        [
          ['json', batchOf()],
          ['json', other],
          ['json', other],
          ['json', batchOf()],
        ],
        150,
      ),
    ).toBe(3);
  });
});
