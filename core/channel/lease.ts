// What a lease entitles to, on one monotonic clock and without synchronised clocks. (Gray and Cheriton, Leases, 1989.)
//
//   L1  An owner's lease counts from before the renewal was sent, and is shorter by the clock rate error.
//   L2  A successor waits until it has seen the same counter for the whole lease, longer by the clock rate error.
//   L3  If wall and monotonic clock part, the machine was suspended, and the lease is lost.

/** How far two machines' clock rates may differ. */
const RATE_ERROR = 0.01;

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
    this.#validUntil = sentMonotonic + this.lengthMs * (1 - RATE_ERROR);
    this.#skew = sentWall - sentMonotonic;
  }

  /** On the monotonic clock. */
  get validUntil(): number {
    return this.#validUntil;
  }

  isValid(monotonic: number, wall: number): boolean {
    if (Math.abs(wall - monotonic - this.#skew) > this.lengthMs * RATE_ERROR + 50) return false;
    return monotonic < this.#validUntil;
  }
}

/** How long a successor watches an unchanged counter. */
export function watchMs(leaseMs: number): number {
  return leaseMs * (1 + RATE_ERROR);
}
