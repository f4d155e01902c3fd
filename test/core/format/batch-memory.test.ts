import { describe, expect, test } from 'vitest';
import { lendBatchMemory, returnBatchMemory } from '#core/format/batch-memory.ts';

describe('F5: batch memory', () => {
  test('is used again once it was given back, and not before', () => {
    const first = lendBatchMemory(100_000);
    const second = lendBatchMemory(100_000);
    expect(second.buffer).not.toBe(first.buffer);
    returnBatchMemory(first.subarray(0, 90_000));
    expect(lendBatchMemory(80_000).buffer).toBe(first.buffer);
    expect(lendBatchMemory(80_000).buffer).not.toBe(first.buffer);
  });

  test('is not lent to two batches when it is given back twice', () => {
    const lent = lendBatchMemory(200_000);
    returnBatchMemory(lent);
    returnBatchMemory(lent);
    expect(lendBatchMemory(200_000).buffer).toBe(lent.buffer);
    expect(lendBatchMemory(200_000).buffer).not.toBe(lent.buffer);
  });

  test.each([1, 65_535, 65_536, 65_537, 1_060_000, 5_000_000])('is as large as was asked for: %i bytes', (bytes) => {
    expect(lendBatchMemory(bytes).length).toBeGreaterThanOrEqual(bytes);
  });

  test('leaves alone what it never lent', () => {
    const own = new Uint8Array(131_072);
    returnBatchMemory(own);
    expect(lendBatchMemory(131_072).buffer).not.toBe(own.buffer);
  });

  test('keeps a bounded number of bytes', () => {
    const lent = Array.from({ length: 20 }, () => lendBatchMemory(4_000_000));
    for (const bytes of lent) returnBatchMemory(bytes);
    const again = Array.from({ length: 20 }, () => lendBatchMemory(4_000_000).buffer);
    expect(again.filter((buffer) => lent.some((bytes) => bytes.buffer === buffer)).length).toBeLessThanOrEqual(8);
  });
});
