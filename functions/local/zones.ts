// The three direct-I/O zones of the embedded cell. One that cannot be opened is left out: the quorum of the others serves.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type DirectZone, openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { ZoneSet } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { StoreError } from '#core/model/errors.ts';
import type { ZoneId } from '#core/model/ids.ts';

const NAMES = ['a', 'b', 'c'];

export interface DirectZones {
  readonly zones: ZoneSet;
  close(): Promise<void>;
}

/** @throws StoreError when fewer zones than the write quorum can be opened */
export async function openZones(dir: string, config: CellConfig, trace: ProcessTrace): Promise<DirectZones> {
  const kind = CHUNK_STORE_KINDS.direct;
  await mkdir(dir, { recursive: true });
  const opened: DirectZone[] = [];
  for (const name of NAMES) {
    const zone = await openOne(path.join(dir, name), name, config, trace);
    if (zone !== undefined) opened.push(zone);
  }
  if (opened.length < kind.writeQuorum) {
    throw new StoreError(
      'unavailable',
      'none',
      `only ${opened.length} of ${NAMES.length} zones in ${dir} can be opened; ${kind.writeQuorum} are needed`,
    );
  }
  opened.forEach((zone, i) => {
    trace.gauge('millrace_zone_used_bytes', 'Bytes of chunks in a zone', { zone: NAMES[i] ?? '' }, () => zone.usedBytes());
  });
  const retired = () => opened.flatMap((zone) => zone.retired.map((store) => ({ zone, store })));
  return {
    zones: {
      storageClass: 'express',
      kind,
      stores: () => opened.flatMap((zone) => [zone.current, ...zone.retired]),
      currentZones: () => opened.map(({ current }) => current.zone),
      async removeUnnamed(named: ReadonlySet<ZoneId>) {
        for (const { zone, store } of retired()) {
          if (named.has(store.zone)) continue;
          await zone.removeRetired(store.zone);
          trace.event('zone.retired.removed', { zone: store.zone });
        }
      },
    },
    async close() {
      await Promise.all(opened.map((zone) => zone.close()));
    },
  };
}

async function openOne(dir: string, name: string, config: CellConfig, trace: ProcessTrace): Promise<DirectZone | undefined> {
  const { zoneBytesMax, slabBytes } = config;
  const warn = (message: string): void => trace.event('zone.damaged', { zone: name, message });
  try {
    return await openDirectZone({ dir, name, capacityBytes: zoneBytesMax, slabBytes, checksum: zlibChecksum, warn });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    trace.event('zone.open.failed', { zone: name, folder: dir, message: error.message });
    return undefined;
  }
}
