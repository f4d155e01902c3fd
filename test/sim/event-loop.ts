// Virtual time: events run one after the other, in the order of their times, each followed by everything that it made ready.
//
// The core is pure promises over the Clock port, so one hop over a macrotask between two events drains all that an event queued,
// always in the same order. (setImmediate: 900,000 hops a second. Events of one instant are not run together: what one of them
// makes ready comes before the next, as it would in a real process.)

import type { Timer } from '#core/ports/clock.ts';
import type { Fingerprint } from './fingerprint.ts';

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class EventLoop {
  readonly #heap: Event[] = [];
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
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    this.#push(event);
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
      const event = this.#pop();
      if (event === undefined) return;
      if (event.run === undefined) continue;
      this.#now = event.at;
      this.#count += 1;
      this.#fingerprint.number(event.at);
      event.run();
      await hop();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function hop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
