// Small items under (partition, sort), changed by conditional commits. DynamoDB's single table, and nothing more than it has.

/** A value of a field. Numbers are safe integers; bigint is not stored (write it as a decimal string). */
export type FieldValue = string | number | boolean | null | readonly FieldValue[] | { readonly [key: string]: FieldValue };
export type Fields = Readonly<Record<string, FieldValue>>;

/** Both parts are 1 to 1,024 bytes of UTF-8; items of a partition are ordered by the bytes of `sort`. */
export interface Key {
  readonly partition: string;
  readonly sort: string;
}

export interface Item extends Key {
  readonly fields: Fields;
}

/**
 * `strong` sees every commit that was answered before the read began; `stale` may be old, or cached.
 * Safety needs `strong` in three places only: the channel's item at a claim, a stream's state on first use in an epoch,
 * and whatever decides a deletion.
 */
export type Consistency = 'strong' | 'stale';

/** `absent`: the item must not exist. `equals`: it must exist, and each named field equal the value; `undefined` means the field is not there. */
export type Condition = { readonly absent: true } | { readonly equals: Readonly<Record<string, FieldValue | undefined>> };

export type Write =
  /** Replaces the whole item. */
  | { readonly kind: 'put'; readonly key: Key; readonly fields: Fields; readonly when?: Condition }
  /** Sets the named fields and leaves the others; `undefined` removes a field. The item must exist. */
  | {
      readonly kind: 'update';
      readonly key: Key;
      readonly set: Readonly<Record<string, FieldValue | undefined>>;
      readonly when?: Condition;
    }
  | { readonly kind: 'delete'; readonly key: Key; readonly when?: Condition }
  /** Writes nothing, but its condition counts. */
  | { readonly kind: 'check'; readonly key: Key; readonly when: Condition };

export type CommitResult =
  /** All writes took effect. `items` holds, in the order of `writes`, each item as it is now (undefined for delete and check). */
  | { readonly committed: true; readonly items: readonly (Item | undefined)[] }
  /** None took effect. `failed` lists the indices of writes whose condition did not hold, `current`, in the same order, what is there instead. */
  | { readonly committed: false; readonly failed: readonly number[]; readonly current: readonly (Item | undefined)[] };

/** `growth` adds what a client asked for. `upkeep` is all else: it also frees space, so where space runs out it gets what is left. */
export type Purpose = 'growth' | 'upkeep';

export interface MetadataStore {
  get(key: Key, consistency: Consistency): Promise<Item | undefined>;
  /**
   * Items of one partition with start ≤ sort < end, in byte order (descending if `reverse`), at most `limit` (1 to 1,000).
   * `end` undefined: to the end of the partition.
   */
  query(
    partition: string,
    range: { readonly start: string; readonly end?: string; readonly reverse?: boolean },
    limit: number,
    consistency: Consistency,
  ): Promise<readonly Item[]>;
  /**
   * Applies all of 1 to METADATA_WRITES_MAX writes or none, atomically and durably. No two writes may name the same key.
   *
   * @param writes nobody may change them until this settles.
   * @param purpose default `upkeep`.
   * @throws StoreError `throttled` (effect none); `disk_full` (either effect); `unavailable` or `storage` (effect unknown: it
   *   may have been applied, or be applied yet).
   */
  commit(writes: readonly Write[], purpose?: Purpose): Promise<CommitResult>;
}
