// Reads a stream's segments in order, some ranges ahead of who consumes them.
//
// It reads as far as the rows go that it was given; what lies behind is for the next plan, or for the tail.
//
//   T5  At most `rangesAhead` ranges of segments are held for a reader, however slow it is.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import type { Frame } from '../format/frame.ts';
import type { SegmentRow } from '../metadata/schema.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { byteOfSeqNum, rangesFrom } from '../segment/index.ts';
import { readFrames, readIndex, readSection, type SegmentReads } from '../segment/reader.ts';
import type { ReaderLimits } from './reader-limits.ts';

/** Frames of one range, which lie in one row. Frames, or parts of them, outside of [row.first, row.end) do not count. */
export interface ScannedRange {
  readonly row: SegmentRow;
  readonly frames: readonly Frame[];
  /** Nothing of the row is left behind these. */
  readonly isLast: boolean;
}

interface PlannedRange {
  readonly row: SegmentRow;
  /** Undefined: the whole section. */
  readonly range: Range | undefined;
  readonly isLast: boolean;
}

export class SegmentScan {
  readonly #reads: SegmentReads;
  readonly #streamId: StreamId;
  readonly #limits: ReaderLimits;
  readonly #planned: AsyncGenerator<PlannedRange | 'absent'>;
  readonly #ahead: Promise<ScannedRange | 'absent'>[] = [];
  #isPlanned = false;
  #consumed = 0;

  /** @param rows in order and next to each other, the first holding `from`. */
  constructor(reads: SegmentReads, streamId: StreamId, rows: readonly SegmentRow[], from: SeqNum, limits: ReaderLimits) {
    this.#reads = reads;
    this.#streamId = streamId;
    this.#limits = limits;
    this.#planned = this.#plan(rows, from);
  }

  /** The next range; `end` behind the last row; `absent` when an object is gone: plan again. */
  async next(): Promise<ScannedRange | 'absent' | 'end'> {
    await this.#readAhead();
    const range = this.#ahead.shift();
    if (range === undefined) return 'end';
    this.#consumed += 1;
    const scanned = await range;
    await this.#readAhead();
    return scanned;
  }

  /** A reader that goes on reading is served further ahead, one range more with each that it took. */
  async #readAhead(): Promise<void> {
    const wanted = Math.min(this.#limits.rangesAhead, 1 + this.#consumed);
    while (!this.#isPlanned && this.#ahead.length < wanted) {
      const { value, done } = await this.#planned.next();
      if (done === true || value === undefined) {
        this.#isPlanned = true;
        return;
      }
      const range = value === 'absent' ? Promise.resolve('absent' as const) : this.#read(value);
      range.catch(() => undefined); // Whoever takes it from the queue meets the error; nobody may.
      this.#ahead.push(range);
    }
    invariant(this.#ahead.length <= this.#limits.rangesAhead, 'T5: a reader is served a bounded number of ranges ahead');
  }

  async *#plan(rows: readonly SegmentRow[], from: SeqNum): AsyncGenerator<PlannedRange | 'absent'> {
    const { rangeBytes, firstRangeBytes, wholeSectionBytesMax } = this.#limits;
    let isFirst = true;
    for (const row of rows) {
      if (row.byteEnd - row.byteStart <= (isFirst ? Math.min(2 * firstRangeBytes, wholeSectionBytesMax) : wholeSectionBytesMax)) {
        yield { row, range: undefined, isLast: true };
      } else {
        const index = await readIndex(this.#reads, row);
        if (index === 'absent') {
          yield 'absent';
          return;
        }
        const offset = byteOfSeqNum(index, isFirst && from > row.first ? from : row.first);
        for (const range of rangesFrom(index, offset, rangeBytes, isFirst ? firstRangeBytes : rangeBytes)) {
          yield { row, range, isLast: range.end === index.framesBytes };
        }
      }
      isFirst = false;
    }
  }

  async #read({ row, range, isLast }: PlannedRange): Promise<ScannedRange | 'absent'> {
    const frames =
      range === undefined ? await readSection(this.#reads, this.#streamId, row) : await readFrames(this.#reads, this.#streamId, row, range);
    return frames === 'absent' ? 'absent' : { row, frames, isLast };
  }
}
