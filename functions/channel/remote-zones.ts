// The zones of a cell in buckets. One that does not answer is left out, and opened when it does: the quorum of the others serves.

import { S3ObjectStore, type S3ObjectStoreOptions } from '#core/adapters/aws/s3-object-store.ts';
import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import type { ZoneSet } from '#core/cell/cell.ts';
import type { ChunkStoreKind } from '#core/cell/config.ts';
import { StoreError } from '#core/model/errors.ts';
import type { StorageClass } from '#core/model/stream-config.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';

const REOPEN_MS = 5_000;

export interface ZoneOfBucket {
  /** For people, and the start of the zone's identity. */
  readonly name: string;
  /** Keys of chunks start with it: empty, or ends in `/`. */
  readonly prefix: string;
  readonly objects: S3ObjectStoreOptions;
}

export interface RemoteZones {
  readonly zones: ZoneSet;
  /** Ends looking for zones that do not answer. */
  close(): void;
}

/** @throws StoreError when fewer zones than the write quorum answer */
export async function openRemoteZones(
  storageClass: StorageClass,
  kind: ChunkStoreKind,
  buckets: readonly ZoneOfBucket[],
  trace: ProcessTrace,
): Promise<RemoteZones> {
  const stores = new Map<string, ChunkStore>();
  const open = async (zone: ZoneOfBucket): Promise<void> => {
    try {
      const { name, prefix } = zone;
      const objects = new S3ObjectStore(zone.objects);
      const warn = (message: string): void => trace.event('zone.damaged', { zone: name, message });
      stores.set(name, await openObjectChunkStore({ objects, prefix, name, checksum, random, warn }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      trace.event('zone.open.failed', { zone: zone.name, message: error.message });
    }
  };
  await Promise.all(buckets.map(open));
  if (stores.size < kind.writeQuorum) {
    const [some] = buckets;
    throw new StoreError(
      'unavailable',
      'none',
      `only ${stores.size} of ${buckets.length} zones of storage class ${storageClass} answer (bucket ${some?.objects.bucket} and its likes)`,
    );
  }
  const closed = new AbortController();
  void reopenMissing(buckets, (name) => stores.has(name), open, closed.signal);
  return {
    zones: {
      storageClass,
      kind,
      stores: () => [...stores.values()],
      currentZones: () => [...stores.values()].map(({ zone }) => zone),
    },
    close: () => closed.abort(),
  };
}

async function reopenMissing(
  buckets: readonly ZoneOfBucket[],
  isOpen: (name: string) => boolean,
  open: (zone: ZoneOfBucket) => Promise<void>,
  closed: AbortSignal,
): Promise<void> {
  for (;;) {
    const missing = buckets.filter(({ name }) => !isOpen(name));
    if (missing.length === 0 || closed.aborted) return;
    await clock.sleep(REOPEN_MS, closed).catch(() => undefined);
    if (!closed.aborted) await Promise.all(missing.map(open));
  }
}
