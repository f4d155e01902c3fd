// A store of one process without chunks: real names over metadata in memory, channels and reads over arrays.
//
// Its channel keeps what the real one promises to this layer (order of calls, conditions, shared fate), and lets a test
// hold commits back or fail them.

import { randomBytes } from 'node:crypto';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import type { Channels, ReadMode, ReadSession, ServiceDeps, SharedFate } from '#core/api/deps.ts';
import { Service } from '#core/api/service.ts';
import { Meter } from '#core/api/usage/meter.ts';
import { type RecordBatch, RecordCursor, stampRecords } from '#core/format/record.ts';
import { Repository } from '#core/metadata/repository.ts';
import type { AppendAck, AppendConditions, StreamRef } from '#core/model/append.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import { channelId, type SeqNum, type StreamId, type StreamPosition } from '#core/model/ids.ts';
import type { ReadBatch, ReadRequest, RecordRun } from '#core/model/read.ts';
import type { StreamConfig } from '#core/model/stream-config.ts';
import type { StreamTail } from '#core/ports/tail.ts';

const cipher = await loadNodeCiphers();

interface FakeStream {
  config: StreamConfig;
  readonly runs: RecordRun[];
  tail: StreamPosition;
  token: string;
  isSealed: boolean;
}

export class FakeStore {
  readonly metadata = new MemoryMetadataStore();
  readonly names = new Repository(this.metadata, systemClock, { bytes: (count) => randomBytes(count), unit: Math.random });
  readonly service: Service;
  readonly meter = new Meter(systemClock, systemRandom, { minutesMax: 1_000, streamsMax: 1_000 });
  readonly settings = { location: 'aws:us-east-1', storageClasses: ['standard', 'express'] } as const;
  /** Reads and tails that were not let go of. */
  openReads = 0;
  heldTails = 0;
  /** While set, appends are acknowledged only once it resolves. */
  gate: Promise<void> | undefined;
  /** While set, the owner takes appends only once it resolves: it has yet to look the stream up. */
  opening: Promise<void> | undefined;
  /** While set, appends have no room. */
  noRoom: Promise<void> | undefined;
  /** Fails the commit of the n-th append from now (1: the next). */
  failCommitIn = 0;
  appended = 0;
  /** Where a test listens, or stands in the way, when the owner is told of a configuration. */
  updateConfig: Channels['updateConfig'] | undefined;
  failRandom = false;
  /** What the last append said of the stream. */
  lastRef: StreamRef | undefined;
  heartbeatMs = 20;
  readonly #streams = new Map<StreamId, FakeStream>();
  readonly #wake = new Set<() => void>();

  constructor() {
    const deps: ServiceDeps = {
      names: this.names,
      channels: { ...this.channels, updateConfig: (ref) => (this.updateConfig ?? this.channels.updateConfig)(ref) },
      openRead: (ref, request, mode) => this.#openRead(ref, request, mode),
      place: () => channelId('express-0'),
      servingClass: () => 'express',
      meter: this.meter,
      usage: this.names.usage,
      storedBytes: async (streamId) => this.#streams.get(streamId)?.runs.reduce((sum, run) => sum + run.bytes.length, 0) ?? 0,
      clock: systemClock,
      cipher,
      random: { bytes: (count) => this.#random(count), unit: systemRandom.unit },
    };
    this.service = new Service(deps, this.settings);
  }

  /** What is kept of a stream. */
  bytesOf(ref: StreamRef | undefined): readonly Uint8Array[] {
    return ref === undefined ? [] : this.#stream(ref).runs.map(({ bytes }) => bytes);
  }

  /** From here on what was appended comes in one piece, and so in one batch. */
  joinRuns(): void {
    for (const { runs } of this.#streams.values()) {
      const bytes = Buffer.concat(runs.map((run) => run.bytes));
      const count = runs.reduce((sum, run) => sum + run.count, 0);
      if (runs.length > 1) runs.splice(0, runs.length, { first: 0 as SeqNum, count, bytes });
    }
  }

  get channels(): Channels {
    return {
      requireHere: () => undefined,
      append: (ref, batch, conditions, session) => this.#append(ref, batch, conditions, session),
      room: () => this.noRoom,
      tail: async (ref) => this.#tail(ref),
      updateConfig: async (ref) => {
        const stream = this.#stream(ref);
        if (stream.isSealed) throw refused('stream_deletion_pending', 'the stream is being deleted');
        stream.config = ref.config;
      },
      deleteStream: async (ref) => {
        this.#stream(ref).isSealed = true;
      },
    };
  }

  #random(count: number): Uint8Array {
    if (this.failRandom) throw new Error('no randomness');
    return systemRandom.bytes(count);
  }

  #stream(ref: StreamRef): FakeStream {
    const found = this.#streams.get(ref.streamId);
    if (found !== undefined) return found;
    const tail = { seqNum: 0 as SeqNum, timestamp: 0n };
    const made: FakeStream = { config: ref.config, runs: [], tail, token: '', isSealed: false };
    this.#streams.set(ref.streamId, made);
    return made;
  }

  async #append(ref: StreamRef, batch: RecordBatch, conditions: AppendConditions, session?: SharedFate): Promise<AppendAck> {
    const fail = (error: StoreError, told = Promise.resolve()): StoreError => {
      if (session !== undefined) session.failed ??= told.then(() => error);
      return error;
    };
    await this.opening;
    if (session?.failed !== undefined) throw await session.failed;
    this.lastRef = ref;
    const stream = this.#stream(ref);
    const refusal = refusalOf(stream, batch, conditions);
    if (refusal !== undefined) {
      const error = fail(refusal, this.gate);
      await this.gate;
      throw error;
    }
    this.failCommitIn -= 1;
    if (this.failCommitIn === 0) throw fail(new StoreError('unavailable', 'unknown', 'the zones are gone'));
    this.appended += 1;
    const { mode, uncapped } = stream.config.timestamping;
    const first = stream.tail.seqNum;
    const stamps = stampRecords(batch.bytes, { mode, uncapped, now: BigInt(Date.now()), floor: stream.tail.timestamp });
    stream.runs.push({ first, count: batch.count, bytes: batch.bytes });
    stream.tail = { seqNum: (first + batch.count) as SeqNum, timestamp: stamps.last };
    const end = stream.tail;
    for (const command of batch.commands) if (command.kind === 'fence') stream.token = command.token;
    for (const wake of this.#wake) wake();
    await this.gate;
    return { start: { seqNum: first, timestamp: stamps.first }, end, tail: stream.tail };
  }

  #tail(ref: StreamRef): StreamTail {
    const stream = this.#stream(ref);
    if (stream.isSealed) throw refused('stream_deletion_pending', 'the stream is being deleted');
    this.heldTails += 1;
    return {
      position: async () => stream.tail,
      positionNow: () => stream.tail,
      trimPoint: 0 as SeqNum,
      read: () => 'below',
      waitBeyond: async () => false,
      release: () => {
        this.heldTails -= 1;
      },
    };
  }

  async #openRead(ref: StreamRef, request: ReadRequest, mode: ReadMode): Promise<ReadSession> {
    const stream = this.#stream(ref);
    if (stream.isSealed) throw refused('stream_deletion_pending', 'the stream is being deleted');
    const isBounded = mode === 'unary' || request.count !== undefined || request.bytes !== undefined || request.until !== undefined;
    const waitMs = 1_000 * (request.waitSecs ?? (isBounded ? 0 : Number.POSITIVE_INFINITY));
    const from = startOf(stream, request, waitMs > 0);
    this.openReads += 1;
    return this.#session(stream, from, request, mode, waitMs);
  }

  #session(stream: FakeStream, from: number, request: ReadRequest, mode: ReadMode, waitMs: number): ReadSession {
    let next = from;
    let left = request.count ?? Number.POSITIVE_INFINITY;
    let isOver = false;
    const closing = new AbortController();
    let hasBeaten = false;
    const openedAt = Date.now();
    const take = (): ReadBatch => {
      const run = cut(stream, next, left);
      next += run?.count ?? 0;
      left -= run?.count ?? 0;
      if (run !== undefined) hasBeaten = false;
      return { runs: run === undefined ? [] : [run], count: run?.count ?? 0, meteredBytes: run?.bytes.length ?? 0 };
    };
    return {
      next: async (signal) => {
        if (isOver || left <= 0 || signal?.aborted) return 'end';
        isOver = mode === 'unary';
        if (next >= stream.tail.seqNum) {
          if (waitMs === 0) return 'end';
          if (mode === 'session' && !hasBeaten) {
            hasBeaten = true;
            return { runs: [], count: 0, meteredBytes: 0, tail: stream.tail };
          }
          const over = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
          await this.#wait(Math.min(waitMs, mode === 'unary' ? waitMs : this.heartbeatMs), over);
          if (over.aborted) return 'end';
          if (next >= stream.tail.seqNum && mode === 'session') {
            if (Date.now() >= openedAt + waitMs) return 'end';
            return { runs: [], count: 0, meteredBytes: 0, tail: stream.tail };
          }
        }
        return take();
      },
      close: () => {
        if (!closing.signal.aborted) this.openReads -= 1;
        closing.abort();
      },
    };
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, 60_000));
      this.#wake.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

function refusalOf(stream: FakeStream, batch: RecordBatch, conditions: AppendConditions): StoreError | undefined {
  if (stream.isSealed) return refused('stream_deletion_pending', 'the stream is being deleted');
  if (conditions.fencingToken !== undefined && conditions.fencingToken !== stream.token) {
    return refused('fencing_token_mismatch', 'fenced', { kind: 'fencing_token_mismatch', token: stream.token });
  }
  if (conditions.matchSeqNum !== undefined && conditions.matchSeqNum !== stream.tail.seqNum) {
    return refused('seq_num_mismatch', 'elsewhere', { kind: 'seq_num_mismatch', tail: stream.tail.seqNum });
  }
  if (stream.config.timestamping.mode === 'client-require' && !batch.hasAllTimestamps) return refused('invalid', 'timestamps are required');
  return undefined;
}

function startOf({ tail, runs }: FakeStream, { start, clamp }: ReadRequest, mayFollow: boolean): number {
  const unsatisfiable = () => refused('range_not_satisfiable', 'unwritten', { kind: 'range_not_satisfiable', tail });
  if (start.kind === 'timestamp') {
    if (start.timestamp > tail.timestamp && !clamp) throw unsatisfiable();
    for (const run of runs) {
      const cursor = new RecordCursor(run.bytes);
      for (let at: number = run.first; cursor.next(); at += 1) if (cursor.timestamp >= start.timestamp) return at;
    }
    return tail.seqNum;
  }
  const from = start.kind === 'seqNum' ? start.seqNum : Math.max(0, tail.seqNum - start.offset);
  if (from > tail.seqNum && !clamp) throw unsatisfiable();
  if (from >= tail.seqNum && !mayFollow) throw unsatisfiable();
  return Math.min(from, tail.seqNum);
}

/** The rest of the run that holds `from`, at most `count` records of it. */
function cut({ runs }: FakeStream, from: number, count: number): RecordRun | undefined {
  const run = runs.find(({ first, count: size }) => from < first + size);
  if (run === undefined) return undefined;
  const cursor = new RecordCursor(run.bytes);
  let start = 0;
  let taken = 0;
  for (let at: number = run.first; cursor.next() && taken < count; at += 1) {
    if (at === from) start = cursor.start;
    if (at < from) continue;
    taken += 1;
    if (taken === count) return { first: from as SeqNum, count: taken, bytes: run.bytes.subarray(start, cursor.end) };
  }
  return { first: from as SeqNum, count: taken, bytes: run.bytes.subarray(start) };
}
