// Stream names that were resolved lately. Bounded by count and by age; a change of a name forgets it.
//
//   A4  A name that was changed here is never served from before the change, also when a look-up overlaps it.
//
// A change elsewhere may go unseen for `ageMs`: the channel refuses what it does not own and what is sealed, and service.ts
// then resolves again.

import type { StreamInfo } from '../metadata/schema.ts';

interface Cached {
  readonly info: StreamInfo;
  readonly at: number;
}

export class StreamCache {
  readonly #countMax: number;
  readonly #ageMs: number;
  readonly #cached = new Map<string, Cached>();
  #changes = 0;

  constructor(countMax: number, ageMs: number) {
    this.#countMax = countMax;
    this.#ageMs = ageMs;
  }

  get(basin: string, stream: string, now: number): StreamInfo | undefined {
    const cached = this.#cached.get(keyOf(basin, stream));
    return cached !== undefined && now - cached.at < this.#ageMs ? cached.info : undefined;
  }

  /** Taken before a look-up, and given to `put` with what it found. */
  get mark(): number {
    return this.#changes;
  }

  /** Keeps what a look-up found, unless any name changed since its mark. */
  put(info: StreamInfo, mark: number, now: number): void {
    if (mark !== this.#changes) return;
    const key = keyOf(info.basin, info.name);
    this.#cached.delete(key);
    if (this.#cached.size >= this.#countMax) {
      const oldest = this.#cached.keys().next().value;
      if (oldest !== undefined) this.#cached.delete(oldest);
    }
    this.#cached.set(key, { info, at: now });
  }

  /** Before a change is asked for and again after it. */
  forget(basin: string, stream: string): void {
    this.#changes += 1;
    this.#cached.delete(keyOf(basin, stream));
  }

  /** The same for every stream of a basin. */
  forgetBasin(basin: string): void {
    this.#changes += 1;
    const first = keyOf(basin, '');
    for (const key of this.#cached.keys()) if (key.startsWith(first)) this.#cached.delete(key);
  }
}

/** A basin name holds no slash. */
function keyOf(basin: string, stream: string): string {
  return `${basin}/${stream}`;
}
