// AppendInput in, AppendAck out, as protobuf (package s2.v1).
//
//   AppendInput   1 records repeated AppendRecord | 2 match_seq_num optional uint64 | 3 fencing_token optional string
//   AppendRecord  1 timestamp optional uint64 | 2 headers repeated Header | 3 body bytes
//   Header        1 name bytes | 2 value bytes
//   AppendAck     1 start | 2 end | 3 tail, each a StreamPosition: 1 seq_num uint64 | 2 timestamp uint64
//
// Records go from the message straight into the batch's envelopes: no object a record.

import { RECORD_PREFIX_BYTES, RecordBatchBuilder } from '../format/record.ts';
import type { AppendAck } from '../model/append.ts';
import { refused } from '../model/errors.ts';
import type { StreamPosition } from '../model/ids.ts';
import { BATCH_RECORDS_MAX, FENCING_TOKEN_BYTES_MAX } from '../model/limits.ts';
import { type AppendInput, appendConditions } from './append-input.ts';
import { ByteWriter, varint64Bytes } from './byte-writer.ts';
import { bad, ProtoReader } from './proto-reader.ts';

const RECORDS = 0x0a;
const MATCH_SEQ_NUM = 0x10;
const FENCING_TOKEN = 0x1a;
const TIMESTAMP = 0x08;
const HEADERS = 0x12;
const BODY = 0x1a;
const NAME = 0x0a;
const VALUE = 0x12;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Bytes [start, end) of `bytes`, which are free again when this returns.
 *
 * @throws StoreError `bad_proto` when they are not the message; `invalid` when the batch breaks a rule.
 */
export function decodeAppendInput(bytes: Uint8Array, start = 0, end = bytes.length): AppendInput {
  const reader = new ProtoReader(bytes, start);
  const builder = new RecordBatchBuilder(end - start + RECORD_PREFIX_BYTES * countRecords(bytes, start, end));
  let matchSeqNum: bigint | undefined;
  let fencingToken: string | undefined;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === RECORDS) {
      readRecord(reader, reader.lengthEnd(end), builder);
    } else if (tag === MATCH_SEQ_NUM) {
      reader.varint(end);
      matchSeqNum = (BigInt(reader.high) << 32n) | BigInt(reader.low);
    } else if (tag === FENCING_TOKEN) {
      const tokenEnd = reader.lengthEnd(end);
      fencingToken = token(bytes, reader.at, tokenEnd);
      reader.at = tokenEnd;
    } else {
      reader.skip(tag, end);
    }
  }
  return { batch: builder.finish(), conditions: appendConditions(matchSeqNum, fencingToken) };
}

/** A look at the outer fields only, so that the batch gets its memory in one piece. */
function countRecords(bytes: Uint8Array, start: number, end: number): number {
  const reader = new ProtoReader(bytes, start);
  let count = 0;
  while (reader.at < end && count < BATCH_RECORDS_MAX) {
    const tag = reader.tag(end);
    if (tag === RECORDS) count += 1;
    reader.skip(tag, end);
  }
  return count;
}

function readRecord(reader: ProtoReader, end: number, builder: RecordBatchBuilder): void {
  builder.begin();
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === BODY) {
      const bodyEnd = reader.lengthEnd(end);
      builder.body(reader.bytes, reader.at, bodyEnd);
      reader.at = bodyEnd;
    } else if (tag === HEADERS) {
      readHeader(reader, reader.lengthEnd(end), builder);
    } else if (tag === TIMESTAMP) {
      reader.varint(end);
      builder.timestamp(reader.high, reader.low);
    } else {
      reader.skip(tag, end);
    }
  }
  builder.end();
}

function readHeader(reader: ProtoReader, end: number, builder: RecordBatchBuilder): void {
  let nameStart = 0;
  let nameEnd = 0;
  let valueStart = 0;
  let valueEnd = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === NAME) {
      nameEnd = reader.lengthEnd(end);
      nameStart = reader.at;
      reader.at = nameEnd;
    } else if (tag === VALUE) {
      valueEnd = reader.lengthEnd(end);
      valueStart = reader.at;
      reader.at = valueEnd;
    } else {
      reader.skip(tag, end);
    }
  }
  builder.header(reader.bytes, nameStart, nameEnd, reader.bytes, valueStart, valueEnd);
}

function token(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > FENCING_TOKEN_BYTES_MAX) {
    throw refused('invalid', `a fencing token is at most ${FENCING_TOKEN_BYTES_MAX} bytes, not ${end - start}`);
  }
  try {
    return UTF8.decode(bytes.subarray(start, end));
  } catch {
    throw bad('the fencing token is not UTF-8');
  }
}

/** @param room bytes to leave free in front, for a frame's head. */
export function encodeAppendAck(ack: AppendAck, room = 0): Uint8Array {
  const out = new ByteWriter(room + 72);
  out.length = room;
  writePosition(out, 0x0a, ack.start);
  writePosition(out, 0x12, ack.end);
  writePosition(out, 0x1a, ack.tail);
  return out.finish();
}

/** A StreamPosition as a field of its own, present also when both its numbers are zero. */
export function writePosition(out: ByteWriter, tag: number, { seqNum, timestamp }: StreamPosition): void {
  const seqHigh = Math.floor(seqNum / 0x1_0000_0000);
  const seqLow = seqNum >>> 0;
  const timeHigh = Number(timestamp >> 32n);
  const timeLow = Number(timestamp & 0xffff_ffffn);
  const seqBytes = seqNum === 0 ? 0 : 1 + varint64Bytes(seqHigh, seqLow);
  const timeBytes = timestamp === 0n ? 0 : 1 + varint64Bytes(timeHigh, timeLow);
  out.byte(tag);
  out.byte(seqBytes + timeBytes);
  if (seqBytes > 0) {
    out.byte(0x08);
    out.varint64(seqHigh, seqLow);
  }
  if (timeBytes > 0) {
    out.byte(0x10);
    out.varint64(timeHigh, timeLow);
  }
}
