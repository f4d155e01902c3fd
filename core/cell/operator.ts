// Gives a task its share of the channels: claims what nobody has, gives up what others should have, and all of it at the end.
//
//   L14 A task claims what it saw released, or saw with the same epoch and lease counter for a whole lease on its own clock (L2), and
//       only while they are as it saw them (L7); what it lost it gives up for good, and takes again only so.
//
// One of several processes has one; a process that is alone takes every channel over, and keeps it. What it goes by may be stale: a
// claim that should not be fails on its condition.

import { InvariantError, invariant } from '../base/invariant.ts';
import { isLeasedAs, watchMs } from '../channel/lease.ts';
import type { Repository } from '../metadata/repository.ts';
import type { ChannelState } from '../metadata/schema.ts';
import { StoreError } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import { assign, type PlacedChannel } from '../placement/assign.ts';
import { Presence } from '../placement/presence.ts';
import type { Routes } from '../placement/routes.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';
import type { ChannelSlot } from './channel-slot.ts';

/** Of a lease: how often other owners are looked at, and how often it is told that the task lives. */
const LOOKS = 20;
const BEATS = 4;
/** A task that says nothing for this part of a lease has no share: by the time its leases have run out, others know theirs. */
const SILENT = 0.5;
/** What nobody takes for this part of a lease anybody takes, whatever its share. */
const LATE = 0.25;

interface Watched {
  readonly state: ChannelState;
  /** On the monotonic clock. */
  readonly since: number;
}

export interface OperatorDeps {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly repository: Repository;
  readonly routes: Routes;
  readonly leaseMs: number;
  /** Drawn for this process. */
  readonly task: string;
  /** Where it is reached. */
  readonly peer: string;
}

export class Operator {
  readonly #deps: OperatorDeps;
  readonly #slots: readonly ChannelSlot[];
  readonly #presence: Presence;
  readonly #watched = new Map<ChannelId, Watched>();
  readonly #moving = new Set<ChannelId>();
  readonly #stop = new AbortController();
  #counter = 0;
  #beatAt = Number.NEGATIVE_INFINITY;
  #loop: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #isWanted = false;

  constructor(deps: OperatorDeps, slots: readonly ChannelSlot[]) {
    this.#deps = deps;
    this.#slots = slots;
    this.#presence = new Presence(deps.leaseMs * SILENT);
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Somebody waits for a channel that nobody has. */
  wanted(): void {
    this.#isWanted = true;
    this.#wake();
  }

  /** Gives everything up, so that others have it at once. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#loop;
    const { repository, task } = this.#deps;
    // From here on the others count without it.
    await this.#attempt('leave', () => repository.tasks.remove({ task, counter: this.#counter }));
    await Promise.all(this.#slots.map((slot) => slot.channel.close()));
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const isWanted = this.#isWanted;
      this.#isWanted = false;
      await this.#attempt('look', () => this.#look(isWanted));
      await this.#pause();
    }
    while (this.#moving.size > 0) await this.#pause(1);
  }

  /** Until the next look is due, a lease has run out, or somebody waits. */
  async #pause(ms = this.#untilNextLook()): Promise<void> {
    if (this.#isWanted && !this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #untilNextLook(): number {
    const { clock, leaseMs } = this.#deps;
    const now = clock.monotonic();
    let ms = leaseMs / LOOKS;
    for (const { state, since } of this.#watched.values()) {
      const leftMs = since + watchMs(state.leaseMs) - now;
      if (state.state !== 'released' && leftMs > 0) ms = Math.min(ms, leftMs);
    }
    return ms;
  }

  async #look(isWanted: boolean): Promise<void> {
    const { clock, leaseMs } = this.#deps;
    const others = this.#slots.filter((slot) => !this.#isOwn(slot));
    const states = await Promise.all(others.map(({ register }) => register.look()));
    others.forEach((slot, i) => {
      this.#watch(slot, states[i]);
    });
    const isDue = clock.monotonic() - this.#beatAt >= leaseMs / BEATS;
    // Who releases has left first: shares are other ones now.
    if (isDue || isWanted || states.some((state) => state?.state === 'released')) await this.#meet(isDue);
    this.#move();
  }

  /** Says that it is there, and looks who else is. */
  async #meet(isDue: boolean): Promise<void> {
    const { clock, repository, task, peer } = this.#deps;
    if (isDue) {
      this.#counter += 1;
      await repository.tasks.beat({ task, counter: this.#counter, peer });
      this.#beatAt = clock.monotonic();
    }
    this.#presence.observe(await repository.tasks.list(), clock.monotonic());
    for (const left of this.#presence.remains(clock.monotonic())) if (left.task !== task) await repository.tasks.remove(left);
  }

  #watch({ id, register }: ChannelSlot, state: ChannelState | undefined): void {
    const { clock, routes } = this.#deps;
    if (state === undefined) {
      // A new channel: a strong read makes its item.
      void this.#attempt('make', () => register.read());
      return;
    }
    routes.learn(state);
    const before = this.#watched.get(id);
    const isSame =
      before !== undefined && isLeasedAs(before.state, state) && (state.state !== 'released' || before.state.state === 'released');
    this.#watched.set(id, { state, since: isSame ? before.since : clock.monotonic() });
  }

  #move(): void {
    const { clock, task } = this.#deps;
    const now = clock.monotonic();
    const withSelf = (tasks: readonly string[]) => [...new Set([...tasks, task])];
    const present = withSelf(this.#presence.present(now));
    const alive = withSelf(this.#presence.alive(now));
    const channels = this.#slots.map((slot): PlacedChannel => ({ id: slot.id, group: slot.storageClass, ...this.#held(slot, now) }));
    const { claim, release } = assign({ self: task, present, alive, channels });
    for (const slot of this.#slots) {
      if (claim.includes(slot.id)) this.#begin(slot, () => this.#claim(slot));
      else if (release.includes(slot.id)) this.#begin(slot, () => this.#release(slot));
    }
  }

  #isOwn({ id, channel }: ChannelSlot): boolean {
    return channel.answers || this.#moving.has(id);
  }

  #held(slot: ChannelSlot, now: number): Pick<PlacedChannel, 'state' | 'task'> {
    if (this.#isOwn(slot)) return { state: 'held', task: this.#deps.task };
    const watched = this.#watched.get(slot.id);
    if (watched === undefined) return { state: 'held' };
    const { state, leaseMs, address } = watched.state;
    const vacantFor = now - watched.since - (state === 'released' ? 0 : watchMs(leaseMs));
    if (vacantFor < 0) return { state: 'held', task: address && this.#presence.at(address.peer) };
    return { state: vacantFor >= this.#deps.leaseMs * LATE ? 'late' : 'vacant' };
  }

  #begin({ id }: ChannelSlot, act: () => Promise<void>): void {
    if (this.#moving.has(id) || this.#stop.signal.aborted) return;
    this.#moving.add(id);
    void this.#attempt(`move ${id}`, act).finally(() => this.#moving.delete(id));
  }

  async #claim(slot: ChannelSlot): Promise<void> {
    const watched = this.#watched.get(slot.id);
    invariant(watched !== undefined, 'L14: what is claimed was watched');
    // What was watched may be stale, and jobs change M beside its lease: the claim is of M as it is now, where its lease is as it was.
    const seen = await slot.register.read();
    this.#watch(slot, seen);
    if (!isLeasedAs(watched.state, seen)) return;
    await slot.replace();
    await slot.channel.claim({ seen });
  }

  async #release(slot: ChannelSlot): Promise<void> {
    this.#deps.trace.event('placement.released', { channel: slot.id });
    await slot.replace();
  }

  /** What fails is tried again by the next look. */
  async #attempt(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (error instanceof InvariantError || !(error instanceof StoreError)) throw error;
      this.#deps.trace.event('placement.failed', { what, code: error.code, message: error.message });
    }
  }
}
