// Use cases over streams: create, ensure, list, read, configure, delete, and finding one by its name. (S2 v1 API, sections 1.9, 2.7, 5.)
//
//   A5  A change of configuration is answered only once it is on record and the owner goes by it: any append that comes later does,
//       whatever configuration it carries.
//   A6  A deletion is answered only once the channel takes no append any more and the name is marked.
//   E4  No stream with a cipher is created for an append or a read without a key that fits.

import { equalData } from '../base/equal.ts';
import { openLink, type StreamInfo, streamRef } from '../metadata/schema.ts';
import { type PlannedStream, streamNotFound } from '../metadata/streams.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import {
  type BasinConfig,
  type PartialStreamConfig,
  resolveStreamConfig,
  type StorageClass,
  type StreamCipher,
  type StreamConfig,
} from '../model/stream-config.ts';
import { BasinDeletions } from './basin-deletions.ts';
import { checkStreamConfig, type Provisioned, requestKey, type ServiceSettings } from './basins.ts';
import { type CustomerKey, requireKey } from './customer-key.ts';
import type { Page, ServiceDeps } from './deps.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { reconfigureStream, type StreamReconfiguration } from './reconfigure.ts';
import { StreamCache } from './stream-cache.ts';

/** Names in the cache, and how long one is believed: far below the age at which a deleted stream's state is purged. */
const CACHED_STREAMS_MAX = 4_096;
const CACHED_AGE_MS = 10_000;

/** What the stream is wanted for: it decides whether it may be created by the way, and whether a key is needed. */
export type Use = 'append' | 'read' | 'tail';

/** A stream by name; `request`: its configuration, should this request create it; `key`: for a stream with a cipher. */
export interface StreamTarget {
  readonly basin: string;
  readonly stream: string;
  readonly request: PartialStreamConfig;
  readonly key?: CustomerKey | undefined;
}

export interface StreamStatus {
  readonly info: StreamInfo;
  readonly configuredClass: StorageClass;
  /** Of the channel that takes its appends; undefined: one that this deployment does not have now. */
  readonly servingClass: StorageClass | undefined;
}

export class Streams {
  readonly #deps: ServiceDeps;
  readonly #settings: ServiceSettings;
  readonly #cache = new StreamCache(CACHED_STREAMS_MAX, CACHED_AGE_MS);
  /** One change of a stream at a time: those that meet would only try their commits again. */
  readonly #changes = new KeyedQueue();
  readonly basinDeletions = new BasinDeletions();

  constructor(deps: ServiceDeps, settings: ServiceSettings) {
    this.#deps = deps;
    this.#settings = settings;
  }

  async list(basin: string, page: Page): Promise<{ readonly items: readonly StreamInfo[]; readonly hasMore: boolean }> {
    const { names } = this.#deps;
    const { streams, hasMore } = await names.streams.list(basin, page);
    if (streams.length === 0 && (await names.basins.get(basin)) === undefined) {
      throw refused('basin_not_found', `basin "${basin}" not found`);
    }
    this.#deps.meter.operation('list-streams', basin);
    return { items: streams, hasMore };
  }

  async create(basin: string, name: string, request: PartialStreamConfig, requestToken?: string): Promise<Provisioned<StreamInfo>> {
    const key = requestKey(requestToken, request);
    checkStreamConfig(request, this.#settings);
    this.#cache.forget(basin, name);
    const { stream, outcome } = await this.#deps.names.streams.create(basin, name, (its) => this.#plan(its, request), key);
    this.#deps.meter.operation('create-stream', basin);
    return { info: stream, outcome };
  }

  /** @param mayUpdate throws where a stream that is there must not be changed. */
  async ensure(basin: string, name: string, request: PartialStreamConfig, mayUpdate?: () => void): Promise<Provisioned<StreamInfo>> {
    checkStreamConfig(request, this.#settings);
    return await this.#change(basin, name, async () => {
      const { stream, outcome } = await this.#deps.names.streams.ensure(basin, name, (its) => this.#plan(its, request), mayUpdate);
      // Also where nothing changed: whoever changed it may not have lived to tell the owner.
      if (outcome !== 'created') await this.#tellOwner(stream);
      this.#deps.meter.operation(outcome === 'updated' ? 'reconfigure-stream' : 'create-stream', basin);
      return { info: stream, outcome };
    });
  }

  /** As the metadata store has it now. @throws StoreError `stream_not_found`, `basin_not_found`, `…_deletion_pending` */
  async get(basin: string, name: string): Promise<StreamInfo> {
    const found = await this.#deps.names.streams.resolve(basin, name);
    this.#deps.meter.operation('get-stream-config', basin);
    return found;
  }

  /** One that is being deleted is still told. @throws StoreError `stream_not_found`, `basin_not_found`, `basin_deletion_pending` */
  async status(basin: string, name: string): Promise<StreamStatus> {
    const { names, servingClass } = this.#deps;
    const info = (await names.streams.find(basin, name)) ?? (await names.streams.resolve(basin, name));
    return { info, configuredClass: info.config.storageClass, servingClass: servingClass(openLink(info).channel) };
  }

  /** A changed storage class is on record at once, and the stream stays in its channel: a migration is what moves it. */
  async reconfigure(basin: string, name: string, patch: StreamReconfiguration): Promise<StreamConfig> {
    const { names } = this.#deps;
    checkStreamConfig(patch, this.#settings);
    return await this.#change(basin, name, async () => {
      const changed = await names.streams.configure(basin, name, (current, its) => {
        const config = reconfigureStream(current, patch, its);
        checkStreamConfig(config, this.#settings);
        return config;
      });
      await this.#tellOwner(changed);
      this.#deps.meter.operation('reconfigure-stream', basin);
      return changed.config;
    });
  }

  /** Tells the owner of a configuration that is on record. (A5) */
  async #tellOwner(stream: StreamInfo): Promise<void> {
    try {
      await this.#deps.channels.updateConfig(streamRef(stream));
    } catch (error) {
      // A stream that is gone, or going, has no configuration; else the change is on record, and the owner may meet it there.
      if (!(error instanceof StoreError) || isGone(error)) throw error;
      throw new StoreError(error.code, 'unknown', error.message, { cause: error });
    }
  }

  /** `mark` puts the deletion of a basin on record: once this resolves its streams are told of no more here. (A23) */
  async leaveBasin(basin: string, mark: () => Promise<unknown>): Promise<void> {
    this.#cache.forgetBasin(basin);
    try {
      await mark();
      this.basinDeletions.note(basin);
    } finally {
      this.#cache.forgetBasin(basin);
    }
  }

  /** Again: the same, until the name is gone. (A6) */
  delete(basin: string, name: string): Promise<void> {
    const { names, channels } = this.#deps;
    return this.#change(basin, name, async () => {
      const found = (await names.streams.find(basin, name)) ?? (await names.streams.resolve(basin, name));
      // Who marked it had sealed it before.
      if (found.deletedAt !== undefined) return;
      await channels.deleteStream(streamRef(found));
      try {
        await names.streams.markDeleting(basin, name, found.streamId);
        this.#deps.meter.operation('delete-stream', basin);
        this.#deps.meter.changed(found.streamId, basin);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // Somebody else has carried the deletion through since the seal.
        if (error.code === 'stream_not_found') return;
        // Nothing can be appended any more, whatever the name says.
        throw new StoreError(error.code, 'unknown', error.message, { cause: error });
      }
    });
  }

  /**
   * Calls `act` on the stream of that name, which is created if the basin says so.
   *
   * What is cached may be out of date: when the stream refuses as one that is gone, the name is resolved again, and `act`
   * called again if it names something else by now. Only a refusal without an effect leads there.
   */
  async withStream<T>(target: StreamTarget, use: Use, act: (stream: StreamInfo) => Promise<T>): Promise<T> {
    const { basin, stream, request } = target;
    // What is wrong with a request is told whether or not the stream is there.
    checkStreamConfig(request, this.#settings);
    const cached = this.#cache.get(basin, stream, this.#deps.clock.monotonic());
    if (cached === undefined) return act(await this.resolve(target, use));
    try {
      return await act(cached);
    } catch (error) {
      if (!(error instanceof StoreError) || error.effect !== 'none' || !isOutOfDate(error)) throw error;
      this.#cache.forget(basin, stream);
      const fresh = await this.resolve(target, use);
      if (fresh.streamId === cached.streamId && equalData(fresh.chain, cached.chain)) throw error;
      return act(fresh);
    }
  }

  /** The channel that takes the stream's appends, as far as its name is known here; undefined: there is no such stream. Nothing is created. */
  channelOf(basin: string, name: string): ChannelId | undefined | Promise<ChannelId | undefined> {
    const cached = this.#cache.get(basin, name, this.#deps.clock.monotonic());
    return cached === undefined ? this.#lookUp(basin, name) : openLink(cached).channel;
  }

  /** What is known of the name may be out of date. */
  forget(basin: string, name: string): void {
    this.#cache.forget(basin, name);
  }

  async #lookUp(basin: string, name: string): Promise<ChannelId | undefined> {
    const { names, clock } = this.#deps;
    const mark = this.#cache.mark;
    const [found, its] = await Promise.all([names.streams.find(basin, name), names.basins.get(basin)]);
    if (found === undefined || found.deletedAt !== undefined || its === undefined || its.deletedAt !== undefined) return undefined;
    this.#cache.put(found, mark, clock.monotonic());
    return openLink(found).channel;
  }

  /** The stream of that name as the metadata store has it now; created if the basin says so. */
  async resolve({ basin, stream: name, request, key }: StreamTarget, use: Use): Promise<StreamInfo> {
    const { names, clock } = this.#deps;
    checkStreamConfig(request, this.#settings);
    const mark = this.#cache.mark;
    const [found, its] = await Promise.all([names.streams.find(basin, name), names.basins.get(basin)]);
    checkKey(found?.cipher, key, use);
    if (found !== undefined && found.deletedAt === undefined && its !== undefined && its.deletedAt === undefined) {
      this.#cache.put(found, mark, clock.monotonic());
      return found;
    }
    // `resolve` throws what is wrong, unless somebody made the stream meanwhile.
    if (found !== undefined) return names.streams.resolve(basin, name);
    this.#cache.forget(basin, name);
    const { stream } = await names.streams.ensureExists(basin, name, (its) => {
      if (!(use === 'append' ? its.createStreamOnAppend : its.createStreamOnRead)) throw streamNotFound(basin, name);
      const planned = this.#plan(its, request);
      checkKey(planned.cipher, key, use);
      return planned;
    });
    return stream;
  }

  /** What a new stream gets. @throws StoreError when this deployment cannot have it */
  #plan(basin: BasinConfig, request: PartialStreamConfig): PlannedStream {
    const config = resolveStreamConfig(request, basin.defaultStreamConfig);
    return { config, channel: this.#deps.place(config.storageClass), cipher: basin.streamCipher };
  }

  /** Forgets the name before and after: a look-up that overlaps the change must not put it back. */
  #change<T>(basin: string, name: string, act: () => Promise<T>): Promise<T> {
    return this.#changes.run(`${basin}/${name}`, async () => {
      this.#cache.forget(basin, name);
      try {
        return await act();
      } finally {
        this.#cache.forget(basin, name);
      }
    });
  }
}

/** What a stream with this cipher needs a key for. @throws StoreError `bad_header` */
function checkKey(cipher: StreamCipher | undefined, key: CustomerKey | undefined, use: Use): void {
  if (cipher !== undefined && use !== 'tail') requireKey(cipher, key);
}

/** Refusals that a name resolved too long ago may lead to; `bad_header`: another stream of that name may need no key. */
function isOutOfDate(error: StoreError): boolean {
  return isGone(error) || error.code === 'deposed' || error.code === 'bad_header';
}

function isGone({ code }: StoreError): boolean {
  return code === 'stream_deletion_pending' || code === 'stream_not_found';
}
