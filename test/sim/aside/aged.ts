// A stream whose records go by their age, while it is written and read: what a read gives stands where it was acknowledged, and what
// it leaves out is trimmed on record. (That nothing goes early is for ../retention.ts to say.)

import type { StreamConfig } from '#core/model/stream-config.ts';
import type { Audit, Report } from '../audit.ts';
import type { ReadRecord } from '../history.ts';

export const AGED = 'aged';
export const AGED_CONFIG: Pick<StreamConfig, 'retention'> = { retention: { ageSecs: 4 } };

export class Aged {
  readonly #audit: Audit;
  readonly #report: Report;
  /** What was acknowledged, by sequence number. */
  readonly #hashes = new Map<number, number>();

  constructor(audit: Audit, report: Report) {
    this.#audit = audit;
    this.#report = report;
  }

  get tail(): number {
    return Math.max(0, ...[...this.#hashes.keys()].map((at) => at + 1));
  }

  /** Its records are all gone by their age: there are rows no more. */
  get isEmpty(): boolean {
    return [...this.#audit.idsOf(AGED)].every((id) => this.#audit.rowsOf(id) === 0);
  }

  acknowledged(at: number, hash: number): void {
    this.#hashes.set(at, hash);
  }

  read(from: number, records: readonly ReadRecord[]): void {
    const first = records[0];
    const trimmed = Math.max(0, ...[...this.#audit.idsOf(AGED)].map((id) => this.#audit.trimPointOf(id)));
    if (first !== undefined && first.seqNum > Math.max(from, trimmed)) {
      this.#report('aged-read', `a read from ${from} began at ${first.seqNum}, and only [0, ${trimmed}) is trimmed`);
    }
    let due = first?.seqNum ?? 0;
    for (const { seqNum, hash } of records) {
      // Age may overtake a read between two rows: then it goes on behind what is trimmed.
      const isExplained = seqNum === due || (seqNum > due && seqNum <= trimmed);
      if (!isExplained) this.#report('aged-read', `a read gave ${seqNum} where ${due} was due, and only [0, ${trimmed}) is trimmed`);
      const written = this.#hashes.get(seqNum);
      if (written !== undefined && written !== hash) this.#report('aged-read', `${seqNum} holds another record than was acknowledged`);
      due = seqNum + 1;
    }
  }
}
