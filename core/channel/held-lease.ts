// The lease as its owner holds it, on the owner's clock: what it vouches for now, and how long the owner goes on without it.
//
//   L12 One lease time after its lease ran out an owner stops. Safety does not need it: others may have been waiting since.

import type { Clock, Timer } from '../ports/clock.ts';
import { Lease } from './lease.ts';

/** One moment on both clocks. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export class HeldLease {
  readonly #clock: Clock;
  readonly #lease: Lease;
  readonly #onOver: () => void;
  #isWatched = false;
  #timer: Timer | undefined;

  /** @param onOver called once, a lease time after the lease of a watched owner ran out. */
  constructor(clock: Clock, lengthMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#lease = new Lease(lengthMs);
    this.#onOver = onOver;
  }

  get lengthMs(): number {
    return this.#lease.lengthMs;
  }

  get isValid(): boolean {
    const { monotonic, wall } = this.now();
    return this.#lease.isValid(monotonic, wall);
  }

  /** What a renewal that is about to be sent counts from. */
  now(): Moment {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.now() };
  }

  /** A renewal that was sent at this moment has succeeded. */
  renewed(sentAt: Moment): void {
    this.#lease.renewed(sentAt.monotonic, sentAt.wall);
    if (this.#isWatched) this.#arm(this.#lease.validUntil);
  }

  /** From here on the owner appends: it is stopped when renewals fail for too long. */
  watch(): void {
    this.#isWatched = true;
    this.#arm(Math.max(this.#lease.validUntil, this.#clock.monotonic()));
  }

  end(): void {
    this.#isWatched = false;
    this.#timer?.cancel();
  }

  #arm(ranOutAt: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ranOutAt + this.lengthMs - this.#clock.monotonic(), () => {
      if (this.#isWatched) this.#onOver();
    });
  }
}
