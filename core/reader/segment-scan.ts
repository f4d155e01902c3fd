// Reads a stream's segments in order, some ranges ahead of who consumes them.
//
// It reads as far as the rows go that it was given; what lies behind is for the next plan, or for the tail.
//
//   T5  At most `rangesAhead` ranges of segments are held for a reader, however slow it is; each has its place in the budget.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import type { Frame } from '../format/frame.ts';
import type { SegmentRow } from '../metadata/schema.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { byteOfSeqNum, rangesFrom } from '../segment/index.ts';
import { readFrames, readIndex, readSection, type SegmentReads } from '../segment/reader.ts';
import type { ReadBudget } from './read-budget.ts';
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

/** A range that is read, or being read. */
interface Held {
  readonly range: Promise<ScannedRange | 'absent'>;
  readonly bytes: number;
}

export class SegmentScan {
  readonly #reads: SegmentReads;
  readonly #streamId: StreamId;
  readonly #limits: ReaderLimits;
  readonly #budget: ReadBudget;
  readonly #planned: AsyncGenerator<PlannedRange | 'absent'>;
  /** Planned, and waiting for its place in the budget. */
  #next: PlannedRange | 'absent' | undefined;
  readonly #ahead: Held[] = [];
  /** Bytes of the range that was given last: whoever took it may hold it until it comes for the next. */
  #givenBytes = 0;
  #isPlanned = false;
  #isClosed = false;
  #consumed = 0;

  /** @param rows in order and next to each other, the first holding `from`. */
  constructor(
    reads: SegmentReads,
    budget: ReadBudget,
    streamId: StreamId,
    rows: readonly SegmentRow[],
    from: SeqNum,
    limits: ReaderLimits,
  ) {
    this.#reads = reads;
    this.#budget = budget;
    this.#streamId = streamId;
    this.#limits = limits;
    this.#planned = this.#plan(rows, from);
  }

  /** The next range; `end` behind the last row; `absent` when an object is gone: plan again. @throws StoreError `throttled` */
  async next(): Promise<ScannedRange | 'absent' | 'end'> {
    this.#release(this.#givenBytes);
    this.#givenBytes = 0;
    await this.#readAhead();
    const held = this.#ahead.shift();
    if (held === undefined) return 'end';
    this.#consumed += 1;
    this.#givenBytes = held.bytes;
    const scanned = await held.range;
    await this.#readAhead();
    return scanned;
  }

  /** Lets go of everything; nothing is read any more. */
  close(): void {
    this.#isClosed = true;
    this.#release(this.#givenBytes);
    this.#givenBytes = 0;
    for (const { bytes } of this.#ahead.splice(0)) this.#release(bytes);
  }

  #release(bytes: number): void {
    if (bytes > 0) this.#budget.give(bytes);
  }

  /** A reader that goes on reading is served further ahead, one range more with each that it took. */
  async #readAhead(): Promise<void> {
    const wanted = Math.min(this.#limits.rangesAhead, 1 + this.#consumed);
    while (!this.#isClosed && this.#ahead.length < wanted) {
      this.#next ??= await this.#planNext();
      if (this.#next === undefined || this.#isClosed) return;
      const bytes = bytesOf(this.#next);
      if (!(await this.#take(bytes))) return;
      if (this.#isClosed) return this.#release(bytes);
      const range = this.#next === 'absent' ? Promise.resolve('absent' as const) : this.#read(this.#next);
      range.catch(() => undefined); // Whoever takes it from the queue meets the error; nobody may.
      this.#ahead.push({ range, bytes });
      this.#next = undefined;
    }
    invariant(this.#ahead.length <= this.#limits.rangesAhead, 'T5: a reader is served a bounded number of ranges ahead');
  }

  async #planNext(): Promise<PlannedRange | 'absent' | undefined> {
    if (this.#isPlanned) return undefined;
    const { value, done } = await this.#planned.next();
    if (done !== true && value !== undefined) return value;
    this.#isPlanned = true;
    return undefined;
  }

  /** False when there is no room for a range that the reader can still do without. */
  async #take(bytes: number): Promise<boolean> {
    if (bytes === 0 || this.#budget.tryTake(bytes)) return true;
    if (this.#ahead.length > 0 || this.#givenBytes > 0) return false;
    await this.#budget.take(bytes);
    return true;
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

function bytesOf(planned: PlannedRange | 'absent'): number {
  if (planned === 'absent') return 0;
  const { row, range } = planned;
  return range === undefined ? row.byteEnd - row.byteStart : range.end - range.start;
}
