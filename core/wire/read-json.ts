// ReadBatch as JSON, from envelopes straight into the text. (S2 v1 API, section 1.7.)
//
//   E3  An encrypted record never goes out: it is decrypted first, or it is our own fault.

import { invariant } from '../base/invariant.ts';
import { RecordCursor } from '../format/record.ts';
import type { ReadBatch, RecordRun } from '../model/read.ts';
import { type JsonFormat, positionJson } from './append-json.ts';
import { writeBase64 } from './base64.ts';
import { ByteWriter } from './byte-writer.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true });

export function encodeReadJson(batch: ReadBatch, format: JsonFormat): Uint8Array {
  let bytesHint = 64 + 64 * batch.count;
  for (const run of batch.runs) bytesHint += format === 'raw' ? run.bytes.length : Math.ceil(run.bytes.length * 1.34);
  const out = new ByteWriter(bytesHint);
  out.ascii('{"records":[');
  let isFirst = true;
  for (const run of batch.runs) {
    const cursor = new RecordCursor(run.bytes);
    for (let i = 0; i < run.count && cursor.next(); i += 1) {
      invariant(!cursor.isEncrypted, 'E3: an encrypted record never goes out');
      if (!isFirst) out.byte(0x2c);
      isFirst = false;
      writeRecord(out, run, run.first + i, cursor, format);
    }
  }
  out.ascii(']');
  if (batch.tail !== undefined) {
    out.ascii(',"tail":');
    out.ascii(positionJson(batch.tail));
  }
  out.ascii('}');
  return out.finish();
}

function writeRecord(out: ByteWriter, run: RecordRun, seqNum: number, cursor: RecordCursor, format: JsonFormat): void {
  out.ascii(`{"seq_num":${seqNum},"timestamp":`);
  out.decimal(cursor.timestampHigh, cursor.timestampLow);
  if (cursor.headersCount > 0) {
    out.ascii(',"headers":');
    let separator = '[[';
    cursor.headers((nameStart, nameEnd, valueStart, valueEnd) => {
      out.ascii(separator);
      separator = ',[';
      writeBytes(out, run.bytes, nameStart, nameEnd, format);
      out.byte(0x2c);
      writeBytes(out, run.bytes, valueStart, valueEnd, format);
      out.ascii(']');
    });
    out.ascii(']');
  }
  if (cursor.end > cursor.bodyStart) {
    out.ascii(',"body":');
    writeBytes(out, run.bytes, cursor.bodyStart, cursor.end, format);
  }
  out.ascii('}');
}

function writeBytes(out: ByteWriter, bytes: Uint8Array, start: number, end: number, format: JsonFormat): void {
  out.byte(QUOTE);
  if (format === 'base64') writeBase64(out, bytes, start, end);
  else writeText(out, bytes, start, end);
  out.byte(QUOTE);
}

/** Bytes that need no escape are copied; from the first other one on, the rest goes through text, lossily where it is not UTF-8. */
function writeText(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  out.reserve(end - start);
  const target = out.bytes;
  let to = out.length;
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) break;
    target[to] = byte;
    to += 1;
  }
  out.length = to;
  if (at < end) out.text(JSON.stringify(LOSSY.decode(bytes.subarray(at, end))).slice(1, -1));
}
