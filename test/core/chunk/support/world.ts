// Virtual time and randomness from one seed: events run one after the other, each followed by all the microtasks it queued.

import type { Clock, Timer } from '#core/ports/clock.ts';
import { EventHeap, type TimedEvent } from '#test/support/event-heap.ts';

export class World {
  readonly #events = new EventHeap();
  #now = 0;
  #order = 0;
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761;
  }

  get now(): number {
    return this.#now;
  }

  /** A number in [0, 1) (mulberry32). */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** An integer of [min, max]. */
  between(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  after(ms: number, run: () => void): Timer {
    const event: TimedEvent = { at: this.#now + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    this.#events.push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** A clock whose callbacks stop once `isAlive` says no: that of a process that can be killed. */
  clock(isAlive: () => boolean = () => true): Clock {
    const after = (ms: number, run: () => void): Timer => this.after(ms, () => isAlive() && run());
    return {
      now: () => 1_700_000_000_000 + this.#now,
      monotonic: () => this.#now,
      sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
      after,
      soon: (run) => void after(0, run),
    };
  }

  /** Runs events until `isDone`, or until there is none left, or for ever so many. */
  async run(isDone: () => boolean, eventsMax = 200_000): Promise<boolean> {
    for (let i = 0; i < eventsMax; i += 1) {
      if (isDone()) return true;
      const event = this.#events.pop();
      if (event === undefined) return isDone();
      this.#now = event.at;
      if (event.run === undefined) continue;
      event.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return false;
  }

  /** Runs events until `promise` settles, and passes on how. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await new Promise((resolve) => setImmediate(resolve));
    if (!(await this.run(() => isSettled))) throw new Error('it never settled');
    return promise;
  }

  /** Lets time pass. */
  async elapse(ms: number): Promise<void> {
    await this.settle(this.sleep(ms));
  }
}
