// Where the records of a stream are to be found from a sequence number on: in memory, in segments, or nowhere any more.
//
// Metadata may be stale and objects may go while they are read: whatever does not fit is planned again, with strong reads.
// Only what trimming explains is passed over.
//
//   T6  A reader gets every readable record once and in order, whatever moves between memory and segments meanwhile.
//   T11 A source that was closed holds nothing, whatever it was doing then.

import { invariant } from '../base/invariant.ts';
import type { Frame } from '../format/frame.ts';
import type { SegmentRow } from '../metadata/schema.ts';
import { refused } from '../model/errors.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import type { ReaderDeps } from './deps.ts';
import { SegmentScan } from './segment-scan.ts';

/** Frames of which the first holds `from`, or starts there. Records outside of [from, end) do not count. */
export interface Piece {
  readonly from: SeqNum;
  readonly end: SeqNum;
  readonly frames: readonly Frame[];
  /** There no frames mean that everything committed was given. */
  readonly isFromMemory: boolean;
}

/** Goes through a stream from `next` on, piece by piece. */
export class StreamSource {
  readonly #deps: ReaderDeps;
  readonly #streamId: StreamId;
  #next: SeqNum;
  #scan: SegmentScan | undefined;
  #vainPlans = 0;
  #isClosed = false;

  constructor(deps: ReaderDeps, streamId: StreamId, from: SeqNum) {
    this.#deps = deps;
    this.#streamId = streamId;
    this.#next = from;
  }

  /** The first sequence number that was not given yet. */
  get next(): SeqNum {
    return this.#next;
  }

  /**
   * The next frames; no frames: everything committed was given, or the source is closed.
   *
   * @throws StoreError `corrupt` when records are missing that nobody trimmed, `unavailable` when no plan works out.
   */
  async read(): Promise<Piece> {
    while (!this.#isClosed) {
      const scanned = await this.#fromScan();
      if (scanned !== undefined) return scanned;
      if (this.#isClosed) break;
      const held = this.#fromMemory();
      if (held !== undefined) return held;
      await this.#plan();
    }
    return { from: this.#next, end: this.#next, frames: [], isFromMemory: false };
  }

  /** Lets go of what was read ahead, for good; frames that were given may still be used. Also while something is being read. */
  close(): void {
    this.#isClosed = true;
    this.#endScan();
  }

  #endScan(): void {
    this.#scan?.close();
    this.#scan = undefined;
  }

  #fromMemory(): Piece | undefined {
    const { tail, limits } = this.#deps;
    this.#next = Math.max(this.#next, tail.trimPoint) as SeqNum;
    const view = tail.read(this.#next, limits.tailBytes);
    if (view === 'below') return undefined;
    const last = view.frames.at(-1);
    const end = last === undefined ? this.#next : ((last.first + last.count) as SeqNum);
    const first = view.frames[0];
    invariant(first === undefined || first.first <= this.#next, 'T6: memory goes on where the reader is');
    return this.#took(view.frames, end, true);
  }

  /** What the running scan gives; undefined when there is none, or it ended or failed. */
  async #fromScan(): Promise<Piece | undefined> {
    while (this.#scan !== undefined) {
      const scanned = await this.#scan.next();
      if (scanned === 'end' || scanned === 'absent') {
        this.#endScan();
        if (scanned === 'absent') await this.#inVain();
        continue;
      }
      const { row, frames, isLast } = scanned;
      const last = frames.at(-1);
      const reached = last === undefined ? this.#next : Math.min(last.first + last.count, row.end);
      const end = Math.max(this.#next, isLast ? row.end : reached) as SeqNum;
      if (reached < row.end && isLast && !isSparse(row)) throw refused('corrupt', `object ${row.object} ends before its row does`);
      this.#checkFollows(frames, row);
      if (end === this.#next) continue;
      return this.#took(frames, end, false);
    }
    return undefined;
  }

  #checkFollows(frames: readonly Frame[], row: SegmentRow): void {
    if (isSparse(row)) return;
    let known: number = this.#next;
    for (const { first, count } of frames) {
      if (first > known) throw refused('corrupt', `object ${row.object} goes on at ${first} where ${known} is expected`);
      known = Math.max(known, first + count);
    }
  }

  #took(frames: readonly Frame[], end: SeqNum, isFromMemory: boolean): Piece {
    const from = this.#next;
    invariant(end >= from, 'T6: a reader never goes back');
    this.#next = end;
    if (end > from) this.#vainPlans = 0;
    return { from, end, frames, isFromMemory };
  }

  /** Starts a scan over the segments from `next` on, or moves `next` over what was trimmed. */
  async #plan(): Promise<void> {
    const { repository, limits, objects, checksum, budget } = this.#deps;
    const consistency = this.#vainPlans === 0 ? 'stale' : 'strong';
    const rows = await repository.segments.rowsFrom(this.#streamId, this.#next, limits.rowsPage, consistency);
    // T11: whoever closed it meanwhile does not come again, so nothing may be begun that only a close would end.
    if (this.#isClosed) return;
    const first = rows[0];
    if (first !== undefined && first.first <= this.#next && this.#next < first.end) {
      this.#scan = new SegmentScan({ objects, checksum }, budget, this.#streamId, adjacent(rows), this.#next, limits);
      return;
    }
    const state = await repository.segments.readState(this.#streamId, 'strong');
    if (state !== undefined && state.trimPoint > this.#next) {
      this.#next = state.trimPoint;
      return;
    }
    await this.#inVain();
  }

  async #inVain(): Promise<void> {
    const { limits, clock } = this.#deps;
    this.#vainPlans += 1;
    if (this.#vainPlans > limits.plansMax) {
      throw refused('unavailable', `stream ${this.#streamId}: sequence number ${this.#next} is neither in memory nor in segments`);
    }
    if (this.#vainPlans > 1) await clock.sleep(limits.planPauseMs);
  }
}

/** Rows up to the first that does not follow the one before. */
function adjacent(rows: readonly SegmentRow[]): readonly SegmentRow[] {
  const gap = rows.findIndex((row, i) => i > 0 && row.first !== rows[i - 1]?.end);
  return gap < 0 ? rows : rows.slice(0, gap);
}

function isSparse(row: SegmentRow): boolean {
  return row.records < row.end - row.first;
}
