import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import {
  decodeBasin,
  decodeChannel,
  decodeRow,
  decodeState,
  decodeStream,
  encodeBasin,
  encodeChannel,
  encodeRow,
  encodeState,
  encodeStream,
} from '#core/metadata/codec.ts';
import type { BasinInfo, ChannelState, StreamInfo, StreamState } from '#core/metadata/schema.ts';
import { NEW_STREAM_STATE } from '#core/metadata/segment-index.ts';
import { epoch, position, type SeqNum, seqNum, streamletNumber, TIMESTAMP_MAX, zoneId } from '#core/model/ids.ts';
import type { Fields } from '#core/ports/metadata-store.ts';
import { CHANNEL, CONFIG, nonce, row, STREAM } from './support.ts';

/** As it comes back from a store. */
const item = (fields: Fields, sort = 'name') => ({ partition: 'p', sort, fields: JSON.parse(JSON.stringify(fields)) as Fields });

const CHANNEL_STATE: ChannelState = {
  channel: CHANNEL,
  version: 7,
  epoch: epoch(3),
  owner: nonce(3),
  leaseCounter: 9,
  leaseMs: 5_000,
  state: 'active',
  logs: [
    { epoch: epoch(2), base: position(1), end: position(4), sealedAt: position(6), zones: [zoneId('a')] },
    { epoch: epoch(3), base: position(0), zones: [zoneId('a'), zoneId('b')] },
  ],
  pending: { object: 'o', epoch: epoch(2), from: position(1), to: position(4) },
};

const seq = fc.maxSafeNat() as fc.Arbitrary<SeqNum>;
property.prop([seq, fc.bigInt({ min: 0n, max: TIMESTAMP_MAX }), fc.string(), fc.boolean(), fc.option(fc.nat(), { nil: undefined })])(
  'a stream state comes back as it was, whatever its timestamp',
  (tail, lastTimestamp, token, isSealed, removedAt) => {
    const state: StreamState = {
      ...NEW_STREAM_STATE,
      tail,
      lastTimestamp,
      token,
      isSealed,
      compacting: { object: 'o', first: seqNum(0), end: tail },
      ...(removedAt === undefined ? {} : { removedAt, lastArrival: removedAt, configured: { version: removedAt, config: CONFIG } }),
    };
    expect(decodeState(item(encodeState(state)))).toEqual(state);
  },
);

describe('the golden state item', () => {
  const BEFORE = { streamlet: 0, offloaded: 5, tail: 5, lastTimestamp: '4', token: 't', trimPoint: 2, isSealed: false };
  const RETENTION = { retention: { ageSecs: 604_800 }, deleteOnEmptyMinAgeSecs: 0 };
  const WHOLE = {
    ...BEFORE,
    lastArrival: 1_700_000_000_000,
    configured: { version: 2, config: { storageClass: 'express', timestamping: { mode: 'client-prefer', uncapped: false }, ...RETENTION } },
  };

  test('of before last arrivals and configurations is read, and written again as it was', () => {
    const state = decodeState(item(BEFORE));
    expect(state).toEqual({ ...BEFORE, lastTimestamp: 4n });
    expect(encodeState(state)).toEqual(BEFORE);
  });

  test('of today is read, and written as it was', () => {
    const state = decodeState(item(WHOLE));
    expect(state).toMatchObject({ lastArrival: WHOLE.lastArrival, configured: { version: 2, config: CONFIG } });
    expect(encodeState(state)).toEqual(WHOLE);
  });
});

test('seconds are a number as they always were, and text where a number would not hold them', () => {
  const stream = (secs: number | bigint): StreamInfo => ({
    ...{ basin: 'name', name: 'name', streamId: STREAM, configVersion: 0, createdAt: 'then' },
    config: { ...CONFIG, retention: { ageSecs: secs }, deleteOnEmptyMinAgeSecs: secs },
    chain: [{ streamlet: streamletNumber(0), channel: CHANNEL, start: seqNum(0) }],
  });
  for (const [secs, stored] of [
    [2 ** 53 - 1, 2 ** 53 - 1],
    [2n ** 53n, '9007199254740992'],
    [2n ** 64n - 1n, '18446744073709551615'],
  ] as const) {
    const encoded = encodeStream(stream(secs));
    expect(encoded).toMatchObject({ config: { retention: { ageSecs: stored }, deleteOnEmptyMinAgeSecs: stored } });
    expect(decodeStream('name', item(encoded))).toEqual(stream(secs));
  }
});

test('basins, streams, rows and channels come back as they were', () => {
  const basins: BasinInfo[] = [
    { name: 'name', config: { createStreamOnAppend: true, createStreamOnRead: false }, createdAt: 'then' },
    {
      name: 'name',
      config: {
        createStreamOnAppend: false,
        createStreamOnRead: true,
        streamCipher: 'aegis-256',
        defaultStreamConfig: {
          storageClass: 'standard',
          retention: 'infinite',
          timestamping: { mode: 'arrival' },
          deleteOnEmptyMinAgeSecs: 7,
        },
      },
      createdAt: 'then',
      deletedAt: 'now',
      requestKey: 'k',
    },
  ];
  for (const basin of basins) expect(decodeBasin(item(encodeBasin(basin)))).toEqual(basin);
  const chain = [{ streamlet: streamletNumber(0), channel: CHANNEL, start: seqNum(0) }];
  const names = { basin: 'b', name: 'name', streamId: STREAM };
  const stream: StreamInfo = { ...names, config: CONFIG, configVersion: 3, createdAt: 'then', requestKey: 'k', chain };
  expect(decodeStream('b', item(encodeStream(stream)))).toEqual(stream);
  const never: StreamInfo = { ...stream, configVersion: 0 };
  expect(encodeStream(never)).not.toHaveProperty('configVersion');
  expect(decodeStream('b', item(encodeStream(never)))).toEqual(never);
  const ciphered: StreamInfo = { ...stream, cipher: 'aes-256-gcm' };
  expect(decodeStream('b', item(encodeStream(ciphered)))).toEqual(ciphered);
  expect(() => decodeStream('b', item({ ...encodeStream(stream), cipher: 'rot13' }))).toThrow(expect.objectContaining({ code: 'corrupt' }));
  const rare = { ...row(3, 9, 'o'), lastTimestamp: TIMESTAMP_MAX };
  expect(decodeRow(item(encodeRow(rare)))).toEqual(rare);
  expect(decodeChannel(CHANNEL, item(encodeChannel(CHANNEL_STATE)))).toEqual(CHANNEL_STATE);
});

const damage: readonly [string, Record<string, unknown>][] = [
  ['a field that is missing', { version: undefined }],
  ['a number that is text', { version: '7' }],
  ['a number that is not whole', { epoch: 0.5 }],
  ['a negative number', { leaseCounter: -1 }],
  ['a phase that nobody knows', { state: 'asleep' }],
  ['a nonce of the wrong length', { owner: 'x' }],
  ['logs that are no list', { logs: {} }],
  ['a log that is no object', { logs: [1] }],
  ['a zone that is none', { logs: [{ epoch: 1, base: 0, zones: ['Ä'] }] }],
  ['a pending offload that is null', { pending: null }],
];
test.each(damage)('an item with %s is corrupt, and named', (_title, fields) => {
  const damaged = item({ ...encodeChannel(CHANNEL_STATE), ...fields } as Fields, 'M');
  expect(() => decodeChannel(CHANNEL, damaged)).toThrow(
    expect.objectContaining({ code: 'corrupt', message: expect.stringContaining('"M"') }),
  );
});
