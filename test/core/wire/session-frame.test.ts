// Frames of an S2S session, against the golden bytes of the official encoder.

import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { RecordCursor, stampRecords } from '#core/format/record.ts';
import type { SeqNum, StreamPosition } from '#core/model/ids.ts';
import { decodeAppendInput, encodeAppendAck } from '#core/wire/append-proto.ts';
import { encodeReadBatch } from '#core/wire/read-proto.ts';
import { encodeTerminalFrame, FRAME_HEAD_BYTES, SessionFrameParser, sealFrame } from '#core/wire/session-frame.ts';
import { runOf } from './records.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const at = (seqNum: number, timestamp: number): StreamPosition => ({ seqNum: seqNum as SeqNum, timestamp: BigInt(timestamp) });

/** The payloads that a parser finds in pieces; copied, as they are valid until the next call only. */
function payloads(pieces: readonly Uint8Array[]): Uint8Array[] {
  const parser = new SessionFrameParser(zlibCodec);
  const found: Uint8Array[] = [];
  for (const piece of pieces) {
    parser.push(piece);
    for (let payload = parser.next(); payload !== undefined; payload = parser.next()) found.push(Uint8Array.from(payload));
  }
  parser.finish();
  return found;
}

function inputOf(frame: string) {
  const [payload] = payloads([fromHex(frame)]);
  return decodeAppendInput(payload ?? new Uint8Array(0));
}

describe('golden AppendInput frames', () => {
  test('one record without a timestamp', () => {
    const { batch, conditions } = inputOf('000007000a041a026869');
    expect(batch).toMatchObject({ count: 1, meteredBytes: 10, hasAllTimestamps: false, commands: [] });
    expect(conditions).toEqual({});
    stampRecords(batch.bytes, { mode: 'client-prefer', uncapped: false, now: 7n, floor: 0n });
    const cursor = new RecordCursor(batch.bytes);
    expect(cursor.next()).toBe(true);
    expect(Buffer.from(batch.bytes.subarray(cursor.bodyStart, cursor.end)).toString()).toBe('hi');
    expect(cursor.next()).toBe(false);
  });

  test('conditions that are zero and empty are present', () => {
    const { batch, conditions } = inputOf('000011000a0a080512060a016b12017610001a00');
    expect(batch).toMatchObject({ count: 1, meteredBytes: 12, hasAllTimestamps: true });
    expect(conditions).toEqual({ matchSeqNum: 0, fencingToken: '' });
  });

  test('fence and trim are commands', () => {
    expect(inputOf('000012000a0f1207120566656e63651a04746f6b31').batch.commands).toEqual([{ kind: 'fence', index: 0, token: 'tok1' }]);
    const { batch } = inputOf('000015000a12120612047472696d1a08000000000000012c');
    expect(batch.commands).toEqual([{ kind: 'trim', index: 0, earliest: 300 }]);
    expect(batch.meteredBytes).toBe(22);
  });
});

describe('golden answers', () => {
  test('AppendAck leaves zero fields out and keeps every position', () => {
    const ack = encodeAppendAck({ start: at(0, 1_000), end: at(1, 1_000), tail: at(1, 1_000) }, FRAME_HEAD_BYTES);
    expect(hex(sealFrame(ack))).toBe('000014000a0310e8071205080110e8071a05080110e807');
  });

  test('heartbeats carry the tail, also that of an empty stream', () => {
    const beat = (tail: StreamPosition) => hex(sealFrame(encodeReadBatch({ runs: [], count: 0, meteredBytes: 0, tail }, FRAME_HEAD_BYTES)));
    expect(beat(at(1, 1_000))).toBe('000008001205080110e807');
    expect(beat(at(0, 0))).toBe('000003001200');
  });

  test('ReadBatch of one record', () => {
    const run = runOf(0, [{ timestamp: 1_000n, body: 'hi' }]);
    const batch = { runs: [run], count: 1, meteredBytes: 10 };
    expect(hex(sealFrame(encodeReadBatch(batch, FRAME_HEAD_BYTES)))).toBe('00000a000a0710e80722026869');
  });

  test('a terminal frame holds status and body', () => {
    const frame = encodeTerminalFrame({ status: 412, body: '{"seq_num_mismatch":1}' });
    expect(hex(frame)).toBe('00001980019c7b227365715f6e756d5f6d69736d61746368223a317d');
  });

  test('reconnect advice is bit 4, and nothing else changes', () => {
    const ack = () => encodeAppendAck({ start: at(0, 1_000), end: at(1, 1_000), tail: at(1, 1_000) }, FRAME_HEAD_BYTES);
    const advised = sealFrame(ack(), true);
    expect(advised[3]).toBe(0x10);
    expect(hex(advised.subarray(4))).toBe(hex(sealFrame(ack()).subarray(4)));
  });
});

describe('SessionFrameParser', () => {
  const pieces = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
    const sorted = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
    return [0, ...sorted].map((start, i) => bytes.subarray(start, sorted[i] ?? bytes.length));
  };
  const frameOf = (payload: Uint8Array, encoding?: 'gzip' | 'zstd'): Uint8Array => {
    const frame = new Uint8Array(FRAME_HEAD_BYTES + payload.length);
    frame.set(payload, FRAME_HEAD_BYTES);
    return sealFrame(frame, false, zlibCodec, encoding);
  };

  prop.prop([
    fc.array(fc.tuple(fc.uint8Array({ maxLength: 3_000 }), fc.constantFrom(undefined, 'gzip' as const, 'zstd' as const)), { maxLength: 6 }),
    fc.array(fc.nat(20_000), { maxLength: 12 }),
  ])('A3: finds the same payloads however the bytes are cut', (inputs, cuts) => {
    const stream = Buffer.concat(inputs.map(([payload, encoding]) => frameOf(payload, encoding)));
    const found = payloads(pieces(stream, cuts));
    expect(found.map(hex)).toEqual(inputs.map(([payload]) => hex(payload)));
  });

  test.each([
    ['length 0', '00000000'],
    ['a length above 2 MiB', '20000100'],
    ['an unknown compression', '0000016000'.slice(0, 8)],
    ['a terminal frame', '00000380019c'],
    ['gzip that is not', '0000034001020304'.slice(0, 12)],
    ['zstd that is not', '0000032001020304'.slice(0, 12)],
    ['an end inside a frame', '00000500aa'],
    ['an end inside a length', '0000'],
  ])('refuses %s as a bad frame', (_what, bytes) => {
    expect(() => payloads([fromHex(bytes)])).toThrowError(expect.objectContaining({ code: 'bad_frame', effect: 'none' }));
  });

  test('refuses a frame that would grow beyond 2 MiB when decompressed', () => {
    for (const encoding of ['gzip', 'zstd'] as const) {
      const packed = zlibCodec.compress(encoding, new Uint8Array(2 * 1024 * 1024));
      const frame = frameOf(packed);
      frame[3] = encoding === 'gzip' ? 0x40 : 0x20;
      expect(() => payloads([frame])).toThrowError(expect.objectContaining({ code: 'bad_frame' }));
    }
  });

  prop.prop([fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat(64), { maxLength: 4 })], { numRuns: 10_000 })(
    'A3: any bytes end in payloads or in a bad frame',
    (bytes, cuts) => {
      try {
        payloads(pieces(bytes, cuts));
      } catch (error) {
        expect(error).toMatchObject({ code: 'bad_frame' });
      }
    },
  );
});
