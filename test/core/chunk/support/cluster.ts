// A channel in small: owners that claim, recover, publish and append one record a chunk; offload and deletion; and a judge.
//
// M is one register with conditional commits that never err: what is tried here is the chunk log, not the metadata. There are
// no leases: an owner is replaced whenever it pleases the schedule, and never told so.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { InvariantError } from '#core/base/invariant.ts';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { StoreError } from '#core/model/errors.ts';
import { channelId, epoch, type OwnerNonce, ownerNonce, type Position, position } from '#core/model/ids.ts';
import type { ChunkLogs, ChunkWriter, LogDescription } from '#core/ports/chunk-log.ts';
import type { World } from './world.ts';
import { type Caller, Zone } from './zone.ts';

/** Rules that a schedule may be told to break, to see whether the judge notices. */
export type PlantedBug = 'R = 1' | 'W = 1' | 'torn taken for absent' | 'last seal deleted' | 'wiped zone counts';

export interface ClusterOptions {
  readonly zoneCount: number;
  readonly writeQuorum: number;
  readonly windowMax: number;
  readonly bug?: PlantedBug;
}

interface ChannelItem {
  version: number;
  epoch: number;
  owner: OwnerNonce | undefined;
  isActive: boolean;
  logs: LogDescription[];
}

const CHANNEL = channelId('test-0');
export const TIMEOUT_MS = 40;

export class Cluster {
  readonly world: World;
  readonly options: ClusterOptions;
  readonly zones: Zone[];
  readonly item: ChannelItem = { version: 0, epoch: 0, owner: undefined, isActive: false, logs: [] };
  /** Logs that left M: what still turns up there is deleted from time to time. */
  readonly retired: LogDescription[] = [];
  readonly offloaded: number[] = [];
  /** Records in the order in which they were acknowledged, and how many had been when each was sent. */
  readonly acknowledged: number[] = [];
  readonly sentAfter = new Map<number, number>();
  readonly violations: string[] = [];
  /** Situations that the schedule met. */
  readonly met = new Set<string>();
  #records = 0;
  #nonces = 0;

  constructor(world: World, options: ClusterOptions) {
    this.world = world;
    this.options = options;
    this.zones = Array.from({ length: options.zoneCount }, (_, i) => new Zone(world, `zone-${i}`));
  }

  logs(caller: Caller, writeQuorum = this.options.writeQuorum): ChunkLogs {
    return createChunkLogs({
      stores: () => this.zones.map((zone) => zone.store(caller)).map((store) => this.#withBug(store)),
      currentZones: () => this.zones.map((zone) => zone.disk.zone),
      writeQuorum,
      windowMax: this.options.windowMax,
      clock: this.world.clock(() => caller.isAlive),
      checksum: zlibChecksum,
      trace: { event: (name, fields) => this.#meet(name, fields) },
      retryDelayMs: { min: 1, max: 10 },
      answerTimeoutMs: TIMEOUT_MS,
    });
  }

  #withBug(store: ReturnType<Zone['store']>): ReturnType<Zone['store']> {
    if (this.options.bug !== 'torn taken for absent') return store;
    return { ...store, seal: (log, at) => store.seal(log, at, 'torn') };
  }

  #meet(name: string, fields?: Readonly<Record<string, unknown>>): void {
    this.met.add(name);
    if (name === 'chunk.recovered' && Number(fields?.['adopted']) > 0) this.met.add('chunk.recovered.adopted');
    if (name === 'chunk.recovered' && Number(fields?.['end']) > Number(fields?.['start'])) this.met.add('chunk.recovered.raised');
  }

  nonce(): OwnerNonce {
    this.#nonces += 1;
    return ownerNonce(this.#nonces.toString(16).padStart(32, '0'));
  }

  record(): number {
    this.#records += 1;
    this.sentAfter.set(this.#records, this.acknowledged.length);
    return this.#records;
  }

  /** Runs a part of the story; a broken invariant or a corrupt log is a violation, other failures are the schedule's. */
  async tell(story: Promise<unknown>): Promise<void> {
    try {
      await story;
    } catch (error) {
      if (error instanceof StoreError && error.code !== 'corrupt') return;
      if (error instanceof StoreError || error instanceof InvariantError) this.violations.push(error.message);
      else throw error;
    }
  }

  /** Moves base over some of what is committed. */
  async offload(caller: Caller): Promise<void> {
    const { item, world } = this;
    const { version } = item;
    const log = item.logs[0];
    if (log === undefined || !item.isActive) return;
    const logs = this.logs(caller);
    const known = await logs.knownCommitPoint(log);
    const to = position(Math.min(known, log.base + world.between(1, 20)));
    const records: number[] = [];
    try {
      for await (const chunk of logs.read(log, { start: log.base, end: to })) records.push(...recordsOf(chunk.payload));
    } catch (error) {
      // Another was quicker, and deleted what it offloaded.
      if (item.version !== version) return;
      throw error;
    }
    if (item.version !== version || !item.isActive || !caller.isAlive) return;
    item.version += 1;
    this.offloaded.push(...records);
    item.logs[0] = { ...log, base: to };
    if (log.end === to) {
      item.logs.shift();
      this.retired.push({ ...log, base: to });
    }
    await logs.delete(item.logs.find((some) => some.log.epoch === log.log.epoch) ?? { ...log, base: to }, {
      start: position(0),
      end: to,
    });
  }

  /** Deletes what is left of logs that are offloaded, late chunks too. */
  async collect(caller: Caller): Promise<void> {
    for (const log of [...this.retired]) {
      const end = position((log.sealedAt ?? 0) + 20 * this.options.windowMax);
      if (this.options.bug !== 'last seal deleted') await this.logs(caller).delete(log, { start: position(0), end });
      else for (const zone of this.zones) await zone.disk.delete(log.log, { start: position(0), end });
    }
  }

  /** Everything that a reader would get of the owner, in order. Only the owner knows how far its own log is committed. */
  async readAll(owner: Owner): Promise<number[]> {
    const records = [...this.offloaded];
    const logs = this.logs(owner);
    for (const log of this.item.logs) {
      const end = log.end ?? owner.commitPoint;
      for await (const chunk of logs.read(log, { start: log.base, end })) records.push(...recordsOf(chunk.payload));
    }
    return records;
  }

  /** Acknowledged records are there, once, and none before one that had been acknowledged when it was sent. */
  judge(records: readonly number[]): void {
    const place = new Map<number, number>();
    records.forEach((record, i) => {
      if (place.has(record)) this.violations.push(`record ${record} is there twice`);
      place.set(record, i);
    });
    let last = -1;
    const lastAfter = this.acknowledged.map((record) => {
      const at = place.get(record);
      if (at === undefined) this.violations.push(`record ${record} was acknowledged and is lost`);
      last = Math.max(last, at ?? -1);
      return last;
    });
    for (const [record, at] of place) {
      const before = this.sentAfter.get(record) ?? 0;
      if (before > 0 && at < (lastAfter[before - 1] ?? -1)) this.violations.push(`record ${record} stands before an older one`);
    }
  }
}

/** One process that owns the channel from its claim on, and believes so until a seal tells it otherwise. */
export class Owner implements Caller {
  isAlive = true;
  asleepUntil = 0;
  isActive = false;
  isDeposed = false;
  readonly #cluster: Cluster;
  readonly #logs: ChunkLogs;
  #writer: ChunkWriter | undefined;
  #pending: (number | undefined)[] = [];
  #acknowledgedTo = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#logs = cluster.logs(this, cluster.options.bug === 'W = 1' ? 1 : undefined);
  }

  /** Claims, recovers and publishes; returns whether it got so far. */
  async takeOver(): Promise<boolean> {
    const { item, world } = this.#cluster;
    const owner = this.#cluster.nonce();
    item.version += 1;
    item.epoch += 1;
    Object.assign(item, { owner, isActive: false });
    const { version } = item;
    const log = { channel: CHANNEL, epoch: epoch(item.epoch) };
    const last = item.logs.at(-1);
    const recovery = last === undefined ? undefined : await this.#recover(last, () => item.owner === owner && this.isAlive);
    if (last !== undefined && recovery === undefined) return false;
    const zones = this.#logs.zones();
    const writer = this.#open(log, owner);
    for (const payload of recovery?.adopted ?? []) {
      await this.#until(() => writer.hasRoom || this.isDeposed);
      if (this.isDeposed || !this.isAlive) return false;
      writer.write([payload]);
      this.#pending.push(undefined);
    }
    await this.#until(() => writer.commitPoint === writer.end || this.isDeposed);
    await world.sleep(world.between(0, 5));
    if (item.owner !== owner || item.version !== version || !this.isAlive || this.isDeposed) return false;
    item.version += 1;
    item.isActive = true;
    if (recovery !== undefined && last !== undefined) {
      item.logs[item.logs.length - 1] = { ...last, end: recovery.end, sealedAt: recovery.sealedAt };
    }
    item.logs.push({ log, base: position(0), zones });
    this.#acknowledgedTo = writer.commitPoint;
    this.isActive = true;
    return true;
  }

  get commitPoint(): Position {
    return this.#writer?.commitPoint ?? position(0);
  }

  async append(records: number, pauseMax: number): Promise<void> {
    const { world } = this.#cluster;
    for (let i = 0; i < records && this.isAlive && !this.isDeposed; i += 1) {
      await world.sleep(Math.max(0, this.asleepUntil - world.now) + world.random() * pauseMax);
      if (this.#writer?.hasRoom !== true || !this.isAlive) continue;
      const record = this.#cluster.record();
      this.#pending.push(record);
      this.#writer.write([encoded(record)]);
    }
  }

  kill(): void {
    this.isAlive = false;
  }

  stop(): Promise<void> {
    return this.#writer?.stop() ?? Promise.resolve();
  }

  async #recover(log: LogDescription, isMine: () => boolean): Promise<Awaited<ReturnType<ChunkLogs['recover']>> | undefined> {
    const { bug, zoneCount } = this.#cluster.options;
    const logs = bug === 'R = 1' ? this.#cluster.logs(this, zoneCount) : this.#logs;
    for (let attempt = 0; attempt < 20 && isMine(); attempt += 1) {
      try {
        return await logs.recover(log, log.base);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === 'corrupt') throw error;
        await this.#cluster.world.sleep(10);
      }
    }
    return undefined;
  }

  #open(log: LogDescription['log'], owner: OwnerNonce): ChunkWriter {
    const writer = this.#logs.openWriter(log, owner, this.#logs.zones(), {
      committed: (commitPoint) => this.#committed(commitPoint),
      deposed: () => {
        this.isDeposed = true;
        this.#cluster.met.add('deposed');
      },
      stalled: () => this.#cluster.met.add('stalled'),
    });
    this.#writer = writer;
    return writer;
  }

  #committed(commitPoint: Position): void {
    if (!this.isActive || !this.isAlive) return;
    for (; this.#acknowledgedTo < commitPoint; this.#acknowledgedTo += 1) {
      const record = this.#pending[this.#acknowledgedTo];
      if (record !== undefined) this.#cluster.acknowledged.push(record);
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && this.isAlive) await this.#cluster.world.sleep(1);
  }
}

function encoded(record: number): Uint8Array {
  return new TextEncoder().encode(`${record};`);
}

function recordsOf(payload: Uint8Array): number[] {
  return new TextDecoder().decode(payload).split(';').filter(Boolean).map(Number);
}
