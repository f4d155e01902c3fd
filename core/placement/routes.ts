// Where channels are served, by their metadata: cached, refreshed by and by, and at once where a route turned out wrong.
//
// Reads are stale, and so may routes be: whoever is asked in vain says so, and owns nothing by it. Many may wait for the same
// channel at once: they share what is read.

import { invariant } from '../base/invariant.ts';
import type { ChannelState } from '../metadata/schema.ts';
import type { ChannelId, Epoch } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { Clock } from '../ports/clock.ts';

/** A route that is older is read again beside its use: its owner may be one that neither answers nor refuses. */
const FRESH_MS = 2_000;
/** Between two reads of a channel that nobody is known to serve. */
const LOOK_MS = 50;
/** A route on which nobody was reached is not given again for so long, whatever metadata says. */
const UNREACHED_MS = 200;
/** Who says that it does not serve the channel seldom does so again in the same epoch: it has lost it, or drains. */
const REFUSED_MS = 1_000;

export interface Route {
  readonly channel: ChannelId;
  readonly epoch: Epoch;
  readonly address: OwnerAddress;
}

export type Refusal = 'said' | 'unreached';

interface Entry {
  route: Route | undefined;
  /** On the monotonic clock. */
  readAt: number;
  reading: Promise<void> | undefined;
  refused: { readonly epoch: Epoch; readonly until: number } | undefined;
}

export class Routes {
  readonly #clock: Clock;
  readonly #look: (channel: ChannelId) => Promise<ChannelState | undefined>;
  readonly #vacant: (channel: ChannelId) => void;
  readonly #entries = new Map<ChannelId, Entry>();

  /**
   * @param look reads M, perhaps stale.
   * @param vacant told when somebody wants a channel that nobody has, again and again.
   */
  constructor(clock: Clock, look: (channel: ChannelId) => Promise<ChannelState | undefined>, vacant: (channel: ChannelId) => void) {
    this.#clock = clock;
    this.#look = look;
    this.#vacant = vacant;
  }

  /** Undefined: nobody serves it, as far as is known. @throws StoreError where metadata cannot be read and nothing is known */
  async find(channel: ChannelId): Promise<Route | undefined> {
    const entry = this.#entryOf(channel);
    const age = this.#clock.monotonic() - entry.readAt;
    if (entry.route === undefined) {
      if (age >= LOOK_MS) await this.#read(channel, entry);
    } else if (age >= FRESH_MS) {
      // What is known serves meanwhile.
      this.#read(channel, entry).catch(() => undefined);
    }
    return entry.route;
  }

  /** M as somebody read it just now. */
  learn(state: ChannelState): void {
    this.#take(this.#entryOf(state.channel), state);
  }

  /** Whoever is there does not serve it now: so it said, or nobody was reached. */
  refused({ channel, epoch }: Route, how: Refusal): void {
    const entry = this.#entryOf(channel);
    entry.refused = { epoch, until: this.#clock.monotonic() + (how === 'said' ? REFUSED_MS : UNREACHED_MS) };
    if (entry.route?.epoch === epoch) this.#forget(entry);
  }

  /** It may be out of date: the next one to ask reads again. */
  doubt({ channel, epoch }: Route): void {
    const entry = this.#entryOf(channel);
    if (entry.route?.epoch === epoch) this.#forget(entry);
  }

  #entryOf(channel: ChannelId): Entry {
    const known = this.#entries.get(channel);
    if (known !== undefined) return known;
    const entry: Entry = { route: undefined, readAt: Number.NEGATIVE_INFINITY, reading: undefined, refused: undefined };
    this.#entries.set(channel, entry);
    return entry;
  }

  /** What is read from here on is newer than the doubt. */
  #forget(entry: Entry): void {
    entry.route = undefined;
    entry.readAt = Number.NEGATIVE_INFINITY;
  }

  #read(channel: ChannelId, entry: Entry): Promise<void> {
    entry.reading ??= this.#look(channel)
      .then((state) => {
        if (state === undefined) entry.readAt = this.#clock.monotonic();
        else this.#take(entry, state);
        if (state === undefined || state.state === 'released') this.#vacant(channel);
      })
      .finally(() => {
        entry.reading = undefined;
      });
    return entry.reading;
  }

  #take(entry: Entry, { channel, epoch, state, address }: ChannelState): void {
    const now = this.#clock.monotonic();
    entry.readAt = now;
    const { refused } = entry;
    const isRefused = refused !== undefined && refused.epoch === epoch && now < refused.until;
    // Who recovers serves nothing yet. A stale read may come behind a newer one.
    if (state !== 'active' || address === undefined || isRefused) entry.route = undefined;
    else if (entry.route === undefined || entry.route.epoch <= epoch) entry.route = { channel, epoch, address };
    invariant(entry.route === undefined || entry.route.channel === channel, 'a route is kept under its channel');
  }
}
