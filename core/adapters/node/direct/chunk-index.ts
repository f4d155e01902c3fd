// What a direct zone holds, by log and position, in memory; and who is changing a position right now.

import type { Range } from '../../../base/range.ts';
import { type LogId, logName, type Position } from '../../../model/ids.ts';
import type { Place } from './slabs.ts';

/**
 * `isFailed`: a write failed, and what of it is on disk is not known. A failed chunk has no place any more; its bytes may be
 * tried again, as `chunkCrc` tells.
 */
export type Entry =
  | { readonly kind: 'data'; readonly place: Place; readonly chunkBytes: number; readonly isFailed: false }
  | { readonly kind: 'data'; readonly chunkCrc: number; readonly isFailed: true }
  | { readonly kind: 'seal'; readonly slot: number; readonly isFailed: boolean };

interface LogEntries {
  readonly log: LogId;
  readonly entries: Map<Position, Entry>;
}

export class ChunkIndex {
  readonly #logs = new Map<string, LogEntries>();
  /** The last of the calls that have a position to themselves, one behind the other. */
  readonly #turns = new Map<string, Promise<void>>();

  get(log: LogId, at: Position): Entry | undefined {
    return this.#logs.get(logName(log))?.entries.get(at);
  }

  set(log: LogId, at: Position, entry: Entry): void {
    const name = logName(log);
    const known = this.#logs.get(name) ?? { log, entries: new Map<Position, Entry>() };
    this.#logs.set(name, known);
    known.entries.set(at, entry);
  }

  remove(log: LogId, at: Position): void {
    const name = logName(log);
    const known = this.#logs.get(name);
    known?.entries.delete(at);
    if (known?.entries.size === 0) this.#logs.delete(name);
  }

  logs(): LogId[] {
    return [...this.#logs.values()].map((known) => known.log);
  }

  positions(log: LogId): Position[] {
    return [...(this.#logs.get(logName(log))?.entries.keys() ?? [])];
  }

  /** Positions of a log inside `range`, by whichever is fewer: those in the range, or those in the log. */
  positionsIn(log: LogId, range: Range<Position>): Position[] {
    const entries = this.#logs.get(logName(log))?.entries;
    if (entries === undefined) return [];
    if (range.end - range.start > entries.size) return [...entries.keys()].filter((at) => at >= range.start && at < range.end);
    const found: Position[] = [];
    for (let at: number = range.start; at < range.end; at += 1) if (entries.has(at as Position)) found.push(at as Position);
    return found;
  }

  /** Runs `work` once everyone who came before to this position is done with it. */
  async alone<T>(log: LogId, at: Position, work: () => Promise<T>): Promise<T> {
    const key = `${logName(log)}:${at}`;
    const before = this.#turns.get(key);
    const mine = before === undefined ? work() : before.then(work);
    const turn = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(key, turn);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  /** Resolves once nobody is changing this position. */
  async settled(log: LogId, at: Position): Promise<void> {
    const key = `${logName(log)}:${at}`;
    for (let turn = this.#turns.get(key); turn !== undefined; turn = this.#turns.get(key)) await turn;
  }
}
