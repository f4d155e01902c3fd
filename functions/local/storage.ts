// What the embedded cell keeps, and where: three direct-I/O zones, chunk files, segments, metadata, all below one data folder.

import path from 'node:path';
import { capObjects } from '#core/adapters/capped-object-store.ts';
import { type DataFolder, openDataFolder } from '#core/adapters/node/data-folder.ts';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { openSqliteMetadata, type SqliteMetadata } from '#core/adapters/node/sqlite-metadata-store.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import type { CellPorts, ZoneSet } from '#core/cell/cell.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import type { ObjectStore } from '#core/ports/object-store.ts';
import type { LocalEnv } from './env.ts';
import type { Place } from './succession.ts';
import { openZones } from './zones.ts';

export type StorageOptions = Pick<LocalEnv, 'dataDir' | 'config'> & Partial<Pick<LocalEnv, 'rootToken' | 'storeBytesMax'>>;

export interface Storage {
  readonly ports: CellPorts;
  /** Made at this start, to be told once. */
  readonly newRootToken?: string;
  close(): Promise<void>;
}

/** Opens everything in the data folder. @param place its lock is released at the end. @throws StoreError that names the file and what to do */
export async function openStorage(
  { dataDir, config, rootToken, storeBytesMax }: StorageOptions,
  { lock }: Pick<Place, 'lock'>,
  trace: ProcessTrace,
): Promise<Storage> {
  const at = (...parts: string[]) => path.join(path.resolve(dataDir), ...parts);
  const metadata = await openMetadata(path.resolve(dataDir), trace);
  trace.gauge('millrace_metadata_low', '1 while the disk is full: basins and streams are not made', {}, () => Number(metadata.isLow));
  const ownRoot = rootToken === undefined ? 'kept' : { token: rootToken };
  const { authority, newRootToken } = await openTokenAuthority({
    dir: at('access'),
    root: config.access.mode === 'off' ? undefined : ownRoot,
  });
  const capped = async (store: ObjectStore, name: string): Promise<ObjectStore> => {
    return storeBytesMax === undefined ? store : await capObjects(store, storeBytesMax, name);
  };
  const segments = await openFileObjectStore({ dir: at('segments'), random: systemRandom });
  const objects = await capped(segments, at('segments'));
  const zoneBytesMax = Math.min(config.zoneBytesMax, storeBytesMax ?? config.zoneBytesMax);
  const express = await openZones(at('zones'), { ...config, zoneBytesMax }, trace);
  const chunkFiles = await openFileObjectStore({ dir: at('chunks'), random: systemRandom });
  const standard = await openObjectChunkStore({
    objects: await capped(chunkFiles, at('chunks')),
    prefix: 'standard/',
    name: 'standard',
    checksum: zlibChecksum,
    random: systemRandom,
    placeOf: (key) => chunkFiles.pathOf(key),
    warn: (message) => trace.event('zone.damaged', { zone: 'standard', message }),
  });
  const standardZones: ZoneSet = {
    storageClass: 'standard',
    kind: CHUNK_STORE_KINDS.objects,
    stores: () => [standard],
    currentZones: () => [standard.zone],
  };
  return {
    ports: {
      clock: systemClock,
      random: systemRandom,
      checksum: zlibChecksum,
      cipher: await loadNodeCiphers(),
      trace,
      metadata,
      authority,
      objects,
      zones: [express.zones, standardZones],
    },
    ...(newRootToken === undefined ? {} : { newRootToken }),
    async close() {
      await express.close();
      await metadata.close();
      await lock.release();
    },
  };
}

/** Metadata that belongs to the folder: before anything else in it is opened, made or deleted. */
async function openMetadata(dir: string, trace: ProcessTrace): Promise<SqliteMetadata> {
  const metadataFile = path.join(dir, 'metadata.db');
  const folder: DataFolder = await openDataFolder({ dir, metadataFile, random: systemRandom, checksum: zlibChecksum });
  const metadata = await openSqliteMetadata(metadataFile, { hasReserve: true }, (isLow) =>
    trace.event(isLow ? 'server.metadata.disk_full.error' : 'server.metadata.disk_full.over'),
  );
  try {
    await folder.tie(metadata);
  } catch (error) {
    await metadata.close();
    throw error;
  }
  return metadata;
}
