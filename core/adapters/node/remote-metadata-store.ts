// Metadata in another process (stores-service.ts), for development clusters on one machine.
//
//   M21 A commit that may have been applied is never answered as one that was not.

import type { CommitResult, Consistency, Item, Key, MetadataStore, Purpose, Write } from '../../ports/metadata-store.ts';
import { decodeItems, encodeWrites, fromJson, type Items, type StoreCall, toJson } from '../../wire/store-call.ts';
import { checkKey, checkQuery, checkWrites } from '../metadata-writes.ts';
import type { CallClient } from './calls/call-client.ts';

type PlainResult =
  | { readonly committed: true; readonly items: Items }
  | { readonly committed: false; readonly failed: readonly number[]; readonly current: Items };

export class RemoteMetadataStore implements MetadataStore {
  readonly #client: CallClient;

  constructor(client: CallClient) {
    this.#client = client;
  }

  async get(key: Key, consistency: Consistency): Promise<Item | undefined> {
    checkKey(key);
    return (await this.#read<Item | null>({ op: 'metadata.get', key, consistency })) ?? undefined;
  }

  async query(
    partition: string,
    range: { readonly start: string; readonly end?: string; readonly reverse?: boolean },
    limit: number,
    consistency: Consistency,
  ): Promise<readonly Item[]> {
    checkQuery(partition, limit);
    return await this.#read({ op: 'metadata.query', partition, range, limit, consistency });
  }

  async commit(writes: readonly Write[], purpose: Purpose = 'upkeep'): Promise<CommitResult> {
    checkWrites(writes);
    const call: StoreCall = { op: 'metadata.commit', purpose };
    // M21: a repeated one would find its own work, and take it for somebody else's.
    const { body } = await this.#client.call({ head: toJson(call), body: [encodeWrites(writes)], mayRepeat: false });
    const result = fromJson<PlainResult>(body);
    if (result.committed) return { committed: true, items: decodeItems(result.items) };
    return { committed: false, failed: result.failed, current: decodeItems(result.current) };
  }

  async #read<T>(call: StoreCall): Promise<T> {
    const { body } = await this.#client.call({ head: toJson(call), mayRepeat: true });
    return fromJson<T>(body);
  }
}
