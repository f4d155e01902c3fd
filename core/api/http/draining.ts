// How a server goes away: first it advises its sessions to reconnect elsewhere, then it ends those that are left.

import { refused, type StoreError } from '../../model/errors.ts';

export class Draining {
  readonly #advised = new AbortController();
  readonly #over = new AbortController();

  /** Aborted once sessions should move. */
  get advised(): AbortSignal {
    return this.#advised.signal;
  }

  /** Aborted once they must end. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  advise(): void {
    this.#advised.abort();
  }

  finish(): void {
    this.#advised.abort();
    this.#over.abort();
  }
}

export function serverDraining(): StoreError {
  return refused('draining', 'the server is shutting down; reconnect');
}
