// An object store that takes no more than so many bytes, whatever space there is: what is beyond is refused as on a full disk.
//
// Hosts put it around a store where a setting says so. Room that deletions give back can be used at once; what a restart needs is
// always stored, as far as the store itself has space.

import { refused, StoreError } from '../model/errors.ts';
import type { ObjectStore, PutOptions } from '../ports/object-store.ts';

export interface CappedObjects extends ObjectStore {
  readonly usedBytes: number;
}

/** @param name for people: what is full. Sums up what is stored, page by page. */
export async function capObjects(store: ObjectStore, bytesMax: number, name: string): Promise<CappedObjects> {
  let usedBytes = 0;
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await store.list('', cursor);
    for (const { bytes } of page.objects) usedBytes += bytes;
    cursor = page.cursor;
  }
  return new CappedObjectStore(store, bytesMax, name, usedBytes);
}

class CappedObjectStore implements CappedObjects {
  readonly #store: ObjectStore;
  readonly #bytesMax: number;
  readonly #name: string;
  #usedBytes: number;

  constructor(store: ObjectStore, bytesMax: number, name: string, usedBytes: number) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    this.#name = name;
    this.#usedBytes = usedBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  async put(key: string, parts: readonly Uint8Array[], options: PutOptions = {}): Promise<'stored' | 'occupied'> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (options.isUpkeep !== true && this.#usedBytes + bytes > this.#bytesMax) {
      const message = `object ${key} cannot be stored: ${this.#name} may take ${this.#bytesMax} bytes, and takes ${this.#usedBytes}`;
      throw refused('disk_full', message);
    }
    // Counted before it is there, so that puts of one moment do not all find the same room.
    this.#usedBytes += bytes;
    try {
      const replaced = options.ifAbsent === true ? 0 : await this.#sizeOf(key);
      const answer = await this.#store.put(key, parts, options);
      this.#usedBytes -= answer === 'stored' ? replaced : bytes;
      return answer;
    } catch (error) {
      // What may be there counts until somebody deletes it, or the store is opened again.
      if (error instanceof StoreError && error.effect === 'none') this.#usedBytes -= bytes;
      throw error;
    }
  }

  get(...call: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    return this.#store.get(...call);
  }

  head(key: string): ReturnType<ObjectStore['head']> {
    return this.#store.head(key);
  }

  list(...call: Parameters<ObjectStore['list']>): ReturnType<ObjectStore['list']> {
    return this.#store.list(...call);
  }

  async delete(keys: readonly string[]): Promise<void> {
    let bytes = 0;
    for (const key of keys) bytes += await this.#sizeOf(key);
    await this.#store.delete(keys);
    this.#usedBytes = Math.max(0, this.#usedBytes - bytes);
  }

  async #sizeOf(key: string): Promise<number> {
    const found = await this.#store.head(key);
    return found === 'absent' ? 0 : found.bytes;
  }
}
