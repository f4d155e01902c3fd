// The use cases of the store, as any protocol over it needs them. It knows names, not the wire; errors are StoreErrors.
//
//   A7  Batches of an append session take effect in the order in which they were submitted; after the first failure nothing that it
//       submits later takes effect, nor is it told why before that failure is told.
//
// Here, between the wire and the channel, records of a stream with a cipher are encrypted and decrypted.
//
// basins.ts and streams.ts hold the control plane; here are records. Who calls has decoded and validated the request: what
// is wrong with it alone is refused before anything is looked up or created.

import { returnBatchMemory } from '../format/batch-memory.ts';
import { RecordEncryption } from '../format/encrypted-record.ts';
import type { RecordBatch } from '../format/record.ts';
import { basinDeletionPending } from '../metadata/basins.ts';
import { type StreamInfo, streamRef } from '../metadata/schema.ts';
import type { AppendAck, AppendConditions, StreamRef } from '../model/append.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { StreamPosition } from '../model/ids.ts';
import { UNARY_WAIT_SECS_MAX } from '../model/limits.ts';
import type { ReadRequest } from '../model/read.ts';
import { Basins, type ServiceSettings } from './basins.ts';
import { requireKey } from './customer-key.ts';
import { DecryptingRead } from './decrypting-read.ts';
import type { ReadMode, ReadSession, ServiceDeps, SharedFate } from './deps.ts';
import { Locations } from './locations.ts';
import { Streams, type StreamTarget } from './streams.ts';
import { CountedAppends, countedRead } from './usage/counted.ts';
import { Metrics } from './usage/metrics.ts';

export interface AppendSession {
  /** Batches take effect in the order of calls; after one failed, all behind it fail without an effect. */
  submit(batch: RecordBatch, conditions: AppendConditions): Promise<AppendAck>;
  /** Resolves once a batch would not have to wait; undefined: at once. Whoever goes away aborts. */
  room(signal?: AbortSignal): Promise<void> | undefined;
}

export class Service {
  readonly basins: Basins;
  readonly streams: Streams;
  readonly locations: Locations;
  readonly metrics: Metrics;
  readonly #deps: ServiceDeps;

  constructor(deps: ServiceDeps, settings: ServiceSettings) {
    this.#deps = deps;
    this.streams = new Streams(deps, settings);
    this.basins = new Basins(deps, settings, this.streams);
    this.locations = new Locations(deps, settings);
    this.metrics = new Metrics(deps, settings);
  }

  append(target: StreamTarget, batch: RecordBatch, conditions: AppendConditions): Promise<AppendAck> {
    return this.streams.withStream(target, 'append', (info) => this.#appendTo(info, target, batch, conditions));
  }

  /** The plain batch stays: should the name stand for another stream by now, it is encrypted once more. */
  async #appendTo(info: StreamInfo, target: StreamTarget, batch: RecordBatch, conditions: AppendConditions): Promise<AppendAck> {
    const { channels, random } = this.#deps;
    const ref = streamRef(info);
    const encrypted = this.#encryption(info, target)?.encrypt(batch, random) ?? batch;
    const ack = await channels.append(ref, encrypted, conditions);
    this.#counted(ref).acknowledged(batch);
    return ack;
  }

  /**
   * The stream is resolved once, and strongly: the session stays with it whatever becomes of its name.
   *
   * @param mayAppend throws where a batch may not be appended (any more); that fails the session.
   */
  async openAppendSession(target: StreamTarget, mayAppend: (batch: RecordBatch) => void = () => undefined): Promise<AppendSession> {
    const { channels } = this.#deps;
    const openedAt = this.streams.basinDeletions.mark;
    const info = await this.streams.resolve(target, 'append');
    const ref = streamRef(info);
    channels.requireHere(ref);
    const encryption = this.#encryption(info, target);
    const fate: SharedFate = {};
    // Why the channel gets nothing more of this session. Not its fate: what the channel got before may still wait there, and goes on.
    let refusal: StoreError | undefined;
    const counted = this.#counted(ref);
    return {
      submit: async (batch, conditions) => {
        const failed = fate.failed === undefined ? refusal : await fate.failed;
        if (failed !== undefined) throw refused(failed.code, 'an earlier batch of this session failed');
        let given = batch;
        try {
          if (this.streams.basinDeletions.happenedSince(target.basin, openedAt)) throw basinDeletionPending(target.basin);
          mayAppend(batch);
          if (encryption !== undefined) given = this.#encrypt(encryption, batch);
        } catch (error) {
          refusal =
            error instanceof StoreError ? error : new StoreError('other', 'none', 'a batch could not be encrypted', { cause: error });
          throw error;
        }
        const ack = await channels.append(ref, given, conditions, fate);
        counted.acknowledged(batch);
        return ack;
      },
      room: (signal) => channels.room(ref, signal),
    };
  }

  async checkTail(target: StreamTarget): Promise<StreamPosition> {
    return this.streams.withStream(target, 'tail', async (info) => {
      const tail = await this.#deps.channels.tail(streamRef(info));
      try {
        const position = await tail.position();
        this.#deps.meter.operation('check-tail', target.basin);
        return position;
      } finally {
        tail.release();
      }
    });
  }

  /** @throws StoreError `invalid`, `range_not_satisfiable`, and what resolving a name may throw. */
  openRead(target: StreamTarget, read: ReadRequest, mode: ReadMode): Promise<ReadSession> {
    if (read.start.kind === 'timestamp' && read.until !== undefined && read.start.timestamp >= read.until) {
      return Promise.reject(refused('invalid', 'a read starts before it ends: `timestamp` must be less than `until`'));
    }
    return this.streams.withStream(target, 'read', async (info) => {
      const encryption = this.#encryption(info, target);
      const opened = await this.#deps.openRead(streamRef(info), mode === 'unary' ? unaryRequest(read) : read, mode);
      const session = encryption === undefined ? opened : new DecryptingRead(opened, encryption, mode);
      return countedRead(session, this.#deps.meter.basin(target.basin), mode === 'unary' ? 'unary' : 'streaming');
    });
  }

  #counted({ basin, streamId, channel, config }: StreamRef): CountedAppends {
    const { meter, servingClass } = this.#deps;
    return new CountedAppends(meter, basin, streamId, servingClass(channel) ?? config.storageClass);
  }

  /** Undefined for a stream without a cipher, whatever key the request brings. @throws StoreError `bad_header` */
  #encryption({ cipher, streamId }: StreamInfo, { key }: StreamTarget): RecordEncryption | undefined {
    return cipher === undefined ? undefined : new RecordEncryption(this.#deps.cipher, cipher, requireKey(cipher, key), streamId);
  }

  /** Nobody reads the plain batch again. */
  #encrypt(encryption: RecordEncryption, batch: RecordBatch): RecordBatch {
    try {
      return encryption.encrypt(batch, this.#deps.random);
    } finally {
      returnBatchMemory(batch.bytes);
    }
  }
}

/** A unary read follows only if it says so, and waits no longer than a minute. */
function unaryRequest(read: ReadRequest): ReadRequest {
  return { ...read, waitSecs: Math.min(read.waitSecs ?? 0, UNARY_WAIT_SECS_MAX) };
}
