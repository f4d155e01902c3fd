// What the use cases need of the rest: names, channels, reads. Structural, so that a host may put a channel task behind them.

import type { RecordBatch } from '../format/record.ts';
import type { Repository } from '../metadata/repository.ts';
import type * as Schema from '../metadata/schema.ts';
import type { AppendAck, AppendConditions, StreamRef } from '../model/append.ts';
import type { StoreError } from '../model/errors.ts';
import type { ChannelId, StreamId } from '../model/ids.ts';
import type { ReadBatch, ReadRequest } from '../model/read.ts';
import type { StorageClass } from '../model/stream-config.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { StreamTail } from '../ports/tail.ts';
import type { Meter } from './usage/meter.ts';

export type BasinInfo = Schema.BasinInfo;
export type StreamInfo = Schema.StreamInfo;

/** Names with `prefix`, greater than `startAfter`, in the order of their bytes; `limit` is 1 to LIST_LIMIT_MAX. */
export interface Page {
  readonly prefix: string;
  readonly startAfter: string;
  readonly limit: number;
}

/** Basins and streams by name: the part of metadata/repository.ts that is used here. Reads are strong. */
export interface Names {
  readonly basins: Pick<Repository['basins'], 'create' | 'ensure' | 'configure' | 'get' | 'resolve' | 'list' | 'markDeleted'>;
  readonly streams: Pick<
    Repository['streams'],
    'create' | 'ensure' | 'ensureExists' | 'configure' | 'find' | 'resolve' | 'list' | 'markDeleting'
  >;
}

/** What the appends of one session share: once one was refused, the channel takes none behind it. */
export interface SharedFate {
  /** Set as soon as one is refused, and resolves to what it is told: what the others are told waits for that. */
  failed?: Promise<StoreError>;
}

/** Whichever channel owns the stream. */
export interface Channels {
  /** For what goes on for long: whether it may start here. @throws StoreError `moved` where another process owns the channel */
  requireHere(ref: StreamRef): void;
  /** Sequenced in the order of calls. @throws StoreError `moved` (effect none), but not within a session */
  append(ref: StreamRef, batch: RecordBatch, conditions: AppendConditions, session?: SharedFate): Promise<AppendAck>;
  /** Resolves once an append would not have to wait; undefined: at once. */
  room(ref: StreamRef, signal?: AbortSignal): Promise<void> | undefined;
  tail(ref: StreamRef): Promise<StreamTail>;
  /** The stream's configuration, which is on record, counts from the next append on once this resolves. */
  updateConfig(ref: StreamRef): Promise<void>;
  /** Resolves once nothing can be appended to the stream any more. */
  deleteStream(ref: StreamRef): Promise<void>;
}

export type ReadMode = 'unary' | 'session';

export interface ReadSession {
  /** A batch with no records and a tail is a heartbeat. */
  next(signal?: AbortSignal): Promise<ReadBatch | 'end'>;
  /** Harmless when called again. */
  close(): void;
}

export interface ServiceDeps {
  readonly names: Names;
  readonly channels: Channels;
  /** @throws StoreError `range_not_satisfiable` before anything was read. */
  openRead(ref: StreamRef, request: ReadRequest, mode: ReadMode): Promise<ReadSession>;
  /** The channel for a new stream. */
  place(storageClass: StorageClass): ChannelId;
  /** The class that a channel serves; undefined: it is not one of this deployment. */
  servingClass(channel: ChannelId): StorageClass | undefined;
  /** Counts what succeeded. */
  readonly meter: Meter;
  /** What was counted and sampled before, and by others. */
  readonly usage: Pick<Repository['usage'], 'hours' | 'samples' | 'lastSample' | 'hasSamples' | 'activeBasins'>;
  /** Metered bytes that a stream stores now. */
  storedBytes(streamId: StreamId): Promise<number>;
  readonly clock: Clock;
  readonly cipher: Cipher;
  /** Where the nonces of encrypted records come from. */
  readonly random: Random;
}
