// Decides which chunks of a log are committed. Pure: it is told what is written and what is stored where.
//
//   C1  The commit point never moves back, and passes a chunk only when W zones of the log hold it and all before it.

import { invariant } from '../base/invariant.ts';
import type { Position } from '../model/ids.ts';

/** Zones are numbered by their place in the log's list, and kept as bits. */
const ZONES_MAX = 30;

export class CommitPoint {
  readonly #zoneCount: number;
  readonly #writeQuorum: number;
  #value = 0;
  /** One mask of zones for each chunk of [value, end). */
  #copies: number[] = [];

  constructor(zoneCount: number, writeQuorum: number) {
    invariant(zoneCount <= ZONES_MAX, 'C1: the zones of a log fit a mask');
    invariant(writeQuorum >= 1 && writeQuorum <= zoneCount, 'C1: a write quorum is made of zones of the log');
    this.#zoneCount = zoneCount;
    this.#writeQuorum = writeQuorum;
  }

  /** Everything below is committed. */
  get value(): Position {
    return this.#value as Position;
  }

  /** The position of the next chunk. */
  get end(): Position {
    return (this.#value + this.#copies.length) as Position;
  }

  /** Takes in one more chunk, of which there is no copy yet, and returns its position. */
  add(): Position {
    const at = this.end;
    this.#copies.push(0);
    return at;
  }

  /** Takes in that a zone holds a chunk, for good. Returns whether the commit point moved. */
  stored(at: Position, zone: number): boolean {
    invariant(at < this.end, 'C1: only what was written is stored');
    invariant(zone >= 0 && zone < this.#zoneCount, 'C1: only zones of the log count');
    const before = this.#value;
    if (at < before) return false;
    this.#copies[at - before] = (this.#copies[at - before] ?? 0) | (1 << zone);
    while (this.#copies.length > 0 && countBits(this.#copies[0] ?? 0) >= this.#writeQuorum) {
      this.#copies.shift();
      this.#value += 1;
    }
    invariant(this.#value >= before && this.#value <= this.end, 'C1: the commit point moves forward, over written chunks');
    return this.#value > before;
  }
}

function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
