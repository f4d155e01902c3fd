// Makes segment objects of frames, without copying or decoding a record.
//
// Offload feeds it with the frames of chunks, compaction with those of older segments. Neither keys nor metadata are known here.
//
//   O1  A stream's frames fold idempotently: what ends at or below what is known is skipped with its commands, overlap is
//       clipped, a gap is corruption.
//   O2  A section holds its stream's frames byte by byte as they were committed.

import { invariant } from '../base/invariant.ts';
import type { Frame } from '../format/frame.ts';
import {
  encodeFooter,
  encodeIndex,
  encodeSegmentHeader,
  INDEX_INTERVAL_BYTES,
  type IndexEntry,
  SEGMENT_HEADER_BYTES,
  type SegmentEntry,
} from '../format/segment.ts';
import { refused } from '../model/errors.ts';
import type { SeqNum, StreamId, StreamletNumber, Timestamp } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';

/** One stream's part of a segment object while it is collected. */
export class Section {
  readonly streamId: StreamId;
  readonly streamlet: StreamletNumber;
  readonly first: SeqNum;
  readonly #allowsHoles: boolean;
  #end: SeqNum;
  #frames: Frame[] = [];
  #framesBytes = 0;
  #firstTimestamp: Timestamp = 0n;
  #lastTimestamp: Timestamp = 0n;
  #arrivalMax = 0;
  #meteredBytes = 0;
  #records = 0;
  #isSealed = false;
  #token: string | undefined;
  #trimPoint: SeqNum | undefined;

  /** @param options.allowsHoles sequence numbers may be missing between frames (the output of a compaction). */
  constructor(streamId: StreamId, streamlet: StreamletNumber, first: SeqNum, options: { allowsHoles?: boolean } = {}) {
    this.streamId = streamId;
    this.streamlet = streamlet;
    this.first = first;
    this.#end = first;
    this.#allowsHoles = options.allowsHoles === true;
  }

  get end(): SeqNum {
    return this.#end;
  }

  get framesBytes(): number {
    return this.#framesBytes;
  }

  /** @throws StoreError `corrupt` when the frame leaves a gap, or follows a seal. */
  add(frame: Frame): void {
    invariant(frame.streamId === this.streamId && frame.streamlet === this.streamlet, 'O1: a section holds one streamlet');
    const end = (frame.first + frame.count) as SeqNum;
    if (frame.first > this.#end && !this.#allowsHoles) {
      throw refused('corrupt', `stream ${this.streamId} has a gap: ${this.#end} is followed by ${frame.first}`);
    }
    if (frame.kind === 'seal') {
      if (end < this.#end || this.#isSealed) return;
      this.#isSealed = true;
      this.#takeCommands(frame);
      return;
    }
    if (end <= this.#end) return;
    if (this.#isSealed) throw refused('corrupt', `stream ${this.streamId} goes on behind its seal at ${this.#end}`);
    this.#takeRecords(frame, end);
    this.#takeCommands(frame);
  }

  #takeRecords(frame: Frame, end: SeqNum): void {
    const kept = end - Math.max(frame.first, this.#end);
    if (this.#frames.length === 0) this.#firstTimestamp = frame.firstTimestamp;
    this.#lastTimestamp = frame.lastTimestamp;
    this.#arrivalMax = Math.max(this.#arrivalMax, frame.arrival);
    this.#meteredBytes += kept === frame.count ? frame.meteredBytes : Math.floor((frame.meteredBytes * kept) / frame.count);
    this.#records += kept;
    this.#frames.push(frame);
    this.#framesBytes += frame.bytes.length;
    invariant(end > this.#end, 'O1: a section only grows');
    this.#end = end;
  }

  #takeCommands(frame: Frame): void {
    if (frame.token !== undefined) this.#token = frame.token;
    if (frame.trimPoint !== undefined) this.#trimPoint = frame.trimPoint;
  }

  /** The section's bytes, the frames as they are. */
  encode(checksum: Checksum): readonly Uint8Array[] {
    if (this.#frames.length === 0) return [];
    const entries: IndexEntry[] = [];
    let offset = 0;
    for (const { first, firstTimestamp, bytes } of this.#frames) {
      const before = entries.at(-1);
      if (before === undefined || (offset - before.offset >= INDEX_INTERVAL_BYTES && first > before.first)) {
        entries.push({ first, firstTimestamp, offset });
      }
      offset += bytes.length;
    }
    invariant(offset === this.#framesBytes, 'O2: an index is made for the frames as they are');
    return [...this.#frames.map(({ bytes }) => bytes), encodeIndex({ entries, framesBytes: offset }, checksum)];
  }

  entry(sibling: number, byteStart: number, byteEnd: number): SegmentEntry {
    return {
      streamId: this.streamId,
      streamlet: this.streamlet,
      first: this.first,
      end: this.#end,
      sibling,
      byteStart,
      byteEnd,
      firstTimestamp: this.#firstTimestamp,
      lastTimestamp: this.#lastTimestamp,
      arrivalMax: this.#arrivalMax,
      meteredBytes: this.#meteredBytes,
      records: this.#records,
      isSealed: this.#isSealed,
      ...(this.#token === undefined ? {} : { token: this.#token }),
      ...(this.#trimPoint === undefined ? {} : { trimPoint: this.#trimPoint }),
    };
  }
}

export interface SegmentObject {
  /** 0: the object that lists all entries. */
  readonly sibling: number;
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  readonly entries: readonly SegmentEntry[];
}

/**
 * The objects that hold `sections`: one for each of at least `largeBytes`, and at the end one for all others, which lists every entry.
 *
 * @returns objects whose parts are slices of the frames' buffers, which must stay as they are until they are stored.
 */
export function buildObjects(sections: readonly Section[], largeBytes: number, checksum: Checksum): readonly SegmentObject[] {
  const objects: SegmentObject[] = [];
  const elsewhere = new Map<Section, SegmentEntry>();
  for (const section of sections) {
    if (section.framesBytes < largeBytes) continue;
    const object = buildObject([section], new Map(), checksum);
    const sibling = objects.length + 1;
    const entry = object.entries[0];
    invariant(entry !== undefined, 'O2: a sibling holds one section');
    elsewhere.set(section, { ...entry, sibling });
    objects.push({ ...object, sibling });
  }
  objects.push(buildObject(sections, elsewhere, checksum));
  return objects;
}

/** One object with every section that does not lie elsewhere, listing all. */
function buildObject(sections: readonly Section[], elsewhere: ReadonlyMap<Section, SegmentEntry>, checksum: Checksum): SegmentObject {
  const parts: Uint8Array[] = [encodeSegmentHeader()];
  const entries: SegmentEntry[] = [];
  let at = SEGMENT_HEADER_BYTES;
  for (const section of sections) {
    const other = elsewhere.get(section);
    if (other !== undefined) {
      entries.push(other);
      continue;
    }
    const start = at;
    for (const part of section.encode(checksum)) {
      parts.push(part);
      at += part.length;
    }
    entries.push(section.entry(0, start, at));
  }
  const footer = encodeFooter(entries, at, checksum);
  parts.push(footer);
  return { sibling: 0, parts, bytes: at + footer.length, entries };
}
