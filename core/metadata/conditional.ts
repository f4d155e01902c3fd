// What the repository's parts share: conditions on what was read, bounded retries, pages of names.
//
//   M20  An item is replaced only as it was read: no field differs, none is gone, and none has come since, also of those that neither
//        what was read nor what replaces it has.

import { compareBytes, prefixEnd, successor } from '../base/byte-order.ts';
import { equalData } from '../base/equal.ts';
import { invariant } from '../base/invariant.ts';
import { refused } from '../model/errors.ts';
import { LIST_LIMIT_MAX } from '../model/limits.ts';
import type { CommitResult, Condition, Fields, FieldValue, Item, Key, MetadataStore, Purpose, Write } from '../ports/metadata-store.ts';
import { optionalFields } from './schema.ts';

/** Attempts of a read and a conditional commit, before the caller is told to try again later. */
const ATTEMPTS_MAX = 16;

/** The write that makes `key` hold `fields` if it still holds what was read (`undefined`: nothing). */
export function replace(key: Key, current: Fields | undefined, fields: Fields): Write {
  return { kind: 'put', key, fields, when: unchanged(current, [...Object.keys(fields), ...optionalFields(key)]) };
}

/** Holds as long as the item is as it was read. Of `names`, those that it did not have must still be missing. (M20) */
export function unchanged(current: Fields | undefined, names: readonly string[] = []): Condition {
  if (current === undefined) return { absent: true };
  const equals: Record<string, FieldValue | undefined> = { ...current };
  for (const name of names) if (!Object.hasOwn(current, name)) equals[name] = undefined;
  return { equals };
}

/** The fields that differ, as an update sets them. */
export function difference(current: Fields, candidate: Fields): Record<string, FieldValue | undefined> {
  const set: Record<string, FieldValue | undefined> = {};
  for (const [name, value] of Object.entries(candidate)) if (!equalData(value, current[name])) set[name] = value;
  for (const name of Object.keys(current)) if (!Object.hasOwn(candidate, name)) set[name] = undefined;
  return set;
}

/**
 * What one attempt came to: a result, or writes to commit first. `again`: what it read does not fit together, as others wrote
 * between two of its reads.
 */
export type Attempt<T> =
  | { readonly result: T }
  | { readonly writes: readonly Write[]; readonly result: T; readonly purpose?: Purpose }
  | 'again';

/**
 * Reads, decides and commits, from the start again whenever a condition did not hold.
 *
 * @throws StoreError `transaction_conflict` (effect none) when others kept coming first.
 */
export async function transact<T>(store: MetadataStore, attempt: () => Promise<Attempt<T>>): Promise<T> {
  for (let i = 0; i < ATTEMPTS_MAX; i += 1) {
    const decided = await attempt();
    if (decided === 'again') continue;
    if (!('writes' in decided) || decided.writes.length === 0) return decided.result;
    const answer: CommitResult = await store.commit(decided.writes, decided.purpose);
    if (answer.committed) return decided.result;
    invariant(answer.failed.length > 0, 'a commit that did not happen names what failed');
  }
  throw refused('transaction_conflict', 'others kept changing the same items; try again');
}

export interface NamePage {
  readonly prefix?: string;
  /** Exclusive. */
  readonly startAfter?: string;
  /** 1 to LIST_LIMIT_MAX. */
  readonly limit: number;
}

/** Items of a partition by name, in byte order, and whether more follow. Strong: it sees every completed change. */
export async function listNames(
  store: MetadataStore,
  partition: string,
  page: NamePage,
): Promise<{ readonly items: readonly Item[]; readonly hasMore: boolean }> {
  const { prefix = '', startAfter = '', limit } = page;
  invariant(limit >= 1 && limit <= LIST_LIMIT_MAX, 'a page has 1 to 1,000 names');
  const after = startAfter === '' ? '' : successor(startAfter);
  const start = compareBytes(after, prefix) > 0 ? after : prefix;
  const end = prefixEnd(prefix);
  if (end !== undefined && compareBytes(start, end) >= 0) return { items: [], hasMore: false };
  const range = (from: string) => ({ start: from, ...(end === undefined ? {} : { end }) });
  const items = await store.query(partition, range(start), limit, 'strong');
  const last = items.at(-1);
  if (last === undefined || items.length < limit) return { items, hasMore: false };
  const more = await store.query(partition, range(successor(last.sort)), 1, 'strong');
  return { items, hasMore: more.length > 0 };
}
