// What a channel holds now, by number: for whoever watches over a process, and over its bounds.

import type { Clock } from '../ports/clock.ts';
import type { OffloadHint } from './backlog.ts';
import type { Tenure } from './tenure.ts';

/** Each is 0 when the channel is at rest. Beside each what bounds it. */
export interface ChannelGauges {
  /** In memory: those that were used lately. */
  readonly streams: number;
  /** `backlogBytesMax`, `tailBytesMax`. */
  readonly heldBytes: number;
  /** Of those, bytes that wait for offload: `backlogBytesMax`. */
  readonly backlogBytes: number;
  /** Of appends that wait to be sequenced: `waitingBytesMax`. */
  readonly waitingBytes: number;
  /** Sequenced and not committed: `inFlightBytesMax`. */
  readonly inFlightBytes: number;
  /** Chunks that the slowest zone has yet to store, and calls under way to one: twice the window each. */
  readonly zoneChunks: number;
  readonly zoneCalls: number;
}

export function gaugesOf(tenure: Tenure | undefined, waitingBytes: number): ChannelGauges {
  const slowest = tenure?.slowestZone;
  return {
    streams: tenure?.streams.count ?? 0,
    heldBytes: tenure?.backlog.heldBytes ?? 0,
    backlogBytes: tenure?.backlog.backlogBytes ?? 0,
    waitingBytes,
    inFlightBytes: tenure?.stopped === undefined ? (tenure?.inFlightBytes ?? 0) : 0,
    zoneChunks: slowest?.chunks ?? 0,
    zoneCalls: slowest?.calls ?? 0,
  };
}

/** What waits to be offloaded; undefined: nothing, or the tenure is over. */
export function offloadHintOf(tenure: Tenure, clock: Clock): OffloadHint | undefined {
  const { oldest, backlogBytes } = tenure.backlog;
  if (tenure.stopped !== undefined || oldest === undefined) return undefined;
  return { epoch: tenure.epoch, to: tenure.commitPoint, backlogBytes, ageMs: clock.monotonic() - oldest.committedAt };
}
