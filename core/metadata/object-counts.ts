// How many rows name each object, and which objects are dead: named by none, and never to be named again.
//
// The methods that end in -ed give writes for a transaction of segment-index.ts; rule M9 is checked in transitions.ts.

import { invariant } from '../base/invariant.ts';
import type { Clock } from '../ports/clock.ts';
import type { Item, MetadataStore, Write } from '../ports/metadata-store.ts';
import { decodeObject, encodeObject } from './codec.ts';
import { replace, transact } from './conditional.ts';
import { corruptItem } from './fields.ts';
import { DEAD_OBJECTS, type DeadObject, deadObjectKey, type ObjectInfo, objectKey, paddedMs, type SegmentRow } from './schema.ts';
import { checkObject } from './transitions.ts';

export class ObjectCounts {
  readonly #store: MetadataStore;
  readonly #clock: Clock;

  constructor(store: MetadataStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A strong read: it decides deletions. */
  async get(key: string): Promise<ObjectInfo | undefined> {
    const item = await this.#store.get(objectKey(key), 'strong');
    return item === undefined ? undefined : decodeObject(key, item);
  }

  /** Every row of `key` was added: before its offload is finished, so that none can be forgotten. Again: nothing. */
  complete(key: string, bytes: number): Promise<void> {
    return transact<void>(this.#store, async () => ({ writes: await this.completed(key, bytes), result: undefined }));
  }

  /** Dead since before `olderThan` (milliseconds since 1970), oldest first. */
  async dead(olderThan: number, limit: number): Promise<readonly DeadObject[]> {
    const items = await this.#store.query(DEAD_OBJECTS, { start: '', end: paddedMs(olderThan) }, limit, 'strong');
    return items.map(({ sort }) => ({ deadSince: Number(sort.slice(0, 16)), key: sort.slice(17) }));
  }

  /** The dead object is deleted from the object store. */
  forget(dead: DeadObject): Promise<void> {
    return transact<void>(this.#store, async () => {
      const info = await this.get(dead.key);
      invariant(info === undefined || (info.rows === 0 && info.isComplete), 'M9: an object is dead only if no row names it');
      const writes: Write[] = [{ kind: 'delete', key: deadObjectKey(dead) }];
      if (info !== undefined) writes.push({ kind: 'delete', key: objectKey(dead.key), when: { equals: { rows: 0 } } });
      return { writes, result: undefined };
    });
  }

  /** For a transaction that adds `rows` rows that name `key`. `again`: another run has added them all since they were looked for. */
  async added(key: string, bytes: number, rows: number, end?: 'complete'): Promise<readonly Write[] | 'again'> {
    const item = await this.#store.get(objectKey(key), 'strong');
    const current = item && decodeObject(key, item);
    if (current?.isComplete) return 'again';
    const before = current ?? { key, rows: 0, bytes, createdAt: this.#clock.now(), isComplete: false };
    return this.#change(item, current, { ...before, rows: before.rows + rows, isComplete: before.isComplete || end !== undefined });
  }

  /** For a transaction that unlinks `rows`. `again`: others have unlinked some of them since they were read. */
  async unlinked(rows: readonly SegmentRow[]): Promise<readonly Write[] | 'again'> {
    const counts = new Map<string, number>();
    for (const { object } of rows) counts.set(object, (counts.get(object) ?? 0) + 1);
    const changes = await Promise.all(
      [...counts].map(async ([key, count]) => {
        const item = await this.#store.get(objectKey(key), 'strong');
        if (item === undefined) throw corruptItem({ ...objectKey(key), fields: {} }, 'rows name the object, and it is gone');
        const current = decodeObject(key, item);
        return current.rows < count ? undefined : this.#change(item, current, { ...current, rows: current.rows - count });
      }),
    );
    const writes = changes.flatMap((change) => change ?? []);
    return changes.includes(undefined) ? 'again' : writes;
  }

  /** For a transaction after which no row of `key` is added any more. */
  async completed(key: string, bytes: number): Promise<readonly Write[]> {
    const item = await this.#store.get(objectKey(key), 'strong');
    const current = item && decodeObject(key, item);
    if (current?.isComplete) return [];
    const before = current ?? { key, rows: 0, bytes, createdAt: this.#clock.now() };
    return this.#change(item, current, { ...before, isComplete: true });
  }

  #change(item: Item | undefined, current: ObjectInfo | undefined, candidate: ObjectInfo): readonly Write[] {
    checkObject(current, candidate);
    const write = replace(objectKey(candidate.key), item?.fields, encodeObject(candidate));
    if (candidate.rows > 0 || !candidate.isComplete) return [write];
    const dead = { key: candidate.key, deadSince: this.#clock.now() };
    return [write, { kind: 'put', key: deadObjectKey(dead), fields: {} }];
  }
}
