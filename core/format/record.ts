// The record envelope: how one record lies inside a frame, and the batch that an append builds of them.
//
//   record  := prefix u32 | timestamp u64 | [headers] | body
//            | prefix u32 | timestamp u64 | meteredBytes u32 | the rest of it, as encrypted-record.ts says
//   prefix  := bit 31: has headers · bit 30: timestamp absent (only before sequencing) · bit 29: encrypted, the second form
//            · bits 0–28: bytes behind the timestamp
//   headers := count varint | (nameBytes varint | valueBytes varint | name | value) × count
//
// Whoever knew bit 29 as part of the length takes an encrypted record for one of 512 MiB and more, which is corrupt.
// The sequence number is not stored: it is the frame's first plus the record's index. wire/ fills batches straight from
// what came over the network and reads envelopes straight into what goes out: no object a record.

import { readBigU64, readU32, varintBytes, writeU32, writeVarint } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { refused } from '../model/errors.ts';
import type { Timestamp } from '../model/ids.ts';
import { BATCH_METERED_BYTES_MAX, BATCH_RECORDS_MAX, FENCING_TOKEN_BYTES_MAX } from '../model/limits.ts';
import { type Command, meteredBytes } from '../model/records.ts';
import type { StreamCipher, TimestampingMode } from '../model/stream-config.ts';
import { lendBatchMemory, returnBatchMemory } from './batch-memory.ts';

export const RECORD_PREFIX_BYTES = 12;
export const HAS_HEADERS = 0x8000_0000;
export const NO_TIMESTAMP = 0x4000_0000;
export const ENCRYPTED = 0x2000_0000;
const LENGTH_MASK = 0x1fff_ffff;
/** What stands in front of the encrypted part, in clear: a record's weight. */
export const ENCRYPTED_METER_BYTES = 4;

/** Records of one append, encoded, not yet sequenced. Owned by whoever sequences it, which writes timestamps into `bytes`. */
export interface RecordBatch {
  readonly bytes: Uint8Array;
  /** 1 to BATCH_RECORDS_MAX. */
  readonly count: number;
  readonly meteredBytes: number;
  /** Whether every record was given a timestamp. */
  readonly hasAllTimestamps: boolean;
  /** In the order of their records; most batches have none. */
  readonly commands: readonly Command[];
  /** All records but commands are encrypted. Absent: none is. `end`: they all lie below this index; 0: all are commands. */
  readonly encryption?: { readonly cipher: StreamCipher; readonly end: number };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const FENCE = [0x66, 0x65, 0x6e, 0x63, 0x65];
const TRIM = [0x74, 0x72, 0x69, 0x6d];

/** Builds a batch record by record: `begin`, any number of `header`, at most one `body`, `end`; then `finish`. */
export class RecordBatchBuilder {
  #bytes: Uint8Array;
  #length = 0;
  #count = 0;
  #metered = 0;
  #hasAllTimestamps = true;
  #commands: Command[] = [];
  // The record being built: slices (source, start, end) of names and values, copied at `end`.
  #sources: Uint8Array[] = [];
  #spans: number[] = [];
  #headersCount = 0;
  #headerBytes = 0;
  #body: Uint8Array = EMPTY;
  #bodyStart = 0;
  #bodyEnd = 0;
  #hasTimestamp = false;
  #timestampHigh = 0;
  #timestampLow = 0;

  /** @param bytesHint about what the encoded batch will need; it grows beyond it. */
  constructor(bytesHint = 1024) {
    this.#bytes = lendBatchMemory(Math.max(64, bytesHint));
  }

  begin(): void {
    this.#sources.length = 0;
    this.#spans.length = 0;
    this.#headersCount = 0;
    this.#headerBytes = 0;
    this.#body = EMPTY;
    this.#bodyStart = 0;
    this.#bodyEnd = 0;
    this.#hasTimestamp = false;
  }

  /** The record's timestamp as the two halves of a u64. */
  timestamp(high: number, low: number): void {
    this.#hasTimestamp = true;
    this.#timestampHigh = high;
    this.#timestampLow = low;
  }

  header(name: Uint8Array, nameStart: number, nameEnd: number, value: Uint8Array, valueStart: number, valueEnd: number): void {
    this.#sources.push(name, value);
    this.#spans.push(nameStart, nameEnd, valueStart, valueEnd);
    this.#headersCount += 1;
    this.#headerBytes += nameEnd - nameStart + valueEnd - valueStart;
  }

  body(source: Uint8Array, start: number, end: number): void {
    this.#body = source;
    this.#bodyStart = start;
    this.#bodyEnd = end;
  }

  /** @throws StoreError `invalid` when the record or the batch so far breaks a rule. */
  end(): void {
    const index = this.#count;
    this.#count += 1;
    if (this.#count > BATCH_RECORDS_MAX) throw refused('invalid', `a batch holds at most ${BATCH_RECORDS_MAX} records`);
    const bodyBytes = this.#bodyEnd - this.#bodyStart;
    this.#metered += meteredBytes(this.#headersCount, this.#headerBytes, bodyBytes);
    if (this.#metered > BATCH_METERED_BYTES_MAX) {
      throw refused('invalid', `a batch holds at most ${BATCH_METERED_BYTES_MAX} metered bytes`);
    }
    if (this.#headersCount > 0) this.#checkHeaders(index);
    if (!this.#hasTimestamp) this.#hasAllTimestamps = false;
    this.#encode(bodyBytes);
  }

  /** @throws StoreError `invalid` for an empty batch. */
  finish(): RecordBatch {
    if (this.#count === 0) throw refused('invalid', 'a batch holds at least one record');
    return {
      bytes: this.#bytes.subarray(0, this.#length),
      count: this.#count,
      meteredBytes: this.#metered,
      hasAllTimestamps: this.#hasAllTimestamps,
      commands: this.#commands,
    };
  }

  #checkHeaders(index: number): void {
    for (let i = 0; i < this.#headersCount; i += 1) {
      if (this.#spans[4 * i] !== this.#spans[4 * i + 1]) continue;
      if (this.#headersCount > 1) throw refused('invalid', `record ${index}: an empty name stands next to other headers`);
      this.#commands.push(this.#command(index));
    }
  }

  #command(index: number): Command {
    const op = this.#sources[1] ?? EMPTY;
    const start = this.#spans[2] ?? 0;
    const end = this.#spans[3] ?? 0;
    const payload = this.#body.subarray(this.#bodyStart, this.#bodyEnd);
    if (spells(op, start, end, FENCE)) return { kind: 'fence', index, token: fencingToken(payload, index) };
    if (spells(op, start, end, TRIM)) {
      if (payload.length !== 8) throw refused('invalid', `record ${index}: a trim command holds 8 bytes, not ${payload.length}`);
      const requested = readBigU64(payload, 0);
      return { kind: 'trim', index, earliest: Number(requested > SAFE_MAX ? SAFE_MAX : requested) };
    }
    throw refused('invalid', `record ${index}: an unknown command; there are "fence" and "trim"`);
  }

  #encode(bodyBytes: number): void {
    let size = bodyBytes;
    if (this.#headersCount > 0) {
      size += varintBytes(this.#headersCount) + this.#headerBytes;
      for (let i = 0; i < this.#spans.length; i += 2) size += varintBytes(this.#span(i));
    }
    this.#reserve(RECORD_PREFIX_BYTES + size);
    const out = this.#bytes;
    let at = this.#length;
    const flags = (this.#headersCount > 0 ? HAS_HEADERS : 0) + (this.#hasTimestamp ? 0 : NO_TIMESTAMP);
    writeU32(out, at, flags + size);
    writeU32(out, at + 4, this.#hasTimestamp ? this.#timestampHigh : 0);
    writeU32(out, at + 8, this.#hasTimestamp ? this.#timestampLow : 0);
    at += RECORD_PREFIX_BYTES;
    if (this.#headersCount > 0) at = this.#encodeHeaders(out, at);
    copy(out, at, this.#body, this.#bodyStart, this.#bodyEnd);
    this.#length = at + bodyBytes;
  }

  #encodeHeaders(out: Uint8Array, start: number): number {
    let at = writeVarint(out, start, this.#headersCount);
    for (let i = 0; i < this.#headersCount; i += 1) {
      at = writeVarint(out, at, this.#span(4 * i));
      at = writeVarint(out, at, this.#span(4 * i + 2));
      for (const part of [0, 1]) {
        const span = 4 * i + 2 * part;
        copy(out, at, this.#sources[2 * i + part] ?? EMPTY, this.#spans[span] ?? 0, this.#spans[span + 1] ?? 0);
        at += this.#span(span);
      }
    }
    return at;
  }

  #span(at: number): number {
    return (this.#spans[at + 1] ?? 0) - (this.#spans[at] ?? 0);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = lendBatchMemory(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    returnBatchMemory(this.#bytes);
    this.#bytes = grown;
  }
}

const EMPTY = new Uint8Array(0);
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

function copy(out: Uint8Array, at: number, source: Uint8Array, start: number, end: number): void {
  if (end - start <= 24) {
    for (let i = start; i < end; i += 1) out[at + i - start] = source[i] ?? 0;
  } else {
    out.set(source.subarray(start, end), at);
  }
}

function spells(bytes: Uint8Array, start: number, end: number, word: readonly number[]): boolean {
  return end - start === word.length && word.every((byte, i) => bytes[start + i] === byte);
}

function fencingToken(payload: Uint8Array, index: number): string {
  if (payload.length > FENCING_TOKEN_BYTES_MAX) {
    throw refused('invalid', `record ${index}: a fencing token is at most ${FENCING_TOKEN_BYTES_MAX} bytes, not ${payload.length}`);
  }
  try {
    return UTF8.decode(payload);
  } catch {
    throw refused('invalid', `record ${index}: a fencing token is UTF-8 text`);
  }
}

/** How the timestamps of a batch are to be assigned. (S2 v1 API, section 2.4.) */
export interface StampRule {
  readonly mode: TimestampingMode;
  readonly uncapped: boolean;
  /** The one arrival time of the batch. */
  readonly now: Timestamp;
  /** The highest timestamp of the stream so far. */
  readonly floor: Timestamp;
}

/**
 * Writes the final timestamps into the envelopes of a batch: mode, then cap, then never below the one before.
 * Stamping again gives the same result only for the same rule: it is done once, when the batch is sequenced.
 */
export function stampRecords(bytes: Uint8Array, rule: StampRule): { first: Timestamp; last: Timestamp } {
  let first: Timestamp | undefined;
  let high = Number(rule.floor >> 32n);
  let low = Number(rule.floor & 0xffff_ffffn);
  const nowHigh = Number(rule.now >> 32n);
  const nowLow = Number(rule.now & 0xffff_ffffn);
  for (let at = 0; at < bytes.length; ) {
    const prefix = readU32(bytes, at);
    const isGiven = (prefix & NO_TIMESTAMP) === 0 && rule.mode !== 'arrival';
    let ownHigh = isGiven ? readU32(bytes, at + 4) : nowHigh;
    let ownLow = isGiven ? readU32(bytes, at + 8) : nowLow;
    if (!rule.uncapped && (ownHigh > nowHigh || (ownHigh === nowHigh && ownLow > nowLow))) {
      ownHigh = nowHigh;
      ownLow = nowLow;
    }
    if (ownHigh > high || (ownHigh === high && ownLow > low)) {
      high = ownHigh;
      low = ownLow;
    }
    if ((prefix & NO_TIMESTAMP) !== 0) writeU32(bytes, at, prefix - NO_TIMESTAMP);
    writeU32(bytes, at + 4, high);
    writeU32(bytes, at + 8, low);
    first ??= (BigInt(high) << 32n) | BigInt(low);
    at += RECORD_PREFIX_BYTES + (prefix & LENGTH_MASK);
  }
  invariant(first !== undefined, 'F1: a batch that is stamped holds a record');
  return { first, last: (BigInt(high) << 32n) | BigInt(low) };
}

/** Steps through the envelopes of a sequenced batch. One cursor serves any number of records. */
export class RecordCursor {
  #bytes: Uint8Array;
  #next: number;
  /** Of the current record: where its envelope starts and ends in the bytes. */
  start = 0;
  end = 0;
  timestampHigh = 0;
  timestampLow = 0;
  headersCount = 0;
  /** Where the first header's lengths stand (behind the count). */
  headersStart = 0;
  bodyStart = 0;
  meteredBytes = 0;
  /** There are no headers and no body to see, but for those who decrypt it; what it weighs can be seen. */
  isEncrypted = false;

  constructor(bytes: Uint8Array, start = 0) {
    this.#bytes = bytes;
    this.#next = start;
  }

  get timestamp(): Timestamp {
    return readBigU64(this.#bytes, this.start + 4);
  }

  /** Before it was sequenced: whether it was given one. */
  get hasTimestamp(): boolean {
    return (readU32(this.#bytes, this.start) & NO_TIMESTAMP) === 0;
  }

  /** Its one header has an empty name. */
  get isCommand(): boolean {
    return this.headersCount === 1 && this.#bytes[this.headersStart] === 0;
  }

  /**
   * Moves to the next record; false behind the last one.
   *
   * @throws StoreError `corrupt` when the envelope does not fit into the bytes: a checksum above should have caught it.
   */
  next(): boolean {
    const bytes = this.#bytes;
    const start = this.#next;
    if (start >= bytes.length) return false;
    const prefix = readU32(bytes, start);
    const end = start + RECORD_PREFIX_BYTES + (prefix & LENGTH_MASK);
    if (start + RECORD_PREFIX_BYTES > bytes.length || end > bytes.length) throw corruptRecord(start);
    this.start = start;
    this.end = end;
    this.#next = end;
    this.timestampHigh = readU32(bytes, start + 4);
    this.timestampLow = readU32(bytes, start + 8);
    this.headersCount = 0;
    this.headersStart = start + RECORD_PREFIX_BYTES;
    this.bodyStart = start + RECORD_PREFIX_BYTES;
    this.isEncrypted = (prefix & ENCRYPTED) !== 0;
    if (this.isEncrypted) {
      if (prefix >= HAS_HEADERS || end - this.bodyStart < ENCRYPTED_METER_BYTES) throw corruptRecord(start);
      this.meteredBytes = readU32(bytes, this.bodyStart);
      return true;
    }
    const headerBytes = prefix >= HAS_HEADERS ? this.#skipHeaders() : 0;
    this.meteredBytes = meteredBytes(this.headersCount, headerBytes, end - this.bodyStart);
    return true;
  }

  /** Calls `visit` with the spans of each header's name and value, [start, end) in the bytes. */
  headers(visit: (nameStart: number, nameEnd: number, valueStart: number, valueEnd: number) => void): void {
    let at = this.headersStart;
    for (let i = 0; i < this.headersCount; i += 1) {
      const name = this.#varint(at);
      const value = this.#varint(this.#varintEnd);
      const nameStart = this.#varintEnd;
      visit(nameStart, nameStart + name, nameStart + name, nameStart + name + value);
      at = nameStart + name + value;
    }
  }

  #skipHeaders(): number {
    this.headersCount = this.#varint(this.start + RECORD_PREFIX_BYTES);
    this.headersStart = this.#varintEnd;
    let at = this.headersStart;
    let headerBytes = 0;
    for (let i = 0; i < this.headersCount; i += 1) {
      const name = this.#varint(at);
      const value = this.#varint(this.#varintEnd);
      headerBytes += name + value;
      at = this.#varintEnd + name + value;
      if (at > this.end) throw corruptRecord(this.start);
    }
    this.bodyStart = at;
    return headerBytes;
  }

  #varintEnd = 0;

  #varint(at: number): number {
    let value = 0;
    let weight = 1;
    for (let next = at; next < this.end && next < at + 5; next += 1) {
      const byte = this.#bytes[next] ?? 0;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) {
        this.#varintEnd = next + 1;
        return value;
      }
      weight *= 0x80;
    }
    throw corruptRecord(this.start);
  }
}

export function corruptRecord(at: number): Error {
  return refused('corrupt', `the record envelope at byte ${at} does not fit into its frame`);
}
