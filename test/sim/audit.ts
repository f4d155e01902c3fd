// What must hold of the stores themselves, whatever any client saw: looked at directly, with the truth at hand.
//
//   Nothing that metadata refers to is deleted: chunks of [base, end) and beyond, objects that rows or a pending offload name,
//   and the last seal of any log, for ever. What is named is there. States, bases and trim points only move forward. Rows hold all
//   that is offloaded and not trimmed, and a stream's state knows how many metered bytes they hold.

import type { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import { decodeChannel, decodeObject, decodeRow, decodeState, decodeStream } from '#core/metadata/codec.ts';
import type { ChannelState, SegmentRow, StreamState } from '#core/metadata/schema.ts';
import { decodeUsageHour } from '#core/metadata/usage-codec.ts';
import { channelId, type LogId, logName, type Position, type StreamId, streamId, type ZoneId } from '#core/model/ids.ts';
import type { Retention } from '#core/model/stream-config.ts';
import type { CommitResult, Item, Key, Write } from '#core/ports/metadata-store.ts';
import { tellsSecrets } from './bodies.ts';
import type { DirectCheck } from './checks.ts';
import type { Situations } from './situations.ts';

export type Report = (check: DirectCheck, message: string) => void;

/** What a name stands for; without an id it is free. */
export interface Named {
  readonly name: string;
  readonly id: StreamId | undefined;
  readonly retention: Retention | undefined;
  readonly isDeleting: boolean;
}

export class Audit {
  readonly #report: Report;
  readonly #objects: MemoryObjectStore;
  readonly #situations: Situations;
  readonly #channels = new Map<string, ChannelState>();
  readonly #states = new Map<string, StreamState>();
  /** Object of each row, by the row's key, and the reverse. */
  readonly #rows = new Map<string, string>();
  readonly #rowsOf = new Map<string, Set<string>>();
  /** What the rows of each stream hold, by partition and key. */
  readonly #ranges = new Map<string, Map<string, Pick<SegmentRow, 'first' | 'end' | 'meteredBytes'>>>();
  /** The longest range of an object that any row ever named. */
  rowBytesMax = 0;
  /** Objects to which no row is added any more. */
  readonly #complete = new Set<string>();
  /** Last seals, also of logs that have long left M. */
  readonly #sealedAt = new Map<string, number>();
  /** Seen of M, for the situations that depend on two owners. */
  readonly onChannel: ((before: ChannelState | undefined, now: ChannelState) => void)[] = [];
  readonly onName: ((named: Named) => void)[] = [];
  readonly onState: ((id: StreamId, before: StreamState | undefined, now: StreamState) => void)[] = [];
  /** A zone has stored a chunk, whole. */
  readonly onStored: ((zone: ZoneId, log: LogId, at: Position, bytes: Uint8Array) => void)[] = [];
  /** Every stream that a name has been. */
  readonly #ids = new Map<string, Set<string>>();
  /** What each item of usage adds up to. */
  readonly #counts = new Map<string, number>();
  /** Streams whose state was purged. */
  readonly #purged = new Set<string>();

  constructor(objects: MemoryObjectStore, situations: Situations, report: Report) {
    this.#objects = objects;
    this.#situations = situations;
    this.#report = report;
  }

  /** M of every channel as it is now. */
  get channels(): readonly ChannelState[] {
    return [...this.#channels.values()];
  }

  get rowsCount(): number {
    return this.#rows.size;
  }

  isReferenced(object: string): boolean {
    // A request that is applied twice may name a compaction again that is long over: its object is complete, and dead.
    if (!this.#complete.has(object) && [...this.#states.values()].some(({ compacting }) => compacting?.object === object)) return true;
    return this.#rowsOf.has(object) || this.channels.some(({ pending }) => pending !== undefined && object.startsWith(pending.object));
  }

  committed(writes: readonly Write[], result: CommitResult): void {
    if (!result.committed) return;
    writes.forEach((write, i) => {
      const { partition, sort } = write.key;
      if (write.kind === 'check') return;
      const item = result.items[i];
      if (partition.startsWith('channel/')) this.#channel(partition.slice('channel/'.length), item);
      else if (partition.startsWith('object/')) this.#object(partition.slice('object/'.length), item);
      else if (partition.startsWith('streams/')) this.#name(partition.slice('streams/'.length), sort, item);
      else if (partition.startsWith('usage/') || partition === 'usage-account') this.#counted(write.key, item);
      else if (partition.startsWith('stream/')) {
        if (sort === 'state') this.#state(write.key, item);
        else this.#row(write.key, item);
      }
    });
    for (const partition of new Set(writes.map(({ key }) => key.partition))) if (this.#states.has(partition)) this.#covered(partition);
  }

  /** The rows of a stream hold everything from its trim point to where its offload stands. */
  #covered(partition: string): void {
    const { trimPoint = 0, offloaded = 0, storedBytes = 0 } = this.#states.get(partition) ?? {};
    const rows = [...(this.#ranges.get(partition)?.values() ?? [])].toSorted((a, b) => a.first - b.first);
    const held = rows.reduce((sum, { meteredBytes }) => sum + meteredBytes, 0);
    if (held !== storedBytes)
      this.#report('rows-sum', `the rows of ${partition} hold ${held} metered bytes, its state says ${storedBytes}`);
    let next: number = trimPoint;
    for (const { first, end } of rows) {
      if (first > next) break;
      next = Math.max(next, end);
    }
    if (next < offloaded) this.#report('rows-cover', `no row of ${partition} holds ${next}, and [${trimPoint}, ${offloaded}) is offloaded`);
  }

  idsOf(name: string): ReadonlySet<string> {
    return this.#ids.get(name) ?? new Set();
  }

  /** Below it the stream is trimmed, on record. */
  trimPointOf(id: string): number {
    return this.#states.get(`stream/${id}`)?.trimPoint ?? 0;
  }

  /** Rows that hold records of the stream. */
  rowsOf(id: string): number {
    return this.#ranges.get(`stream/${id}`)?.size ?? 0;
  }

  /** Called before anything is stored. */
  stored(where: string, parts: readonly Uint8Array[]): void {
    if (parts.some(tellsSecrets)) this.#report('plain-text', `${where} is given what an encrypted record holds, as plain text`);
  }

  /** Where the stream's offload stands. */
  offloadedTo(id: StreamId): number {
    const partition = `stream/${id}`;
    return this.#purged.has(partition) ? Number.POSITIVE_INFINITY : (this.#states.get(partition)?.offloaded ?? 0);
  }

  /** Whether the last seal of the log stands there, in the zones that were asked. */
  isLastSeal(log: LogId, at: Position): boolean {
    return this.#sealedAt.get(logName(log)) === at;
  }

  /** Called before a zone deletes what it holds at a position. */
  chunkDeleted(zone: string, log: LogId, at: Position, bytes: Uint8Array): void {
    const name = logName(log);
    const kind = decodeChunk(bytes, zlibChecksum)?.kind;
    if (kind === 'seal' && this.isLastSeal(log, at)) this.#report('seal-kept', `the last seal of ${name}, at ${at}, is deleted in ${zone}`);
    if (kind !== 'data') return;
    const state = this.#channels.get(log.channel);
    const known = state?.logs.find(({ epoch }) => epoch === log.epoch);
    const isOrphan = known === undefined && state !== undefined && log.epoch < state.epoch;
    const isOffloaded = known !== undefined && (at < known.base || (known.end !== undefined && at >= known.end));
    if (isOrphan) this.#situations.count('log swept');
    if (!isOrphan && !isOffloaded) this.#report('chunk-kept', `${name}:${at} is deleted in ${zone}, base is ${known?.base ?? '?'}`);
  }

  /** Called before an object is deleted. */
  objectDeleted(key: string): void {
    this.#situations.count('object deleted');
    if (this.isReferenced(key)) this.#report('object-kept', `object ${key} is deleted, and is still named`);
  }

  #channel(id: string, item: Item | undefined): void {
    if (item === undefined) {
      this.#report('channel-kept', `the item of channel ${id} is deleted`);
      return;
    }
    const now = decodeChannel(channelId(id), item);
    const before = this.#channels.get(id);
    this.#channels.set(id, now);
    for (const log of now.logs) {
      if (log.sealedAt !== undefined) this.#sealedAt.set(logName({ channel: now.channel, epoch: log.epoch }), log.sealedAt);
      const known = before?.logs.find(({ epoch }) => epoch === log.epoch);
      if (known !== undefined && log.base < known.base) this.#report('forward', `base of log ${log.epoch} went back to ${log.base}`);
    }
    if (before !== undefined && now.epoch < before.epoch) this.#report('forward', `the epoch of ${id} went back to ${now.epoch}`);
    const { pending } = now;
    for (const { epoch, base, end } of now.logs) {
      const offloaded = pending?.epoch === epoch ? pending.to : base;
      if (end !== undefined && end < offloaded)
        this.#report('ends-below-offload', `log ${epoch} ends at ${end}, and is offloaded to ${offloaded}`);
    }
    if (pending !== undefined && !this.#objects.objects.has(pending.object)) {
      this.#report('named-is-there', `the pending offload names ${pending.object}, which is not there`);
    }
    for (const act of this.onChannel) act(before, now);
  }

  #object(key: string, item: Item | undefined): void {
    if (item !== undefined && decodeObject(key, item).isComplete) this.#complete.add(key);
  }

  #state(key: Key, item: Item | undefined): void {
    const before = this.#states.get(key.partition);
    if (item === undefined) {
      this.#states.delete(key.partition);
      if (before !== undefined) this.#purged.add(key.partition);
      return;
    }
    const now = decodeState(item);
    this.#states.set(key.partition, now);
    for (const act of this.onState) act(streamId(key.partition.slice('stream/'.length)), before, now);
    if (before === undefined) return;
    const isBack = now.offloaded < before.offloaded || now.tail < before.tail || now.trimPoint < before.trimPoint;
    if (isBack || now.lastTimestamp < before.lastTimestamp) {
      this.#report('forward', `the state of ${key.partition} went back: ${said(before)} to ${said(now)}`);
    }
  }

  /** Whatever comes late, or twice: what was counted is never less than it was. */
  #counted({ partition, sort }: Key, item: Item | undefined): void {
    const name = `${partition}/${sort}`;
    const before = this.#counts.get(name) ?? 0;
    const values = item === undefined ? [] : Object.values(decodeUsageHour(item).counts);
    const now = values.flat().reduce((sum, count) => sum + count, 0);
    if (now < before) this.#report('usage-forward', `${name} went back from ${before} to ${now}`);
    if (before > 0) this.#situations.count('usage written over');
    this.#counts.set(name, now);
  }

  #name(basin: string, name: string, item: Item | undefined): void {
    const stream = item === undefined ? undefined : decodeStream(basin, item);
    const id = stream?.streamId;
    if (id !== undefined) this.#ids.set(name, (this.#ids.get(name) ?? new Set()).add(id));
    const named = { name, id, retention: stream?.config.retention, isDeleting: stream?.deletedAt !== undefined };
    for (const act of this.onName) act(named);
  }

  #row(key: Key, item: Item | undefined): void {
    const name = `${key.partition}/${key.sort}`;
    const before = this.#rows.get(name);
    if (before !== undefined) {
      const others = this.#rowsOf.get(before);
      others?.delete(name);
      if (others?.size === 0) this.#rowsOf.delete(before);
      this.#rows.delete(name);
      this.#ranges.get(key.partition)?.delete(name);
    }
    if (item === undefined) return;
    const { object, first, end, meteredBytes, byteStart, byteEnd } = decodeRow(item);
    this.rowBytesMax = Math.max(this.rowBytesMax, byteEnd - byteStart);
    this.#ranges.set(key.partition, (this.#ranges.get(key.partition) ?? new Map()).set(name, { first, end, meteredBytes }));
    this.#rows.set(name, object);
    this.#rowsOf.set(object, (this.#rowsOf.get(object) ?? new Set()).add(name));
    if (!this.#objects.objects.has(object)) this.#report('named-is-there', `row ${name} names ${object}, which is not there`);
  }
}

function said({ offloaded, tail, trimPoint, lastTimestamp }: StreamState): string {
  return `offloaded ${offloaded}, tail ${tail}, trim point ${trimPoint}, last timestamp ${lastTimestamp}`;
}
