// Which basins were deleted here lately: for append sessions, which look their stream up only once.
//
//   A23  Once the deletion of a basin is answered here, no request that comes later gets a record, a tail or a configuration of its
//        streams, nor appends to them, and no session appends on.
//
// Of a deletion elsewhere requests learn within the age of what is cached; a session, as with one that was let go of here, when the
// background seals its stream. A read session that is open goes on until then: it gives what is there, and promises nothing of it.

/** Deletions that are remembered: far more than wait for the background at any time. */
const DELETIONS_MAX = 16_384;

export class BasinDeletions {
  readonly #last = new Map<string, number>();
  #count = 0;

  /** Taken before a stream is looked up. */
  get mark(): number {
    return this.#count;
  }

  note(basin: string): void {
    this.#count += 1;
    this.#last.delete(basin);
    if (this.#last.size >= DELETIONS_MAX) {
      const oldest = this.#last.keys().next().value;
      if (oldest !== undefined) this.#last.delete(oldest);
    }
    this.#last.set(basin, this.#count);
  }

  /** Also where the name stands for a new basin by now: a stream that was found before is none of its. */
  happenedSince(basin: string, mark: number): boolean {
    return (this.#last.get(basin) ?? 0) > mark;
  }
}
