// Records as the workload makes and knows them: each is unique in its run, and known by its hash.

import { type RecordBatch, RecordBatchBuilder, RecordCursor } from '#core/format/record.ts';
import type { ReadBatch } from '#core/model/read.ts';
import type { AppendedRecord, BodyHash, ReadRecord } from './history.ts';

export type RecordToAppend =
  | {
      readonly kind: 'plain';
      readonly id: number;
      readonly bytes: number;
      /** The client's, in milliseconds; absent: it gives none. */
      readonly timestamp?: number;
      /** For a stream with a cipher: its bytes may stand nowhere as they are. */
      readonly isSecret?: boolean;
    }
  | { readonly kind: 'fence'; readonly token: string }
  | { readonly kind: 'trim'; readonly to: number };

const ENCODER = new TextEncoder();
const EMPTY = new Uint8Array(0);
const FENCE = ENCODER.encode('fence');
const TRIM = ENCODER.encode('trim');
/** What the bodies of secret records begin with, and no others. */
const SECRET = 'secret ';

export function encodeBatch(records: readonly RecordToAppend[]): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const record of records) {
    builder.begin();
    if (record.kind !== 'plain') {
      const word = record.kind === 'fence' ? FENCE : TRIM;
      builder.header(EMPTY, 0, 0, word, 0, word.length);
    }
    if (record.kind === 'plain' && record.timestamp !== undefined) {
      builder.timestamp(Math.floor(record.timestamp / 2 ** 32), record.timestamp % 2 ** 32);
    }
    const body = bodyOf(record);
    builder.body(body, 0, body.length);
    builder.end();
  }
  return builder.finish();
}

export function appended(record: RecordToAppend): AppendedRecord {
  const body = bodyOf(record);
  const hash = hashOf(record.kind === 'plain' ? 0 : record.kind === 'fence' ? 5 : 4, body, 0, body.length);
  if (record.kind === 'fence') return { hash, fence: record.token };
  return record.kind === 'trim' ? { hash, trim: record.to } : { hash };
}

/** What a batch holds, as the history tells it. */
export function recordsOf(batch: ReadBatch): ReadRecord[] {
  const records: ReadRecord[] = [];
  for (const { first, bytes } of batch.runs) {
    const cursor = new RecordCursor(bytes);
    for (let seqNum: number = first; cursor.next(); seqNum += 1) {
      let command = 0;
      if (cursor.headersCount > 0) {
        cursor.headers((_nameStart, _nameEnd, valueStart, valueEnd) => {
          command = valueEnd - valueStart;
        });
      }
      records.push({ seqNum, hash: hashOf(command, bytes, cursor.bodyStart, cursor.end), timestamp: Number(cursor.timestamp) });
    }
  }
  return records;
}

/** Records that are no commands. */
export function plainCount(batch: ReadBatch): number {
  let count = 0;
  for (const { bytes } of batch.runs) {
    for (const cursor = new RecordCursor(bytes); cursor.next(); ) if (cursor.headersCount === 0) count += 1;
  }
  return count;
}

/** Whether the bytes show what a secret record holds. */
export function tellsSecrets(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(SECRET);
}

function bodyOf(record: RecordToAppend): Uint8Array {
  if (record.kind === 'fence') return ENCODER.encode(record.token);
  if (record.kind === 'trim') {
    const body = new Uint8Array(8);
    new DataView(body.buffer).setBigUint64(0, BigInt(record.to));
    return body;
  }
  const body = new Uint8Array(record.bytes).fill(record.id & 0xff);
  ENCODER.encodeInto(`${record.isSecret ? SECRET : 'record '}${record.id} `, body);
  return body;
}

/** 53 bits. */
function hashOf(command: number, bytes: Uint8Array, start: number, end: number): BodyHash {
  let high = 0x811c9dc5 ^ command;
  let low = 0x9e3779b9;
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] ?? 0;
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low + byte, 0x85ebca6b) ^ (low >>> 15);
  }
  return ((high >>> 0) & 0x1fffff) * 2 ** 32 + (low >>> 0);
}
