// A second call where the first one takes unusually long: one slow answer of many is what makes the tail of the latency.
//
// Hedges are a small share of all calls, so that a service which is slow for everyone is not asked twice as much.
//
//   Z16 Of two calls that fail, the one that may have taken effect is told.

import { isDefinite } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';

export interface HedgeSettings {
  /** A call that takes longer gets a second one beside it: about the 99th percentile of the service. */
  readonly afterMs: number;
  /** Hedges for each call made: 0.05 is one for twenty. */
  readonly shareMax: number;
}

/** Unused shares are kept for this many hedges. */
const SAVED_MAX = 10;

export class Hedge {
  readonly #clock: Clock;
  readonly #settings: HedgeSettings;
  #saved = SAVED_MAX;
  #count = 0;

  constructor(clock: Clock, settings: HedgeSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Second calls that were made. */
  get count(): number {
    return this.#count;
  }

  /**
   * The first answer of `call` that is `wanted`, or that of the call which ended last.
   *
   * @param call may run twice at once, with the same effect as once
   * @param isWanted whether an answer is worth more than what the other call may say
   */
  run<T>(call: () => Promise<T>, isWanted: (answer: T) => boolean = () => true): Promise<T> {
    this.#saved = Math.min(SAVED_MAX, this.#saved + this.#settings.shareMax);
    return new Promise<T>((resolve, reject) => {
      let running = 1;
      let failure: { readonly error: unknown } | undefined;
      const start = (): void => {
        call().then(
          (answer) => {
            running -= 1;
            if (isWanted(answer) || running === 0) end(() => resolve(answer));
          },
          (error: unknown) => {
            running -= 1;
            // Z16: a definite failure does not hide one that is not.
            if (failure === undefined || isDefinite(failure.error)) failure = { error };
            const { error: told } = failure;
            if (running === 0) end(() => reject(told));
          },
        );
      };
      const timer = this.#clock.after(this.#settings.afterMs, () => {
        if (this.#saved < 1) return;
        this.#saved -= 1;
        this.#count += 1;
        running += 1;
        start();
      });
      const end = (settle: () => void): void => {
        timer.cancel();
        settle();
      };
      start();
    });
  }
}
