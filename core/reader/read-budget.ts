// The memory that all readers of a process have for bytes from segments. What the tail holds is bounded by the channel.
//
//   T11 All readers together hold a bounded number of bytes of segments. Nobody is served ahead of what it reads once half of them
//       are taken, so that readers that stand still leave room for those that go on; who finds no room in time is told so.

import { invariant } from '../base/invariant.ts';
import { refused } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';

export class ReadBudget {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #waitMsMax: number;
  #taken = 0;
  /** In the order they came. Each takes its bytes, or says that they do not fit yet. */
  readonly #waiting = new Set<() => boolean>();

  /** @param waitMsMax how long a reader waits for room that it cannot do without. */
  constructor(clock: Clock, bytesMax: number, waitMsMax: number) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
    this.#waitMsMax = waitMsMax;
  }

  get takenBytes(): number {
    return this.#taken;
  }

  /** For what a reader will want next: only while there is plenty. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || this.#taken + bytes > this.#bytesMax / 2) return false;
    this.#taken += bytes;
    return true;
  }

  /** For what a reader waits for. One that is larger than the whole budget goes alone. @throws StoreError `throttled` */
  async take(bytes: number): Promise<void> {
    if (this.#waiting.size > 0 || !this.#takeIfFits(bytes)) await this.#room(bytes);
  }

  give(bytes: number): void {
    this.#taken -= bytes;
    invariant(this.#taken >= 0, 'T11: what is given back was taken');
    this.#wake();
  }

  #takeIfFits(bytes: number): boolean {
    if (this.#taken > 0 && this.#taken + bytes > this.#bytesMax) return false;
    this.#taken += bytes;
    return true;
  }

  #wake(): void {
    for (const look of this.#waiting) if (!look()) return;
  }

  #room(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer.cancel();
        this.#waiting.delete(look);
      };
      const look = (): boolean => {
        if (!this.#takeIfFits(bytes)) return false;
        leave();
        resolve();
        return true;
      };
      const timer = this.#clock.after(this.#waitMsMax, () => {
        leave();
        reject(refused('throttled', 'too many reads of older records at once; try again later'));
        this.#wake();
      });
      this.#waiting.add(look);
    });
  }
}
