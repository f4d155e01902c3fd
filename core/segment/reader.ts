// Reads segment objects by ranges: footers, the index of a section, and frames.
//
// reader/ plans which sections to read and how far ahead; nothing here knows of metadata. An object that is gone is `absent`,
// never an error: rows are unlinked before their objects are deleted, so the caller plans again.
//
//   O3  Frames that a segment gives are whole and valid, belong to the stream that was asked for, and follow one another.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import { decodeFrame, type Frame } from '../format/frame.ts';
import {
  checkSegmentHeader,
  decodeFooter,
  decodeIndex,
  footerBytes,
  INDEX_TRAILER_BYTES,
  indexBytes,
  SEGMENT_HEADER_BYTES,
  SEGMENT_TRAILER_BYTES,
  type SectionIndex,
  type SegmentEntry,
} from '../format/segment.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/** Read for a footer or an index at first; most are smaller, and a longer one takes a second read. */
const LAST_BYTES = 64 * 1024;

export interface SegmentReads {
  readonly objects: ObjectStore;
  readonly checksum: Checksum;
}

/** [first, end) of a stream, in bytes [byteStart, byteEnd) of an object. */
export interface SectionPlace {
  readonly object: string;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly first: SeqNum;
  readonly end: SeqNum;
}

/** What an object is: its size, and everything that its footer lists. */
export interface SegmentSummary {
  readonly bytes: number;
  readonly entries: readonly SegmentEntry[];
}

/** @throws StoreError `corrupt` */
export async function readFooter(reads: SegmentReads, key: string): Promise<SegmentSummary | 'absent'> {
  const summary = await reads.objects.head(key);
  if (summary === 'absent') return 'absent';
  const { bytes: size } = summary;
  return await named(key, async () => {
    const end = await lastBytes(reads, key, { start: 0, end: size }, LAST_BYTES);
    if (end === 'absent') return 'absent';
    if (end.length < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES) throw refused('corrupt', 'it is too short for a segment');
    const needed = footerBytes(end);
    if (needed > size) throw refused('corrupt', 'its footer is longer than the object');
    const whole = needed <= end.length ? end : await lastBytes(reads, key, { start: 0, end: size }, needed);
    const start = await exactly(reads, key, { start: 0, end: SEGMENT_HEADER_BYTES });
    if (whole === 'absent' || start === 'absent') return 'absent';
    checkSegmentHeader(start);
    return { bytes: size, entries: decodeFooter(whole, size, reads.checksum) };
  });
}

/** The index of one section. @throws StoreError `corrupt` */
export async function readIndex(reads: SegmentReads, place: SectionPlace): Promise<SectionIndex | 'absent'> {
  const section = { start: place.byteStart, end: place.byteEnd };
  const size = place.byteEnd - place.byteStart;
  return await named(place.object, async () => {
    const end = await lastBytes(reads, place.object, section, LAST_BYTES);
    if (end === 'absent') return 'absent';
    const needed = indexBytes(end);
    if (needed > size) throw refused('corrupt', 'an index is longer than its section');
    const whole = needed <= end.length ? end : await lastBytes(reads, place.object, section, needed);
    return whole === 'absent' ? 'absent' : decodeIndex(whole, size, reads.checksum);
  });
}

async function lastBytes(reads: SegmentReads, key: string, range: Range, count: number): Promise<Uint8Array | 'absent'> {
  return await exactly(reads, key, { start: Math.max(range.start, range.end - count), end: range.end });
}

/** Exactly the bytes of `range`: an object that is shorter than its row says is corrupt. */
async function exactly(reads: SegmentReads, key: string, range: Range): Promise<Uint8Array | 'absent'> {
  const bytes = await reads.objects.get(key, range);
  if (bytes === 'absent') return 'absent';
  if (bytes.length !== range.end - range.start) throw refused('corrupt', 'it is shorter than what names it says');
  return bytes;
}

/** Frames of bytes [start, end) of a section, which lie between frames. @throws StoreError `corrupt` */
export async function readFrames(
  reads: SegmentReads,
  streamId: StreamId,
  place: SectionPlace,
  range: Range,
): Promise<readonly Frame[] | 'absent'> {
  const absolute = { start: place.byteStart + range.start, end: place.byteStart + range.end };
  invariant(range.start >= 0 && absolute.end <= place.byteEnd, 'O3: a range lies in its section');
  return await named(place.object, async () => {
    const bytes = await exactly(reads, place.object, absolute);
    return bytes === 'absent' ? 'absent' : framesOf(bytes, bytes.length, streamId, reads.checksum);
  });
}

/** A whole section in one read. @throws StoreError `corrupt` */
export async function readSection(reads: SegmentReads, streamId: StreamId, place: SectionPlace): Promise<readonly Frame[] | 'absent'> {
  return await named(place.object, async () => {
    const bytes = await exactly(reads, place.object, { start: place.byteStart, end: place.byteEnd });
    if (bytes === 'absent') return 'absent';
    if (bytes.length < INDEX_TRAILER_BYTES) throw refused('corrupt', 'a section is shorter than its index');
    return framesOf(bytes, decodeIndex(bytes, bytes.length, reads.checksum).framesBytes, streamId, reads.checksum);
  });
}

/** @throws StoreError `corrupt` */
export function framesOf(bytes: Uint8Array, framesBytes: number, streamId: StreamId, checksum: Checksum): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < framesBytes; ) {
    const frame = decodeFrame(bytes, at, checksum);
    const before = frames.at(-1);
    if (frame.streamId !== streamId) throw refused('corrupt', `it holds a frame of stream ${frame.streamId} among those of ${streamId}`);
    if (before !== undefined && frame.first + frame.count <= before.first + before.count)
      throw refused('corrupt', 'its frames are out of order');
    frames.push(frame);
    at += frame.bytes.length;
    if (at > framesBytes) throw refused('corrupt', 'a frame reaches into the index');
  }
  return frames;
}

/** What goes wrong while an object is read says which object it was. */
async function named<T>(key: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
    throw refused('corrupt', `object ${key}: ${error.message}`);
  }
}
