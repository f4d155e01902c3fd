// Which channels a process of several serves, and where the others are.

import type { Owners } from '../api/owners.ts';
import type { Channel } from '../channel/channel.ts';
import type { Repository } from '../metadata/repository.ts';
import type { StreamRef } from '../model/append.ts';
import { refused } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import { type Route, Routes } from '../placement/routes.ts';
import type { Clock } from '../ports/clock.ts';
import type { OwnedChannel } from './cell.ts';

export type ChannelRef = Pick<StreamRef, 'channel'>;

/** The channel that a stream's open link names, be it this process's or not. @throws StoreError `unavailable` when there is no such channel */
export function knownChannel(channels: readonly OwnedChannel[], ref: ChannelRef): Channel {
  const found = channels.find(({ id }) => id === ref.channel);
  if (found === undefined) throw refused('unavailable', `channel ${ref.channel} is not served here`);
  return found.channel;
}

/** The same where this process is to serve it. @throws StoreError `moved` where another one is */
export function ownedChannel(channels: readonly OwnedChannel[], owners: Owners | undefined, ref: ChannelRef): Channel {
  if (owners === undefined || owners.isHere(ref.channel)) return knownChannel(channels, ref);
  throw refused('moved', 'the stream is served by another task', { kind: 'moved', channel: ref.channel });
}

/** A channel that is given up and taken over again is another one meanwhile: `find` asks metadata. */
export class TaskOwners implements Owners {
  readonly address: OwnerAddress;
  readonly routes: Routes;
  readonly #channels: readonly OwnedChannel[];

  constructor(address: OwnerAddress, channels: readonly OwnedChannel[], repository: Repository, clock: Clock) {
    this.address = address;
    this.#channels = channels;
    this.routes = new Routes(
      clock,
      (channel) => repository.channel(channel, 0, address).look(),
      () => undefined,
    );
  }

  isHere(channel: ChannelId): boolean {
    return this.#channels.find(({ id }) => id === channel)?.channel.answers === true;
  }

  find(channel: ChannelId): Promise<Route | undefined> {
    return this.routes.find(channel);
  }

  refused(route: Route): void {
    this.routes.refused(route);
  }

  doubt(route: Route): void {
    this.routes.doubt(route);
  }
}
