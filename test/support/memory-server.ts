// The whole store over memory, with its background jobs, behind HTTP on a real port: what a client sees, without disks or processes.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { createHttpServer } from '#core/adapters/node/http-server.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import type { NodeRequest, NodeResponse } from '#core/api/http/exchange.ts';
import { createHttpHandler } from '#core/api/http/handler.ts';
import { type Cell, createCell } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { zoneId } from '#core/model/ids.ts';
import type { StorageClass } from '#core/model/stream-config.ts';
import type { TokenAuthority } from '#core/ports/token-authority.ts';
import { noTokens } from './no-tokens.ts';

/** Deletions and retention come to their end while a test waits. */
const EAGER: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  location: 'aws:us-east-1',
  channel: { ...DEFAULT_CELL_CONFIG.channel, tailMs: 50, wallErrorMsMax: 0 },
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 10 },
  everyMs: { ...DEFAULT_CELL_CONFIG.everyMs, offload: 10, gc: 50, trim: 50, delete: 20 },
};

export interface MemoryServer {
  readonly cell: Cell;
  readonly metadata: MemoryMetadataStore;
  readonly origin: string;
  /** Failures that are the server's own. */
  readonly faults: unknown[];
  close(): Promise<void>;
}

export interface MemoryServerOptions {
  /** Where access is checked. */
  readonly authority?: TokenAuthority;
  /** Sees each request first; true: it has answered it. */
  readonly intercept?: (request: NodeRequest, response: NodeResponse) => boolean;
}

export async function startMemoryServer(
  config: Partial<CellConfig> = {},
  classes: readonly StorageClass[] = ['express', 'standard'],
  { authority = noTokens, intercept = () => false }: MemoryServerOptions = {},
): Promise<MemoryServer> {
  const metadata = new MemoryMetadataStore();
  const cell = createCell(
    {
      clock: systemClock,
      random: systemRandom,
      checksum: zlibChecksum,
      cipher: await loadNodeCiphers(),
      trace: { event: () => undefined },
      metadata,
      authority,
      objects: new MemoryObjectStore(),
      zones: classes.map((storageClass) => {
        const stores = ['a', 'b', 'c'].map(
          (name) => new MemoryChunkStore({ zone: zoneId(`${storageClass}-${name}`), checksum: zlibChecksum }),
        );
        return { storageClass, kind: CHUNK_STORE_KINDS.direct, stores: () => stores, currentZones: () => stores.map(({ zone }) => zone) };
      }),
    },
    { ...EAGER, ...config },
  );
  const faults: unknown[] = [];
  const handler = createHttpHandler({
    served: Promise.resolve(cell),
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => 'ready',
    metrics: () => '',
    report: (error) => faults.push(error),
  });
  const server = createHttpServer({
    handle: (request, response) => {
      if (!intercept(request, response)) handler.handle(request, response);
    },
  });
  const port = await server.listen(0, '127.0.0.1');
  await cell.open('lock');
  return {
    cell,
    metadata,
    origin: `http://127.0.0.1:${port}`,
    faults,
    async close() {
      await server.close();
      await cell.close();
    },
  };
}
