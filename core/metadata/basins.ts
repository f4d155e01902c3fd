// Basins: made with their 16 guards, and deleted by flipping all of them. Each change of the configuration marks them anew.
//
//   M11  A stream is created, or changed, only in a basin that is active, and by the configuration that it has then: its transaction
//        checks both by one of the basin's guards.

import { toHex } from '../base/bytes.ts';
import { equalData } from '../base/equal.ts';
import { rfc3339 } from '../base/rfc3339.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { BasinConfig } from '../model/stream-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Consistency, Fields, Item, Key, MetadataStore, Write } from '../ports/metadata-store.ts';
import type { Random } from '../ports/random.ts';
import { decodeBasin, encodeBasin } from './codec.ts';
import { type Attempt, listNames, type NamePage, replace, transact } from './conditional.ts';
import { BASIN_GUARDS, BASINS, type BasinInfo, basinGuardKey, basinKey, DELETING_BASINS, streamsPartition } from './schema.ts';
import { checkBasin } from './transitions.ts';

export type Provisioned = 'created' | 'updated' | 'noop';

export interface ProvisionedBasin {
  readonly outcome: Provisioned;
  readonly basin: BasinInfo;
}

export class Basins {
  readonly #store: MetadataStore;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(store: MetadataStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * POST. `noop` for the basin that the same request key made.
   *
   * @throws StoreError `resource_already_exists`, `basin_deletion_pending`
   */
  create(name: string, config: BasinConfig, requestKey?: string): Promise<ProvisionedBasin> {
    return transact<ProvisionedBasin>(this.#store, async () => {
      const { basin } = await this.#read(name, 'strong');
      if (basin === undefined) return this.#creation(name, config, requestKey);
      if (basin.deletedAt !== undefined) throw basinDeletionPending(name);
      if (requestKey === undefined || basin.requestKey !== requestKey) {
        throw refused('resource_already_exists', `basin "${name}" already exists`);
      }
      return { result: { outcome: 'noop', basin } };
    });
  }

  /** PUT: makes the basin, or gives it this configuration, unless `mayUpdate` throws. @throws StoreError `basin_deletion_pending` */
  ensure(name: string, config: BasinConfig, mayUpdate?: () => void): Promise<ProvisionedBasin> {
    return transact<ProvisionedBasin>(this.#store, async () => {
      const { basin, item } = await this.#read(name, 'strong');
      if (basin === undefined) return this.#creation(name, config);
      if (basin.deletedAt !== undefined) throw basinDeletionPending(name);
      if (equalData(basin.config, config)) return { result: { outcome: 'noop', basin } };
      mayUpdate?.();
      const { writes, changed } = this.#configuration(basin, item, config);
      return { writes, result: { outcome: 'updated', basin: changed } };
    });
  }

  /** PATCH: `change` gets the configuration as it is. @throws StoreError `basin_not_found`, `basin_deletion_pending` */
  configure(name: string, change: (current: BasinConfig) => BasinConfig): Promise<BasinInfo> {
    return transact<BasinInfo>(this.#store, async () => {
      const { basin, item } = await this.#read(name, 'strong');
      if (basin === undefined) throw basinNotFound(name);
      if (basin.deletedAt !== undefined) throw basinDeletionPending(name);
      const config = change(basin.config);
      if (equalData(config, basin.config)) return { result: basin };
      const { writes, changed } = this.#configuration(basin, item, config);
      return { writes, result: changed };
    });
  }

  /** The basin, deleted or not; undefined when there is none. */
  async get(name: string, consistency: Consistency = 'strong'): Promise<BasinInfo | undefined> {
    return (await this.#read(name, consistency)).basin;
  }

  /** A basin that can be used. @throws StoreError `basin_not_found`, `basin_deletion_pending` */
  async resolve(name: string, consistency: Consistency = 'strong'): Promise<BasinInfo> {
    const basin = await this.get(name, consistency);
    if (basin === undefined) throw basinNotFound(name);
    if (basin.deletedAt !== undefined) throw basinDeletionPending(name);
    return basin;
  }

  /** By name in byte order, those being deleted included. */
  async list(page: NamePage): Promise<{ readonly basins: readonly BasinInfo[]; readonly hasMore: boolean }> {
    const { items, hasMore } = await listNames(this.#store, BASINS, page);
    return { basins: items.map(decodeBasin), hasMore };
  }

  /** DELETE: from here on no stream is created in it. Again: nothing. @throws StoreError `basin_not_found` */
  markDeleted(name: string): Promise<BasinInfo> {
    return transact<BasinInfo>(this.#store, async () => {
      const { basin, item } = await this.#read(name, 'strong');
      if (basin === undefined) throw basinNotFound(name);
      if (basin.deletedAt !== undefined) return { result: basin };
      const deleted: BasinInfo = { ...basin, deletedAt: rfc3339(this.#clock.now()) };
      const listed: Write = { kind: 'put', key: deletingBasinKey(name), fields: {} };
      return { writes: [this.#change(basin, item, deleted), ...guards(name, { state: 'deleting' }), listed], result: deleted };
    });
  }

  /** Names of deleted basins that are not removed yet, in byte order; `after` is the last of the page before. */
  async deleting(limit: number, after?: string): Promise<readonly string[]> {
    const items = await this.#store.query(DELETING_BASINS, { start: after === undefined ? '' : `${after}\0` }, limit, 'strong');
    return items.map(({ sort }) => sort);
  }

  /** Removes a deleted basin once no stream is left of it. */
  remove(name: string): Promise<'removed' | 'not_empty'> {
    return transact<'removed' | 'not_empty'>(this.#store, async () => {
      const { basin, item } = await this.#read(name, 'strong');
      if (basin === undefined || item === undefined) return { result: 'removed' };
      if (basin.deletedAt === undefined) return { result: 'not_empty' };
      // The guards refuse new streams since the deletion, so nothing can appear after this read.
      const streams = await this.#store.query(streamsPartition(name), { start: '' }, 1, 'strong');
      if (streams.length > 0) return { result: 'not_empty' };
      const basinWrite: Write = { kind: 'delete', key: basinKey(name), when: { equals: { deletedAt: basin.deletedAt } } };
      const guardWrites = guardKeys(name).map((key): Write => ({ kind: 'delete', key }));
      return { writes: [basinWrite, ...guardWrites, { kind: 'delete', key: deletingBasinKey(name) }], result: 'removed' };
    });
  }

  async #read(name: string, consistency: Consistency): Promise<{ basin?: BasinInfo; item?: Item }> {
    const item = await this.#store.get(basinKey(name), consistency);
    return item === undefined ? {} : { basin: decodeBasin(item), item };
  }

  #creation(name: string, config: BasinConfig, requestKey?: string): Attempt<ProvisionedBasin> {
    const createdAt = rfc3339(this.#clock.now());
    const mark = this.#newMark();
    const basin: BasinInfo = { name, config, createdAt, ...(requestKey === undefined ? {} : { requestKey }), mark };
    const writes: readonly Write[] = [replace(basinKey(name), undefined, encodeBasin(basin)), ...guards(name, { state: 'active', mark })];
    return { writes, result: { outcome: 'created', basin }, purpose: 'growth' };
  }

  #configuration(
    current: BasinInfo,
    item: Item | undefined,
    config: BasinConfig,
  ): { readonly writes: readonly Write[]; readonly changed: BasinInfo } {
    const mark = this.#newMark();
    const changed = { ...current, config, mark };
    return { writes: [this.#change(current, item, changed), ...guards(current.name, { state: 'active', mark })], changed };
  }

  #newMark(): string {
    return toHex(this.#random.bytes(16));
  }

  #change(current: BasinInfo, item: Item | undefined, candidate: BasinInfo): Write {
    checkBasin(current, candidate);
    return replace(basinKey(current.name), item?.fields, encodeBasin(candidate));
  }
}

export function basinNotFound(name: string): StoreError {
  return refused('basin_not_found', `basin "${name}" not found`);
}

export function basinDeletionPending(name: string): StoreError {
  return refused('basin_deletion_pending', `basin "${name}" is being deleted`);
}

function deletingBasinKey(name: string): Key {
  return { partition: DELETING_BASINS, sort: name };
}

function guardKeys(name: string) {
  return Array.from({ length: BASIN_GUARDS }, (_, guard) => basinGuardKey(name, guard));
}

function guards(name: string, fields: Fields): readonly Write[] {
  return guardKeys(name).map((key) => ({ kind: 'put', key, fields }));
}
