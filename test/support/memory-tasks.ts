// Several tasks over the same stores in memory, each behind HTTP on a port of its own, as tasks of a deployment are over AWS.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { createChannelPeers } from '#core/adapters/node/channel-peer.ts';
import type { HttpServer } from '#core/adapters/node/http-server.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { HttpHandler, Served } from '#core/api/http/handler.ts';
import { type Cell, createCell, type TaskSettings } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { zoneId } from '#core/model/ids.ts';
import type { StorageClass } from '#core/model/stream-config.ts';
import type { ChannelPeers } from '#core/ports/channel-peer.ts';
import { listening } from './listening.ts';
import { noTokens } from './no-tokens.ts';

/** Leases that a test can wait for. */
export const TASK_CONFIG: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  channel: { ...DEFAULT_CELL_CONFIG.channel, leaseMs: 1_000, tailMs: 50, wallErrorMsMax: 0 },
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 10 },
  everyMs: { ...DEFAULT_CELL_CONFIG.everyMs, offload: 10, gc: 50, trim: 50, delete: 20 },
};

export interface MemoryTask {
  readonly cell: Cell;
  readonly handler: HttpHandler;
  readonly server: HttpServer;
  readonly origin: string;
  /** Failures that are the server's own. */
  readonly faults: unknown[];
  /** Drains and releases, as SIGTERM does. */
  stop(): Promise<void>;
  /** Gone at once: connections break, and nothing more is heard of it, but its channels are not released. */
  kill(): Promise<void>;
}

export class MemoryTasks {
  readonly metadata = new MemoryMetadataStore();
  readonly objects = new MemoryObjectStore();
  readonly tasks: MemoryTask[] = [];
  readonly #config: CellConfig;
  readonly #zones: readonly { readonly storageClass: StorageClass; readonly stores: readonly MemoryChunkStore[] }[];

  constructor(config: Partial<CellConfig> = {}, classes: readonly StorageClass[] = ['express']) {
    this.#config = { ...TASK_CONFIG, ...config };
    this.#zones = classes.map((storageClass) => ({
      storageClass,
      stores: ['a', 'b', 'c'].map((name) => new MemoryChunkStore({ zone: zoneId(`${storageClass}-${name}`), checksum: zlibChecksum })),
    }));
  }

  /** @param settings of the task, but for where its peers reach it */
  async start(settings: Partial<TaskSettings> = {}, peers: ChannelPeers = createChannelPeers()): Promise<MemoryTask> {
    const served = Promise.withResolvers<Served>();
    const { handler, server, origin, faults } = await listening(served.promise, peers);
    const gate = { isShut: false };
    const cell = createCell(await this.#ports(gate), this.#config, { address: { peer: origin }, ...settings });
    await cell.open('lease');
    served.resolve(cell);
    const task: MemoryTask = {
      cell,
      handler,
      server,
      origin,
      faults,
      async stop() {
        server.retire();
        await handler.drain(200);
        server.drain();
        await cell.close();
        // What comes meanwhile is told to go elsewhere.
        await until(() => server.connectionsCount === 0, 500).catch(() => undefined);
        await server.close();
        peers.close();
      },
      async kill() {
        gate.isShut = true;
        await server.close();
        peers.close();
      },
    };
    this.tasks.push(task);
    return task;
  }

  async #ports(gate: { isShut: boolean }): Promise<Parameters<typeof createCell>[0]> {
    return {
      clock: systemClock,
      random: systemRandom,
      checksum: zlibChecksum,
      cipher: await loadNodeCiphers(),
      trace: { event: () => undefined },
      metadata: gated(this.metadata, gate),
      authority: noTokens,
      objects: gated(this.objects, gate),
      zones: this.#zones.map(({ storageClass, stores }) => {
        const own = stores.map((store) => gated(store, gate));
        return { storageClass, kind: CHUNK_STORE_KINDS.direct, stores: () => own, currentZones: () => own.map(({ zone }) => zone) };
      }),
    };
  }
}

/** @throws Error when it does not come true in time */
export async function until(look: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The store, as long as the gate is open; behind one that is shut nothing is ever answered. */
function gated<T extends object>(store: T, gate: { readonly isShut: boolean }): T {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => (gate.isShut ? new Promise(() => undefined) : value.apply(target, args));
    },
  });
}
