// Cuts frames into batches of whole records, within the bounds of a batch and of the whole read. (S2 v1 API, section 3.3.)
//
// A frame that fits goes out as it is, without a look at its records. Only where a bound may fall into it are they stepped through.
//
//   T7  A record is given only if it keeps count and bytes within what was asked for, and lies before `until`.

import { invariant } from '../base/invariant.ts';
import type { Frame } from '../format/frame.ts';
import { RecordCursor } from '../format/record.ts';
import type { SeqNum, StreamPosition, Timestamp } from '../model/ids.ts';
import type { ReadBatch, ReadRequest, RecordRun } from '../model/read.ts';
import type { Piece } from './plan.ts';

export interface BatchBounds {
  readonly recordsMax: number;
  readonly meteredBytesMax: number;
}

export class BatchFiller {
  readonly #batch: BatchBounds;
  readonly #until: Timestamp | undefined;
  #recordsLeft: number;
  #bytesLeft: number;
  #isOver = false;
  // What was offered and is not given yet: frames from an index on, and the place in the first of them.
  #piece: Piece | undefined;
  #frameIndex = 0;
  #next = 0;
  #bodyAt = 0;
  #seqNumAtBody = 0;
  // The batch being filled.
  #runs: RecordRun[] = [];
  #count = 0;
  #metered = 0;

  constructor(request: Pick<ReadRequest, 'count' | 'bytes' | 'until'>, batch: BatchBounds) {
    this.#batch = batch;
    this.#until = request.until;
    this.#recordsLeft = request.count ?? Number.POSITIVE_INFINITY;
    this.#bytesLeft = request.bytes ?? Number.POSITIVE_INFINITY;
    this.#isOver = this.#recordsLeft === 0 || this.#bytesLeft === 0;
  }

  /** A bound of the read was met: nothing follows but what the batch holds. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  offer(piece: Piece): void {
    invariant(this.#piece === undefined, 'T6: a piece is given whole before the next');
    this.#piece = piece;
    this.#frameIndex = 0;
    this.#next = piece.from;
    this.#bodyAt = 0;
  }

  /** Moves records from the piece into the batch; true once the batch is full or the read is over, false when the piece is used up. */
  fill(): boolean {
    const piece = this.#piece;
    while (piece !== undefined && !this.#isOver) {
      const frame = piece.frames[this.#frameIndex];
      if (frame === undefined || frame.first >= piece.end) {
        this.#piece = undefined;
        return false;
      }
      if (frame.first + frame.count > this.#next && !this.#take(frame, piece.end)) return true;
      this.#frameIndex += 1;
      this.#bodyAt = 0;
    }
    return this.#isOver;
  }

  /** The batch as it is; the next one starts empty. */
  flush(tail?: StreamPosition): ReadBatch {
    const batch = { runs: this.#runs, count: this.#count, meteredBytes: this.#metered, ...(tail === undefined ? {} : { tail }) };
    invariant(batch.count <= this.#batch.recordsMax && batch.meteredBytes <= this.#batch.meteredBytesMax, 'T7: a batch keeps its bounds');
    this.#runs = [];
    this.#count = 0;
    this.#metered = 0;
    return batch;
  }

  /** False when a bound keeps part of the frame out. */
  #take(frame: Frame, end: SeqNum): boolean {
    const isWhole = this.#bodyAt === 0 && frame.first >= this.#next && frame.first + frame.count <= end;
    if (isWhole && this.#fits(frame.count, frame.meteredBytes) && (this.#until === undefined || frame.lastTimestamp < this.#until)) {
      this.#add({ first: frame.first, count: frame.count, bytes: frame.body }, frame.meteredBytes);
      return true;
    }
    return this.#takeRecords(frame, end);
  }

  #takeRecords(frame: Frame, end: SeqNum): boolean {
    const cursor = new RecordCursor(frame.body, this.#bodyAt);
    let at = this.#bodyAt === 0 ? frame.first : this.#seqNumAtBody;
    let start = -1;
    let count = 0;
    let metered = 0;
    let hasAll = true;
    let bodyEnd = this.#bodyAt;
    while (at < Math.min(end, frame.first + frame.count) && cursor.next()) {
      if (at >= this.#next) {
        if (this.#until !== undefined && cursor.timestamp >= this.#until) this.#isOver = true;
        if (this.#isOver || !this.#fits(count + 1, metered + cursor.meteredBytes)) {
          hasAll = false;
          break;
        }
        if (start < 0) start = cursor.start;
        count += 1;
        metered += cursor.meteredBytes;
      }
      bodyEnd = cursor.end;
      at += 1;
    }
    if (!hasAll) this.#isOver ||= !this.#fitsRead(count + 1, metered + cursor.meteredBytes);
    this.#bodyAt = bodyEnd;
    this.#seqNumAtBody = at as SeqNum;
    if (count > 0) this.#add({ first: (at - count) as SeqNum, count, bytes: frame.body.subarray(start, bodyEnd) }, metered);
    return hasAll;
  }

  #add(run: RecordRun, metered: number): void {
    invariant(run.first >= this.#next, 'T6: no record is given twice');
    this.#runs.push(run);
    this.#count += run.count;
    this.#metered += metered;
    this.#recordsLeft -= run.count;
    this.#bytesLeft -= metered;
    this.#next = run.first + run.count;
    invariant(this.#recordsLeft >= 0 && this.#bytesLeft >= 0, 'T7: a read keeps its bounds');
    if (this.#recordsLeft === 0 || this.#bytesLeft === 0) this.#isOver = true;
  }

  #fits(count: number, metered: number): boolean {
    const isInBatch = this.#count + count <= this.#batch.recordsMax && this.#metered + metered <= this.#batch.meteredBytesMax;
    return isInBatch && this.#fitsRead(count, metered);
  }

  #fitsRead(count: number, metered: number): boolean {
    return count <= this.#recordsLeft && metered <= this.#bytesLeft;
  }
}
