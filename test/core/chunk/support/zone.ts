// A zone that misbehaves as zones do: it is slow, loses questions and answers, applies some of them late, tears writes, is away.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import { StoreError } from '#core/model/errors.ts';
import { type LogId, logName, type Position, zoneId } from '#core/model/ids.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';
import type { World } from './world.ts';

/** How often each fault strikes a call (probabilities), and how long things take (ms). */
export interface ZoneFaults {
  readonly latencyMax: number;
  /** The question never arrives. */
  readonly lostQuestion: number;
  /** It is applied, and nobody is told. */
  readonly lostAnswer: number;
  /** The caller is told of a failure, and it is applied afterwards, up to `lateMax` later. */
  readonly late: number;
  readonly lateMax: number;
  /** No answer, ever. */
  readonly hang: number;
  /** A put that fails leaves torn bytes. */
  readonly torn: number;
}

export const NO_FAULTS: ZoneFaults = { latencyMax: 3, lostQuestion: 0, lostAnswer: 0, late: 0, lateMax: 0, hang: 0, torn: 0 };

/** Whoever calls: it may be killed, or sleep for a while and then go on. */
export interface Caller {
  isAlive: boolean;
  /** Until then nothing that it sends leaves, and no answer reaches it. */
  asleepUntil: number;
}

export class Zone {
  readonly world: World;
  /** What is durable here. Exchanged when the zone is wiped. */
  disk: MemoryChunkStore;
  faults: ZoneFaults = NO_FAULTS;
  /** Calls fail; of half of them nobody hears again. */
  isAway = false;
  /** Calls are taken in and answered only once this is over. */
  isHanging = false;
  isFull = false;
  /** Calls by operation, and how many puts are under way, now and at most. */
  readonly calls: Record<'put' | 'seal' | 'get' | 'delete', number> = { put: 0, seal: 0, get: 0, delete: 0 };
  putsUnderWay = 0;
  putsUnderWayMax = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.disk = disk(name);
  }

  /** The disk is lost, and an empty one takes its place, under another identity unless told otherwise. */
  wipe(name: string): void {
    this.disk = disk(name);
  }

  /** This zone as `caller` reaches it. */
  store(caller: Caller): ChunkStore {
    const target = this.disk;
    const call = <T>(run: () => Promise<T>, tear?: () => void): Promise<T> => this.#call(caller, target, run, tear);
    return {
      zone: target.zone,
      isWritable: target.isWritable,
      put: (log, at, chunk) =>
        this.#countPut(() =>
          call(
            () => this.#put(target, log, at, chunk),
            () => tearPut(target, log, at, chunk),
          ),
        ),
      seal: (log, at, over) => {
        this.calls.seal += 1;
        return call(() => target.seal(log, at, over));
      },
      get: (log, at, part) => {
        this.calls.get += 1;
        return call(() => target.get(log, at, part));
      },
      list: (log, cursor) => call(() => target.list(log, cursor)),
      logs: (cursor) => call(() => target.logs(cursor)),
      delete: (log, range) => {
        this.calls.delete += 1;
        return call(() => target.delete(log, range));
      },
    };
  }

  #put(target: MemoryChunkStore, log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    return this.isFull ? Promise.reject(new StoreError('disk_full', 'none', 'full')) : target.put(log, at, chunk);
  }

  #countPut<T>(put: () => Promise<T>): Promise<T> {
    this.calls.put += 1;
    this.putsUnderWay += 1;
    this.putsUnderWayMax = Math.max(this.putsUnderWayMax, this.putsUnderWay);
    return put().finally(() => {
      this.putsUnderWay -= 1;
    });
  }

  async #call<T>(caller: Caller, target: MemoryChunkStore, run: () => Promise<T>, tear?: () => void): Promise<T> {
    const { world, faults } = this;
    const never = new Promise<T>(() => undefined);
    const lag = (): Promise<void> => world.sleep(Math.max(caller.asleepUntil - world.now, 0) + world.random() * faults.latencyMax);
    await lag();
    while (this.isHanging) await world.sleep(5);
    if (this.isAway || this.disk !== target || world.chance(faults.lostQuestion)) {
      if (world.chance(0.5)) return never;
      throw new StoreError('unavailable', 'unknown', 'no way there');
    }
    if (world.chance(faults.hang)) return never;
    if (tear !== undefined && world.chance(faults.torn)) {
      tear();
      throw new StoreError('storage', 'unknown', 'failed half way');
    }
    if (world.chance(faults.late)) {
      world.after(world.random() * faults.lateMax, () => void run().catch(() => undefined));
      throw new StoreError('unavailable', 'unknown', 'late');
    }
    const result = await run();
    if (world.chance(faults.lostAnswer)) throw new StoreError('unavailable', 'unknown', 'the answer was lost');
    await lag();
    return caller.isAlive ? result : never;
  }
}

function disk(name: string): MemoryChunkStore {
  return new MemoryChunkStore({ zone: zoneId(name), checksum: zlibChecksum, pageMax: 5 });
}

function tearPut(target: MemoryChunkStore, log: LogId, at: Position, chunk: Uint8Array): void {
  const chunks = target.stored.get(logName(log)) ?? new Map<Position, Uint8Array>();
  if (chunks.has(at)) return;
  chunks.set(at, chunk.slice(0, chunk.length - 1));
  target.stored.set(logName(log), chunks);
}

/** What stands at a position of a disk. */
export function standing(store: MemoryChunkStore, log: LogId, at: Position): 'absent' | 'torn' | 'seal' | 'data' {
  const bytes = store.stored.get(logName(log))?.get(at);
  if (bytes === undefined) return 'absent';
  return decodeChunk(bytes, zlibChecksum)?.kind ?? 'torn';
}
