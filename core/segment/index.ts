// Where in a section a sequence number or a timestamp is to be looked for. Pure: an index in, offsets out.

import type { Range } from '../base/range.ts';
import type { IndexEntry, SectionIndex } from '../format/segment.ts';
import type { SeqNum, Timestamp } from '../model/ids.ts';

/** Offset of a frame at or before the one that holds `seqNum`. */
export function byteOfSeqNum(index: SectionIndex, seqNum: SeqNum): number {
  return offsetBefore(index, (entry) => entry.first <= seqNum);
}

/** Offset of a frame at or before the one that holds the first record with this timestamp or a later one. */
export function byteOfTimestamp(index: SectionIndex, timestamp: Timestamp): number {
  return offsetBefore(index, (entry) => entry.firstTimestamp < timestamp);
}

/** The last entry for which `isBefore` holds (it holds for all up to one, and for none behind it), or the section's start. */
function offsetBefore(index: SectionIndex, isBefore: (entry: IndexEntry) => boolean): number {
  let low = 0;
  let high = index.entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = index.entries[middle];
    if (entry !== undefined && isBefore(entry)) low = middle + 1;
    else high = middle;
  }
  return index.entries[low - 1]?.offset ?? 0;
}

/**
 * The frames of a section from `offset` on, in ranges of about `rangeBytes` (the first of about `firstBytes`) that start
 * and end between frames. A range is longer only where one frame, or the distance of two index entries, is.
 */
export function* rangesFrom(index: SectionIndex, offset: number, rangeBytes: number, firstBytes = rangeBytes): Generator<Range> {
  let start = offset;
  let wanted = firstBytes;
  for (const entry of index.entries) {
    if (entry.offset <= start || entry.offset - start < wanted) continue;
    yield { start, end: entry.offset };
    start = entry.offset;
    wanted = rangeBytes;
  }
  if (start < index.framesBytes) yield { start, end: index.framesBytes };
}
