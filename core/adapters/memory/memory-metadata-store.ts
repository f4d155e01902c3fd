// Metadata in maps: the readable reference of the MetadataStore port, for tests and the simulator.

import { compareBytes } from '../../base/byte-order.ts';
import type { CommitResult, Consistency, Fields, Item, Key, MetadataStore, Write } from '../../ports/metadata-store.ts';
import { applied, checkKey, checkQuery, checkWrites, mayApply } from '../metadata-writes.ts';
import { type Faults, withFaults } from './faults.ts';

export type MetadataCall =
  | { readonly operation: 'get'; readonly key: Key; readonly consistency: Consistency }
  | { readonly operation: 'query'; readonly partition: string; readonly consistency: Consistency }
  | { readonly operation: 'commit'; readonly writes: readonly Write[] };

export interface MemoryMetadataOptions {
  readonly faults?: Faults<MetadataCall>;
  /** How many of its last changes a stale read of this item does not see, of those that are remembered. Strong reads see all. */
  readonly staleBy?: (key: Key) => number;
}

interface Kept {
  readonly now: Fields | undefined;
  /** What it was, the latest first; undefined: it was not there. */
  readonly before: readonly (Fields | undefined)[];
}

/** What is remembered of an item for stale reads. */
const STALE_CHANGES_MAX = 5;

export class MemoryMetadataStore implements MetadataStore {
  /** Bends the calls; may be exchanged at any time. */
  faults: Faults<MetadataCall> | undefined;
  readonly #staleBy: (key: Key) => number;
  readonly #partitions = new Map<string, Map<string, Kept>>();

  constructor(options: MemoryMetadataOptions = {}) {
    this.faults = options.faults;
    this.#staleBy = options.staleBy ?? (() => 0);
  }

  async get(key: Key, consistency: Consistency): Promise<Item | undefined> {
    checkKey(key);
    return withFaults(this.faults, { operation: 'get', key, consistency }, () => this.#read(key, consistency));
  }

  async query(
    partition: string,
    range: { readonly start: string; readonly end?: string; readonly reverse?: boolean },
    limit: number,
    consistency: Consistency,
  ): Promise<readonly Item[]> {
    checkQuery(partition, limit);
    const { start, end, reverse } = range;
    return withFaults(this.faults, { operation: 'query', partition, consistency }, () => {
      const sorts = [...(this.#partitions.get(partition)?.keys() ?? [])]
        .filter((sort) => compareBytes(sort, start) >= 0 && (end === undefined || compareBytes(sort, end) < 0))
        .sort(compareBytes);
      if (reverse) sorts.reverse();
      const items = sorts.map((sort) => this.#read({ partition, sort }, consistency));
      return items.filter((item) => item !== undefined).slice(0, limit);
    });
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    checkWrites(writes);
    const copies = writes.map(frozen);
    return withFaults(this.faults, { operation: 'commit', writes: copies }, () => this.#commit(copies));
  }

  /** Every item, by partition and sort: for checks at the end of a test. */
  items(): readonly Item[] {
    const keys = [...this.#partitions].flatMap(([partition, kept]) => [...kept.keys()].map((sort) => ({ partition, sort })));
    return keys.map((key) => this.#read(key, 'strong')).filter((item) => item !== undefined);
  }

  #commit(writes: readonly Write[]): CommitResult {
    const failed = writes.flatMap((write, i) => (mayApply(write, this.#kept(write.key)?.now) ? [] : [i]));
    if (failed.length > 0) {
      return { committed: false, failed, current: failed.map((i) => this.#currentOf(writes[i])) };
    }
    const items = writes.map((write) => {
      if (write.kind === 'check') return undefined;
      const kept = this.#kept(write.key);
      const now = applied(write, kept?.now);
      this.#keep(write.key, { now, before: [kept?.now, ...(kept?.before ?? [])].slice(0, STALE_CHANGES_MAX) });
      return now === undefined ? undefined : { ...write.key, fields: now };
    });
    return { committed: true, items };
  }

  #currentOf(write: Write | undefined): Item | undefined {
    return write === undefined ? undefined : this.#read(write.key, 'strong');
  }

  #read({ partition, sort }: Key, consistency: Consistency): Item | undefined {
    const kept = this.#kept({ partition, sort });
    const unseen = consistency === 'stale' && kept !== undefined ? Math.min(this.#staleBy({ partition, sort }), kept.before.length) : 0;
    const fields = unseen === 0 ? kept?.now : kept?.before[unseen - 1];
    return fields === undefined ? undefined : { partition, sort, fields };
  }

  #kept({ partition, sort }: Key): Kept | undefined {
    return this.#partitions.get(partition)?.get(sort);
  }

  /** A deleted item stays for stale reads, until nothing is remembered of it. */
  #keep({ partition, sort }: Key, kept: Kept): void {
    const items = this.#partitions.get(partition) ?? new Map<string, Kept>();
    this.#partitions.set(partition, items);
    if (kept.now === undefined && kept.before.every((fields) => fields === undefined)) items.delete(sort);
    else items.set(sort, kept);
    if (items.size === 0) this.#partitions.delete(partition);
  }
}

/** A copy that neither the caller nor a reader can change. */
function frozen<T>(value: T): T {
  return freeze(structuredClone(value));
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
