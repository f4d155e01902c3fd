// A channel as the rest of the process sees it: it is taken over, renewed, lost and taken over again behind this face.

import type { RecordBatch } from '../format/record.ts';
import type { ChannelState } from '../metadata/schema.ts';
import type { AppendAck, AppendConditions, StreamRef } from '../model/append.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { Epoch, Position, StreamId } from '../model/ids.ts';
import type { StreamConfig } from '../model/stream-config.ts';
import type { StreamTail } from '../ports/tail.ts';
import { ChannelTail } from './channel-tail.ts';
import type { ChannelConfig, ChannelDeps } from './deps.ts';
import type { ResidentStream } from './resident-stream.ts';
import { basesOf, type Proof, takeOver } from './takeover.ts';
import type { AppendSession, Tenure } from './tenure.ts';

/** How far offload may go, in the owner's word. */
export interface OffloadHint {
  readonly epoch: Epoch;
  readonly to: Position;
  readonly backlogBytes: number;
  /** How long the oldest of it has been committed. */
  readonly ageMs: number;
}

export class Channel {
  readonly #deps: ChannelDeps;
  readonly #config: ChannelConfig;
  #tenure: Tenure | undefined;
  #item: ChannelState | undefined;
  #isClosing = false;
  #isHalted: StoreError | undefined;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  /** Per stream, the last append that waits for its state or for room, so that they go on in their order. */
  readonly #queues = new Map<StreamId, Promise<void>>();

  constructor(deps: ChannelDeps, config: ChannelConfig) {
    this.#deps = deps;
    this.#config = config;
  }

  get isReady(): boolean {
    return this.#tenure !== undefined && this.#tenure.stopped === undefined;
  }

  get gauges(): { readonly streams: number; readonly heldBytes: number; readonly backlogBytes: number } {
    const tenure = this.#tenure;
    return {
      streams: tenure?.streams.count ?? 0,
      heldBytes: tenure?.backlog.heldBytes ?? 0,
      backlogBytes: tenure?.backlog.backlogBytes ?? 0,
    };
  }

  /**
   * Takes the channel over, and keeps it until `close`. Resolves once it first is the owner, or was closed before; rejects when
   * it never can be (corruption).
   */
  open(proof: Proof): Promise<void> {
    const opened = this.#becomeOwner(proof);
    this.#loop = opened.then(
      () => this.#run(),
      () => undefined,
    );
    return opened;
  }

  /** Drains, releases, and never answers again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stop.abort();
    await this.#loop;
    const tenure = this.#tenure;
    if (tenure === undefined || this.#item === undefined) return;
    // What could not be drained was told so.
    await tenure.drain().catch(() => undefined);
    tenure.stop(refused('draining', 'the channel was released'));
    await tenure.close();
    try {
      await this.#deps.metadata.release(this.#item);
    } catch (error) {
      // Its lease runs out in any case.
      this.#report(error);
    }
  }

  /**
   * Appends a batch. Calls for one stream take effect in their order.
   *
   * @throws StoreError: `effect` says whether the records may be there.
   */
  append(ref: StreamRef, batch: RecordBatch, conditions: AppendConditions, session?: AppendSession): Promise<AppendAck> {
    const tenure = this.#tenure;
    const stream = tenure?.streams.get(ref.streamId);
    if (tenure !== undefined && stream !== undefined && !tenure.holdsBack && !this.#queues.has(ref.streamId)) {
      return tenure.append(stream, stream.config ?? ref.config, batch, conditions, session);
    }
    return this.#appendLater(ref, batch, conditions, session);
  }

  /** Resolves once an append would not have to wait: what sessions ask before they read on. Undefined: at once. */
  room(): Promise<void> | undefined {
    return this.#tenure?.holdsBack === true ? this.#tenure.room() : undefined;
  }

  /** The stream's tail, held in memory until the caller releases it. */
  async tail(ref: StreamRef): Promise<StreamTail> {
    const tenure = this.#active();
    const stream = await this.#hold(tenure, ref);
    return new ChannelTail(tenure, stream, this.#deps.clock);
  }

  /** A changed configuration counts from the next append on. */
  updateConfig(ref: StreamRef, config: StreamConfig): void {
    const stream = this.#tenure?.streams.get(ref.streamId);
    if (stream !== undefined) stream.config = config;
  }

  /** Seals the stream; resolves once no append can follow, whatever crashes. */
  async deleteStream(ref: StreamRef): Promise<void> {
    const tenure = this.#active();
    const stream = await this.#hold(tenure, ref);
    try {
      await tenure.seal(stream);
    } finally {
      this.#letGo(tenure, stream);
    }
  }

  offloadHint(): OffloadHint | undefined {
    const tenure = this.#tenure;
    const oldest = tenure?.backlog.oldestAt;
    if (tenure === undefined || tenure.stopped !== undefined || oldest === undefined) return undefined;
    return {
      epoch: tenure.epoch,
      to: tenure.commitPoint,
      backlogBytes: tenure.backlog.backlogBytes,
      ageMs: this.#deps.clock.monotonic() - oldest,
    };
  }

  /** The payload of a chunk that this owner knows to be committed and still holds. */
  heldChunk(epoch: Epoch, at: Position): Uint8Array | undefined {
    return this.#tenure?.backlog.payloadAt(epoch, at);
  }

  /** Takes in M as a job left it, without waiting for the next renewal. */
  async refresh(): Promise<void> {
    const item = await this.#deps.metadata.read();
    if (this.#item !== undefined && item.epoch === this.#item.epoch && item.owner === this.#item.owner) this.#takeIn(item);
  }

  async #appendLater(ref: StreamRef, batch: RecordBatch, conditions: AppendConditions, session?: AppendSession): Promise<AppendAck> {
    const bytes = batch.bytes.length;
    if (this.#waitingBytes + bytes > this.#config.waitingBytesMax) return this.#throttle(ref, session);
    this.#waitingBytes += bytes;
    try {
      const { acknowledged } = await this.#inTurn(ref, session, async () => {
        const tenure = this.#active();
        const stream = await this.#hold(tenure, ref);
        try {
          while (tenure.holdsBack) await tenure.room();
          return { acknowledged: tenure.append(stream, stream.config ?? ref.config, batch, conditions, session) };
        } finally {
          this.#letGo(tenure, stream);
        }
      });
      return acknowledged;
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** Refuses an append for want of waiting room; in its turn, as those of its session that wait before it may take effect yet. */
  async #throttle(ref: StreamRef, session: AppendSession | undefined): Promise<never> {
    const error = refused('throttled', 'too many bytes wait to be appended; try again later');
    if (session === undefined) throw error;
    return await this.#inTurn<never>(ref, session, () => Promise.reject(error));
  }

  /** Runs `act` once all that came before for the stream had their turn. Its failure is the session's before the next turn. */
  #inTurn<T>(ref: StreamRef, session: AppendSession | undefined, act: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(ref.streamId) ?? Promise.resolve();
    const turn = before.then(act).catch((error: unknown): never => {
      if (session !== undefined && error instanceof StoreError) session.failed ??= error;
      throw error;
    });
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#queues.set(ref.streamId, settled);
    void settled.then(() => {
      if (this.#queues.get(ref.streamId) === settled) this.#queues.delete(ref.streamId);
    });
    return turn;
  }

  #active(): Tenure {
    const tenure = this.#tenure;
    if (this.#isHalted !== undefined) throw this.#isHalted;
    if (this.#isClosing) throw refused('draining', 'the channel is being released');
    if (tenure === undefined || tenure.stopped !== undefined) {
      throw refused('unavailable', 'the channel is being taken over; try again');
    }
    return tenure;
  }

  async #hold(tenure: Tenure, ref: StreamRef): Promise<ResidentStream> {
    // A stream that was dropped between its load and our turn is loaded again.
    for (;;) {
      const stream = await tenure.streams.load(ref.streamId, ref.streamlet);
      if (tenure.streams.get(ref.streamId) === stream) {
        stream.holders += 1;
        return stream;
      }
    }
  }

  #letGo(tenure: Tenure, stream: ResidentStream): void {
    stream.holders -= 1;
    tenure.streams.dropIfIdle(stream);
  }

  async #becomeOwner(proof: Proof): Promise<void> {
    while (!this.#isClosing) {
      try {
        await this.#takeOver(proof);
        return;
      } catch (error) {
        if (this.#report(error).code === 'corrupt') throw error;
        await this.#deps.clock.sleep(this.#config.leaseMs / 20, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #takeOver(proof: Proof): Promise<void> {
    const { tenure, item } = await takeOver(this.#deps, this.#config, proof, () => undefined, this.#stop.signal);
    this.#tenure = tenure;
    this.#takeIn(item);
  }

  /** Tells a failure of the world; any other is thrown on. */
  #report(error: unknown): StoreError {
    if (!(error instanceof StoreError)) throw error;
    const { trace, channel } = this.#deps;
    trace.event('channel.error', { channel, code: error.code, message: error.message });
    return error;
  }

  #takeIn(item: ChannelState): void {
    this.#item = item;
    this.#tenure?.advance(basesOf(item));
  }

  /** Renews until the channel is lost, then takes it over again by its lease. */
  async #run(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#isClosing) {
      try {
        await clock.sleep(this.#config.leaseMs / 4, this.#stop.signal);
      } catch {
        return;
      }
      try {
        if (this.#tenure?.stopped === undefined) await this.#renew();
        else await this.#takeOver('lease');
      } catch (error) {
        const failure = this.#report(error);
        if (failure.code === 'corrupt') {
          this.#isHalted = failure;
          this.#tenure?.stop(failure);
          return;
        }
      }
    }
  }

  async #renew(): Promise<void> {
    const tenure = this.#tenure;
    if (tenure === undefined || this.#item === undefined) return;
    const sentAt = [this.#deps.clock.monotonic(), this.#deps.clock.now()] as const;
    const item = await this.#deps.metadata.renew(this.#item);
    if (item === undefined) {
      tenure.deposed(new StoreError('deposed', 'unknown', 'another owner has claimed the channel'));
      return;
    }
    tenure.lease.renewed(...sentAt);
    this.#takeIn(item);
  }
}
