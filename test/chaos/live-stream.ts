// One stream of a run: its name, its history, and what clients tell each other of it.

import type { Operation, Outcome } from '#test/sim/history.ts';
import { type Order, StreamHistory } from './stream-history.ts';

/** Of appends nobody knows about the search tries every order with every other: a few dozen are more than it ends with. */
const DOUBTFUL_MAX = 12;
const UNKNOWN_MAX = 8;

export interface StreamKind {
  readonly storageClass: 'express' | 'standard';
  /** Clients delete it, and make it again under the same name. */
  readonly comesAndGoes: boolean;
}

export class LiveStream {
  readonly name: string;
  readonly storageClass: 'express' | 'standard';
  readonly comesAndGoes: boolean;
  readonly history: StreamHistory;
  readonly bornAt = performance.now();
  /** Clients begin nothing on it any more. */
  isOver = false;
  /** As one application's clients would know them; they may be out of date. */
  tail = 0;
  token = '';
  trimPoint = 0;
  readonly #trims = new Set<number>();
  #serial = 0;

  constructor(name: string, kind: StreamKind, order: Order) {
    this.name = name;
    this.storageClass = kind.storageClass;
    this.comesAndGoes = kind.comesAndGoes;
    this.history = new StreamHistory(name, order);
  }

  get isExpress(): boolean {
    return this.storageClass === 'express';
  }

  /** Appends that may still be begun on it. */
  get appendsLeft(): number {
    const { open, unknown } = this.history.doubtfulAppends;
    return Math.max(0, DOUBTFUL_MAX - open - unknown);
  }

  /** It is time for another stream: what is not known of this one does not become less. */
  get isDoubtful(): boolean {
    return this.history.doubtfulAppends.unknown >= UNKNOWN_MAX;
  }

  /** A name that no other record of the stream has. */
  nextName(): string {
    this.#serial += 1;
    return `${this.name}:${this.#serial}`;
  }

  /** `to`, or the next number that no trim has named: a record is known by its bytes. */
  freeTrim(to: number): number {
    let free = to;
    while (this.#trims.has(free)) free += 1;
    this.#trims.add(free);
    return free;
  }

  learn(operation: Operation, outcome: Outcome): void {
    if ('tail' in outcome && outcome.tail !== undefined) this.tail = outcome.tail;
    if (outcome.kind === 'fencing_token_mismatch') this.token = outcome.token;
    if (outcome.kind === 'created' || outcome.kind === 'deleted') {
      this.tail = 0;
      this.token = '';
      this.trimPoint = 0;
    }
    if (operation.kind !== 'append' || outcome.kind !== 'appended') return;
    for (const { fence, trim } of operation.records) {
      if (fence !== undefined) this.token = fence;
      if (trim !== undefined) this.trimPoint = Math.max(this.trimPoint, Math.min(trim, outcome.end));
    }
  }
}
