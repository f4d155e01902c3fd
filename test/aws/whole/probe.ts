// A lone writer that appends one record after the other and tries again at once: how long nobody acknowledged anything is what a
// client sees of a task that dies, or is released. Whatever it was told is acknowledged is read at the end.

import { setTimeout as sleep } from 'node:timers/promises';
import { AppendInput, AppendRecord, type S2Basin, type S2Stream } from '@s2-dev/streamstore';
import type { LoadedClass } from './load.ts';

const CALL_MS_MAX = 2_000;
const PAUSE_MS = 15;

interface Acknowledged {
  readonly body: string;
  readonly seqNum: number;
  readonly begunAt: number;
  readonly endedAt: number;
}

export class Probe {
  readonly name: string;
  readonly #stream: S2Stream;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #running: Promise<void>;
  #isOver = false;
  #next = 0;
  #failedCount = 0;

  private constructor(name: string, stream: S2Stream) {
    this.name = name;
    this.#stream = stream;
    this.#running = this.#run();
  }

  /** @param basin of a client that does not try again by itself */
  static async start(basin: S2Basin, storageClass: LoadedClass): Promise<Probe> {
    const name = `probe/${storageClass}`;
    await basin.streams.create({ stream: name, config: { storageClass } });
    return new Probe(name, basin.stream(name, { forceTransport: 'fetch' }));
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  get failedCount(): number {
    return this.#failedCount;
  }

  /** From `since` to the end of the first append that began after it. @throws Error where none does in time */
  async firstAfter(since: number, withinMs: number): Promise<number> {
    const deadline = since + withinMs;
    while (performance.now() < deadline) {
      const first = this.#acknowledged.find(({ begunAt }) => begunAt >= since);
      if (first !== undefined) return first.endedAt - since;
      await sleep(5);
    }
    throw new Error(`${this.name}: nothing was acknowledged within ${withinMs / 1_000} s`);
  }

  /** The longest time between two acknowledgements of those that ended after `since`. */
  longestGap(since: number): number {
    const first = this.#acknowledged.findIndex(({ endedAt }) => endedAt >= since);
    let longest = 0;
    for (let i = Math.max(1, first); i < this.#acknowledged.length; i += 1) {
      longest = Math.max(longest, (this.#acknowledged[i]?.endedAt ?? 0) - (this.#acknowledged[i - 1]?.endedAt ?? 0));
    }
    return longest;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** @returns what was acknowledged and is not there, or is something else */
  async lost(basin: S2Basin): Promise<readonly string[]> {
    const found = new Map<number, string>();
    const stream = basin.stream(this.name, { forceTransport: 'fetch' });
    const { tail } = await stream.checkTail();
    while (found.size < tail.seqNum) {
      const { records } = await stream.read({ start: { from: { seqNum: found.size } } });
      if (records.length === 0) break;
      for (const { seqNum, body } of records) found.set(seqNum, body);
    }
    return this.#acknowledged.filter(({ seqNum, body }) => found.get(seqNum) !== body).map(({ seqNum, body }) => `${body} at ${seqNum}`);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const body = `${this.name} ${this.#next}`;
      this.#next += 1;
      const begunAt = performance.now();
      try {
        const signal = AbortSignal.timeout(CALL_MS_MAX);
        const { start } = await this.#stream.append(AppendInput.create([AppendRecord.string({ body })]), { signal });
        this.#acknowledged.push({ body, seqNum: start.seqNum, begunAt, endedAt: performance.now() });
      } catch {
        // What became of it nobody knows; the next one is another record.
        this.#failedCount += 1;
      }
      await sleep(PAUSE_MS);
    }
  }
}
