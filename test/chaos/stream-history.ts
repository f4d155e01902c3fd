// The calls on one stream, in the one order that this process sees: what it began and ended is numbered by a single counter.

import type { Call, History, Operation, Outcome } from '#test/sim/history.ts';

/** Numbers the beginnings and ends of all calls of a run. */
export class Order {
  #next = 0;

  next(): number {
    this.#next += 1;
    return this.#next;
  }
}

export interface OpenCall extends Call {
  operation: Operation;
  ended?: number;
  outcome?: Outcome;
}

export class StreamHistory {
  readonly stream: string;
  readonly #order: Order;
  readonly #calls: OpenCall[] = [];
  #openCount = 0;
  #openAppendsCount = 0;
  #unknownAppendsCount = 0;
  #onQuiet: (() => void)[] = [];

  constructor(stream: string, order: Order) {
    this.stream = stream;
    this.#order = order;
  }

  get calls(): History {
    return this.#calls;
  }

  /** Appends that are under way, and those that ended so that nobody knows whether they happened. */
  get doubtfulAppends(): { readonly open: number; readonly unknown: number } {
    return { open: this.#openAppendsCount, unknown: this.#unknownAppendsCount };
  }

  begin(client: number, operation: Operation): OpenCall {
    const call: OpenCall = { client, operation, began: this.#order.next() };
    this.#calls.push(call);
    this.#openCount += 1;
    if (operation.kind === 'append') this.#openAppendsCount += 1;
    return call;
  }

  end(call: OpenCall, outcome: Outcome): void {
    if (call.ended !== undefined) throw new Error('a call ends once');
    call.ended = this.#order.next();
    call.outcome = outcome;
    this.#openCount -= 1;
    if (call.operation.kind === 'append') {
      this.#openAppendsCount -= 1;
      if (outcome.kind === 'unknown') this.#unknownAppendsCount += 1;
    }
    if (this.#openCount > 0) return;
    for (const resolve of this.#onQuiet.splice(0)) resolve();
  }

  /** Resolves once every call has ended. */
  async quiet(): Promise<void> {
    if (this.#openCount === 0) return;
    await new Promise<void>((resolve) => this.#onQuiet.push(resolve));
  }
}
