import { crc32 } from 'node:zlib';
import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { combineCrc32 } from '#core/base/crc32-combine.ts';

const bytes = fc.uint8Array({ maxLength: 5_000 });

describe('combineCrc32', () => {
  test.prop([bytes, bytes])('gives the checksum of both strings', (first, second) => {
    expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(crc32(Buffer.concat([first, second])));
  });

  test.prop([bytes, fc.nat({ max: 3_000_000 })])('also when what follows is long', (first, size) => {
    const second = Buffer.alloc(size, 'what follows');
    expect(combineCrc32(crc32(first), crc32(second), size)).toBe(crc32(second, crc32(first)));
  });
});
