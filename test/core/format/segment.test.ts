import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { compactedAt, compactObjectKey, objectOrigin, offloadObjectKey, siblingKey } from '#core/format/keys.ts';
import {
  checkSegmentHeader,
  decodeFooter,
  decodeIndex,
  encodeFooter,
  encodeIndex,
  encodeSegmentHeader,
  footerBytes,
  indexBytes,
  type SectionIndex,
  type SegmentEntry,
} from '#core/format/segment.ts';
import { channelId, type SeqNum, type StreamId, type StreamletNumber, streamId } from '#core/model/ids.ts';
import { damage, damaged, hex32, safe, u64 } from './arbitraries.ts';
import { expectGolden, golden } from './golden.ts';

const corrupt = expect.objectContaining({ code: 'corrupt' });

const index: fc.Arbitrary<SectionIndex> = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 70_000 }), firstGap: fc.integer({ min: 1, max: 1e6 }), firstTimestamp: u64 }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((steps) => {
    let offset = 0;
    let first = 0;
    const entries = steps.map((step, i) => {
      offset += i === 0 ? 0 : step.gap;
      first += step.firstGap;
      return { first: first as SeqNum, firstTimestamp: step.firstTimestamp, offset };
    });
    return { entries, framesBytes: offset + 100 };
  });

const entry: fc.Arbitrary<SegmentEntry> = fc
  .record(
    {
      streamId: hex32.map((id) => id as StreamId),
      streamlet: fc.nat({ max: 0xffff_ffff }).map((value) => value as StreamletNumber),
      first: fc.nat().map((value) => value as SeqNum),
      end: fc.nat(),
      sibling: fc.nat({ max: 0xffff }),
      byteStart: fc.nat({ max: 1_000 }),
      byteEnd: fc.nat({ max: 1_000 }),
      firstTimestamp: u64,
      lastTimestamp: u64,
      arrivalMax: safe,
      meteredBytes: safe,
      records: safe,
      isSealed: fc.boolean(),
      token: fc.stringMatching(/^[a-zé]{0,18}$/),
      trimPoint: safe.map((value) => value as SeqNum),
    },
    {
      requiredKeys: [
        'streamId',
        'streamlet',
        'first',
        'end',
        'sibling',
        'byteStart',
        'byteEnd',
        'firstTimestamp',
        'lastTimestamp',
        'arrivalMax',
        'meteredBytes',
        'records',
        'isSealed',
      ],
    },
  )
  .map((fields) => ({ ...fields, end: fields.first + fields.end, byteEnd: fields.byteStart + fields.byteEnd }) as SegmentEntry);
const entries = fc.array(entry, { maxLength: 8 });

const BODY = 4_000;

describe('segment index', () => {
  prop.prop([index])('comes back as it was written, also from the end of a longer section', (original) => {
    const bytes = encodeIndex(original, zlibChecksum);
    const section = original.framesBytes + bytes.length;
    expect(decodeIndex(bytes, section, zlibChecksum)).toEqual(original);
    const longer = Buffer.concat([new Uint8Array(50), bytes]);
    expect(indexBytes(longer)).toBe(bytes.length);
    expect(decodeIndex(longer, section, zlibChecksum)).toEqual(original);
  });

  prop.prop([index, damage])('F4: flipped, cut or swapped bytes are always detected', (original, how) => {
    const bytes = encodeIndex(original, zlibChecksum);
    const broken = damaged(bytes, how);
    if (broken !== undefined) expect(() => decodeIndex(broken, original.framesBytes + bytes.length, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([index, fc.integer({ min: 1, max: 1_000 })])('F4: the index of another section is refused', (original, more) => {
    const bytes = encodeIndex(original, zlibChecksum);
    expect(() => decodeIndex(bytes, original.framesBytes + bytes.length + more, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([fc.uint8Array({ maxLength: 300 }), fc.nat()])('arbitrary bytes are refused', (bytes, section) => {
    expect(() => decodeIndex(bytes, section, zlibChecksum)).toThrow(corrupt);
  });
});

describe('segment footer', () => {
  prop.prop([entries])('comes back as it was written', (original) => {
    const bytes = encodeFooter(original, BODY, zlibChecksum);
    expect(footerBytes(bytes)).toBe(bytes.length);
    expect(decodeFooter(Buffer.concat([new Uint8Array(9), bytes]), BODY + bytes.length, zlibChecksum)).toEqual(original);
  });

  prop.prop([entries, damage])('F4: flipped, cut or swapped bytes are always detected', (original, how) => {
    const bytes = encodeFooter(original, BODY, zlibChecksum);
    const broken = damaged(bytes, how);
    if (broken !== undefined) expect(() => decodeFooter(broken, BODY + bytes.length, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([entries, fc.integer({ min: 1, max: 100 })])('F4: an object of another length is refused', (original, more) => {
    const bytes = encodeFooter(original, BODY, zlibChecksum);
    expect(() => decodeFooter(bytes, BODY + bytes.length + more, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([fc.uint8Array({ maxLength: 400 })])('arbitrary bytes are refused', (bytes) => {
    expect(() => decodeFooter(bytes, bytes.length, zlibChecksum)).toThrow(corrupt);
  });

  test('F4: an entry may not point behind what its object holds', () => {
    const [one] = fc.sample(entry, 1);
    const outside = { ...one, sibling: 0, byteStart: 0, byteEnd: BODY + 1 } as SegmentEntry;
    const bytes = encodeFooter([outside], BODY, zlibChecksum);
    expect(() => decodeFooter(bytes, BODY + bytes.length, zlibChecksum)).toThrow(corrupt);
  });
});

describe('counts that promise more than the bytes hold', () => {
  const forged = (bytes: Uint8Array, countAt: number, crcAt: number): Uint8Array => {
    const buffer = Buffer.from(bytes);
    buffer.writeUInt32BE(0xffff_ffff, countAt);
    buffer.writeUInt32BE(zlibChecksum.crc32(buffer.subarray(0, crcAt)), crcAt);
    return buffer;
  };

  test('F4: are refused before anything is allocated for them', () => {
    const index = encodeIndex({ entries: [{ first: 0 as SeqNum, firstTimestamp: 0n, offset: 0 }], framesBytes: 100 }, zlibChecksum);
    expect(() => decodeIndex(forged(index, 20, 28), 132, zlibChecksum)).toThrow(corrupt);
    const footer = encodeFooter([], BODY, zlibChecksum);
    expect(() => decodeFooter(forged(footer, 0, 20), BODY + footer.length, zlibChecksum)).toThrow(corrupt);
    expect(() => decodeFooter(forged(footer, 4, 20), BODY + footer.length, zlibChecksum)).toThrow(corrupt);
  });
});

describe('segment header', () => {
  prop.prop([damage])('F4: flipped, cut or swapped bytes are always detected', (how) => {
    const broken = damaged(encodeSegmentHeader(), how);
    checkSegmentHeader(encodeSegmentHeader());
    if (broken !== undefined) expect(() => checkSegmentHeader(broken)).toThrow(corrupt);
  });
});

describe('version 1 of the segment', () => {
  test('bytes stay what they are', () => {
    const original: SegmentEntry = {
      streamId: streamId('000102030405060708090a0b0c0d0e0f'),
      streamlet: 2 as StreamletNumber,
      first: 10 as SeqNum,
      end: 20 as SeqNum,
      sibling: 1,
      byteStart: 8,
      byteEnd: 900,
      firstTimestamp: 1n,
      lastTimestamp: 0xffff_ffff_ffff_ffffn,
      arrivalMax: 1_712_345_678_901,
      meteredBytes: 800,
      records: 9,
      isSealed: true,
      token: 'tök',
      trimPoint: 12 as SeqNum,
    };
    const sparse: SectionIndex = {
      entries: [
        { first: 10 as SeqNum, firstTimestamp: 1n, offset: 0 },
        { first: 15 as SeqNum, firstTimestamp: 2n, offset: 65_536 },
      ],
      framesBytes: 70_000,
    };
    expectGolden('segment-header-v1', encodeSegmentHeader());
    expectGolden('segment-index-v1', encodeIndex(sparse, zlibChecksum));
    expectGolden('segment-footer-v1', encodeFooter([original], BODY, zlibChecksum));
    const footer = golden('segment-footer-v1');
    expect(decodeFooter(footer, BODY + footer.length, zlibChecksum)).toEqual([original]);
    const bytes = golden('segment-index-v1');
    expect(decodeIndex(bytes, 70_000 + bytes.length, zlibChecksum)).toEqual(sparse);
  });
});

describe('object keys', () => {
  const nonce = 'ab'.repeat(16);
  test('say who wrote them', () => {
    const main = offloadObjectKey(channelId('express-0'), 258, nonce);
    const origin = { kind: 'offload', channel: 'express-0', version: 258, main };
    expect(objectOrigin(main)).toEqual(origin);
    expect(objectOrigin(siblingKey(main, 3))).toEqual(origin);
    const compact = compactObjectKey(streamId(nonce), 1_712_345_678_901.5, nonce);
    expect(objectOrigin(compact)).toEqual({ kind: 'compact', streamId: nonce });
    expect(compactedAt(compact)).toBe(1_712_345_678_901);
  });

  test.each(['', 'segments/offload/x/y', 'segments/offload/express-0/0000000000000001/short', 'other/thing'])(
    '"%s" is nobody\'s',
    (key) => {
      expect(objectOrigin(key)).toBeUndefined();
    },
  );
});
