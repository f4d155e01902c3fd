// When an owner takes the next epoch from itself, because zones came that its log does not have.
//
// A log keeps the zones it was opened with (C7), so a zone that was wiped or replaced is missing in it until a log is opened
// with the new one. That is the repair of a channel: nothing is copied from zone to zone.
//
//   L13 Where a log opened now would have a zone that the open one lacks, the owner claims the next epoch itself, once all that
//       it held when it noticed is offloaded, and what is in flight is settled. Appends wait meanwhile, they do not fail.

import type { ChannelState } from '../metadata/schema.ts';
import type { Epoch, Position, ZoneId } from '../model/ids.ts';

/** The chunk that memory holds first of those not offloaded. */
interface HeldPlace {
  readonly epoch: Epoch;
  readonly at: Position;
}

export interface RepairView {
  /** M as the owner knows it. */
  readonly item: ChannelState;
  /** The zones of a log that is opened now. */
  readonly zones: readonly ZoneId[];
  /** The owner's own log, which is the open one, and how far it is committed. */
  readonly committed: HeldPlace;
  readonly oldestHeld: HeldPlace | undefined;
}

export class Repair {
  /** How far the log was committed when the zones were found to differ: so much must be offloaded. What came later is replayed. */
  #noticed: HeldPlace | undefined;

  isDue({ item, zones, committed, oldestHeld }: RepairView): boolean {
    const open = item.logs.find(({ epoch }) => epoch === committed.epoch);
    if (open === undefined || !bringsNew(zones, open.zones)) {
      this.#noticed = undefined;
      return false;
    }
    if (this.#noticed?.epoch !== committed.epoch) this.#noticed = committed;
    return oldestHeld === undefined || (oldestHeld.epoch === committed.epoch && oldestHeld.at >= this.#noticed.at);
  }
}

/** A zone that is only gone is waited for: a log without it would be no safer. */
function bringsNew(zones: readonly ZoneId[], open: readonly ZoneId[]): boolean {
  return zones.length >= open.length && zones.some((zone) => !open.includes(zone));
}
