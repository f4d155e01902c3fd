// What the properties of the formats are drawn from.

import fc from 'fast-check';
import type { FrameHeader } from '#core/format/frame.ts';
import { type RecordBatch, RecordBatchBuilder } from '#core/format/record.ts';
import type { ChannelId, Epoch, LogId, OwnerNonce, SeqNum, StreamId, StreamletNumber } from '#core/model/ids.ts';

export interface PlainRecord {
  readonly timestamp: bigint | undefined;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array])[];
  readonly body: Uint8Array;
}

const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const hex32 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const safe = fc.maxSafeNat();

/** Names are not empty: an empty one makes a command. */
export const plainRecord: fc.Arbitrary<PlainRecord> = fc.record({
  timestamp: fc.option(u64, { nil: undefined }),
  headers: fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.uint8Array({ maxLength: 200 })), { maxLength: 5 }),
  body: fc.uint8Array({ maxLength: 300 }),
});

export const plainRecords = fc.array(plainRecord, { minLength: 1, maxLength: 20 });

export function batchOf(records: readonly PlainRecord[]): RecordBatch {
  const builder = new RecordBatchBuilder(16);
  for (const { timestamp, headers, body } of records) {
    builder.begin();
    if (timestamp !== undefined) builder.timestamp(Number(timestamp >> 32n), Number(timestamp & 0xffff_ffffn));
    for (const [name, value] of headers) builder.header(name, 0, name.length, value, 0, value.length);
    builder.body(body, 0, body.length);
    builder.end();
  }
  return builder.finish();
}

export const frameHeader: fc.Arbitrary<FrameHeader> = fc
  .record(
    {
      kind: fc.constantFrom('records' as const, 'seal' as const),
      streamId: hex32.map((id) => id as StreamId),
      streamlet: fc.nat({ max: 0xffff_ffff }).map((value) => value as StreamletNumber),
      first: safe.map((value) => value as SeqNum),
      count: fc.nat({ max: 0xffff_ffff }),
      firstTimestamp: u64,
      lastTimestamp: u64,
      arrival: safe,
      meteredBytes: fc.nat({ max: 0xffff_ffff }),
      token: fc.string({ maxLength: 9, unit: 'grapheme' }).filter((token) => Buffer.byteLength(token) <= 36 && token.isWellFormed()),
      trimPoint: safe.map((value) => value as SeqNum),
    },
    { requiredKeys: ['kind', 'streamId', 'streamlet', 'first', 'count', 'firstTimestamp', 'lastTimestamp', 'arrival', 'meteredBytes'] },
  )
  .map((header) => header as FrameHeader);

export const logId: fc.Arbitrary<LogId> = fc.record({
  channel: fc.stringMatching(/^[a-z0-9-]{1,40}$/).map((id) => id as ChannelId),
  epoch: safe.map((value) => value as Epoch),
});

export const nonce = hex32.map((id) => id as OwnerNonce);
export { hex32, safe, u64 };

/** One way to damage bytes so that they are different ones. */
export type Damage = { kind: 'flip'; at: number; bit: number } | { kind: 'cut'; to: number } | { kind: 'swap'; a: number; b: number };

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('cut' as const), to: fc.nat() }),
  fc.record({ kind: fc.constant('swap' as const), a: fc.nat(), b: fc.nat() }),
);

/** The damaged bytes, or undefined where that would change nothing. Places are taken modulo the length. */
export function damaged(bytes: Uint8Array, how: Damage): Uint8Array | undefined {
  const out = bytes.slice();
  if (how.kind === 'cut') return out.subarray(0, how.to % bytes.length);
  if (how.kind === 'flip') {
    const at = how.at % bytes.length;
    out[at] = (out[at] ?? 0) ^ (1 << how.bit);
    return out;
  }
  const a = how.a % bytes.length;
  const b = how.b % bytes.length;
  if (bytes[a] === bytes[b]) return undefined;
  out[a] = bytes[b] ?? 0;
  out[b] = bytes[a] ?? 0;
  return out;
}
