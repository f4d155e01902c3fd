// Appends as protobuf, and the frames of sessions: good ones mostly, and then any bytes.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeAppend, type ProtoAppend, type ProtoRecord } from '#test/conformance/client/proto.ts';
import { FLAG_GZIP, FLAG_TERMINAL, FLAG_ZSTD, frame } from '#test/conformance/client/session.ts';
import { damage, damaged, noise } from './damage.ts';
import { often, START_SECS, u64 } from './names.ts';

const bytes = often<string | Uint8Array>([3, fc.string({ maxLength: 12 })], [2, noise], [1, '']);
const header = fc.record({
  name: often<string | Uint8Array>([6, 'k'], [12, fc.uint8Array({ minLength: 1, maxLength: 9 })], [1, '']),
  value: often<string | Uint8Array>([6, bytes], [1, 'fence'], [1, 'trim']),
});
const command = fc.constantFrom<ProtoRecord>(
  { headers: [{ name: '', value: 'fence' }], body: 'lock' },
  { headers: [{ name: '', value: 'fence' }], body: '' },
  { headers: [{ name: '', value: 'fence' }], body: 'x'.repeat(37) },
  { headers: [{ name: '', value: 'trim' }], body: Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]) },
  { headers: [{ name: '', value: 'trim' }], body: 'short' },
);
const plain: fc.Arbitrary<ProtoRecord> = fc
  .record({ timestamp: often([2, u64], [2, BigInt(START_SECS) * 1_000n]), headers: fc.array(header, { maxLength: 2 }), body: bytes })
  .map(({ timestamp, ...rest }) => (timestamp < 0n || timestamp >= 2n ** 64n ? rest : { timestamp, ...rest }));
const record = often<ProtoRecord>([12, plain], [1, command], [4, {}]);

const input: fc.Arbitrary<ProtoAppend> = fc
  .tuple(
    often<ProtoRecord[]>([20, fc.array(record, { minLength: 1, maxLength: 4 })], [1, []]),
    often<ProtoAppend>([10, { records: [] }], [2, fc.nat({ max: 20 }).map((matchSeqNum) => ({ records: [], matchSeqNum }))]),
    often<Partial<ProtoAppend>>([10, {}], [1, fc.constantFrom('', 'lock', 'x'.repeat(37)).map((fencingToken) => ({ fencingToken }))]),
  )
  .map(([records, conditions, fence]) => ({ ...conditions, ...fence, records }));

export const protoInput: fc.Arbitrary<Uint8Array> = fc
  .tuple(input, fc.array(damage, { maxLength: 2 }), fc.nat({ max: 9 }))
  .map(([message, harm, dice]) => (dice < 8 ? encodeAppend(message) : harm.reduce<Uint8Array>(damaged, encodeAppend(message))));

const PACKS = {
  plain: (payload: Uint8Array) => frame(payload),
  gzip: (payload: Uint8Array) => frame(gzipSync(payload), FLAG_GZIP),
  zstd: (payload: Uint8Array) => frame(zstdCompressSync(payload), FLAG_ZSTD),
  'zstd that says gzip': (payload: Uint8Array) => frame(zstdCompressSync(payload), FLAG_GZIP),
  'gzip and more': (payload: Uint8Array) => frame(Buffer.concat([gzipSync(payload), Buffer.from('more')]), FLAG_GZIP),
  'both codecs': (payload: Uint8Array) => frame(payload, FLAG_GZIP | FLAG_ZSTD),
  terminal: (payload: Uint8Array) => frame(payload, FLAG_TERMINAL),
  'reserved bits': (payload: Uint8Array) => frame(payload, 0x1f),
} as const;

const pack = often<keyof typeof PACKS>(
  [20, 'plain'],
  [1, 'gzip'],
  [1, 'zstd'],
  [1, fc.constantFrom('zstd that says gzip' as const, 'gzip and more' as const, 'both codecs' as const, 'terminal' as const)],
  [1, 'reserved bits'],
);
export const oneFrame = fc.tuple(pack, protoInput).map(([how, payload]) => PACKS[how](payload));

/** The whole body of an append session. */
export const sessionBody: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.array(oneFrame, { minLength: 1, maxLength: 5 }), fc.array(damage, { minLength: 1, maxLength: 2 }), fc.nat({ max: 9 }))
  .map(([frames, harm, dice]) => (dice < 8 ? Buffer.concat(frames) : harm.reduce<Uint8Array>(damaged, Buffer.concat(frames))));
