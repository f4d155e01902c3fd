// Every decoder of what lies in stores: 10,000 damaged inputs each. What is given is what was written, byte for byte, or a refusal
// that says it is corrupt; a disk that rots, or a store that answers nonsense, makes nothing else of it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeZoneId, encodeZoneId } from '#core/adapters/zone-identity.ts';
import { decodeChunk, decodeChunkHeader } from '#core/format/chunk.ts';
import { decodeFrames } from '#core/format/frame.ts';
import { decodeFooter, decodeIndex } from '#core/format/segment.ts';
import { decodeBasin, decodeChannel, decodeRow, decodeState, decodeStream } from '#core/metadata/codec.ts';
import { StoreError } from '#core/model/errors.ts';
import { channelId, type SeqNum, type StreamletNumber, zoneId } from '#core/model/ids.ts';
import type { Fields, FieldValue, Item } from '#core/ports/metadata-store.ts';
import { buildObjects, Section } from '#core/segment/builder.ts';
import { chunkAt, LOG } from '../contract/chunk-store.ts';
import { frameOf, idOf } from '../core/jobs/world.ts';
import { damage, damaged } from './damage.ts';
import { CASES_MIN, PARAMETERS, SEED } from './fuzz-group.ts';

const TIMEOUT_MS = 120_000;

/** @returns undefined for a refusal. @throws whatever is thrown that is none */
function given<T>(decode: () => T | undefined): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'corrupt') return undefined;
    throw error;
  }
}

/** Damages `good` in each case; what a decoder makes of it is what it makes of the good one, or nothing. */
function hold<T>(good: Uint8Array, decode: (bytes: Uint8Array) => T | undefined): void {
  const expected = decode(new Uint8Array(good));
  expect(expected).toBeDefined();
  const counts = { whole: 0, refused: 0 };
  const harm = fc.array(damage, { maxLength: 3 });
  const property = fc.property(harm, (all) => {
    const found = given(() => decode(new Uint8Array(all.reduce<Uint8Array>(damaged, good))));
    if (found === undefined) counts.refused += 1;
    else {
      counts.whole += 1;
      expect(found).toEqual(expected);
    }
  });
  fc.assert(property, { ...PARAMETERS, numRuns: CASES_MIN, endOnFailure: false });
  expect(counts.refused).toBeGreaterThan(CASES_MIN / 4);
  expect(counts.whole).toBeGreaterThan(CASES_MIN / 100);
}

const frames = [
  frameOf({ stream: 1, first: 5, bodies: ['a', 'b'] }),
  frameOf({ stream: 1, first: 7, bodies: ['c'], token: 't', trimPoint: 6 }),
];

describe(`bytes at rest (seed ${SEED}) are what was written, or refused:`, () => {
  const section = new Section(idOf(1), 0 as StreamletNumber, 5 as SeqNum);
  for (const frame of frames) section.add(frame);
  const other = new Section(idOf(2), 0 as StreamletNumber, 0 as SeqNum);
  other.add(frameOf({ stream: 2, first: 0, bodies: ['z'] }));
  const object = buildObjects([section, other], Number.POSITIVE_INFINITY, checksum).at(-1);
  const objectBytes = Buffer.concat(object?.parts ?? []);
  const place = object?.entries[0];
  const sectionBytes = objectBytes.subarray(place?.byteStart, place?.byteEnd);

  test('a chunk', () => hold(chunkAt(LOG, 7, 300), (bytes) => decodeChunk(bytes, checksum)), TIMEOUT_MS);
  test('the header of a chunk', () => hold(chunkAt(LOG, 7, 0), (bytes) => decodeChunkHeader(bytes, checksum)), TIMEOUT_MS);
  test(
    'frames',
    () => {
      const good = Buffer.concat(frames.map(({ bytes }) => bytes));
      // What lies behind a whole frame may be lost with its end: those in front of it are as they were.
      hold(good, (bytes) => {
        const all = [...decodeFrames(bytes, checksum)];
        return all.length === frames.length ? all.map(({ first, body, token }) => ({ first, body: [...body], token })) : undefined;
      });
    },
    TIMEOUT_MS,
  );
  test('the index of a segment', () => hold(sectionBytes, (bytes) => decodeIndex(bytes, sectionBytes.length, checksum)), TIMEOUT_MS);
  test('the footer of a segment object', () => hold(objectBytes, (bytes) => decodeFooter(bytes, objectBytes.length, checksum)), TIMEOUT_MS);
  test(
    'the identity of a zone',
    () => hold(encodeZoneId(zoneId('zone-a-0123'), checksum), (bytes) => decodeZoneId(bytes, checksum)),
    TIMEOUT_MS,
  );
});

const wrong: fc.Arbitrary<FieldValue | undefined> = fc.oneof(
  fc.constantFrom<FieldValue | undefined>(undefined, null, true, '', -1, 2 ** 53 - 1, [], {}, [null], { a: 1 }),
  fc.string({ maxLength: 8 }),
  fc.integer(),
);

/** Any field anywhere in an item, and what comes to stand in its place. */
function spoiled(fields: Fields, path: readonly number[], value: FieldValue | undefined): Fields {
  const names = Object.keys(fields);
  const name = names[(path[0] ?? 0) % Math.max(1, names.length)];
  if (name === undefined) return fields;
  const inner = fields[name];
  const isDeeper = path.length > 1 && typeof inner === 'object' && inner !== null && !Array.isArray(inner);
  const { [name]: _old, ...others } = fields;
  if (isDeeper) return { ...others, [name]: spoiled(inner as Fields, path.slice(1), value) };
  return value === undefined ? others : { ...others, [name]: value };
}

describe(`items of metadata (seed ${SEED}) are decoded, or refused as corrupt:`, () => {
  const config = { storageClass: 'express', retention: 'infinite', timestamping: {}, deleteOnEmpty: {} };
  const state = {
    ...{ streamlet: 0, offloaded: 3, tail: 5, lastTimestamp: '7', token: 't', trimPoint: 1, isSealed: false, lastArrival: 4 },
    compacting: { object: 'o', first: 1, end: 2 },
  };
  const row = {
    ...{ first: 0, end: 3, object: 'o', byteStart: 0, byteEnd: 9, firstTimestamp: '1', lastTimestamp: '2' },
    ...{ arrivalMax: 5, meteredBytes: 30, records: 3 },
  };
  const channel = {
    ...{ version: 3, epoch: 2, owner: '0123456789abcdef0123456789abcdef', leaseCounter: 9, leaseMs: 10_000, state: 'active' },
    logs: [{ epoch: 2, base: 4, zones: ['zone-a', 'zone-b'] }],
    pending: { object: 'o', epoch: 2, from: 4, to: 6 },
  };
  const stream = { streamId: idOf(1), config, configVersion: 0, createdAt: '2026-01-01T00:00:00Z', chain: [] };
  const items: readonly [name: string, fields: Fields, decode: (item: Item) => unknown][] = [
    ['a stream’s state', state, decodeState],
    ['a row', row, decodeRow],
    ['a channel', channel, (item) => decodeChannel(channelId('express-0'), item)],
    ['a stream', stream, (item) => decodeStream('some-basin', item)],
    ['a basin', { config: {}, createdAt: '2026-01-01T00:00:00Z' }, decodeBasin],
  ];

  test.each(items)('%s', (_name, fields, decode) => {
    let refused = 0;
    const harm = fc.array(fc.tuple(fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 3 }), wrong), { minLength: 1, maxLength: 2 });
    const property = fc.property(harm, (all) => {
      const bad = all.reduce<Fields>((one, [path, value]) => spoiled(one, path, value), fields);
      if (given(() => decode({ partition: 'p', sort: 's', fields: bad })) === undefined) refused += 1;
    });
    fc.assert(property, { ...PARAMETERS, numRuns: CASES_MIN, endOnFailure: false });
    expect(refused).toBeGreaterThan(CASES_MIN / 10);
  });
});
