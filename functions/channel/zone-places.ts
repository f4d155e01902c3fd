// Where a zone can lie: in a bucket, or at a chunk server.

import { S3ObjectStore, type S3ObjectStoreOptions } from '#core/adapters/aws/s3-object-store.ts';
import { openRemoteZone } from '#core/adapters/node/remote-chunk-store.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import type { Trace } from '#core/ports/trace.ts';
import type { ZonePlace } from './remote-zones.ts';

export interface BucketOfZone {
  /** For people, and the start of the zone's identity. */
  readonly name: string;
  /** Keys of chunks start with it: empty, or ends in `/`. */
  readonly prefix: string;
  readonly objects: S3ObjectStoreOptions;
}

export function zoneInBucket({ name, prefix, objects }: BucketOfZone, trace: Trace): ZonePlace {
  const warn = (message: string): void => trace.event('zone.damaged', { zone: name, message });
  return {
    name,
    place: `bucket ${objects.bucket}`,
    open: async () => ({
      current: await openObjectChunkStore({ objects: new S3ObjectStore(objects), prefix, name, checksum, random, warn }),
    }),
  };
}

/** @param url of a chunk server (functions/chunk-server) that has the same secret */
export function zoneAtServer(url: string, secret: string): ZonePlace {
  const callMsMax = CHUNK_STORE_KINDS.native.answerTimeoutMs;
  return { name: new URL(url).host, place: url, open: () => openRemoteZone({ url, secret, checksum, callMsMax }) };
}
