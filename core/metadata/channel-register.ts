// One channel's item M: claim, renew, publish and release for its owner; name and finish for offload; drop and bump for gc and sweep.
//
// Each change is a commit of M alone, conditional on the version that was read. Each resolves to M as it is now, or to
// undefined when its condition did not hold. An answer that got lost is looked up; one that stays open is thrown as
// it came, with effect unknown, and the change may be asked for again. What a change may be is in transitions.ts.

import { invariant } from '../base/invariant.ts';
import { StoreError } from '../model/errors.ts';
import type { ChannelId, Epoch, OwnerNonce, Position, ZoneId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { Consistency, FieldValue, Item, MetadataStore } from '../ports/metadata-store.ts';
import { decodeChannel, encodeChannel, unclaimedChannel } from './codec.ts';
import { difference } from './conditional.ts';
import { type ChannelLog, type ChannelState, channelKey, type PendingOffload } from './schema.ts';
import { type ChannelMove, checkChannel, checkRenewal } from './transitions.ts';

/** Attempts of a change that only late renewals or offload can get in the way of. */
const ATTEMPTS_MAX = 16;

/** What a publish makes of a recovery: where the log that was open ends, and the zones of the new one. */
export interface PublishedLogs {
  readonly closed?: { readonly epoch: Epoch; readonly end: Position; readonly sealedAt: Position };
  readonly zones: readonly ZoneId[];
}

export class ChannelRegister {
  readonly channel: ChannelId;
  readonly #store: MetadataStore;
  readonly #leaseMs: number;
  readonly #address: OwnerAddress | undefined;

  /** @param leaseMs and address: what a claim says its lease is, and where its owner is reached. */
  constructor(store: MetadataStore, channel: ChannelId, leaseMs: number, address?: OwnerAddress) {
    this.#store = store;
    this.channel = channel;
    this.#leaseMs = leaseMs;
    this.#address = address;
  }

  /** A strong read; makes the item of a new channel. */
  async read(): Promise<ChannelState> {
    const key = channelKey(this.channel);
    const item = await this.#store.get(key, 'strong');
    if (item !== undefined) return decodeChannel(this.channel, item);
    const state = unclaimedChannel(this.channel);
    const made = await this.#store.commit([{ kind: 'put', key, fields: encodeChannel(state), when: { absent: true } }]);
    return this.#decode(made.committed ? made.items[0] : made.current[0]);
  }

  /** As it was lately, perhaps: for whoever only wants to know whom to ask. Undefined: nobody has claimed it yet. */
  async look(consistency: Consistency = 'stale'): Promise<ChannelState | undefined> {
    const item = await this.#store.get(channelKey(this.channel), consistency);
    return item === undefined ? undefined : decodeChannel(this.channel, item);
  }

  /** epoch + 1, the nonce, `recovering`, reached at our address (M23); if epoch, version and lease counter are as in `seen`. */
  claim(seen: ChannelState, owner: OwnerNonce): Promise<ChannelState | undefined> {
    const { address: _before, ...kept } = seen;
    const candidate: ChannelState = {
      ...kept,
      version: seen.version + 1,
      epoch: (seen.epoch + 1) as Epoch,
      owner,
      leaseMs: this.#leaseMs,
      state: 'recovering',
      ...(this.#address === undefined ? {} : { address: this.#address }),
    };
    const watched = { epoch: seen.epoch, leaseCounter: seen.leaseCounter };
    return this.#change(seen, candidate, 'claim', (now) => now.owner === owner, watched);
  }

  /**
   * Moves the lease counter, not the version; if epoch and owner are as in `own`.
   *
   * The condition includes the counter, so that a renewal that arrives late cannot bring an old counter back: a successor
   * that looks seldom could take that for a counter that stood still.
   */
  async renew(own: ChannelState): Promise<ChannelState | undefined> {
    let seen = own;
    for (let i = 0; i < ATTEMPTS_MAX; i += 1) {
      const leaseCounter = seen.leaseCounter + 1;
      checkRenewal(seen, { ...seen, leaseCounter });
      const equals = { epoch: own.epoch, owner: own.owner, leaseCounter: seen.leaseCounter };
      const key = channelKey(this.channel);
      const answer = await this.#store.commit([{ kind: 'update', key, set: { leaseCounter }, when: { equals } }]);
      if (answer.committed) return this.#decode(answer.items[0]);
      seen = this.#decode(answer.current[0]);
      if (!isOwnedAs(seen, own)) return undefined;
    }
    return undefined;
  }

  /** Closes the open log, opens that of the epoch, `active`; if nothing but renewals changed M since the claim. */
  publish(claimed: ChannelState, { closed, zones }: PublishedLogs): Promise<ChannelState | undefined> {
    const kept = claimed.logs.map((log): ChannelLog => {
      if (log.epoch !== closed?.epoch) return log;
      return { ...log, end: closed.end, sealedAt: closed.sealedAt };
    });
    const logs = [...kept, { epoch: claimed.epoch, base: 0 as Position, zones }];
    const candidate: ChannelState = { ...claimed, version: claimed.version + 1, state: 'active', logs };
    return this.#change(claimed, candidate, 'publish', (now) => now.state === 'active' && isOwnedAs(now, claimed));
  }

  /** `released`; if epoch and owner are as in `own`. */
  async release(own: ChannelState): Promise<ChannelState | undefined> {
    let seen = await this.read();
    for (let i = 0; i < ATTEMPTS_MAX; i += 1) {
      if (!isOwnedAs(seen, own)) return undefined;
      if (seen.state === 'released') return seen;
      const candidate: ChannelState = { ...seen, version: seen.version + 1, state: 'released' };
      const released = await this.#change(seen, candidate, 'release', (now) => isOwnedAs(now, own) && now.state === 'released');
      if (released !== undefined) return released;
      seen = await this.read();
    }
    return undefined;
  }

  /** Names an offload, before anything of it is applied; only while `seen` is active and has none pending. */
  nameOffload(seen: ChannelState, pending: PendingOffload): Promise<ChannelState | undefined> {
    const candidate: ChannelState = { ...seen, version: seen.version + 1, pending };
    return this.#change(seen, candidate, 'name', (now) => now.pending?.object === pending.object);
  }

  /** `base := to`, nothing pending: once the pending offload of `seen` is applied to every stream. */
  finishOffload(seen: ChannelState): Promise<ChannelState | undefined> {
    const { pending, ...rest } = seen;
    invariant(pending !== undefined, 'M6: only a pending offload is finished');
    const logs = seen.logs.map((log) => (log.epoch === pending.epoch ? { ...log, base: pending.to } : log));
    const candidate: ChannelState = { ...rest, version: seen.version + 1, logs };
    return this.#change(seen, candidate, 'finish', (now) => isFinished(now, pending));
  }

  /** Drops a log that is closed and offloaded whole, once its chunks are deleted but for the last seals. */
  dropLog(seen: ChannelState, epoch: Epoch): Promise<ChannelState | undefined> {
    const logs = seen.logs.filter((log) => log.epoch !== epoch);
    const candidate: ChannelState = { ...seen, version: seen.version + 1, logs };
    return this.#change(seen, candidate, 'drop', (now) => !now.logs.some((log) => log.epoch === epoch));
  }

  /** Moves the version on, so that what was prepared under this one and is not named yet never will be. */
  bump(seen: ChannelState): Promise<ChannelState | undefined> {
    const candidate: ChannelState = { ...seen, version: seen.version + 1 };
    return this.#change(seen, candidate, 'bump', (now) => now.version > seen.version);
  }

  /** One conditional commit of M alone. `isOurs` tells whether M says that this very change took effect. */
  async #change(
    seen: ChannelState,
    candidate: ChannelState,
    move: ChannelMove,
    isOurs: (now: ChannelState) => boolean,
    watched: Readonly<Record<string, FieldValue>> = {},
  ): Promise<ChannelState | undefined> {
    invariant(seen.channel === this.channel, 'M1: M belongs to one channel');
    checkChannel(seen, candidate, move);
    const set = difference(encodeChannel(seen), encodeChannel(candidate));
    const when = { equals: { version: seen.version, ...watched } };
    try {
      const answer = await this.#store.commit([{ kind: 'update', key: channelKey(this.channel), set, when }]);
      const now = this.#decode(answer.committed ? answer.items[0] : answer.current[0]);
      return answer.committed || isOurs(now) ? now : undefined;
    } catch (error) {
      if (!(error instanceof StoreError) || error.effect === 'none') throw error;
      const now = await this.read();
      if (isOurs(now)) return now;
      throw error;
    }
  }

  #decode(item: Item | undefined): ChannelState {
    if (item === undefined) throw new StoreError('corrupt', 'none', `the metadata item of channel ${this.channel} is gone`);
    return decodeChannel(this.channel, item);
  }
}

function isOwnedAs(now: ChannelState, own: ChannelState): boolean {
  return now.epoch === own.epoch && now.owner === own.owner;
}

function isFinished(now: ChannelState, pending: PendingOffload): boolean {
  const log = now.logs.find(({ epoch }) => epoch === pending.epoch);
  return log === undefined || log.base >= pending.to;
}
