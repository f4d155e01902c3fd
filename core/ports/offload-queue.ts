// Where the owner of a channel says that something waits to be offloaded, for functions that do it. At least once, in any order.
//
// It carries hints: one that is lost, doubled or late costs nothing but time. An owner that is not heard offloads by itself.

import type { ChannelId, Epoch, Position } from '../model/ids.ts';

/** The owner's word: positions below `to` of the log of `epoch` are committed. It stays true for ever. */
export interface OffloadHint {
  readonly channel: ChannelId;
  readonly epoch: Epoch;
  readonly to: Position;
}

export interface OffloadQueue {
  /**
   * Resolves once the queue has the hint.
   *
   * @throws StoreError `throttled`, `unavailable` or `storage`; with effect unknown it may yet be delivered.
   */
  send(hint: OffloadHint): Promise<void>;
}
