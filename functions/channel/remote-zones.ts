// The zones of a cell that lie elsewhere: in buckets, or at chunk servers (zone-places.ts). One that does not answer is left out,
// and opened when it does: the quorum of the others serves. One that was replaced is opened anew, as the other zone that it is.
//
//   Z19 A zone counts once: of two places that lead to the same one, only the first is taken.

import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import type { ZoneSet } from '#core/cell/cell.ts';
import type { ChunkStoreKind } from '#core/cell/config.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import type { StorageClass } from '#core/model/stream-config.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';
import type { Trace } from '#core/ports/trace.ts';

const REOPEN_MS = 5_000;

export interface ZonePlace {
  /** For people. */
  readonly name: string;
  /** Where it is, for people. */
  readonly place: string;
  /** @throws StoreError when it does not answer */
  open(): Promise<OpenedZone>;
}

export interface OpenedZone {
  readonly current: ChunkStore;
  /** Damaged ones in the same place, which only give back what they have. */
  readonly retired?: readonly ChunkStore[];
  /** Another zone has taken its place. */
  readonly isReplaced?: boolean;
  close?(): Promise<void>;
}

export interface RemoteZones {
  readonly zones: ZoneSet;
  /** Ends looking for zones, and lets go of those that are open. */
  close(): Promise<void>;
}

/** @throws StoreError when fewer zones than the write quorum answer */
export async function openRemoteZones(
  storageClass: StorageClass,
  kind: ChunkStoreKind,
  places: readonly ZonePlace[],
  trace: Trace,
  reopenMs = REOPEN_MS,
): Promise<RemoteZones> {
  const opened = new Map<ZonePlace, OpenedZone>();
  const open = async (place: ZonePlace): Promise<void> => {
    const before = opened.get(place);
    try {
      const zone = await place.open();
      const twin = [...opened].find(([other, { current }]) => other !== place && current.zone === zone.current.zone);
      if (twin !== undefined) {
        await zone.close?.();
        throw refused('unavailable', `Z19: ${place.place} and ${twin[0].place} lead to the same zone, ${zone.current.zone}`);
      }
      opened.set(place, zone);
      if (before !== undefined) {
        trace.event('zone.replaced', { zone: place.name, before: before.current.zone, now: zone.current.zone });
        await before.close?.();
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      trace.event('zone.open.failed', { zone: place.name, message: error.message });
    }
  };
  await Promise.all(places.map(open));
  const all = (): OpenedZone[] => [...opened.values()];
  if (opened.size < kind.writeQuorum) {
    await Promise.all(all().map((zone) => zone.close?.()));
    const [some] = places;
    throw new StoreError(
      'unavailable',
      'none',
      `only ${opened.size} of ${places.length} zones of storage class ${storageClass} answer (${some?.place} and its likes)`,
    );
  }
  const closed = new AbortController();
  const needsOpening = (place: ZonePlace): boolean => !opened.has(place) || opened.get(place)?.isReplaced === true;
  void keepOpen(places, needsOpening, open, reopenMs, closed.signal);
  return {
    zones: {
      storageClass,
      kind,
      stores: () => all().flatMap(({ current, retired = [] }) => [current, ...retired]),
      currentZones: () => all().map(({ current }) => current.zone),
    },
    async close() {
      closed.abort();
      await Promise.all(all().map((zone) => zone.close?.()));
    },
  };
}

async function keepOpen(
  places: readonly ZonePlace[],
  needsOpening: (place: ZonePlace) => boolean,
  open: (place: ZonePlace) => Promise<void>,
  reopenMs: number,
  closed: AbortSignal,
): Promise<void> {
  while (!closed.aborted) {
    await clock.sleep(reopenMs, closed).catch(() => undefined);
    if (!closed.aborted) await Promise.all(places.filter(needsOpening).map(open));
  }
}
