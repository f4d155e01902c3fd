// Records for wire tests: plain objects in, batches and runs of envelopes out.

import { type RecordBatch, RecordBatchBuilder, stampRecords } from '#core/format/record.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { RecordRun } from '#core/model/read.ts';

export interface PlainRecord {
  readonly timestamp?: bigint;
  readonly headers?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  readonly body?: string | Uint8Array;
}

const bytesOf = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? new TextEncoder().encode(value) : value);

export function batchOf(records: readonly PlainRecord[]): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const { timestamp, headers = [], body = '' } of records) {
    builder.begin();
    if (timestamp !== undefined) builder.timestamp(Number(timestamp >> 32n), Number(timestamp & 0xffff_ffffn));
    for (const [name, value] of headers) {
      const [nameBytes, valueBytes] = [bytesOf(name), bytesOf(value)];
      builder.header(nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length);
    }
    builder.body(bytesOf(body), 0, bytesOf(body).length);
    builder.end();
  }
  return builder.finish();
}

/** Sequenced as they are: timestamps must be given, and not go back. */
export function runOf(first: number, records: readonly PlainRecord[]): RecordRun {
  const batch = batchOf(records);
  stampRecords(batch.bytes, { mode: 'client-prefer', uncapped: true, now: 0n, floor: 0n });
  return { first: first as SeqNum, count: batch.count, bytes: batch.bytes };
}
