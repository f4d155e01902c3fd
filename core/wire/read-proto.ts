// ReadBatch as protobuf, from envelopes straight into the message. (package s2.v1)
//
//   ReadBatch        1 records repeated SequencedRecord | 2 tail optional StreamPosition
//   SequencedRecord  1 seq_num uint64 | 2 timestamp uint64 | 3 headers repeated Header | 4 body bytes
//
//   E3  An encrypted record never goes out: it is decrypted first, or it is our own fault.

import { varintBytes } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { RecordCursor } from '../format/record.ts';
import type { ReadBatch, RecordRun } from '../model/read.ts';
import { writePosition } from './append-proto.ts';
import { ByteWriter, varint64Bytes } from './byte-writer.ts';

/** What a record's message may add to its envelope, without headers: tag, length, sequence number, body's length. */
const RECORD_MORE_BYTES = 24;

/** @param room bytes to leave free in front, for a frame's head. */
export function encodeReadBatch(batch: ReadBatch, room = 0): Uint8Array {
  let bytesHint = room + 32 + batch.count * RECORD_MORE_BYTES;
  for (const run of batch.runs) bytesHint += run.bytes.length;
  const out = new ByteWriter(bytesHint);
  out.length = room;
  for (const run of batch.runs) writeRun(out, run);
  if (batch.tail !== undefined) writePosition(out, 0x12, batch.tail);
  return out.finish();
}

function writeRun(out: ByteWriter, run: RecordRun): void {
  const cursor = new RecordCursor(run.bytes);
  for (let i = 0; i < run.count && cursor.next(); i += 1) {
    invariant(!cursor.isEncrypted, 'E3: an encrypted record never goes out');
    writeRecord(out, run, run.first + i, cursor);
  }
}

function writeRecord(out: ByteWriter, run: RecordRun, seqNum: number, cursor: RecordCursor): void {
  const { timestampHigh: high, timestampLow: low, bodyStart, end } = cursor;
  const bodyBytes = end - bodyStart;
  let size = seqNum === 0 ? 0 : 1 + varintBytes(seqNum);
  if (high !== 0 || low !== 0) size += 1 + varint64Bytes(high, low);
  if (bodyBytes > 0) size += 1 + varintBytes(bodyBytes) + bodyBytes;
  if (cursor.headersCount > 0) {
    cursor.headers((nameStart, nameEnd, valueStart, valueEnd) => {
      const header = headerBytes(nameEnd - nameStart, valueEnd - valueStart);
      size += 1 + varintBytes(header) + header;
    });
  }
  out.reserve(size + 8);
  out.byte(0x0a);
  out.varint(size);
  if (seqNum !== 0) {
    out.byte(0x08);
    out.varint(seqNum);
  }
  if (high !== 0 || low !== 0) {
    out.byte(0x10);
    out.varint64(high, low);
  }
  if (cursor.headersCount > 0) writeHeaders(out, run.bytes, cursor);
  if (bodyBytes > 0) {
    out.byte(0x22);
    out.varint(bodyBytes);
    out.copy(run.bytes, bodyStart, end);
  }
}

function headerBytes(nameBytes: number, valueBytes: number): number {
  return (nameBytes === 0 ? 0 : 1 + varintBytes(nameBytes) + nameBytes) + (valueBytes === 0 ? 0 : 1 + varintBytes(valueBytes) + valueBytes);
}

function writeHeaders(out: ByteWriter, bytes: Uint8Array, cursor: RecordCursor): void {
  cursor.headers((nameStart, nameEnd, valueStart, valueEnd) => {
    out.byte(0x1a);
    out.varint(headerBytes(nameEnd - nameStart, valueEnd - valueStart));
    if (nameEnd > nameStart) {
      out.byte(0x0a);
      out.varint(nameEnd - nameStart);
      out.copy(bytes, nameStart, nameEnd);
    }
    if (valueEnd > valueStart) {
      out.byte(0x12);
      out.varint(valueEnd - valueStart);
      out.copy(bytes, valueStart, valueEnd);
    }
  });
}
