// One stream in its owner's memory: what is assigned, what is committed, and the frames that readers still need.
//
//   T1  A reader sees committed frames only, in order and without a gap.
//   T2  A stream leaves memory only when nothing of it is pending, held, or not yet offloaded; a seal counts like any frame.
//   S5  An owner goes by the newest configuration that it has met: on record when the stream came into memory, told since, or carried
//       by an append. An older one never comes back.

import { invariant } from '../base/invariant.ts';
import type { Frame } from '../format/frame.ts';
import type { ConfiguredStream } from '../metadata/schema.ts';
import type { StreamRef } from '../model/append.ts';
import type { StoreError } from '../model/errors.ts';
import type { SeqNum, StreamId, StreamletNumber, StreamPosition, Timestamp } from '../model/ids.ts';
import type { StreamConfig } from '../model/stream-config.ts';

/** What appends change. Two of them live side by side: as assigned, and as committed. */
export interface StreamFacts {
  readonly tail: SeqNum;
  readonly lastTimestamp: Timestamp;
  readonly token: string;
  readonly trimPoint: SeqNum;
  /** A seal frame ends the streamlet: no record can follow. */
  readonly isSealed: boolean;
  /** When the last record arrived, milliseconds since 1970; undefined: there is none, or it is not on record. */
  readonly lastArrival: number | undefined;
}

export const NEW_STREAM: StreamFacts = {
  tail: 0 as SeqNum,
  lastTimestamp: 0n,
  token: '',
  trimPoint: 0 as SeqNum,
  isSealed: false,
  lastArrival: undefined,
};

interface Waiter {
  readonly beyond: SeqNum;
  settle(error?: StoreError): void;
}

export class ResidentStream {
  readonly streamId: StreamId;
  readonly streamlet: StreamletNumber;
  assigned: StreamFacts;
  committed: StreamFacts;
  /** Frames assigned and not yet committed. */
  pendingCount = 0;
  /** Readers and appends that hold the stream in memory. */
  holders = 0;
  readonly waiters = new Set<Waiter>();
  /** Undefined: never changed, as far as is known; then any that an append carries is the one that the stream was made with. */
  #configured: ConfiguredStream | undefined;
  /** Committed frames that are not evicted, seals included. */
  #heldCount = 0;
  /** Those of them that have records. */
  #frames: Frame[] = [];
  #head = 0;

  constructor(streamId: StreamId, streamlet: StreamletNumber, facts: StreamFacts, configured?: ConfiguredStream) {
    this.streamId = streamId;
    this.streamlet = streamlet;
    this.assigned = facts;
    this.committed = facts;
    this.#configured = configured;
  }

  /** The newest configuration, which may be the one that `ref` carries. (S5) */
  configFor({ config, configVersion }: Pick<StreamRef, 'config' | 'configVersion'>): StreamConfig {
    const known = this.#configured;
    if (known !== undefined && known.version >= configVersion) return known.config;
    if (configVersion > 0) this.#configured = { version: configVersion, config };
    return config;
  }

  /** Records below `to` are trimmed, on record. */
  trimmed(to: SeqNum): void {
    const raised = (facts: StreamFacts): StreamFacts => ({
      ...facts,
      trimPoint: Math.max(facts.trimPoint, Math.min(to, facts.tail)) as SeqNum,
    });
    this.assigned = raised(this.assigned);
    this.committed = raised(this.committed);
  }

  get tail(): StreamPosition {
    return { seqNum: this.committed.tail, timestamp: this.committed.lastTimestamp };
  }

  /** The first sequence number that memory holds, or the tail. */
  get memoryStart(): SeqNum {
    return this.#frames[this.#head]?.first ?? this.committed.tail;
  }

  get isDroppable(): boolean {
    return this.#heldCount === 0 && this.pendingCount === 0 && this.holders === 0 && this.waiters.size === 0;
  }

  commit(frame: Frame): void {
    invariant(frame.first === this.committed.tail, 'T1: frames are committed in order and without a gap');
    const before = this.committed;
    this.committed = after(before, frame);
    invariant(this.committed.trimPoint >= before.trimPoint, 'T1: the trim point never goes back');
    this.#heldCount += 1;
    if (frame.count > 0) this.#frames.push(frame);
  }

  /** Forgets the oldest frame, which is offloaded. */
  evict(frame: Frame): void {
    this.#heldCount -= 1;
    if (frame.count === 0) return;
    invariant(this.#frames[this.#head] === frame, 'T2: frames are evicted oldest first');
    this.#head += 1;
    if (this.#head > 32 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Frames with records that memory holds now, oldest first. */
  heldFrames(): readonly Frame[] {
    return this.#frames.slice(this.#head);
  }

  /** Frames from the one that holds `from`, about `bytesMax` of them. `from` is at least memoryStart. */
  framesFrom(from: SeqNum, bytesMax: number): Frame[] {
    const found: Frame[] = [];
    let bytes = 0;
    for (let i = this.#indexOf(from); i < this.#frames.length && bytes < bytesMax; i += 1) {
      const frame = this.#frames[i];
      if (frame === undefined) break;
      found.push(frame);
      bytes += frame.body.length;
    }
    return found;
  }

  /** Wakes the followers that the committed tail has passed, or all of them with an error. */
  wake(error?: StoreError): void {
    for (const waiter of this.waiters) {
      if (error !== undefined || this.committed.tail > waiter.beyond || this.committed.isSealed) waiter.settle(error);
    }
  }

  #indexOf(from: SeqNum): number {
    let low = this.#head;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const frame = this.#frames[middle];
      if (frame !== undefined && frame.first + frame.count <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The facts that hold behind a frame. Retention may have raised the trim point beyond what the frame says. */
export function after(facts: StreamFacts, frame: Omit<Frame, 'bytes' | 'body'>): StreamFacts {
  return {
    tail: (frame.first + frame.count) as SeqNum,
    lastTimestamp: frame.count > 0 ? frame.lastTimestamp : facts.lastTimestamp,
    token: frame.token ?? facts.token,
    trimPoint: Math.max(facts.trimPoint, frame.trimPoint ?? 0) as SeqNum,
    isSealed: facts.isSealed || frame.kind === 'seal',
    lastArrival: frame.count > 0 ? Math.max(facts.lastArrival ?? 0, frame.arrival) : facts.lastArrival,
  };
}
