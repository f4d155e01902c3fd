import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { channelId, epoch, type LogId, position, zoneId } from '#core/model/ids.ts';
import { callCode, decodeAnswerHead, encodeFailure, encodeServed } from '#core/wire/call-failure.ts';
import { encodePrelude, type Frame, type FrameKind, FrameReader, GarbledFrame, MAC_BYTES } from '#core/wire/call-frame.ts';
import {
  type ChunkCall,
  decodeChunkCall,
  decodeIdentities,
  decodeLogs,
  decodePositions,
  encodeChunkCall,
  encodeIdentities,
  encodeLogs,
  encodePositions,
} from '#core/wire/chunk-call.ts';

const bodyBytesMax = 10_000;

function frameOf(kind: FrameKind, head: Uint8Array, body: Uint8Array): Buffer {
  return Buffer.concat([encodePrelude(kind, head, body.length, checksum.crc32(body), checksum), body]);
}

function read(kind: FrameKind, pieces: readonly Uint8Array[]): Frame {
  const reader = new FrameReader({ kind, bodyBytesMax, checksum });
  for (const piece of pieces) reader.push(piece);
  return reader.finish();
}

/** Cuts of `bytes` at `at`, sorted. */
function cutUp(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const cuts = [0, ...at.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const kinds = fc.constantFrom<FrameKind>('request', 'answer');

describe('a frame of a call', () => {
  prop.prop([kinds, bytes(300), bytes(2_000), fc.array(fc.nat(), { maxLength: 8 })])(
    'is the same again, in whatever pieces it comes',
    (kind, head, body, cuts) => {
      const found = read(kind, cutUp(frameOf(kind, head, body), cuts));
      expect(found).toEqual({ head, body, bodyCrc: checksum.crc32(body) });
    },
  );

  prop.prop([kinds, bytes(100), bytes(500), fc.nat(), fc.integer({ min: 0, max: 7 })])(
    'Z17: with any bit flipped it does not count (the mac of a request is another side of it)',
    (kind, head, body, at, bit) => {
      const frame = frameOf(kind, head, body);
      const macAt = 16 + head.length + 4;
      const where = at % frame.length;
      // The reserved byte, which nobody reads, is under the checksum too.
      if (kind === 'request' && where >= macAt && where < macAt + MAC_BYTES) return;
      frame[where] = (frame[where] ?? 0) ^ (1 << bit);
      expect(() => read(kind, [frame])).toThrow(GarbledFrame);
    },
  );

  prop.prop([kinds, bytes(100), bytes(500), fc.nat()])(
    'Z17: cut short, or with bytes behind it, it does not count',
    (kind, head, body, at) => {
      const frame = frameOf(kind, head, body);
      expect(() => read(kind, [frame.subarray(0, at % frame.length)])).toThrow(GarbledFrame);
      expect(() => read(kind, [frame, Uint8Array.of(1)])).toThrow(GarbledFrame);
    },
  );

  test('no memory is taken for a body that is too long, or that was not admitted', () => {
    const long = encodePrelude('request', new Uint8Array(1), bodyBytesMax + 1, 0, checksum);
    expect(() => read('request', [long])).toThrow('10001 bytes');
    const reader = new FrameReader({
      kind: 'request',
      bodyBytesMax,
      checksum,
      onPrelude: () => {
        throw new Error('not admitted');
      },
    });
    expect(() => reader.push(encodePrelude('request', new Uint8Array(1), 9_000, 0, checksum))).toThrow('not admitted');
  });

  test('an answer is no request', () => {
    expect(() => read('request', [frameOf('answer', new Uint8Array(1), new Uint8Array(0))])).toThrow('no request');
  });
});

describe('the head of an answer', () => {
  test('gives what was served, or why not with its effect', () => {
    expect(decodeAnswerHead(encodeServed(Uint8Array.of(7)))).toEqual({ given: Uint8Array.of(7) });
    for (const code of ['garbled', 'other_zone', 'disk_full', 'storage'] as const) {
      for (const effect of ['none', 'unknown'] as const) {
        const failure = { code, effect, message: 'because' };
        expect(decodeAnswerHead(encodeFailure(failure))).toEqual({ failure });
      }
    }
  });

  test('of a code that is not known says that anything may have happened', () => {
    expect(decodeAnswerHead(Uint8Array.of(250, 0))).toEqual({ failure: { code: 'other', effect: 'unknown', message: '' } });
    expect(decodeAnswerHead(new Uint8Array(0))).toMatchObject({ failure: { effect: 'unknown' } });
    expect(callCode('deposed')).toBe('other');
  });
});

const LOG: LogId = { channel: channelId('native-0'), epoch: epoch(7) };
const zone = zoneId('a-0123');
const at = position(2 ** 40);

describe('a call of a chunk store', () => {
  const calls: readonly ChunkCall[] = [
    { op: 'identify' },
    { op: 'put', zone, log: LOG, at },
    { op: 'seal', zone, log: LOG, at, over: 'absent' },
    { op: 'seal', zone, log: LOG, at, over: 'torn' },
    { op: 'get', zone, log: LOG, at, part: 'whole' },
    { op: 'get', zone, log: LOG, at, part: 'header' },
    { op: 'list', zone, log: LOG, cursor: undefined },
    { op: 'list', zone, log: LOG, cursor: '120' },
    { op: 'logs', zone, cursor: undefined },
    { op: 'logs', zone, cursor: 'é' },
    { op: 'delete', zone, log: LOG, range: { start: at, end: position(Number.MAX_SAFE_INTEGER) } },
  ];

  test.each(calls)('$op is the same again', (call) => {
    expect(decodeChunkCall(encodeChunkCall(call))).toEqual(call);
  });

  prop.prop([fc.uint8Array({ maxLength: 200 })])('A1: of any bytes it is a call that the port takes, or undefined', (head) => {
    const call = decodeChunkCall(head);
    if (call === undefined || call.op === 'identify') return;
    expect(() => zoneId(call.zone)).not.toThrow();
    if ('log' in call) expect(() => [channelId(call.log.channel), epoch(call.log.epoch)]).not.toThrow();
    if ('at' in call) expect(() => position(call.at)).not.toThrow();
  });

  test('A1: names that lie, numbers that are no positions, and unknown operations are undefined', () => {
    const good = encodeChunkCall({ op: 'put', zone, log: LOG, at });
    const changed = (where: number, value: number): Uint8Array => Object.assign(good.slice(), { [where]: value });
    for (const bad of [
      changed(0, 99),
      changed(0, 0),
      changed(1, 2),
      changed(2, 255),
      changed(3, 60),
      changed(12, 255),
      good.subarray(0, 20),
    ]) {
      expect(decodeChunkCall(bad)).toBeUndefined();
    }
  });

  test('listings are the same again, and undefined where they are cut', () => {
    const positions = [position(0), position(Number.MAX_SAFE_INTEGER)];
    expect(decodePositions(encodePositions(positions))).toEqual(positions);
    expect(decodePositions(encodePositions(positions).subarray(1))).toBeUndefined();
    const logs = [LOG, { channel: channelId('x'), epoch: epoch(0) }];
    expect(decodeLogs(encodeLogs(logs))).toEqual(logs);
    expect(decodeLogs(encodeLogs(logs).subarray(0, -1))).toBeUndefined();
    const identities = { current: zone, retired: [zoneId('b-1')] };
    expect(decodeIdentities(encodeIdentities(identities))).toEqual(identities);
    expect(decodeIdentities(new TextEncoder().encode('not a zone!'))).toBeUndefined();
  });
});
