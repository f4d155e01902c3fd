// How long an append outside a session waits for room, and what it is told then. (A session is slowed: its client sees that it is not read.)
//
//   T10 An append outside a session that finds no room is refused in time and without effect: with `disk_full` where what waits
//       for offload cannot go because there is no space for it.

import { refused, type StoreError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Tenure } from './tenure.ts';

export class Patience {
  readonly #clock: Clock;
  readonly #until: number | undefined;
  /** Why nothing is offloaded now. */
  readonly #obstacle: () => StoreError | undefined;

  /** @param waitMs counted from now; undefined: for ever. */
  constructor(clock: Clock, waitMs: number | undefined, obstacle: () => StoreError | undefined) {
    this.#clock = clock;
    this.#until = waitMs === undefined ? undefined : clock.monotonic() + waitMs;
    this.#obstacle = obstacle;
  }

  /** Resolves once there may be room. @throws StoreError `disk_full`, `throttled` (effect none) */
  async room(tenure: Tenure): Promise<void> {
    if (this.#until === undefined) return tenure.room();
    const obstacle = this.#obstacle();
    if (obstacle?.code === 'disk_full' && tenure.isBacklogFull) {
      throw refused('disk_full', `no more records are taken until those that wait can be stored: ${obstacle.message}`);
    }
    const leftMs = this.#until - this.#clock.monotonic();
    if (leftMs <= 0) throw refused('throttled', 'appends are held back until what came before them is stored; try again later');
    const over = new AbortController();
    const timer = this.#clock.after(leftMs, () => over.abort());
    await tenure.room(over.signal);
    timer.cancel();
  }
}
