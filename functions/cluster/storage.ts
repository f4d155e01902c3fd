// What a task of a development cluster keeps, and where: chunks of `express` and `native` at three chunk servers, everything else in
// the stores process.

import { CallClient } from '#core/adapters/node/calls/call-client.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { RemoteMetadataStore } from '#core/adapters/node/remote-metadata-store.ts';
import { RemoteObjectStore } from '#core/adapters/node/remote-object-store.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { createTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import type { CellPorts } from '#core/cell/cell.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { openRemoteZones } from '#functions/channel/remote-zones.ts';
import { zoneAtServer } from '#functions/channel/zone-places.ts';
import type { ClusterTaskEnv } from './env.ts';

/** Above what one offload holds, and what one compaction writes. */
export const OBJECT_BYTES_MAX = 128 * 1024 * 1024;
/** Metadata and objects have a connection each: a large object holds up no lease. */
const METADATA_MS_MAX = 5_000;
const OBJECT_MS_MAX = 30_000;

export interface ClusterStorage {
  readonly ports: CellPorts;
  close(): Promise<void>;
}

/** @throws StoreError when the stores, or more than one zone, do not answer */
export async function openClusterStorage(env: ClusterTaskEnv, trace: ProcessTrace): Promise<ClusterStorage> {
  const common = { url: env.storesUrl, secret: env.secret, checksum, answerBytesMax: OBJECT_BYTES_MAX };
  const toMetadata = new CallClient({ ...common, callMsMax: METADATA_MS_MAX });
  const toObjects = new CallClient({ ...common, callMsMax: OBJECT_MS_MAX });
  const objects = new RemoteObjectStore(toObjects);
  const places = env.nativeZones.map(({ url, secret }) => zoneAtServer(url, secret));
  const native = await openRemoteZones('native', CHUNK_STORE_KINDS.native, places, trace);
  const warn = (message: string): void => trace.event('zone.damaged', { zone: 'standard', message });
  const standard = await openObjectChunkStore({ objects, prefix: 'standard/', name: 'standard', checksum, random, warn });
  return {
    ports: {
      clock,
      random,
      checksum,
      cipher: await loadNodeCiphers(),
      trace,
      metadata: new RemoteMetadataStore(toMetadata),
      authority: createTokenAuthority(env.signingSecret, env.rootToken),
      objects,
      // What clients of S2 know, and what is ours: both on the same zones, in logs of their own.
      zones: [
        { ...native.zones, storageClass: 'express' },
        native.zones,
        { storageClass: 'standard', kind: CHUNK_STORE_KINDS.objects, stores: () => [standard], currentZones: () => [standard.zone] },
      ],
    },
    async close() {
      await native.close();
      await Promise.all([toMetadata.close(), toObjects.close()]);
    },
  };
}
