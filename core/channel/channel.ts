// A channel as the rest of the process sees it: it is taken over, renewed, repaired, lost and taken over again behind this face.
//
//   L11 From the start of a release nothing is sequenced.
//   L13 Nor while the owner takes the next epoch from itself: what comes meanwhile waits in its turn, as it does for room.
//   E2  What a stream with a cipher is given is encrypted with it, and what any other is given is not.

import { invariant } from '../base/invariant.ts';
import type { RecordBatch } from '../format/record.ts';
import type { ChannelState } from '../metadata/schema.ts';
import type { HeldStream } from '../metadata/stored-bytes.ts';
import type { AppendAck, AppendConditions, StreamRef } from '../model/append.ts';
import { isDueToDeleteItself } from '../model/delete-on-empty.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { Epoch, Position, StreamId } from '../model/ids.ts';
import type { Timer } from '../ports/clock.ts';
import type { StreamTail } from '../ports/tail.ts';
import type { OffloadHint } from './backlog.ts';
import { ChannelTail } from './channel-tail.ts';
import type { ChannelConfig, ChannelDeps } from './deps.ts';
import { type ChannelGauges, gaugesOf, offloadHintOf } from './gauges.ts';
import { Patience } from './patience.ts';
import { Repair } from './repair.ts';
import type { ResidentStream } from './resident-stream.ts';
import { basesOf, type OwnClaim, type Proof, takeOver, type Vacancy } from './takeover.ts';
import type { Tenure } from './tenure.ts';
import { takeInTrimmed } from './trimmed.ts';
import { type AppendSession, Turns } from './turns.ts';

export class Channel {
  readonly #deps: ChannelDeps;
  readonly #config: ChannelConfig;
  #tenure: Tenure | undefined;
  #item: ChannelState | undefined;
  #isClosing = false;
  #isHalted: StoreError | undefined;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  readonly #repair = new Repair();
  /** Resolves once the tenure has given way to the next one, or goes on after all. Nothing is sequenced meanwhile. */
  #handover: Promise<void> | undefined;
  #waitingBytes = 0;
  #obstacle: StoreError | undefined;
  readonly #turns = new Turns();

  constructor(deps: ChannelDeps, config: ChannelConfig) {
    this.#deps = deps;
    this.#config = config;
  }

  get isReady(): boolean {
    return this.#tenure !== undefined && this.#tenure.stopped === undefined;
  }

  /** Whether it is for this process to answer what is asked of the channel, be it that the channel is damaged. */
  get answers(): boolean {
    return this.#isHalted !== undefined || (this.isReady && !this.#isClosing);
  }

  get gauges(): ChannelGauges {
    return gaugesOf(this.#tenure, this.#waitingBytes);
  }

  /** Whether what this process says of the channel's streams rests on its lease alone now. */
  get vouches(): boolean {
    return this.#tenure?.vouches === true;
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

  /**
   * Takes the channel over as it was seen, and keeps it until it is lost, or `close`: once, and then never again.
   *
   * @throws StoreError when another had it first, or it cannot be had
   */
  async claim(vacancy: Vacancy): Promise<void> {
    try {
      await this.#takeOver(vacancy);
    } catch (error) {
      const failure = this.#report(error);
      if (failure.code === 'corrupt') this.#isHalted = failure;
      throw error;
    }
    this.#loop = this.#run(false);
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
    invariant(batch.encryption?.cipher === ref.cipher, 'E2: records are encrypted where their stream says so, and as it says');
    const tenure = this.#tenure;
    const stream = tenure?.streams.get(ref.streamId);
    const isNext = this.#handover === undefined && !this.#turns.has(ref.streamId);
    if (tenure !== undefined && stream !== undefined && isNext && !tenure.holdsBack) {
      return tenure.append(stream, stream.configFor(ref), batch, conditions, session);
    }
    return this.#appendLater(ref, batch, conditions, session);
  }

  /** Resolves once an append would not have to wait: what sessions ask before they read on. Undefined: at once. */
  room(signal?: AbortSignal): Promise<void> | undefined {
    if (this.#handover !== undefined) return this.#handover;
    return this.#tenure?.holdsBack === true ? this.#tenure.room(signal) : undefined;
  }

  /** The stream's tail, held in memory until the caller releases it. */
  async tail(ref: StreamRef): Promise<StreamTail> {
    const { tenure, stream } = await this.#hold(ref);
    return new ChannelTail(tenure, stream, this.#deps.clock);
  }

  /**
   * Takes in a configuration that is on record: it counts from the next append on, under any owner, once this resolves. (S5) What
   * was sequenced before is committed then, so that nobody sees it come later; what waits for room is not waited for.
   *
   * @throws StoreError `stream_deletion_pending` where the stream was sealed before.
   */
  async updateConfig(ref: StreamRef): Promise<void> {
    const { tenure, stream } = await this.#hold(ref);
    try {
      stream.configFor(ref);
      await tenure.mayStateOpen(stream);
    } finally {
      this.#letGo(tenure, stream);
    }
  }

  /** Seals the stream; resolves once no append can follow, whatever crashes. */
  async deleteStream(ref: StreamRef): Promise<void> {
    const { tenure, stream } = await this.#hold(ref);
    try {
      await tenure.seal(stream);
    } finally {
      this.#letGo(tenure, stream);
    }
  }

  /**
   * Seals the stream if it is due to delete itself: decided here, in order with its appends. False: it is not due, as far as its owner
   * knows; again after true: true, as it is sealed.
   *
   * @param createdAt milliseconds since 1970.
   */
  async sealIfEmpty(ref: StreamRef, createdAt: number): Promise<boolean> {
    const { tenure, stream } = await this.#hold(ref);
    try {
      await takeInTrimmed(this.#deps, stream);
      // Nothing is awaited from here to the seal, so no append comes between. Whoever waits to append writes to the stream.
      if (!this.#goesOn(tenure) || this.#turns.has(ref.streamId)) return false;
      const now = this.#deps.clock.now();
      const isDue = isDueToDeleteItself(stream.assigned, stream.configFor(ref), createdAt, now, this.#config.wallErrorMsMax);
      if (!isDue && !stream.assigned.isSealed) return false;
      await tenure.seal(stream);
      return true;
    } finally {
      this.#letGo(tenure, stream);
    }
  }

  offloadHint(): OffloadHint | undefined {
    return this.#tenure === undefined ? undefined : offloadHintOf(this.#tenure, this.#deps.clock);
  }

  /** Told by whoever offloads: why it cannot, or that it can. */
  offloadIs(obstacle: StoreError | undefined): void {
    this.#obstacle = obstacle;
  }

  /** The payload of a chunk that this owner knows to be committed and still holds. */
  heldChunk(epoch: Epoch, at: Position): Uint8Array | undefined {
    return this.#tenure?.backlog.payloadAt(epoch, at);
  }

  /** What memory holds of a stream now; undefined when it is not in memory: all of it is in segments, or elsewhere. */
  held(streamId: StreamId): HeldStream | undefined {
    const stream = this.#tenure?.streams.get(streamId);
    return stream === undefined ? undefined : { frames: stream.heldFrames(), trimPoint: stream.committed.trimPoint };
  }

  /** Takes in M as a job left it, without waiting for the next renewal. */
  async refresh(): Promise<void> {
    const item = await this.#deps.metadata.read();
    if (this.#item !== undefined && item.epoch === this.#item.epoch && item.owner === this.#item.owner) this.#takeIn(item);
  }

  async #appendLater(ref: StreamRef, batch: RecordBatch, conditions: AppendConditions, session?: AppendSession): Promise<AppendAck> {
    const bytes = batch.bytes.length;
    if (this.#waitingBytes + bytes > this.#config.waitingBytesMax) return this.#turns.throttle(ref.streamId, session);
    this.#waitingBytes += bytes;
    const { clock } = this.#deps;
    const patience = new Patience(clock, session === undefined ? this.#config.roomMsMax : undefined, () => this.#obstacle);
    try {
      const { acknowledged } = await this.#turns.run(ref.streamId, session, () =>
        this.#withRoom(ref, patience, (tenure, stream) => ({
          acknowledged: tenure.append(stream, stream.configFor(ref), batch, conditions, session),
        })),
      );
      return acknowledged;
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** Runs `act` once there is room, under the owner that goes on. */
  async #withRoom<T>(ref: StreamRef, patience: Patience, act: (tenure: Tenure, stream: ResidentStream) => T): Promise<T> {
    for (;;) {
      const { tenure, stream } = await this.#hold(ref);
      try {
        while (tenure.holdsBack) await patience.room(tenure);
        if (this.#goesOn(tenure)) return act(tenure, stream);
      } finally {
        this.#letGo(tenure, stream);
      }
    }
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

  #goesOn(tenure: Tenure): boolean {
    return this.#tenure === tenure && this.#handover === undefined;
  }

  /** The stream in its owner's memory, until the caller lets it go. */
  async #hold(ref: StreamRef): Promise<{ readonly tenure: Tenure; readonly stream: ResidentStream }> {
    for (;;) {
      if (this.#handover !== undefined) await this.#handover;
      const tenure = this.#active();
      const stream = await tenure.streams.load(ref.streamId, ref.streamlet, ref);
      // One that was dropped between its load and our turn is loaded again, and so is one of an owner that was replaced.
      if (this.#goesOn(tenure) && tenure.streams.get(ref.streamId) === stream) {
        stream.holders += 1;
        return { tenure, stream };
      }
    }
  }

  #letGo(tenure: Tenure, stream: ResidentStream): void {
    stream.holders -= 1;
    tenure.streams.dropIfIdle(stream);
  }

  async #becomeOwner(proof: Proof): Promise<void> {
    const { leaseMs } = this.#config;
    // Each attempt takes an epoch: the longer it has been in vain, the fewer.
    for (let pauseMs = leaseMs / 20; !this.#isClosing; pauseMs = Math.min(2 * pauseMs, leaseMs / 2)) {
      try {
        await this.#takeOver(proof);
        return;
      } catch (error) {
        const failure = this.#report(error);
        if (failure.code === 'corrupt') {
          this.#isHalted = failure;
          throw error;
        }
        await this.#deps.clock.sleep(pauseMs, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #takeOver(proof: Proof | OwnClaim | Vacancy): Promise<void> {
    const { tenure, item } = await takeOver(this.#deps, this.#config, proof, this.#stop.signal);
    this.#tenure?.stop(refused('unavailable', 'the channel goes on in another epoch; try again'));
    this.#tenure = tenure;
    this.#takeIn(item);
  }

  /** The owner takes the next epoch from itself. Where that fails, a renewal tells whether it goes on as before. */
  async #handOver(tenure: Tenure, { epoch, owner }: ChannelState): Promise<void> {
    const { clock, trace, channel } = this.#deps;
    trace.event('channel.repair', { channel, epoch });
    let tellOver = (): void => undefined;
    this.#handover = new Promise((resolve) => {
      tellOver = resolve;
    });
    const end = (): void => {
      this.#handover = undefined;
      tellOver();
    };
    let patience: Timer | undefined;
    try {
      // Whoever looked just before is sequenced by the end of this turn.
      await new Promise<void>((resolve) => clock.soon(resolve));
      await tenure.settled();
      // A takeover that takes so long is one like any other: nobody waits for it, neither appends nor followers.
      patience = clock.after(this.#config.leaseMs, () => {
        tenure.stop(refused('unavailable', 'the channel is being taken over; try again'));
        end();
      });
      await this.#takeOver({ own: owner });
    } catch (error) {
      await Promise.race([this.#renew(tenure), tenure.over]).catch((failure: unknown) => this.#report(failure));
      throw error;
    } finally {
      patience?.cancel();
      end();
    }
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

  /** Renews until the channel is lost, then takes it over again by its lease, if it `regains` it. */
  async #run(regains = true): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#isClosing) {
      try {
        await clock.sleep(this.#config.leaseMs / 4, this.#stop.signal);
      } catch {
        return;
      }
      try {
        const tenure = this.#tenure;
        const isLost = tenure === undefined || tenure.stopped !== undefined;
        if (isLost && !regains) return;
        if (isLost) await this.#takeOver('lease');
        else await this.#keep(tenure);
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

  /** Renews the lease, and repairs the channel where it needs that. A renewal without an answer keeps nobody from taking over. */
  async #keep(tenure: Tenure): Promise<void> {
    await Promise.race([this.#renew(tenure), tenure.over]);
    const item = this.#item;
    if (tenure.stopped !== undefined || item === undefined) return;
    const committed = { epoch: tenure.epoch, at: tenure.commitPoint };
    const view = { item, zones: this.#deps.logs.zones(), committed, oldestHeld: tenure.backlog.oldest };
    if (this.#repair.isDue(view)) await this.#handOver(tenure, item);
  }

  async #renew(tenure: Tenure): Promise<void> {
    if (this.#item === undefined) return;
    const sentAt = tenure.lease.now();
    const item = await this.#deps.metadata.renew(this.#item);
    if (this.#tenure !== tenure) return;
    if (item === undefined) {
      tenure.deposed(new StoreError('deposed', 'unknown', 'another owner has claimed the channel'));
      return;
    }
    tenure.lease.renewed(sentAt);
    this.#takeIn(item);
  }
}
