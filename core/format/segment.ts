// The segment object: records of many streams, each stream's frames side by side, as offload and compaction write it.
//
//   object  := magic u32 'MRsg' | version u8 = 1 | reserved 3 = 0 | section* | footer
//   section := frame* | index                                                   one stream, its frames in order
//   index   := (first u64 | firstTimestamp u64 | offset u32)* | entries u32 | framesBytes u32 | crc u32
//   footer  := entry* | entries u32 | entryBytes u32 | objectBytes u64 | version u8 = 1 | reserved 3 = 0 | crc u32 | magic u32 'MRse'
//   entry   := streamId 16 | streamlet u32 | flags u8 | tokenBytes u8 | sibling u16 | first u64 | end u64
//            | byteStart u64 | byteEnd u64 | firstTimestamp u64 | lastTimestamp u64 | arrivalMax u64
//            | meteredBytes u64 | records u64 | [trimPoint u64, if flags bit 0] | [token, if flags bit 1]
//
// Flags bit 2: a seal ends the streamlet at `end`. An index names a frame about every 64 KiB, by its offset in the
// section; its crc is over the index before it. A footer's crc is over the footer before it. The bytes of an entry are
// its section, index included; `sibling` n > 0 says that they lie in the object with this one's key and `.n` behind it
// (whose own footer names them too). Token and trim point are those that hold behind the entry, where it changed them.
// Records may be fewer than end − first: compaction leaves holes. Frames carry their own checksums.
//
//   F4  What a segment decoder returns is covered by a checksum, and lies inside the bytes that it was given.

import { readBigU64, readU16, readU32, readU64, toHex, writeBigU64, writeHex, writeU16, writeU32, writeU64 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { SeqNum, StreamId, StreamletNumber, Timestamp } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';

export const SEGMENT_HEADER_BYTES = 8;
export const SEGMENT_TRAILER_BYTES = 28;
export const INDEX_TRAILER_BYTES = 12;
export const INDEX_ENTRY_BYTES = 20;
/** Distance of two frames that an index names, at least. */
export const INDEX_INTERVAL_BYTES = 64 * 1024;

const MAGIC = 0x4d527367;
const FOOTER_MAGIC = 0x4d527365;
const VERSION = 1;
const ENTRY_BYTES = 96;
const HAS_TRIM_POINT = 1;
const HAS_TOKEN = 2;
const IS_SEALED = 4;

export interface IndexEntry {
  readonly first: SeqNum;
  readonly firstTimestamp: Timestamp;
  /** Of the frame, from the start of the section. */
  readonly offset: number;
}

export interface SectionIndex {
  readonly entries: readonly IndexEntry[];
  /** Where the index starts in the section. */
  readonly framesBytes: number;
}

/** What a segment object says of one stream. */
export interface SegmentEntry {
  readonly streamId: StreamId;
  readonly streamlet: StreamletNumber;
  readonly first: SeqNum;
  /** Equal to `first` when there are no records: then there are no bytes either. */
  readonly end: SeqNum;
  /** 0: in this object. n: in its n-th sibling. */
  readonly sibling: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly firstTimestamp: Timestamp;
  readonly lastTimestamp: Timestamp;
  readonly arrivalMax: number;
  readonly meteredBytes: number;
  readonly records: number;
  readonly isSealed: boolean;
  readonly token?: string;
  readonly trimPoint?: SeqNum;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function encodeSegmentHeader(): Uint8Array {
  const out = new Uint8Array(SEGMENT_HEADER_BYTES);
  writeU32(out, 0, MAGIC);
  out[4] = VERSION;
  return out;
}

/** @throws StoreError `corrupt` when `bytes` do not start with the header of a known version. */
export function checkSegmentHeader(bytes: Uint8Array): void {
  if (bytes.length < SEGMENT_HEADER_BYTES || readU32(bytes, 0) !== MAGIC) throw corrupt('it does not start as a segment');
  if (readU32(bytes, 4) !== VERSION * 0x100_0000) throw corrupt(`its version ${bytes[4]} is unknown`);
}

export function encodeIndex(index: SectionIndex, checksum: Checksum): Uint8Array {
  const out = new Uint8Array(index.entries.length * INDEX_ENTRY_BYTES + INDEX_TRAILER_BYTES);
  let at = 0;
  for (const entry of index.entries) {
    writeU64(out, at, entry.first);
    writeBigU64(out, at + 8, entry.firstTimestamp);
    writeU32(out, at + 16, entry.offset);
    at += INDEX_ENTRY_BYTES;
  }
  writeU32(out, at, index.entries.length);
  writeU32(out, at + 4, index.framesBytes);
  writeU32(out, at + 8, checksum.crc32(out.subarray(0, at + 8)));
  return out;
}

/** Bytes of the index at the end of a section, told by the section's last INDEX_TRAILER_BYTES or more. Not yet checked. */
export function indexBytes(sectionEnd: Uint8Array): number {
  if (sectionEnd.length < INDEX_TRAILER_BYTES) throw corrupt('a section is shorter than its index');
  return readU32(sectionEnd, sectionEnd.length - INDEX_TRAILER_BYTES) * INDEX_ENTRY_BYTES + INDEX_TRAILER_BYTES;
}

/**
 * The index at the end of a section.
 *
 * @param sectionEnd the last bytes of the section, the whole index among them.
 * @param sectionBytes how long the whole section is.
 * @throws StoreError `corrupt`
 */
export function decodeIndex(sectionEnd: Uint8Array, sectionBytes: number, checksum: Checksum): SectionIndex {
  const size = indexBytes(sectionEnd);
  if (size > sectionEnd.length) throw corrupt('an index is longer than what holds it');
  const bytes = sectionEnd.subarray(sectionEnd.length - size);
  if (checksum.crc32(bytes.subarray(0, size - 4)) !== readU32(bytes, size - 4)) throw corrupt('the checksum of an index does not match');
  const framesBytes = readU32(bytes, size - 8);
  if (framesBytes + size !== sectionBytes) throw corrupt('an index belongs to another section');
  const entries: IndexEntry[] = [];
  for (let at = 0; at < size - INDEX_TRAILER_BYTES; at += INDEX_ENTRY_BYTES) {
    entries.push({
      first: readU64(bytes, at) as SeqNum,
      firstTimestamp: readBigU64(bytes, at + 8),
      offset: readU32(bytes, at + 16),
    });
  }
  checkOffsets(entries, framesBytes);
  return { entries, framesBytes };
}

function checkOffsets(entries: readonly IndexEntry[], framesBytes: number): void {
  if (entries[0]?.offset !== 0) throw corrupt('an index does not start with its first frame');
  for (let i = 1; i < entries.length; i += 1) {
    const isForward = (entries[i]?.offset ?? 0) > (entries[i - 1]?.offset ?? 0);
    if (!isForward || (entries[i]?.first ?? 0) <= (entries[i - 1]?.first ?? 0)) throw corrupt('an index goes back');
  }
  if ((entries.at(-1)?.offset ?? 0) >= framesBytes) throw corrupt('an index points behind its frames');
}

/** @param objectBytes everything in front of the footer. */
export function encodeFooter(entries: readonly SegmentEntry[], objectBytes: number, checksum: Checksum): Uint8Array {
  const tokens = entries.map(({ token }) => (token === undefined ? undefined : ENCODER.encode(token)));
  let entryBytes = 0;
  for (const [i, entry] of entries.entries()) {
    entryBytes += ENTRY_BYTES + (entry.trimPoint === undefined ? 0 : 8) + (tokens[i]?.length ?? 0);
  }
  const out = new Uint8Array(entryBytes + SEGMENT_TRAILER_BYTES);
  let at = 0;
  for (const [i, entry] of entries.entries()) at = encodeEntry(out, at, entry, tokens[i]);
  invariant(at === entryBytes, 'F4: a footer is as long as it says');
  writeU32(out, at, entries.length);
  writeU32(out, at + 4, entryBytes);
  writeU64(out, at + 8, objectBytes);
  out[at + 16] = VERSION;
  writeU32(out, at + 20, checksum.crc32(out.subarray(0, at + 20)));
  writeU32(out, at + 24, FOOTER_MAGIC);
  return out;
}

function encodeEntry(out: Uint8Array, start: number, entry: SegmentEntry, token: Uint8Array | undefined): number {
  writeHex(out, start, entry.streamId);
  writeU32(out, start + 16, entry.streamlet);
  out[start + 20] =
    (entry.trimPoint === undefined ? 0 : HAS_TRIM_POINT) | (token === undefined ? 0 : HAS_TOKEN) | (entry.isSealed ? IS_SEALED : 0);
  out[start + 21] = token?.length ?? 0;
  writeU16(out, start + 22, entry.sibling);
  writeU64(out, start + 24, entry.first);
  writeU64(out, start + 32, entry.end);
  writeU64(out, start + 40, entry.byteStart);
  writeU64(out, start + 48, entry.byteEnd);
  writeBigU64(out, start + 56, entry.firstTimestamp);
  writeBigU64(out, start + 64, entry.lastTimestamp);
  writeU64(out, start + 72, entry.arrivalMax);
  writeU64(out, start + 80, entry.meteredBytes);
  writeU64(out, start + 88, entry.records);
  let at = start + ENTRY_BYTES;
  if (entry.trimPoint !== undefined) {
    writeU64(out, at, entry.trimPoint);
    at += 8;
  }
  if (token !== undefined) {
    out.set(token, at);
    at += token.length;
  }
  return at;
}

/** Bytes of the footer, told by the object's last SEGMENT_TRAILER_BYTES or more. Not yet checked. */
export function footerBytes(objectEnd: Uint8Array): number {
  if (objectEnd.length < SEGMENT_TRAILER_BYTES || readU32(objectEnd, objectEnd.length - 4) !== FOOTER_MAGIC) {
    throw corrupt('it does not end as a segment');
  }
  return readU32(objectEnd, objectEnd.length - SEGMENT_TRAILER_BYTES + 4) + SEGMENT_TRAILER_BYTES;
}

/**
 * What an object's footer lists.
 *
 * @param objectEnd the last bytes of the object, the whole footer among them.
 * @param objectBytes how long the whole object is.
 * @throws StoreError `corrupt`
 */
export function decodeFooter(objectEnd: Uint8Array, objectBytes: number, checksum: Checksum): readonly SegmentEntry[] {
  const size = footerBytes(objectEnd);
  if (size > objectEnd.length) throw corrupt('its footer is longer than what holds it');
  const bytes = objectEnd.subarray(objectEnd.length - size);
  const trailer = size - SEGMENT_TRAILER_BYTES;
  if (checksum.crc32(bytes.subarray(0, trailer + 20)) !== readU32(bytes, trailer + 20))
    throw corrupt('the checksum of its footer does not match');
  if (bytes[trailer + 16] !== VERSION) throw corrupt(`its version ${bytes[trailer + 16]} is unknown`);
  const bodyBytes = readU64(bytes, trailer + 8);
  if (bodyBytes + size !== objectBytes) throw corrupt('it is not as long as its footer says');
  const count = readU32(bytes, trailer);
  const entries: SegmentEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const end = entryEnd(bytes, at, trailer);
    const entry = decodeEntry(bytes, at, end);
    if (entry.sibling === 0 && entry.byteEnd > bodyBytes) throw corrupt('an entry points behind its sections');
    entries.push(entry);
    at = end;
  }
  if (at !== trailer) throw corrupt('its footer holds more than its entries');
  return entries;
}

function entryEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (at + ENTRY_BYTES > limit) throw corrupt('an entry is cut');
  const flags = bytes[at + 20] ?? 0;
  const tokenBytes = (flags & HAS_TOKEN) !== 0 ? (bytes[at + 21] ?? 0) : 0;
  const end = at + ENTRY_BYTES + ((flags & HAS_TRIM_POINT) !== 0 ? 8 : 0) + tokenBytes;
  if (end > limit) throw corrupt('an entry is cut');
  return end;
}

function decodeEntry(bytes: Uint8Array, at: number, end: number): SegmentEntry {
  const flags = bytes[at + 20] ?? 0;
  const hasTrimPoint = (flags & HAS_TRIM_POINT) !== 0;
  const tokenStart = at + ENTRY_BYTES + (hasTrimPoint ? 8 : 0);
  const entry: SegmentEntry = {
    streamId: toHex(bytes, at, at + 16) as StreamId,
    streamlet: readU32(bytes, at + 16) as StreamletNumber,
    sibling: readU16(bytes, at + 22),
    first: readU64(bytes, at + 24) as SeqNum,
    end: readU64(bytes, at + 32) as SeqNum,
    byteStart: readU64(bytes, at + 40),
    byteEnd: readU64(bytes, at + 48),
    firstTimestamp: readBigU64(bytes, at + 56),
    lastTimestamp: readBigU64(bytes, at + 64),
    arrivalMax: readU64(bytes, at + 72),
    meteredBytes: readU64(bytes, at + 80),
    records: readU64(bytes, at + 88),
    isSealed: (flags & IS_SEALED) !== 0,
    ...(hasTrimPoint ? { trimPoint: readU64(bytes, at + ENTRY_BYTES) as SeqNum } : {}),
    ...((flags & HAS_TOKEN) !== 0 ? { token: DECODER.decode(bytes.subarray(tokenStart, end)) } : {}),
  };
  if (entry.end < entry.first || entry.byteEnd < entry.byteStart) throw corrupt('an entry ends before it starts');
  return entry;
}

function corrupt(why: string): StoreError {
  return refused('corrupt', `a segment is corrupt: ${why}`);
}
