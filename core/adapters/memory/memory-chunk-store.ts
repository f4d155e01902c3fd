// The chunks of one zone in maps: the readable reference of the ChunkStore port, for tests and the simulator.
//
//   Z3  What is stored at a position stays as it is until it is deleted; only a seal may replace it, and only if it is torn.

import { invariant } from '../../base/invariant.ts';
import type { Range } from '../../base/range.ts';
import { encodeSeal } from '../../format/chunk.ts';
import { refused } from '../../model/errors.ts';
import { channelId, epoch, type LogId, logName, type Position, position, type ZoneId } from '../../model/ids.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { ChunkStore, Missing } from '../../ports/chunk-store.ts';
import { type ChunkPart, checkChunkToPut, validChunk } from '../chunk-bytes.ts';
import { type Faults, withFaults } from './faults.ts';
import { shuffledPage } from './shuffled.ts';

export interface ChunkCall {
  readonly operation: 'put' | 'seal' | 'get' | 'list' | 'logs' | 'delete';
  readonly log?: LogId;
  readonly at?: Position;
}

export interface MemoryChunkStoreOptions {
  readonly zone: ZoneId;
  readonly checksum: Checksum;
  readonly faults?: Faults<ChunkCall>;
  /** A put that would pass it fails with `disk_full`. Seals take no space. */
  readonly capacityBytes?: number;
  /** Positions or logs on one page; small ones find callers that forget the cursor. */
  readonly pageMax?: number;
  /** True: only gives back what it has, and what it has not is torn (a damaged zone). */
  readonly isSalvage?: boolean;
}

export class MemoryChunkStore implements ChunkStore {
  readonly zone: ZoneId;
  readonly isWritable: boolean;
  /** What is stored, by log name and position; a test may change it, as a broken disk would. */
  readonly stored = new Map<string, Map<Position, Uint8Array>>();
  /** Bends the calls; may be exchanged at any time. */
  faults: Faults<ChunkCall> | undefined;
  capacityBytes: number;
  readonly #checksum: Checksum;
  readonly #pageMax: number;
  #listings = 0;

  constructor(options: MemoryChunkStoreOptions) {
    this.zone = options.zone;
    this.isWritable = options.isSalvage !== true;
    this.faults = options.faults;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#checksum = options.checksum;
    this.#pageMax = options.pageMax ?? 1_000;
  }

  get usedBytes(): number {
    let total = 0;
    for (const chunks of this.stored.values()) for (const bytes of chunks.values()) total += bytes.length;
    return total;
  }

  async put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    checkChunkToPut(log, at, chunk, this.#checksum);
    return await withFaults(this.faults, { operation: 'put', log, at }, () => {
      this.#checkWritable();
      if (this.#at(log, at) !== undefined) return 'occupied';
      this.#checkSpace(chunk.length);
      this.#set(log, at, chunk);
      return 'stored';
    });
  }

  async seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'> {
    return await withFaults(this.faults, { operation: 'seal', log, at }, () => {
      this.#checkWritable();
      const bytes = this.#at(log, at);
      const found = bytes === undefined ? undefined : validChunk(bytes, log, at, 'whole', this.#checksum);
      if (found !== undefined) return found.kind === 'seal' ? 'sealed' : 'occupied';
      if (bytes !== undefined && over === 'absent') return 'torn';
      this.#set(log, at, encodeSeal(log, at, this.#checksum));
      return 'sealed';
    });
  }

  async get(log: LogId, at: Position, part: ChunkPart = 'whole'): Promise<Uint8Array | Missing> {
    return await withFaults(this.faults, { operation: 'get', log, at }, () => {
      const bytes = this.#at(log, at);
      if (bytes === undefined) return this.isWritable ? 'absent' : 'torn';
      return validChunk(bytes, log, at, part, this.#checksum)?.bytes.slice() ?? 'torn';
    });
  }

  async list(log: LogId, cursor?: string): Promise<{ positions: readonly Position[]; cursor?: string }> {
    return await withFaults(this.faults, { operation: 'list', log }, () => {
      const keys = [...(this.stored.get(logName(log))?.keys() ?? [])].map(String);
      const page = this.#page(keys, cursor);
      const positions = page.keys.map((key) => position(Number(key)));
      return page.cursor === undefined ? { positions } : { positions, cursor: page.cursor };
    });
  }

  async logs(cursor?: string): Promise<{ logs: readonly LogId[]; cursor?: string }> {
    return await withFaults(this.faults, { operation: 'logs' }, () => {
      const page = this.#page(this.stored.keys(), cursor);
      const logs = page.keys.map(parseLogName);
      return page.cursor === undefined ? { logs } : { logs, cursor: page.cursor };
    });
  }

  async delete(log: LogId, range: Range<Position>): Promise<void> {
    await withFaults(this.faults, { operation: 'delete', log, at: range.start }, () => {
      const chunks = this.stored.get(logName(log));
      for (const at of chunks?.keys() ?? []) if (at >= range.start && at < range.end) chunks?.delete(at);
      if (chunks?.size === 0) this.stored.delete(logName(log));
    });
  }

  /** Breaks what is stored at a position, so that it is torn there: one byte is flipped, the last one unless told. */
  tear(log: LogId, at: Position, byte?: number): void {
    const torn = this.#at(log, at)?.slice();
    invariant(torn !== undefined, `nothing to tear at ${logName(log)}:${at}`);
    const index = byte ?? torn.length - 1;
    torn[index] = (torn[index] ?? 0) ^ 0xff;
    this.#set(log, at, torn);
  }

  #checkSpace(bytes: number): void {
    if (this.capacityBytes === Number.POSITIVE_INFINITY || this.usedBytes + bytes <= this.capacityBytes) return;
    throw refused('disk_full', `zone ${this.zone} is full`);
  }

  #checkWritable(): void {
    if (!this.isWritable) throw refused('storage', `zone ${this.zone} is damaged and only read`);
  }

  #at(log: LogId, at: Position): Uint8Array | undefined {
    return this.stored.get(logName(log))?.get(at);
  }

  #set(log: LogId, at: Position, bytes: Uint8Array): void {
    const chunks = this.stored.get(logName(log)) ?? new Map<Position, Uint8Array>();
    this.stored.set(logName(log), chunks.set(at, bytes));
  }

  #page(keys: Iterable<string>, cursor: string | undefined): ReturnType<typeof shuffledPage> {
    this.#listings += 1;
    return shuffledPage(keys, this.#pageMax, this.#listings, cursor);
  }
}

function parseLogName(name: string): LogId {
  const slash = name.indexOf('/');
  return { channel: channelId(name.slice(0, slash)), epoch: epoch(Number(name.slice(slash + 1))) };
}
