// What a lease entitles to, on one monotonic clock and without synchronised clocks. (Gray and Cheriton, Leases, 1989.)
//
//   L1  An owner's lease counts from before the renewal was sent, and is shorter by the clock rate error and by what L3 overlooks.
//   L2  A successor waits until it has seen the same counter and epoch for the whole lease, longer by the clock rate error.
//   L3  If wall and monotonic clock part, the machine was suspended, and the lease is lost.
//
// With clocks that run wrong by the rate error e both ways: L(1 - 2e)/(1 - e) + Le < L(1 + e)/(1 + e), the owner's time below the successor's.

import type { ChannelState } from '../metadata/schema.ts';

type Leased = Pick<ChannelState, 'epoch' | 'leaseCounter'>;

/** How far the rate of a machine's clock may be wrong. */
const RATE_ERROR = 0.01;
/** A suspension of this part of a lease is not told from a wall clock that is being set. */
const OVERLOOKED = 0.01;

/** The owner's side. All times in milliseconds on its own clocks. */
export class Lease {
  readonly lengthMs: number;
  #validUntil = Number.NEGATIVE_INFINITY;
  #skew = 0;

  constructor(lengthMs: number) {
    this.lengthMs = lengthMs;
  }

  /** A renewal that was sent at these times has succeeded. */
  renewed(sentMonotonic: number, sentWall: number): void {
    this.#validUntil = sentMonotonic + this.lengthMs * (1 - RATE_ERROR - OVERLOOKED);
    this.#skew = sentWall - sentMonotonic;
  }

  /** On the monotonic clock. */
  get validUntil(): number {
    return this.#validUntil;
  }

  isValid(monotonic: number, wall: number): boolean {
    if (Math.abs(wall - monotonic - this.#skew) > this.lengthMs * OVERLOOKED) return false;
    return monotonic < this.#validUntil;
  }
}

/** Nobody claimed the channel or renewed its lease between the two: whatever else changed is not its owner's doing (L2). */
export function isLeasedAs(before: Leased, now: Leased): boolean {
  return before.epoch === now.epoch && before.leaseCounter === now.leaseCounter;
}

/** How long a successor watches an unchanged counter. */
export function watchMs(leaseMs: number): number {
  return leaseMs * (1 + RATE_ERROR);
}
