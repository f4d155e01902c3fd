// Stream names: created in an active basin, resolved to stream ids, deleted, and removed once their data is gone.
//
//   M13  A stream is removed only once its seal is offloaded and no row is left; its state stays, marked, for the purge age.

import { toHex } from '../base/bytes.ts';
import { equalData } from '../base/equal.ts';
import { invariant } from '../base/invariant.ts';
import { rfc3339 } from '../base/rfc3339.ts';
import { refused, type StoreError } from '../model/errors.ts';
import { type ChannelId, type SeqNum, type StreamId, type StreamletNumber, streamId } from '../model/ids.ts';
import type { BasinConfig, StreamCipher, StreamConfig } from '../model/stream-config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Consistency, Item, MetadataStore, Write } from '../ports/metadata-store.ts';
import type { Random } from '../ports/random.ts';
import { basinDeletionPending, basinNotFound, type Provisioned } from './basins.ts';
import { decodeBasin, decodeState, decodeStream, encodeState, encodeStream } from './codec.ts';
import { type Attempt, listNames, type NamePage, replace, transact } from './conditional.ts';
import { FieldReader } from './fields.ts';
import {
  BASIN_GUARDS,
  type BasinInfo,
  basinGuardKey,
  basinKey,
  DELETING_STREAMS,
  type DeletingStream,
  deletingStreamKey,
  paddedMs,
  REMOVED_STREAMS,
  type RemovedStream,
  ROW_PREFIX,
  ROWS_END,
  removedStreamKey,
  type StreamInfo,
  stateKey,
  streamKey,
  streamPartition,
  streamsPartition,
} from './schema.ts';
import { NEW_STREAM_STATE } from './segment-index.ts';
import { checkState, checkStream } from './transitions.ts';

export interface ProvisionedStream {
  readonly outcome: Provisioned;
  readonly stream: StreamInfo;
}

/** What a new stream is like, and where it goes. */
export interface PlannedStream {
  readonly config: StreamConfig;
  readonly channel: ChannelId;
  /** For ever; undefined: its records are not encrypted. */
  readonly cipher?: StreamCipher | undefined;
}

/** Made of the basin's configuration as it is when the stream is made. @throws StoreError where there may be none */
export type Plan = (basin: BasinConfig) => PlannedStream;

/** `not_sealed`: its seal is not offloaded yet. `busy`: rows, or a compaction, are left. */
export type Removal = 'removed' | 'not_sealed' | 'busy';

export class Streams {
  readonly #store: MetadataStore;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(store: MetadataStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * POST: makes the stream as planned. `noop` for the stream that the same request key made.
   *
   * @throws StoreError `resource_already_exists`, `stream_deletion_pending`, `basin_not_found`, `basin_deletion_pending`
   */
  create(basin: string, name: string, plan: Plan, requestKey?: string): Promise<ProvisionedStream> {
    const id = this.#newId();
    return transact<ProvisionedStream>(this.#store, async () => {
      const its = await this.#basin(basin);
      const { stream } = await this.#read(basin, name, 'strong');
      if (stream === undefined) return this.#creation(its, name, id, plan(its.config), requestKey);
      if (stream.streamId === id) return { result: { outcome: 'created', stream } };
      if (stream.deletedAt !== undefined) throw streamDeletionPending(basin, name);
      if (requestKey === undefined || stream.requestKey !== requestKey) {
        throw refused('resource_already_exists', `stream "${name}" in basin "${basin}" already exists`);
      }
      return { result: { outcome: 'noop', stream } };
    });
  }

  /**
   * PUT: makes the stream, or gives it the configuration that is planned; it stays in its channel, and keeps its cipher, or none.
   *
   * @param mayUpdate throws where a stream that is there must not be changed.
   * @throws as `create`, but for `resource_already_exists`
   */
  ensure(basin: string, name: string, plan: Plan, mayUpdate?: () => void): Promise<ProvisionedStream> {
    const id = this.#newId();
    return transact<ProvisionedStream>(this.#store, async () => {
      const its = await this.#basin(basin);
      const { stream, item } = await this.#read(basin, name, 'strong');
      const planned = plan(its.config);
      if (stream === undefined) return this.#creation(its, name, id, planned);
      if (stream.deletedAt !== undefined) throw streamDeletionPending(basin, name);
      if (equalData(stream.config, planned.config)) return { result: { outcome: 'noop', stream } };
      mayUpdate?.();
      const { writes, changed } = await this.#configuration(its, stream, item, planned.config);
      return { writes, result: { outcome: 'updated', stream: changed } };
    });
  }

  /** Auto-create: the stream as it is, made if it is not there. @throws as `ensure`, and what `plan` throws */
  ensureExists(basin: string, name: string, plan: Plan): Promise<ProvisionedStream> {
    const id = this.#newId();
    return transact<ProvisionedStream>(this.#store, async () => {
      const { stream } = await this.#read(basin, name, 'strong');
      if (stream === undefined) {
        const its = await this.#basin(basin);
        return this.#creation(its, name, id, plan(its.config));
      }
      if (stream.deletedAt !== undefined) throw streamDeletionPending(basin, name);
      return { result: { outcome: stream.streamId === id ? 'created' : 'noop', stream } };
    });
  }

  /** PATCH: `change` gets the configurations of the stream and of its basin as they are. @throws as `ensure`, and `stream_not_found` */
  configure(basin: string, name: string, change: (current: StreamConfig, basin: BasinConfig) => StreamConfig): Promise<StreamInfo> {
    return transact<StreamInfo>(this.#store, async () => {
      const its = await this.#basin(basin);
      const { stream, item } = await this.#read(basin, name, 'strong');
      if (stream === undefined) throw streamNotFound(basin, name);
      if (stream.deletedAt !== undefined) throw streamDeletionPending(basin, name);
      const config = change(stream.config, its.config);
      if (equalData(config, stream.config)) return { result: stream };
      const { writes, changed } = await this.#configuration(its, stream, item, config);
      return { writes, result: changed };
    });
  }

  /** Gives a stream another configuration: in its name, and in the state that its owner reads on first use. */
  async #configuration(
    basin: BasinInfo,
    stream: StreamInfo,
    item: Item | undefined,
    config: StreamConfig,
  ): Promise<{ readonly writes: readonly Write[]; readonly changed: StreamInfo }> {
    const { streamId: id } = stream;
    const version = stream.configVersion + 1;
    const changed = { ...stream, config, configVersion: version };
    const stateItem = await this.#store.get(stateKey(id), 'strong');
    const state = stateItem === undefined ? NEW_STREAM_STATE : decodeState(stateItem);
    const candidate = { ...state, configured: { version, config } };
    checkState(state, candidate);
    const own = [this.#change(stream, item, changed), replace(stateKey(id), stateItem?.fields, encodeState(candidate))];
    return { writes: [...own, guardCheck(basin, stream.name)], changed };
  }

  /** The stream, deleted or not; undefined when there is none. */
  async find(basin: string, name: string, consistency: Consistency = 'strong'): Promise<StreamInfo | undefined> {
    return (await this.#read(basin, name, consistency)).stream;
  }

  /**
   * A stream that can be used: nobody asked for its deletion, nor for that of its basin.
   *
   * @throws StoreError `basin_not_found`, `basin_deletion_pending`, `stream_not_found`, `stream_deletion_pending`
   */
  async resolve(basin: string, name: string): Promise<StreamInfo> {
    // The basin first: nothing is made or changed in it once it is deleted, so that what is read behind that was so while it was active.
    await this.#basin(basin);
    const stream = await this.find(basin, name);
    if (stream === undefined) {
      await this.#basin(basin);
      throw streamNotFound(basin, name);
    }
    if (stream.deletedAt !== undefined) throw streamDeletionPending(basin, name);
    return stream;
  }

  /** Whether the name stands for this very stream still, deleted or not: then its state was not purged before. */
  async isNamed(basin: string, name: string, id: StreamId): Promise<boolean> {
    return (await this.find(basin, name, 'strong'))?.streamId === id;
  }

  /** By name in byte order, those being deleted included. Says nothing of whether the basin exists. */
  async list(basin: string, page: NamePage): Promise<{ readonly streams: readonly StreamInfo[]; readonly hasMore: boolean }> {
    const { items, hasMore } = await listNames(this.#store, streamsPartition(basin), page);
    return { streams: items.map((item) => decodeStream(basin, item)), hasMore };
  }

  /** The stream is sealed in its channel: its name is deleted from here on. Again: nothing. @throws StoreError `stream_not_found` */
  markDeleting(basin: string, name: string, id: StreamId): Promise<StreamInfo> {
    return transact<StreamInfo>(this.#store, async () => {
      const { stream, item } = await this.#read(basin, name, 'strong');
      if (stream === undefined || stream.streamId !== id) throw streamNotFound(basin, name);
      if (stream.deletedAt !== undefined) return { result: stream };
      const deleted: StreamInfo = { ...stream, deletedAt: rfc3339(this.#clock.now()) };
      const listed: Write = { kind: 'put', key: deletingStreamKey(id), fields: { basin, name } };
      return { writes: [this.#change(stream, item, deleted), listed], result: deleted };
    });
  }

  /** Streams whose names are deleted, in the order of their ids; `after` is the last id of the page before. */
  async deleting(limit: number, after?: StreamId): Promise<readonly DeletingStream[]> {
    const items = await this.#store.query(DELETING_STREAMS, { start: after === undefined ? '' : `${after}\0` }, limit, 'strong');
    return items.map((item) => {
      const fields = new FieldReader(item);
      return { streamId: streamId(item.sort), basin: fields.text('basin'), name: fields.text('name') };
    });
  }

  /** Frees the name of a deleted stream of which nothing is left; its state stays, marked, until `purge`. */
  remove({ basin, name, streamId: id }: DeletingStream): Promise<Removal> {
    return transact<Removal>(this.#store, async () => {
      const [{ stream }, stateItem] = await Promise.all([this.#read(basin, name, 'strong'), this.#store.get(stateKey(id), 'strong')]);
      const isNamed = stream !== undefined && stream.streamId === id;
      if (!isNamed) return { writes: [{ kind: 'delete', key: deletingStreamKey(id) }], result: 'removed' };
      const state = stateItem && decodeState(stateItem);
      if (stream.deletedAt === undefined || stateItem === undefined || !state?.isSealed) return { result: 'not_sealed' };
      const rows = await this.#store.query(streamPartition(id), { start: ROW_PREFIX, end: ROWS_END }, 1, 'strong');
      if (rows.length > 0 || state.compacting !== undefined) return { result: 'busy' };
      // Another run freed the name since it was read.
      if (state.removedAt !== undefined) return 'again';
      const removed = { streamId: id, removedAt: this.#clock.now() };
      const marked = { ...state, removedAt: removed.removedAt };
      checkState(state, marked);
      const writes: readonly Write[] = [
        { kind: 'delete', key: streamKey(basin, name), when: { equals: { streamId: id, deletedAt: stream.deletedAt } } },
        replace(stateKey(id), stateItem.fields, encodeState(marked)),
        { kind: 'delete', key: deletingStreamKey(id) },
        { kind: 'put', key: removedStreamKey(removed), fields: {} },
      ];
      return { writes, result: 'removed' };
    });
  }

  /**
   * Forgets the states of streams removed before `olderThan` (milliseconds since 1970), at most `limit`.
   *
   * An offload that began before then must be over: it would take a stream without a state for a new one.
   */
  async purge(olderThan: number, limit: number): Promise<number> {
    const items = await this.#store.query(REMOVED_STREAMS, { start: '', end: paddedMs(olderThan) }, limit, 'strong');
    for (const { sort } of items) {
      const stream = parseRemoved(sort);
      invariant(stream.removedAt < olderThan, 'M13: a removed stream keeps its state for the purge age');
      await this.#store.commit([
        { kind: 'delete', key: stateKey(stream.streamId), when: { equals: { removedAt: stream.removedAt } } },
        { kind: 'delete', key: removedStreamKey(stream) },
      ]);
    }
    return items.length;
  }

  #newId(): StreamId {
    return streamId(toHex(this.#random.bytes(16)));
  }

  async #read(basin: string, name: string, consistency: Consistency): Promise<{ stream?: StreamInfo; item?: Item }> {
    const item = await this.#store.get(streamKey(basin, name), consistency);
    return item === undefined ? {} : { stream: decodeStream(basin, item), item };
  }

  #creation(
    basin: BasinInfo,
    name: string,
    id: StreamId,
    { config, channel, cipher }: PlannedStream,
    requestKey?: string,
  ): Attempt<ProvisionedStream> {
    const stream: StreamInfo = {
      basin: basin.name,
      name,
      streamId: id,
      config,
      configVersion: 0,
      createdAt: rfc3339(this.#clock.now()),
      ...(requestKey === undefined ? {} : { requestKey }),
      ...(cipher === undefined ? {} : { cipher }),
      chain: [{ streamlet: 0 as StreamletNumber, channel, start: 0 as SeqNum }],
    };
    const writes: readonly Write[] = [
      replace(streamKey(basin.name, name), undefined, encodeStream(stream)),
      guardCheck(basin, name),
      // A request that arrives once more, when the stream has been removed since, would bring its name back.
      { kind: 'check', key: stateKey(id), when: { absent: true } },
    ];
    return { writes, result: { outcome: 'created', stream }, purpose: 'growth' };
  }

  #change(current: StreamInfo, item: Item | undefined, candidate: StreamInfo): Write {
    checkStream(current, candidate);
    return replace(streamKey(current.basin, current.name), item?.fields, encodeStream(candidate));
  }

  /** A basin in which streams may be made and changed. @throws StoreError `basin_not_found`, `basin_deletion_pending` */
  async #basin(name: string): Promise<BasinInfo> {
    const item = await this.#store.get(basinKey(name), 'strong');
    const basin = item && decodeBasin(item);
    if (basin === undefined) throw basinNotFound(name);
    if (basin.deletedAt !== undefined) throw basinDeletionPending(name);
    return basin;
  }
}

export function streamNotFound(basin: string, name: string): StoreError {
  return refused('stream_not_found', `stream "${name}" in basin "${basin}" not found`);
}

function streamDeletionPending(basin: string, name: string): StoreError {
  return refused('stream_deletion_pending', `stream "${name}" in basin "${basin}" is being deleted`);
}

/** Holds while the basin is active and has the configuration that was read. (M11) */
function guardCheck({ name, mark }: BasinInfo, stream: string): Write {
  return { kind: 'check', key: basinGuardKey(name, guardOf(stream)), when: { equals: { state: 'active', mark } } };
}

function parseRemoved(sort: string): RemovedStream {
  return { removedAt: Number(sort.slice(0, 16)), streamId: streamId(sort.slice(17)) };
}

/** FNV-1a over UTF-16 units: any even spread does, but it must not change while guards are in use. */
function guardOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return ((hash ^ (hash >>> 16)) >>> 0) % BASIN_GUARDS;
}
