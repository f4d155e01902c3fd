// What a process owes: the promises that it gave, to clients and from its channel to the API, and whether it keeps them in time.
//
// A client gives up waiting; a promise that is never kept would go unnoticed, and its caller in a real process would wait for ever.
//
//   Nobody waits for a process that is well, or that has nothing more to say: each promise is kept (answered or refused) a bounded
//   time after everything was healed; those of a channel soon after its owner lost it (L6), and while it stalls (L10); and all of
//   them by the end of a drain (L11).

import type { Channel } from '#core/channel/channel.ts';

export interface Pledge {
  readonly what: string;
  /** Virtual time, milliseconds. */
  readonly begunAt: number;
  /** Of a channel: it waits for metadata, for room, and for commits, and for no client. */
  readonly isOfChannel: boolean;
}

export class Pledges {
  readonly #now: () => number;
  readonly #open = new Set<Pledge>();

  constructor(now: () => number) {
    this.#now = now;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @param what asked for when the promise is not kept. */
  track<T>(what: string, promise: Promise<T>, isOfChannel = false): Promise<T> {
    const pledge = { what, begunAt: this.#now(), isOfChannel };
    this.#open.add(pledge);
    const kept = (): void => void this.#open.delete(pledge);
    promise.then(kept, kept);
    return promise;
  }

  /**
   * Everything that is asked of the channel from now on is tracked.
   *
   * @param sealed called when a stream that is deleted was sealed, before anybody else learns it.
   */
  watch(channel: Channel, sealed: (stream: string) => void): void {
    const append = channel.append.bind(channel);
    channel.append = (ref, ...rest) => this.track(`an append to ${ref.name}`, append(ref, ...rest), true);
    const deleteStream = channel.deleteStream.bind(channel);
    channel.deleteStream = (ref) => {
      const sealing = deleteStream(ref);
      sealing.then(
        () => sealed(ref.name),
        () => undefined,
      );
      return this.track(`the deletion of ${ref.name}`, sealing, true);
    };
    const updateConfig = channel.updateConfig.bind(channel);
    channel.updateConfig = (ref) => this.track(`a configuration of ${ref.name}`, updateConfig(ref), true);
    const sealIfEmpty = channel.sealIfEmpty.bind(channel);
    channel.sealIfEmpty = (ref, at) => this.track(`a look whether ${ref.name} is empty`, sealIfEmpty(ref, at), true);
    const tail = channel.tail.bind(channel);
    channel.tail = (ref) => this.track(`the tail of ${ref.name}`, tail(ref), true);
  }

  /** The oldest that is not kept, of those begun at `until` or before. */
  oldest(until: number, ofChannel = false): Pledge | undefined {
    for (const pledge of this.#open) {
      if (pledge.begunAt > until) return undefined;
      if (!ofChannel || pledge.isOfChannel) return pledge;
    }
    return undefined;
  }
}
