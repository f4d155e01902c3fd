// Objects by key, as S3 keeps them. Reads see every completed write; lists come in no promised order.

import type { Range } from '../base/range.ts';

export interface ObjectSummary {
  readonly key: string;
  readonly bytes: number;
}

export interface ObjectPage {
  readonly objects: readonly ObjectSummary[];
  /** Where the next page goes on; absent at the end. */
  readonly cursor?: string;
}

export interface PutOptions {
  /** Refuse with `occupied` when the key is taken. Exactly one of several racing puts wins. */
  readonly ifAbsent?: boolean;
  /** What a restart needs: where space runs out, it gets what is left. */
  readonly isUpkeep?: boolean;
}

/** Keys are 1 to 512 characters of `[A-Za-z0-9/._=-]`; no segment is empty, `.` or `..`. */
export interface ObjectStore {
  /**
   * Stores an object whole: a reader sees all of it or nothing, also after a crash; durable once this resolves.
   *
   * @param parts written one behind the other; the caller may not change them until this settles.
   * @throws StoreError `throttled` or `disk_full` (effect none), `storage` or `unavailable` (effect unknown).
   */
  put(key: string, parts: readonly Uint8Array[], options?: PutOptions): Promise<'stored' | 'occupied'>;
  /**
   * The bytes of an object, or of [start, end) of it (cut to its size). The caller owns them.
   *
   * @throws StoreError `storage` or `unavailable`.
   */
  get(key: string, range?: Range): Promise<Uint8Array | 'absent'>;
  head(key: string): Promise<ObjectSummary | 'absent'>;
  /** At most 1,000 objects whose key starts with `prefix` (which is empty or ends in `/`), in no promised order. */
  list(prefix: string, cursor?: string): Promise<ObjectPage>;
  /** Deletes what is there of `keys` (at most 1,000); absent ones are no error. */
  delete(keys: readonly string[]): Promise<void>;
}
