// One read: catches up from segments and memory, then follows the tail as long as it may. (S2 v1 API, sections 3.2 to 3.5.)
//
// api/ opens it and pulls batches at the pace of its client; nothing is read that was not asked for, but for a few ranges ahead.
//
//   T8  A read that ends at the tail has given everything that was committed when it began.
//   T9  Whatever says where the stream ends (a tail, a heartbeat, the end of a wait) has a valid lease or a barrier behind it. A
//       live batch does not wait for a barrier: without a lease it goes without its tail.
//   T12 A unary read is called settled only if it starts at a sequence number that is not trimmed, ends for a bound and not for the
//       tail, and was given from segments alone: then nothing that is appended later changes it.

import { invariant } from '../base/invariant.ts';
import type { StreamRef } from '../model/append.ts';
import type { StreamId, StreamPosition } from '../model/ids.ts';
import type { ReadBatch, ReadRequest } from '../model/read.ts';
import { BatchFiller } from './batch-filler.ts';
import type { ReaderDeps } from './deps.ts';
import { StreamSource } from './plan.ts';
import { mayFollow, type ReadMode, resolveStart } from './start.ts';

export interface ReadSession {
  /**
   * The next batch, or `end`. A batch without records that carries a tail is a heartbeat (sessions only). A unary read gives
   * one batch, perhaps an empty one. Aborting closes the read.
   *
   * @throws StoreError when the channel was lost, the stream deleted, or its data cannot be read.
   */
  next(signal?: AbortSignal): Promise<ReadBatch | 'end'>;
  /** Lets go of the stream, and ends a wait; again: nothing. */
  close(): void;
}

/**
 * Starts a read. It owns `deps.tail` from here on, also when it throws.
 *
 * @throws StoreError `range_not_satisfiable` with the tail, and what the channel throws.
 */
export async function openRead(deps: ReaderDeps, ref: StreamRef, request: ReadRequest, mode: ReadMode): Promise<ReadSession> {
  try {
    const tail = await deps.tail.position();
    const from = await resolveStart(deps, ref.streamId, request, mode, tail);
    const source = new StreamSource(deps, ref.streamId, from);
    return mode === 'unary' ? new UnaryRead(deps, ref.streamId, source, request, tail) : new FollowingRead(deps, source, request, tail);
  } catch (error) {
    deps.tail.release();
    throw error;
  }
}

/** What both kinds share: filling batches from the source, and letting go once. */
abstract class Read implements ReadSession {
  protected readonly deps: ReaderDeps;
  protected readonly source: StreamSource;
  protected readonly filler: BatchFiller;
  /** The committed tail when the read began: what lies below must be given. */
  readonly #tailAtStart: StreamPosition;
  readonly #closing = new AbortController();
  #isBusy = false;
  /** Nothing was taken from memory, where frames lie that are not offloaded yet. */
  protected isFromSegments = true;

  constructor(deps: ReaderDeps, source: StreamSource, request: ReadRequest, tail: StreamPosition) {
    this.deps = deps;
    this.source = source;
    this.#tailAtStart = tail;
    const { batchRecordsMax, batchMeteredBytesMax } = deps.limits;
    this.filler = new BatchFiller(request, { recordsMax: batchRecordsMax, meteredBytesMax: batchMeteredBytesMax });
  }

  protected abstract produce(): Promise<ReadBatch | 'end'>;

  protected get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async next(signal?: AbortSignal): Promise<ReadBatch | 'end'> {
    invariant(!this.#isBusy, 'T6: a read is asked for one batch at a time');
    if (signal?.aborted) this.close();
    if (this.isClosed) return 'end';
    this.#isBusy = true;
    const onAbort = (): void => this.close();
    signal?.addEventListener('abort', onAbort);
    try {
      const batch = await this.produce();
      if (batch === 'end') this.close();
      return this.isClosed ? 'end' : batch;
    } catch (error) {
      if (this.isClosed) return 'end';
      this.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#isBusy = false;
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.#closing.abort();
    this.source.close();
    this.deps.tail.release();
  }

  /** True once more is committed than was given. */
  protected more(timeoutMs: number): Promise<boolean> {
    return this.deps.tail.waitBeyond(this.source.next, timeoutMs, this.#closing.signal);
  }

  /**
   * Fills the batch with what is committed. `tail`: everything is in it; `full`: a bound of the batch or of the read was met, or it
   * was long enough in the making that storage is slow.
   */
  protected async catchUp(): Promise<'full' | 'tail'> {
    const { clock, limits } = this.deps;
    const startedAt = clock.monotonic();
    if (this.filler.fill()) return 'full';
    for (;;) {
      if (this.isClosed) return 'full';
      const piece = await this.source.read();
      if (!piece.isFromMemory) this.fellBehind();
      if (piece.frames.length === 0 && piece.isFromMemory) {
        invariant(this.source.next >= this.#tailAtStart.seqNum, 'T8: the tail never goes back');
        return 'tail';
      }
      if (piece.isFromMemory) this.isFromSegments = false;
      this.filler.offer(piece);
      if (this.filler.fill()) return 'full';
      if (!this.filler.isEmpty && clock.monotonic() - startedAt >= limits.batchMsMax) return 'full';
    }
  }

  /** Records came from segments. */
  protected fellBehind(): void {}

  /** The tail as the channel vouches for it; undefined when there is more to read first. */
  protected async tailIfReached(): Promise<StreamPosition | undefined> {
    const tail = await this.deps.tail.position();
    return tail.seqNum > this.source.next ? undefined : tail;
  }
}

/** One batch: what is there, or else the first that comes within the wait. */
class UnaryRead extends Read {
  readonly #waitMs: number;
  readonly #streamId: StreamId;
  readonly #request: ReadRequest;
  #isDone = false;

  constructor(deps: ReaderDeps, streamId: StreamId, source: StreamSource, request: ReadRequest, tail: StreamPosition) {
    super(deps, source, request, tail);
    this.#streamId = streamId;
    this.#request = request;
    this.#waitMs = 1_000 * Math.min(request.waitSecs ?? 0, deps.limits.unaryWaitSecsMax);
  }

  protected override async produce(): Promise<ReadBatch | 'end'> {
    if (this.#isDone) return 'end';
    this.#isDone = true;
    if (this.filler.isOver) return this.filler.flush();
    const met = await this.catchUp();
    if (met === 'full' && this.isFromSegments) return this.#settled(this.filler.flush());
    if (met === 'full' || !this.filler.isEmpty || this.#waitMs === 0) return this.filler.flush();
    const hasMore = await this.more(this.#waitMs);
    if (this.isClosed) return 'end';
    const tail = hasMore ? undefined : await this.tailIfReached();
    if (tail !== undefined) return this.filler.flush(tail);
    await this.catchUp();
    return this.filler.flush(this.deps.tail.positionNow());
  }

  /** T12, for what ends for a bound and comes from segments. */
  #settled(batch: ReadBatch): ReadBatch {
    const { trimPoint } = this.deps.tail;
    const { start } = this.#request;
    const isSettled = start.kind === 'seqNum' && start.seqNum >= trimPoint && batch.runs[0]?.first === start.seqNum;
    return isSettled ? { ...batch, settled: { streamId: this.#streamId, trimPoint } } : batch;
  }
}

/** Batch after batch; at the tail a heartbeat, then live batches and heartbeats until the gap between records is too long. */
class FollowingRead extends Read {
  readonly #mayFollow: boolean;
  readonly #gapMs: number;
  /** The tail was reached, and its heartbeat given. */
  #isLive = false;
  /** On the monotonic clock; set once the tail was reached first, moved by every batch. */
  #endsAt: number | undefined;
  #heartbeatAt = 0;

  constructor(deps: ReaderDeps, source: StreamSource, request: ReadRequest, tail: StreamPosition) {
    super(deps, source, request, tail);
    this.#mayFollow = mayFollow(request, 'session');
    this.#gapMs = request.waitSecs === undefined ? Number.POSITIVE_INFINITY : 1_000 * request.waitSecs;
  }

  protected override fellBehind(): void {
    this.#isLive = false;
  }

  protected override async produce(): Promise<ReadBatch | 'end'> {
    for (;;) {
      if (this.filler.isOver) return 'end';
      const met = await this.catchUp();
      if (this.isClosed) return 'end';
      if (!this.filler.isEmpty) return this.#records();
      if (met === 'full') return 'end';
      const answer = this.#mayFollow ? await this.#atTail() : await this.#endIfReached();
      if (answer !== undefined) return answer;
    }
  }

  #records(): ReadBatch {
    const now = this.deps.clock.monotonic();
    if (this.#endsAt !== undefined) this.#endsAt = now + this.#gapMs;
    this.#restartHeartbeat(now);
    return this.filler.flush(this.#isLive ? this.deps.tail.positionNow() : undefined);
  }

  /** A heartbeat, or `end`; undefined once there is more to read. */
  async #atTail(): Promise<ReadBatch | 'end' | undefined> {
    const now = this.deps.clock.monotonic();
    this.#endsAt ??= now + this.#gapMs;
    if (!this.#isLive) {
      const heartbeat = await this.#heartbeat();
      this.#isLive = heartbeat !== undefined;
      return heartbeat;
    }
    const waitMs = Math.max(0, Math.min(this.#endsAt, this.#heartbeatAt) - now);
    if (await this.more(waitMs)) return undefined;
    if (this.isClosed) return 'end';
    const after = this.deps.clock.monotonic();
    if (after >= this.#endsAt) return await this.#endIfReached();
    return after >= this.#heartbeatAt ? await this.#heartbeat() : undefined;
  }

  async #endIfReached(): Promise<'end' | undefined> {
    return (await this.tailIfReached()) === undefined ? undefined : 'end';
  }

  /** Undefined when the tail has moved on, so that records come first. */
  async #heartbeat(): Promise<ReadBatch | undefined> {
    const tail = await this.tailIfReached();
    if (tail === undefined) return undefined;
    this.#restartHeartbeat(this.deps.clock.monotonic());
    return this.filler.flush(tail);
  }

  #restartHeartbeat(now: number): void {
    const { heartbeatMsMin, heartbeatMsMax } = this.deps.limits;
    this.#heartbeatAt = now + heartbeatMsMin + this.deps.random.unit() * (heartbeatMsMax - heartbeatMsMin);
  }
}
