// Virtual time: events run one after the other, in the order of their times, each followed by everything that it made ready.
//
// The core is pure promises over the Clock port, so one hop over a macrotask between two events drains all that an event queued,
// always in the same order. (setImmediate: 900,000 hops a second. Events of one instant are not run together: what one of them
// makes ready comes before the next, as it would in a real process.)

import type { Timer } from '#core/ports/clock.ts';
import { EventHeap, type TimedEvent } from '#test/support/event-heap.ts';
import type { Fingerprint } from './fingerprint.ts';

export class EventLoop {
  readonly #heap = new EventHeap();
  readonly #fingerprint: Fingerprint;
  #now = 0;
  #order = 0;
  #count = 0;

  constructor(fingerprint: Fingerprint) {
    this.#fingerprint = fingerprint;
  }

  /** Milliseconds since the start of the run. */
  get now(): number {
    return this.#now;
  }

  /** Events that have run. */
  get count(): number {
    return this.#count;
  }

  after(ms: number, run: () => void): Timer {
    const event: TimedEvent = { at: this.#now + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    this.#heap.push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Runs events until `isOver`, which is asked after each one, or none is left. What an event throws is thrown on. */
  async run(isOver: () => boolean): Promise<void> {
    await hop();
    while (!isOver()) {
      const event = this.#heap.pop();
      if (event === undefined) return;
      if (event.run === undefined) continue;
      this.#now = event.at;
      this.#count += 1;
      this.#fingerprint.number(event.at);
      event.run();
      await hop();
    }
  }
}

function hop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
