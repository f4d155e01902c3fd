// One epoch of a channel, from its publish until it is deposed or released: takes appends, fills chunks, acknowledges at commit.
//
//   L4  Nothing is acknowledged before its chunk and all before it are committed, and never out of order.
//   L5  A statement about a stream (tail, 412, end of a read) needs a valid lease, or a barrier committed after the request came.
//   L6  A deposed tenure stops for good and sends nothing more: what was sent has effect unknown, what was not, none.
//   L12 So does one whose lease ran out one lease time ago.
//   L10 While a quorum is out of reach nobody waits for it: what is sequenced is told unknown and stays in line, so that the
//       sequence has no hole; what comes, or waits to be sequenced, is refused with effect none.
//   L11 Before a release everything that was sequenced is committed or told unknown; from its start nothing is sequenced.

import { invariant } from '../base/invariant.ts';
import { returnBatchMemory } from '../format/batch-memory.ts';
import { crcBehindFrame, encodeFrameHeader, type FrameHeader } from '../format/frame.ts';
import type { RecordBatch } from '../format/record.ts';
import type { AppendAck, AppendConditions } from '../model/append.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { Epoch, Position, SeqNum } from '../model/ids.ts';
import type { StreamConfig } from '../model/stream-config.ts';
import type { ChunkWriter, ChunkWriterEvents, WrittenChunk } from '../ports/chunk-log.ts';
import type { Timer } from '../ports/clock.ts';
import { Backlog, type Bases, type HeldFrame } from './backlog.ts';
import { decideBatch } from './batcher.ts';
import type { ChannelConfig, ChannelDeps } from './deps.ts';
import { HeldLease } from './held-lease.ts';
import { type Content, type Entry, type FlyingChunk, framesIn, OpenChunk } from './open-chunk.ts';
import type { ResidentStream } from './resident-stream.ts';
import { sequence, sequenceSeal, streamDeletionPending } from './sequencer.ts';
import { StreamTable } from './stream-table.ts';
import type { AppendSession } from './turns.ts';

const NO_BODY = new Uint8Array(0);

export class Tenure implements ChunkWriterEvents {
  readonly epoch: Epoch;
  readonly lease: HeldLease;
  readonly streams: StreamTable;
  readonly backlog: Backlog;
  readonly #deps: ChannelDeps;
  readonly #config: ChannelConfig;
  #writer: ChunkWriter | undefined;
  #bases: Bases;
  readonly #open = new OpenChunk();
  #flying: FlyingChunk[] = [];
  #inFlightBytes = 0;
  #isActive = false;
  #stopped: StoreError | undefined;
  #draining: StoreError | undefined;
  #stall: StoreError | undefined;
  #flushIsDue = false;
  #linger: Timer | undefined;
  #idle: Timer | undefined;
  /** The last chunk says that all before it are committed, and holds nothing itself. */
  #isOnRecord = true;
  readonly #roomWaiters = new Set<() => void>();
  /** Resolves once the tenure has stopped. */
  readonly over: Promise<void>;
  #tellOver: () => void = () => undefined;

  constructor(deps: ChannelDeps, config: ChannelConfig, epoch: Epoch, bases: Bases) {
    this.#deps = deps;
    this.#config = config;
    this.epoch = epoch;
    this.lease = new HeldLease(deps.clock, config.leaseMs, () => {
      deps.trace.event('channel.lease.over', { channel: deps.channel, epoch });
      this.stop(refused('unavailable', 'the lease ran out and could not be renewed'));
    });
    this.streams = new StreamTable(deps);
    this.backlog = new Backlog(config.tailMs, config.tailBytesMax);
    this.#bases = bases;
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve;
    });
  }

  /** Sequenced and not committed. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get slowestZone(): ChunkWriter['slowestZone'] | undefined {
    return this.#writer?.slowestZone;
  }

  get stopped(): StoreError | undefined {
    return this.#stopped;
  }

  /** Committed bytes and the commit point of this epoch, for offload. */
  get commitPoint(): Position {
    return this.#writer?.commitPoint ?? (0 as Position);
  }

  attach(writer: ChunkWriter): void {
    this.#writer = writer;
  }

  /** From here on appends are taken. Only once the publish is known. */
  activate(): void {
    this.#isActive = true;
    this.lease.watch();
    this.streams.dropAllIdle();
    this.#isOnRecord = this.commitPoint === 0;
    this.#pump();
  }

  /** A frame that replay found committed: it is taken in as if it had been written here. */
  replayed(epoch: Epoch, chunk: WrittenChunk, frames: readonly HeldFrame[]): void {
    invariant(!this.#isActive, 'L4: replay ends before the publish');
    for (const { stream, frame } of frames) {
      stream.commit(frame);
      stream.assigned = stream.committed;
    }
    this.backlog.push(epoch, { ...chunk, frames }, this.#deps.clock.monotonic());
  }

  /** Whether an append would have to wait; else it is sequenced, or refused, at once. Those who wait already go first. */
  get holdsBack(): boolean {
    return (!this.#hasRoom || this.#roomWaiters.size > 0) && this.#halted === undefined;
  }

  /** Whether what waits for offload is as much as it may be. */
  get isBacklogFull(): boolean {
    return this.backlog.backlogBytes >= this.#config.backlogBytesMax;
  }

  /** Resolves once there may be room, or who waits went away: whoever waits looks again, as others may have taken it. */
  room(signal?: AbortSignal): Promise<void> {
    if (!this.holdsBack || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#roomWaiters.delete(settle);
        signal?.removeEventListener('abort', settle);
        resolve();
      };
      this.#roomWaiters.add(settle);
      signal?.addEventListener('abort', settle);
    });
  }

  /** Sequences a batch now, in the order of calls, and resolves at its commit. */
  append(
    stream: ResidentStream,
    config: StreamConfig,
    batch: RecordBatch,
    conditions: AppendConditions,
    session?: AppendSession,
  ): Promise<AppendAck> {
    if (session?.failed !== undefined) return session.failed.then(({ code, message }) => Promise.reject(refused(code, message)));
    const halted = this.#halted;
    if (halted !== undefined) return Promise.reject(this.#fail(session, refused(halted.code, halted.message)));
    const header = sequence(stream, config, batch, conditions, this.#deps.clock.now());
    if ('error' in header) {
      const told = header.isStatement ? this.#toldAfterPending(stream, header.error) : Promise.resolve(header.error);
      if (session !== undefined) session.failed = told;
      return told.then((error) => Promise.reject(error));
    }
    return this.#commit(stream, header, batch.bytes, session).then(() => ({
      start: { seqNum: header.first, timestamp: header.firstTimestamp },
      end: { seqNum: (header.first + header.count) as SeqNum, timestamp: header.lastTimestamp },
      tail: stream.tail,
    }));
  }

  /** Ends the stream for good; resolves once that is committed. Again: at once. */
  async seal(stream: ResidentStream): Promise<void> {
    const halted = this.#halted;
    if (halted !== undefined) throw refused(halted.code, halted.message);
    if (stream.assigned.isSealed) return this.#stateAfterPending(stream);
    return this.#commit(stream, sequenceSeal(stream, this.#deps.clock.now()), NO_BODY);
  }

  /** Resolves once it may be said that the stream takes appends, behind all that is assigned (L5). @throws StoreError `stream_deletion_pending` */
  async mayStateOpen(stream: ResidentStream): Promise<void> {
    if (stream.assigned.isSealed) throw await this.#toldAfterPending(stream, streamDeletionPending());
    await this.#stateAfterPending(stream);
  }

  /** Whether a statement about what is committed may be made now, without a barrier (L5). */
  get vouches(): boolean {
    return this.#isActive && this.lease.isValid;
  }

  /** Resolves once a statement about what is committed may be made (L5). */
  async mayState(): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (!this.vouches) await this.#barrier();
  }

  /** Takes in how far offload has come, and lets memory go. */
  advance(bases: Bases): void {
    this.#bases = bases;
    this.tidy();
  }

  tidy(): void {
    for (const stream of this.backlog.evict(this.#bases, this.#deps.clock.monotonic())) this.streams.dropIfIdle(stream);
    this.#wakeRoom();
  }

  committed(commitPoint: Position): void {
    const woken = new Set<ResidentStream>();
    const now = this.#deps.clock.monotonic();
    let count = 0;
    for (const chunk of this.#flying) {
      if (chunk.at >= commitPoint) break;
      this.#settle(chunk, now, woken);
      count += 1;
    }
    this.#flying.splice(0, count);
    for (const stream of woken) stream.wake();
    this.#wakeRoom();
    this.#pump();
  }

  deposed(reason: StoreError): void {
    this.stop(reason);
  }

  stalled(error: StoreError | undefined): void {
    this.#stall = error;
    if (error === undefined) {
      this.#pump();
      return;
    }
    this.#deps.trace.event('channel.stalled', { channel: this.#deps.channel, code: error.code });
    const told = new StoreError(error.code, 'unknown', error.message, { cause: error });
    for (const chunk of this.#flying) for (const entry of chunk.entries) entry.settle(told);
    for (const entry of this.#open.waiting()) entry.settle(told);
    this.#wakeRoom();
  }

  /** Stops for good (L6). */
  stop(reason: StoreError): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new StoreError(reason.code, 'none', reason.message, { cause: reason });
    this.#isActive = false;
    this.lease.end();
    this.#linger?.cancel();
    this.#idle?.cancel();
    for (const chunk of this.#flying) {
      for (const entry of chunk.entries) entry.settle(new StoreError(reason.code, 'unknown', reason.message, { cause: reason }));
    }
    for (const entry of this.#open.waiting()) entry.settle(this.#stopped);
    this.streams.failAll(this.#stopped);
    this.#wakeRoom();
    void this.#writer?.stop();
    this.#tellOver();
  }

  /** Resolves once everything that was sequenced is committed; fails when it may not be. */
  async settled(): Promise<void> {
    if (this.#halted !== undefined) throw this.#halted;
    await this.#afterPending();
  }

  /** Takes no more appends, and resolves once everything that was sequenced is settled. */
  async drain(): Promise<void> {
    this.#draining = refused('draining', 'the channel is being released');
    this.#wakeRoom();
    if (this.#stopped === undefined && this.#stall === undefined) await this.#afterPending();
  }

  /** Resolves once nothing that was sent is in flight. */
  async close(): Promise<void> {
    await this.#writer?.stop();
  }

  get #hasRoom(): boolean {
    return this.#inFlightBytes < this.#config.inFlightBytesMax && !this.isBacklogFull;
  }

  /** Why nothing is sequenced now. */
  get #halted(): StoreError | undefined {
    const halted = this.#stopped ?? this.#draining ?? this.#stall;
    return halted ?? (this.#isActive ? undefined : refused('unavailable', 'the channel is being taken over; try again'));
  }

  #fail(session: AppendSession | undefined, error: StoreError): StoreError {
    if (session !== undefined) session.failed ??= Promise.resolve(error);
    return error;
  }

  #commit(stream: ResidentStream, header: FrameHeader, body: Uint8Array, session?: AppendSession): Promise<void> {
    stream.pendingCount += 1;
    const headerBytes = encodeFrameHeader(header, body, this.#deps.checksum);
    this.#inFlightBytes += headerBytes.length + body.length;
    return this.#enter({ stream, header, headerBytes, body }, session);
  }

  /** Gets in line for the next chunk; resolves at its commit. */
  #enter(content?: Content, session?: AppendSession): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: StoreError): void => (error === undefined ? resolve() : reject(this.#fail(session, error)));
      this.#open.push(content === undefined ? { settle } : { content, settle }, this.#deps.clock.monotonic());
      this.#idle?.cancel();
      this.#schedule();
    });
  }

  /** At the end of the turn, so that everything that came in one turn of input shares a chunk. */
  #schedule(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    this.#deps.clock.soon(() => {
      this.#flushIsDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const writer = this.#writer;
    if (writer === undefined || this.#stopped !== undefined) return;
    this.#linger?.cancel();
    this.#linger = undefined;
    const { batching } = this.#config;
    while (!this.#open.isEmpty) {
      const openFor = this.#deps.clock.monotonic() - this.#open.openedAt;
      const inFlight = writer.end - writer.commitPoint;
      const decision = decideBatch(batching, this.#open.bytes, openFor, inFlight, writer.hasRoom);
      if (decision.kind === 'wait') this.#linger = this.#deps.clock.after(decision.ms, () => this.#pump());
      if (decision.kind !== 'close') return;
      this.#write(writer, this.#open.take(batching.chunkBytesMax, this.#deps.clock.monotonic()));
    }
    if (this.#flying.length === 0 && !this.#isOnRecord) this.#armIdle(writer);
  }

  #write(writer: ChunkWriter, entries: Entry[]): void {
    const parts: Uint8Array[] = [];
    let crc = 0;
    for (const { content } of entries) {
      if (content === undefined) continue;
      parts.push(content.headerBytes, content.body);
      crc = crcBehindFrame(crc, content.headerBytes, content.body, this.#deps.checksum);
    }
    this.#isOnRecord = parts.length === 0 && writer.commitPoint === writer.end;
    const written = writer.write(parts, crc);
    for (const { content } of entries) if (content !== undefined) returnBatchMemory(content.body);
    this.#flying.push({ ...written, entries, frames: framesIn(written.payload, entries) });
  }

  #armIdle(writer: ChunkWriter): void {
    this.#idle?.cancel();
    this.#idle = this.#deps.clock.after(this.#config.idleMs, () => {
      if (this.#stopped === undefined && this.#open.isEmpty && this.#flying.length === 0 && writer.hasRoom) this.#write(writer, []);
    });
  }

  #settle(chunk: FlyingChunk, now: number, woken: Set<ResidentStream>): void {
    for (const { stream, frame } of chunk.frames) {
      stream.commit(frame);
      stream.pendingCount -= 1;
      this.#inFlightBytes -= frame.bytes.length;
      woken.add(stream);
    }
    if (chunk.frames.length > 0) this.backlog.push(this.epoch, chunk, now);
    for (const entry of chunk.entries) entry.settle();
  }

  /** A statement about a stream depends on all that is assigned, and on being the owner. */
  async #stateAfterPending(stream: ResidentStream): Promise<void> {
    if (stream.pendingCount > 0) await this.#afterPending();
    await this.mayState();
  }

  /** The refusal, once it may be stated, or why it may not be: it had no effect, whatever becomes of what it depends on. */
  async #toldAfterPending(stream: ResidentStream, refusal: StoreError): Promise<StoreError> {
    try {
      await this.#stateAfterPending(stream);
      return refusal;
    } catch (error) {
      if (error instanceof StoreError) return refused(error.code, error.message);
      throw error;
    }
  }

  /** Resolves once all that is sequenced by now is committed. */
  async #afterPending(): Promise<void> {
    if (!this.#open.isEmpty) return this.#enter();
    const last = this.#flying.at(-1);
    if (last === undefined) return;
    await new Promise<void>((resolve, reject) => {
      last.entries.push({ settle: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }

  /** Resolves once a chunk that is written from now on is committed. */
  async #barrier(): Promise<void> {
    const halted = this.#stopped ?? this.#stall;
    if (halted !== undefined) throw refused(halted.code, halted.message);
    await this.#enter();
  }

  #wakeRoom(): void {
    if (!this.#hasRoom && this.#halted === undefined) return;
    for (const settle of [...this.#roomWaiters]) settle();
  }
}
