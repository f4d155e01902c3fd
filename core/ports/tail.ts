// One stream as its owning channel sees it: what a reader needs beyond segments.

import type { Frame } from '../format/frame.ts';
import type { SeqNum, StreamPosition } from '../model/ids.ts';

export interface TailView {
  /** Committed frames in order, the first of which holds the sequence number asked for; empty at the tail. */
  readonly frames: readonly Frame[];
}

export interface StreamTail {
  /** The committed tail, linearizable: under a valid lease, or behind a barrier. @throws StoreError `deposed`, `unavailable` */
  position(): Promise<StreamPosition>;
  /** The same where a valid lease vouches for it without a wait, else undefined: for answers that can do without it. */
  positionNow(): StreamPosition | undefined;
  /** Readable records start here. */
  readonly trimPoint: SeqNum;
  /** Frames from the one that holds `from`, about `bytesMax` of them and at least one; `below` when memory no longer holds it: read segments. */
  read(from: SeqNum, bytesMax: number): TailView | 'below';
  /**
   * True once the committed tail lies beyond `beyond`; false after `timeoutMs` or when aborted.
   *
   * @throws StoreError when the channel was lost, or the stream deleted, meanwhile.
   */
  waitBeyond(beyond: SeqNum, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  /** The reader lets go, once: an idle stream that nobody holds is dropped from memory. */
  release(): void;
}
