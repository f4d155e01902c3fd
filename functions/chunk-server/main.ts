// A chunk server: the direct-I/O store of one zone, for the channel tasks that know its secret. It serves until SIGTERM.

import { createChunkService } from '#core/adapters/node/chunk-service.ts';
import { openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { type ChunkServerEnv, readChunkServerEnv } from './env.ts';
import { serveCalls } from './host.ts';

const { slabBytes } = DEFAULT_CELL_CONFIG;

await serveCalls<ChunkServerEnv>({
  readEnv: () => readChunkServerEnv(process.env),
  async open({ dataDir: dir, zoneName: name, storeBytesMax }, trace) {
    const warn = (message: string): void => trace.event('zone.damaged', { zone: name, message });
    // Without a bound, its disk is one.
    const capacityBytes = storeBytesMax ?? Number.MAX_SAFE_INTEGER;
    const zone = await openDirectZone({ dir: `${dir}/zone`, name, capacityBytes, slabBytes, checksum, warn });
    trace.gauge('millrace_zone_used_bytes', 'Bytes of chunks in a zone', { zone: name }, () => zone.usedBytes());
    trace.gauge('millrace_zone_allocated_bytes', 'Bytes of the files of a zone', { zone: name }, () => zone.allocatedBytes());
    return { service: createChunkService(() => zone, checksum), about: `zone ${zone.current.zone}`, close: () => zone.close() };
  },
});
