import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { InvariantError } from '#core/base/invariant.ts';
import { CHUNK_HEADER_BYTES, decodeChunk, decodeChunkHeader, encodeChunk, encodeSeal, isChunkOf } from '#core/format/chunk.ts';
import { channelId, epoch, ownerNonce, type Position, position } from '#core/model/ids.ts';
import { CHUNK_BYTES_MAX } from '#core/model/limits.ts';
import { damage, damaged, logId, nonce, safe } from './arbitraries.ts';
import { expectGolden, golden } from './golden.ts';

const parts = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 });
const at = safe.map((value) => value as Position);
const header = fc.record({ log: logId, at, commitPoint: at, owner: nonce });

const LOG = { channel: channelId('express-0'), epoch: epoch(7) };
const EXAMPLE = { log: LOG, at: position(258), commitPoint: position(250), owner: ownerNonce('00112233445566778899aabbccddeeff') };

describe('chunks', () => {
  prop.prop([header, parts])('come back as they were written', (fields, payload) => {
    const bytes = encodeChunk(fields, payload, zlibChecksum);
    const whole = Buffer.concat(payload);
    expect(decodeChunk(bytes, zlibChecksum)).toMatchObject({ ...fields, kind: 'data', payloadBytes: whole.length });
    expect(whole.equals(decodeChunk(bytes, zlibChecksum)?.payload ?? new Uint8Array([1]))).toBe(true);
    expect(decodeChunkHeader(bytes.subarray(0, CHUNK_HEADER_BYTES), zlibChecksum)).toMatchObject(fields);
  });

  prop.prop([header, parts, damage])('F3: flipped, cut or swapped bytes are always detected', (fields, payload, how) => {
    const broken = damaged(encodeChunk(fields, payload, zlibChecksum), how);
    if (broken !== undefined) expect(decodeChunk(broken, zlibChecksum)).toBeUndefined();
  });

  prop.prop([header, parts, damage])('F3: a header alone is trusted only whole', (fields, payload, how) => {
    const bytes = encodeChunk(fields, payload, zlibChecksum).subarray(0, CHUNK_HEADER_BYTES);
    const broken = damaged(bytes, how);
    if (broken !== undefined) expect(decodeChunkHeader(broken, zlibChecksum)).toBeUndefined();
  });

  prop.prop([fc.uint8Array({ maxLength: 300 })])('arbitrary bytes are no chunk', (bytes) => {
    expect(decodeChunk(bytes, zlibChecksum)).toBeUndefined();
  });

  prop.prop([header, parts, fc.uint8Array({ minLength: 1, maxLength: 50 })])(
    'what lies behind a chunk does not matter',
    (fields, payload, more) => {
      const bytes = encodeChunk(fields, payload, zlibChecksum);
      expect(decodeChunk(Buffer.concat([bytes, more]), zlibChecksum)?.payload.length).toBe(bytes.length - CHUNK_HEADER_BYTES);
    },
  );

  prop.prop([logId, at])('a seal of a position is always the same bytes, and no other', (log, position) => {
    const seal = encodeSeal(log, position, zlibChecksum);
    expect(Buffer.from(seal).equals(encodeSeal(log, position, zlibChecksum))).toBe(true);
    const decoded = decodeChunk(seal, zlibChecksum);
    expect(decoded).toMatchObject({ kind: 'seal', payloadBytes: 0, commitPoint: 0 });
    expect(decoded !== undefined && isChunkOf(decoded, log, position)).toBe(true);
    expect(decoded !== undefined && isChunkOf(decoded, log, (position + 1) as Position)).toBe(false);
  });

  test('F3: more than CHUNK_BYTES_MAX is not encoded', () => {
    const payload = new Uint8Array(CHUNK_BYTES_MAX - CHUNK_HEADER_BYTES + 1);
    expect(() => encodeChunk(EXAMPLE, [payload], zlibChecksum)).toThrow(InvariantError);
    expect(encodeChunk(EXAMPLE, [payload.subarray(1)], zlibChecksum).length).toBe(CHUNK_BYTES_MAX);
  });

  test('version 1 bytes stay what they are', () => {
    expectGolden('chunk-v1', encodeChunk(EXAMPLE, [new Uint8Array([1, 2]), new Uint8Array([3])], zlibChecksum));
    expectGolden('seal-v1', encodeSeal(LOG, position(259), zlibChecksum));
    expect(decodeChunk(golden('chunk-v1'), zlibChecksum)).toMatchObject({ ...EXAMPLE, payload: new Uint8Array([1, 2, 3]) });
    expect(decodeChunk(golden('seal-v1'), zlibChecksum)).toMatchObject({ kind: 'seal', log: LOG, at: 259 });
  });
});
