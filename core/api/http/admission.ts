// Whether a request may go on now, or waits because the server is only starting.
//
//   A22  What comes before the server serves waits for it, for a bounded time, and is refused without effect where that was too short.
//
// A process that takes the place of another one is reached before it may touch the data. Clients have only a few tries, and come
// back soon: one that waits keeps them. The handler asks for each request; routes know nothing of it.

import { refused } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';

/**
 * Clients wait 5 s for an answer, and count what they sent behind a request into that. What they gave up must not be done later: they
 * are told in good time, and come again with a new 5 s.
 */
const HELD_MS_MAX = 2_500;

export class Admission<Served> {
  readonly #clock: Clock;
  readonly #draining: Draining;
  readonly #coming: Promise<Served>;
  #served: Served | undefined;

  /** @param coming resolves once requests can be served, with what serves them. */
  constructor(coming: Promise<Served>, clock: Clock, draining: Draining) {
    this.#coming = coming;
    this.#clock = clock;
    this.#draining = draining;
    void coming.then((served) => {
      this.#served = served;
    });
  }

  get isStarting(): boolean {
    return this.#served === undefined;
  }

  /** @throws StoreError `draining`, `client_hangup` (effect none) */
  async admit(exchange: Exchange): Promise<Served> {
    const { advised, over } = this.#draining;
    // Whoever has a connection is served to the end: only new ones go elsewhere.
    if (this.#served !== undefined && !over.aborted) return this.#served;
    if (this.#served === undefined && !advised.aborted) await this.#wait([advised, exchange.gone]);
    if (exchange.gone.aborted) throw refused('client_hangup', 'the client went away');
    // A server that is told to go before it served never will.
    if (over.aborted || (this.#served === undefined && advised.aborted)) throw serverDraining();
    // SDKs take this code for "nothing happened, come again": whatever their policy for appends is.
    if (this.#served === undefined) throw refused('draining', 'the server does not serve yet; reconnect');
    return this.#served;
  }

  /** Until the server serves, one of `signals`, or the end of patience. */
  #wait(signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        for (const signal of signals) signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#clock.after(HELD_MS_MAX, done);
      for (const signal of signals) signal.addEventListener('abort', done, { once: true });
      void this.#coming.then(done);
    });
  }
}
