import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { crcBehindFrame, decodeFrame, decodeFrames, encodeFrameHeader, type FrameHeader } from '#core/format/frame.ts';
import type { SeqNum, StreamId, StreamletNumber } from '#core/model/ids.ts';
import { damage, damaged, frameHeader } from './arbitraries.ts';
import { expectGolden, golden } from './golden.ts';

const corrupt = expect.objectContaining({ code: 'corrupt' });
const body = fc.uint8Array({ maxLength: 300 });

function encode(header: FrameHeader, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([encodeFrameHeader(header, bytes, zlibChecksum), bytes]);
}

const EXAMPLE: FrameHeader = {
  kind: 'records',
  streamId: '000102030405060708090a0b0c0d0e0f' as StreamId,
  streamlet: 3 as StreamletNumber,
  first: (2 ** 53 - 1000) as SeqNum,
  count: 2,
  firstTimestamp: 1n,
  lastTimestamp: 0xffff_ffff_ffff_ffffn,
  arrival: 1_712_345_678_901,
  meteredBytes: 77,
  token: 'tökén',
  trimPoint: 5 as SeqNum,
};

describe('frames', () => {
  prop.prop([frameHeader, body])('come back as they were written', (header, bytes) => {
    const frame = decodeFrame(encode(header, bytes), 0, zlibChecksum);
    const { bytes: whole, body: decoded, ...rest } = frame;
    expect(rest).toEqual(header);
    expect(Buffer.from(decoded).equals(bytes)).toBe(true);
    expect(whole.length).toBe(encode(header, bytes).length);
  });

  prop.prop([frameHeader, body, damage])('F2: flipped, cut or swapped bytes are always detected', (header, bytes, how) => {
    const broken = damaged(encode(header, bytes), how);
    if (broken === undefined) return;
    expect(() => decodeFrame(broken, 0, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([fc.array(fc.tuple(frameHeader, body), { minLength: 2, maxLength: 4 }), damage])(
    'F2: a damaged run of frames never gives other frames than were written',
    (frames, how) => {
      const encoded = frames.map(([header, bytes]) => encode(header, bytes));
      const broken = damaged(Buffer.concat(encoded), how);
      if (broken === undefined) return;
      const given: Uint8Array[] = [];
      try {
        for (const frame of decodeFrames(broken, zlibChecksum)) given.push(frame.bytes);
      } catch (error) {
        expect(error).toEqual(corrupt);
      }
      expect(given.length).toBeLessThan(frames.length);
      for (const [i, bytes] of given.entries()) expect(Buffer.from(bytes).equals(encoded[i] ?? new Uint8Array())).toBe(true);
    },
  );

  prop.prop([fc.uint8Array({ maxLength: 400 }), fc.nat({ max: 400 })])('arbitrary bytes are refused', (bytes, at) => {
    expect(() => decodeFrame(bytes, at, zlibChecksum)).toThrow(corrupt);
  });

  prop.prop([
    frameHeader,
    fc.oneof(
      body,
      fc.integer({ min: 16_000, max: 17_000 }).map((size) => new Uint8Array(size).fill(size)),
    ),
    body,
  ])('F2: the checksum behind a frame is that of all bytes, for bodies of any size', (header, bytes, before) => {
    const head = encodeFrameHeader(header, bytes, zlibChecksum);
    const whole = zlibChecksum.crc32(Buffer.concat([before, head, bytes]));
    expect(crcBehindFrame(zlibChecksum.crc32(before), head, bytes, zlibChecksum)).toBe(whole);
  });

  test('a decoded frame is a slice of what it was read from', () => {
    const bytes = encode(EXAMPLE, new Uint8Array(10));
    const frame = decodeFrame(bytes, 0, zlibChecksum);
    expect([frame.bytes.buffer, frame.body.buffer]).toEqual([bytes.buffer, bytes.buffer]);
  });

  test.each([
    ['version', 0, 2],
    ['kind', 1, 9],
  ])('an unknown %s is refused although its checksum is right', (_, at, value) => {
    const bytes = encode(EXAMPLE, new Uint8Array(0));
    bytes[at] = value;
    const crcAt = bytes.length - 4;
    Buffer.from(bytes.buffer, bytes.byteOffset).writeUInt32BE(zlibChecksum.crc32(bytes.subarray(0, crcAt)), crcAt);
    expect(() => decodeFrame(bytes, 0, zlibChecksum)).toThrow(corrupt);
  });

  test('version 1 bytes stay what they are', () => {
    expectGolden('frame-v1', encode(EXAMPLE, new Uint8Array([1, 2, 3])));
    expect(decodeFrame(golden('frame-v1'), 0, zlibChecksum)).toMatchObject(EXAMPLE);
  });
});
