// Lets a few of many through at a time, in the order they came: what stalls must not hold the whole thread pool.

import { invariant } from './invariant.ts';

export class Gate {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#max) this.#inside += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    invariant(this.#inside <= this.#max, 'a gate lets no more through than its bound');
    try {
      return await work();
    } finally {
      // A place is handed on, not given up, so that nobody overtakes.
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }
}
