// Writes the history down, as calls begin and end.

import type { Call, Operation, Outcome } from './history.ts';

export interface OpenCall {
  readonly client: number;
  readonly operation: Operation;
  readonly began: number;
  ended?: number;
  outcome?: Outcome;
}

export class Recorder {
  readonly #calls: OpenCall[] = [];
  #order = 0;
  #sessions = 0;

  get calls(): readonly Call[] {
    return this.#calls as readonly Call[];
  }

  /** The number of a tailing read, or of an append session, that begins. */
  newSession(): number {
    this.#sessions += 1;
    return this.#sessions;
  }

  begin(client: number, operation: Operation): OpenCall {
    const call: OpenCall = { client, operation, began: this.#order };
    this.#order += 1;
    this.#calls.push(call);
    return call;
  }

  end(call: OpenCall, outcome: Outcome): void {
    call.ended = this.#order;
    call.outcome = outcome;
    this.#order += 1;
  }
}
