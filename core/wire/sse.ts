// Server-sent events of a read. (S2 v1 API, section 3.6.)
//
//   batch  id: seq_num of the last record, records so far, metered bytes so far · data: ReadBatch JSON
//   ping   data: {"timestamp": server ms, "tail": position}
//   error  data: the error body, as in a unary answer
//   last   data: [DONE], when no error occurred

import { refused } from '../model/errors.ts';
import type { StreamPosition } from '../model/ids.ts';
import type { ReadBatch } from '../model/read.ts';
import { positionJson } from './append-json.ts';
import { ByteWriter } from './byte-writer.ts';

/** How far a connection, and those that it resumed, have come. */
export interface EventId {
  /** Of the last record. */
  readonly seqNum: number;
  readonly count: number;
  readonly bytes: number;
}

export const SSE_DONE = 'data: [DONE]\n\n';

/** The id of the event that carries `batch`, which holds a record, after `before`. */
export function nextEventId(before: EventId | undefined, batch: ReadBatch): EventId {
  const run = batch.runs.at(-1);
  return {
    seqNum: run === undefined ? (before?.seqNum ?? 0) : run.first + run.count - 1,
    count: Math.min((before?.count ?? 0) + batch.count, Number.MAX_SAFE_INTEGER),
    bytes: Math.min((before?.bytes ?? 0) + batch.meteredBytes, Number.MAX_SAFE_INTEGER),
  };
}

/** @param data the batch as JSON, in one line. */
export function encodeBatchEvent(data: Uint8Array, id: EventId): Uint8Array {
  const out = new ByteWriter(128 + data.length);
  out.ascii(`event: batch\nid: ${id.seqNum},${id.count},${id.bytes}\ndata: `);
  out.copy(data, 0, data.length);
  out.ascii('\n\n');
  return out.finish();
}

export function pingEvent(now: number, tail: StreamPosition): string {
  return `event: ping\ndata: {"timestamp":${Math.floor(now)},"tail":${positionJson(tail)}}\n\n`;
}

/** @param body JSON in one line. */
export function errorEvent(body: string): string {
  return `event: error\ndata: ${body}\n\n`;
}

const EVENT_ID = /^[0-9]{1,20},[0-9]{1,20},[0-9]{1,20}$/;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Three u64; no stream reaches 2^53 − 1, so what lies above means the same. @throws StoreError `bad_header` */
export function parseEventId(text: string): EventId {
  const parts = EVENT_ID.test(text.trim()) ? text.trim().split(',').map(BigInt) : [];
  const [seqNum, count, bytes] = parts.map((part) => Math.min(Number(part), Number.MAX_SAFE_INTEGER));
  if (seqNum === undefined || count === undefined || bytes === undefined || parts.some((part) => part > U64_MAX)) {
    throw refused('bad_header', 'last-event-id is "<seq_num>,<count>,<bytes>"');
  }
  return { seqNum, count, bytes };
}
