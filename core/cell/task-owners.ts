// Which channels a process of several serves, and where the others are.

import type { Channels } from '../api/deps.ts';
import type { Owners } from '../api/owners.ts';
import type { Channel } from '../channel/channel.ts';
import type { Repository } from '../metadata/repository.ts';
import type { StreamRef } from '../model/append.ts';
import { isDefinite, refused, type StoreError } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import { type Refusal, type Route, Routes } from '../placement/routes.ts';
import type { Clock } from '../ports/clock.ts';
import type { OwnedChannel } from './cell.ts';

type ChannelRef = Pick<StreamRef, 'channel'>;

/** The channel that a stream's open link names, be it this process's or not. @throws StoreError `unavailable` when there is no such channel */
export function knownChannel(channels: readonly OwnedChannel[], ref: ChannelRef): Channel {
  const found = channels.find(({ id }) => id === ref.channel);
  if (found === undefined) throw refused('unavailable', `channel ${ref.channel} is not served here`);
  return found.channel;
}

/** The same where this process is to serve it. @throws StoreError `moved` where another one is */
function ownedChannel(channels: readonly OwnedChannel[], owners: Owners | undefined, ref: ChannelRef): Channel {
  if (owners === undefined || owners.isHere(ref.channel)) return knownChannel(channels, ref);
  throw moved(ref);
}

function moved({ channel }: ChannelRef): StoreError {
  return refused('moved', 'the stream is served by another task', { kind: 'moved', channel });
}

/** The channels as use cases know them. @param owners of a process that is one of several */
export function channelsOfTask(channels: readonly OwnedChannel[], owners: Owners | undefined): Channels {
  const here = <T>(ref: ChannelRef, act: (channel: Channel) => Promise<T>) => onOwnedChannel(channels, owners, ref, act);
  // A session began here, and ends here.
  const inSession = async <T>(ref: ChannelRef, act: (channel: Channel) => Promise<T>) => act(knownChannel(channels, ref));
  return {
    requireHere: (ref) => void ownedChannel(channels, owners, ref),
    append: (ref, batch, conditions, session) =>
      session === undefined
        ? here(ref, (channel) => channel.append(ref, batch, conditions))
        : inSession(ref, (channel) => channel.append(ref, batch, conditions, session)),
    room: (ref, signal) => knownChannel(channels, ref).room(signal),
    tail: (ref) => here(ref, (channel) => channel.tail(ref)),
    updateConfig: (ref) => here(ref, (channel) => channel.updateConfig(ref)),
    deleteStream: (ref) => here(ref, (channel) => channel.deleteStream(ref)),
  };
}

/** Asks the channel where this process is to serve it. @throws StoreError `moved` where another one is, also by the time that it has refused */
export async function onOwnedChannel<T>(
  channels: readonly OwnedChannel[],
  owners: Owners | undefined,
  ref: ChannelRef,
  act: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = ownedChannel(channels, owners, ref);
  if (owners === undefined) return act(channel);
  try {
    return await act(channel);
  } catch (error) {
    if (!isDefinite(error) || owners.isHere(ref.channel)) throw error;
    throw moved(ref);
  }
}

/** A channel that is given up and taken over again is another one meanwhile: `find` asks metadata. */
export class TaskOwners implements Owners {
  readonly address: OwnerAddress;
  readonly routes: Routes;
  readonly #channels: readonly OwnedChannel[];
  #vacant: () => void = () => undefined;

  constructor(address: OwnerAddress, channels: readonly OwnedChannel[], repository: Repository, clock: Clock) {
    this.address = address;
    this.#channels = channels;
    this.routes = new Routes(
      clock,
      (channel) => repository.channel(channel, 0, address).look(),
      () => this.#vacant(),
    );
  }

  /** @param vacant called when somebody waits for a channel that nobody has */
  onVacant(vacant: () => void): void {
    this.#vacant = vacant;
  }

  isHere(channel: ChannelId): boolean {
    return this.#channels.find(({ id }) => id === channel)?.channel.answers === true;
  }

  find(channel: ChannelId): Promise<Route | undefined> {
    return this.routes.find(channel);
  }

  refused(route: Route, how: Refusal): void {
    this.routes.refused(route, how);
  }

  doubt(route: Route): void {
    this.routes.doubt(route);
  }
}
