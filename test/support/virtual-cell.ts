// The whole store in virtual time, over stores in memory that take a while to answer: for tests that need hours, or many orders of
// what happens at once, in fair weather. (What goes wrong is the simulator's business, test/sim.)

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { type Cell, createCell, type ZoneSet } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { Upkeep } from '#core/cell/upkeep.ts';
import { type RecordBatch, RecordBatchBuilder } from '#core/format/record.ts';
import { Repository } from '#core/metadata/repository.ts';
import { zoneId } from '#core/model/ids.ts';
import type { StorageClass } from '#core/model/stream-config.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { OffloadQueue } from '#core/ports/offload-queue.ts';
import type { TokenAuthority } from '#core/ports/token-authority.ts';
import { EventLoop } from '#test/sim/event-loop.ts';
import { Fingerprint } from '#test/sim/fingerprint.ts';
import { clockOf, Gate, Machine } from '#test/sim/machine.ts';
import { Dice } from '#test/sim/random.ts';
import { noTokens } from './no-tokens.ts';

const cipher = await loadNodeCiphers();

export interface VirtualOptions {
  /** An answer of a store takes up to this long, half of it before it takes effect; one in ten halves takes several times that. */
  readonly latencyMs?: number;
  readonly config?: Partial<CellConfig>;
  readonly storageClasses?: readonly StorageClass[];
  /** Default: none issues tokens, and none is asked for. */
  readonly authority?: TokenAuthority;
  /** Where the configuration leaves upkeep to functions. */
  readonly offloadQueue?: OffloadQueue;
}

/** Leases, jobs and ages that a test need not wait for. */
export const QUICK: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  channel: { ...DEFAULT_CELL_CONFIG.channel, leaseMs: 1_000, tailMs: 200, wallErrorMsMax: 0 },
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 100 },
  everyMs: { offload: 60, gc: 400, trim: 500, compact: 5_000, sweep: 60_000, delete: 300, usage: 1_000, measure: 5_000 },
  readPlanAgeMs: 20_000,
};

export class VirtualStore {
  readonly dice: Dice;
  readonly loop = new EventLoop(new Fingerprint());
  readonly metadata = new MemoryMetadataStore();
  readonly objects = new MemoryObjectStore();
  readonly events: string[] = [];
  readonly #options: VirtualOptions;
  readonly #classes: readonly { readonly storageClass: StorageClass; readonly stores: readonly MemoryChunkStore[] }[];
  readonly #machine: Machine;
  #processes = 0;

  constructor(seed: string, options: VirtualOptions = {}) {
    this.#options = options;
    this.dice = new Dice(seed);
    this.#machine = new Machine('machine', this.loop, this.dice.fork('machine'), { rateError: 0, wallErrorMs: 0 }, 1);
    this.#classes = (options.storageClasses ?? ['express']).map((storageClass) => ({
      storageClass,
      stores: ['a', 'b', 'c'].map((name) => new MemoryChunkStore({ zone: zoneId(`${storageClass}-${name}`), checksum: zlibChecksum })),
    }));
    const latency = this.dice.fork('latency');
    const wait = (): Promise<void> => this.loop.sleep(latency.range(0, (options.latencyMs ?? 1) / 2) * (latency.chance(0.1) ? 8 : 1));
    const slow = { before: wait, after: wait };
    for (const store of [this.metadata, this.objects, ...this.#classes.flatMap(({ stores }) => stores)]) store.faults = slow;
  }

  /** What metadata says, for tests that look past the API. */
  get repository(): Repository {
    return new Repository(this.metadata, clockOf(this.loop, this.#machine, new Gate()), this.dice.fork('repository').port());
  }

  /** Milliseconds since 1970, as the store's machine has it. */
  get now(): number {
    return this.#machine.wall();
  }

  /** One more process over the same stores; its owner opens it. */
  process(): { readonly cell: Cell; readonly clock: Clock; kill(): void } {
    const gate = new Gate();
    this.#processes += 1;
    const clock = clockOf(this.loop, this.#machine, gate);
    const cell = createCell(
      {
        clock,
        random: this.dice.fork(`process-${this.#processes}`).port(),
        checksum: zlibChecksum,
        cipher,
        trace: { event: (name) => void this.events.push(name) },
        metadata: this.metadata,
        authority: this.#options.authority ?? noTokens,
        ...(this.#options.offloadQueue === undefined ? {} : { offloadQueue: this.#options.offloadQueue }),
        objects: this.objects,
        zones: this.#zones(),
      },
      { ...QUICK, ...this.#options.config },
    );
    return { cell, clock, kill: () => gate.shut() };
  }

  /** A function over the same stores. */
  upkeep(): Upkeep {
    const clock = clockOf(this.loop, this.#machine, new Gate());
    this.#processes += 1;
    const random = this.dice.fork(`function-${this.#processes}`).port();
    const trace = { event: (name: string) => void this.events.push(name) };
    const { metadata, objects } = this;
    return new Upkeep({ clock, random, checksum: zlibChecksum, trace, metadata, objects, zones: this.#zones() }, QUICK);
  }

  /** Chunks in all zones, seals included. */
  get chunksCount(): number {
    const logs = this.#classes.flatMap(({ stores }) => stores.flatMap(({ stored }) => [...stored.values()]));
    return logs.reduce((sum, chunks) => sum + chunks.size, 0);
  }

  #zones(): readonly ZoneSet[] {
    return this.#classes.map(({ storageClass, stores }) => ({
      storageClass,
      kind: CHUNK_STORE_KINDS.direct,
      stores: () => stores,
      currentZones: () => stores.map(({ zone }) => zone),
    }));
  }

  /** Lets virtual time pass until `act` has come to its end. @throws what it throws; Error when nothing is left that could end it. */
  async run<T>(act: () => Promise<T>): Promise<T> {
    let isOver = false;
    const acting = act().finally(() => {
      isOver = true;
    });
    acting.catch(() => undefined);
    await this.loop.run(() => isOver);
    if (!isOver) throw new Error('nothing is left to happen, and the test has not ended');
    return await acting;
  }

  /** Waits until `look` gives something else than undefined. @throws Error after `ms`. */
  async until<T>(look: () => Promise<T | undefined>, ms = 60_000, everyMs = 20): Promise<T> {
    const end = this.loop.now + ms;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (this.loop.now > end) throw new Error(`not within ${ms} ms`);
      await this.loop.sleep(everyMs);
    }
  }
}

export function batchOf(...bodies: readonly string[]): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const text of bodies) {
    const body = new TextEncoder().encode(text);
    builder.begin();
    builder.body(body, 0, body.length);
    builder.end();
  }
  return builder.finish();
}
