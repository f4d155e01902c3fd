// Objects in a map: the readable reference of the ObjectStore port, for tests and the simulator.

import type { Range } from '../../base/range.ts';
import { refused } from '../../model/errors.ts';
import type { ObjectPage, ObjectStore, ObjectSummary } from '../../ports/object-store.ts';
import { checkObjectKey, checkObjectKeys, checkObjectPrefix, OBJECT_PAGE_MAX } from '../object-key.ts';
import { type Faults, withFaults } from './faults.ts';
import { shuffledPage } from './shuffled.ts';

export interface ObjectCall {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'delete';
  /** The key, the prefix of a list, or the first key of a delete. */
  readonly key: string;
}

export interface MemoryObjectStoreOptions {
  readonly faults?: Faults<ObjectCall>;
  /** A put that would pass it fails with `disk_full`. */
  readonly capacityBytes?: number;
  /** Objects on one page of a list; small ones find callers that forget the cursor. */
  readonly pageMax?: number;
}

export class MemoryObjectStore implements ObjectStore {
  /** What is stored; a test may change it, as a broken disk would. */
  readonly objects = new Map<string, Uint8Array>();
  /** Bends the calls; may be exchanged at any time. */
  faults: Faults<ObjectCall> | undefined;
  capacityBytes: number;
  readonly #pageMax: number;
  #listings = 0;

  constructor(options: MemoryObjectStoreOptions = {}) {
    this.faults = options.faults;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#pageMax = Math.min(options.pageMax ?? OBJECT_PAGE_MAX, OBJECT_PAGE_MAX);
  }

  get usedBytes(): number {
    let total = 0;
    for (const bytes of this.objects.values()) total += bytes.length;
    return total;
  }

  async put(key: string, parts: readonly Uint8Array[], options: { ifAbsent?: boolean } = {}): Promise<'stored' | 'occupied'> {
    checkObjectKey(key);
    return await withFaults(this.faults, { operation: 'put', key }, () => {
      const before = this.objects.get(key);
      if (options.ifAbsent === true && before !== undefined) return 'occupied';
      const bytes = joined(parts);
      const isBounded = this.capacityBytes !== Number.POSITIVE_INFINITY;
      if (isBounded && this.usedBytes - (before?.length ?? 0) + bytes.length > this.capacityBytes) {
        throw refused('disk_full', `no space for object ${key}`);
      }
      this.objects.set(key, bytes);
      return 'stored';
    });
  }

  async get(key: string, range?: Range): Promise<Uint8Array | 'absent'> {
    checkObjectKey(key);
    return await withFaults(this.faults, { operation: 'get', key }, () => {
      return this.objects.get(key)?.slice(range?.start, range?.end) ?? 'absent';
    });
  }

  async head(key: string): Promise<ObjectSummary | 'absent'> {
    checkObjectKey(key);
    return await withFaults(this.faults, { operation: 'head', key }, () => {
      const bytes = this.objects.get(key);
      return bytes === undefined ? 'absent' : { key, bytes: bytes.length };
    });
  }

  async list(prefix: string, cursor?: string): Promise<ObjectPage> {
    checkObjectPrefix(prefix);
    return await withFaults(this.faults, { operation: 'list', key: prefix }, () => {
      const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix));
      this.#listings += 1;
      const page = shuffledPage(keys, this.#pageMax, this.#listings, cursor);
      const objects = page.keys.map((key) => ({ key, bytes: this.objects.get(key)?.length ?? 0 }));
      return page.cursor === undefined ? { objects } : { objects, cursor: page.cursor };
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    checkObjectKeys(keys);
    await withFaults(this.faults, { operation: 'delete', key: keys[0] ?? '' }, () => {
      for (const key of keys) this.objects.delete(key);
    });
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.length;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
