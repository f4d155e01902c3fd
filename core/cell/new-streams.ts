// Which channel a new stream goes to: of its class the one that got the fewest from this process.
//
// What channels carry is for a balancer to know, which moves streams that turn out to be hot; here every stream weighs the same.

import { refused } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import type { StorageClass } from '../model/stream-config.ts';
import type { OwnedChannel } from './cell.ts';

export class NewStreams {
  readonly #channels: readonly OwnedChannel[];
  readonly #placed = new Map<ChannelId, number>();

  constructor(channels: readonly OwnedChannel[]) {
    this.#channels = channels;
  }

  /** @throws StoreError `invalid`: this deployment has no such class */
  next(storageClass: StorageClass): ChannelId {
    const candidates = this.#channels.filter((channel) => channel.storageClass === storageClass);
    const [first] = candidates.map(({ id }) => id).sort((a, b) => this.#countOf(a) - this.#countOf(b));
    if (first === undefined) throw refused('invalid', `this deployment has no storage class "${storageClass}"`);
    this.#placed.set(first, this.#countOf(first) + 1);
    return first;
  }

  #countOf(channel: ChannelId): number {
    return this.#placed.get(channel) ?? 0;
  }
}
