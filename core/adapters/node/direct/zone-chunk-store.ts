// The ChunkStore of one direct zone: decides what a position holds, and keeps slabs, seals and index in step.
//
//   Z3  What is stored at a position stays as it is until it is deleted; only a seal may replace it, and only if it is torn.
//   Z14 One call at a time changes a position, in the order they came: what is being written already counts as occupied.

import { Gate } from '../../../base/gate.ts';
import type { Range } from '../../../base/range.ts';
import { CHUNK_HEADER_BYTES, encodeSeal } from '../../../format/chunk.ts';
import { refused, StoreError } from '../../../model/errors.ts';
import { type LogId, logName, type Position, type ZoneId } from '../../../model/ids.ts';
import type { ChunkStore, Missing } from '../../../ports/chunk-store.ts';
import { type ChunkPart, checkChunkToPut, type ValidChunk, validChunk } from '../../chunk-bytes.ts';
import { PAGE_BYTES } from '../aligned-memory.ts';
import { sayError } from '../files.ts';
import type { ChunkIndex, Entry } from './chunk-index.ts';
import { chunkCrcOf, MARK_BYTES } from './record.ts';
import type { SealFile } from './seal-file.ts';
import type { Slabs } from './slabs.ts';
import type { ZoneContext } from './zone-context.ts';

/** Positions on one page of a listing. */
const PAGE_MAX = 10_000;
/** Chunks read at a time. */
const READS_MAX = 2;

type DataEntry = Extract<Entry, { kind: 'data'; isFailed: false }>;

export interface ZoneParts {
  readonly context: ZoneContext;
  readonly index: ChunkIndex;
  readonly slabs: Slabs;
  readonly seals: SealFile;
  /** True: a damaged zone, of which nobody knows any more what it held. */
  readonly isSalvage: boolean;
}

export class ZoneChunkStore implements ChunkStore {
  readonly zone: ZoneId;
  readonly isWritable: boolean;
  readonly #context: ZoneContext;
  readonly #index: ChunkIndex;
  readonly #slabs: Slabs;
  readonly #seals: SealFile;
  readonly #reads = new Gate(READS_MAX);
  readonly #calls = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(parts: ZoneParts) {
    this.zone = parts.context.zone;
    this.isWritable = !parts.isSalvage;
    this.#context = parts.context;
    this.#index = parts.index;
    this.#slabs = parts.slabs;
    this.#seals = parts.seals;
  }

  put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    return this.#call('write', async () => {
      checkChunkToPut(log, at, chunk, this.#context.checksum);
      return await this.#index.alone(log, at, () => this.#put(log, at, chunk));
    });
  }

  async #put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    const entry = this.#index.get(log, at);
    // The same bytes may be tried again after a failed write: whichever of the two is found later, it is this chunk.
    const isRetry = entry?.kind === 'data' && entry.isFailed && entry.chunkCrc === chunkCrcOf(chunk);
    if (entry !== undefined && !isRetry) return 'occupied';
    try {
      const place = await this.#slabs.store(log, at, chunk);
      this.#index.set(log, at, { kind: 'data', place, chunkBytes: chunk.length, isFailed: false });
      return 'stored';
    } catch (error) {
      if (error instanceof StoreError && error.effect === 'unknown') {
        this.#index.set(log, at, { kind: 'data', chunkCrc: chunkCrcOf(chunk), isFailed: true });
      }
      throw error;
    }
  }

  seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'> {
    return this.#call('write', () => this.#index.alone(log, at, () => this.#seal(log, at, over)));
  }

  async #seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'> {
    const entry = this.#index.get(log, at);
    if (entry?.kind === 'seal') {
      // A seal of ours that failed half way: nothing else can have come here since.
      if (!entry.isFailed) {
        if (await this.#seals.holds(entry.slot, log, at)) return 'sealed';
        if (over === 'absent') return 'torn';
      }
      return await this.#writeSeal(log, at, entry.slot, undefined);
    }
    if (entry !== undefined) {
      const found = entry.isFailed ? undefined : await this.#read(entry, log, at, 'whole');
      if (found !== undefined) return found.kind === 'seal' ? 'sealed' : 'occupied';
      if (over === 'absent') return 'torn';
    }
    return await this.#writeSeal(log, at, await this.#seals.take(), entry);
  }

  /** Writes a seal into `slot`, in place of the torn chunk `torn`. */
  async #writeSeal(log: LogId, at: Position, slot: number, torn: Entry | undefined): Promise<'sealed'> {
    let isFailed = true;
    try {
      await this.#seals.write(slot, log, at);
      isFailed = false;
    } finally {
      this.#index.set(log, at, { kind: 'seal', slot, isFailed });
      if (torn?.kind === 'data' && !torn.isFailed) this.#slabs.drop(torn.place);
    }
    return 'sealed';
  }

  get(log: LogId, at: Position, part: ChunkPart = 'whole'): Promise<Uint8Array | Missing> {
    return this.#call('read', async () => {
      for (;;) {
        await this.#index.settled(log, at);
        const entry = this.#index.get(log, at);
        if (entry === undefined) return this.isWritable ? 'absent' : 'torn';
        if (entry.isFailed) return 'torn';
        const found = await this.#bytesOf(entry, log, at, part);
        if (found !== undefined) return found;
        // What was deleted while it was read may have been written over.
        if (this.#index.get(log, at) === entry) return 'torn';
      }
    });
  }

  async list(log: LogId, cursor?: string): Promise<{ positions: readonly Position[]; cursor?: string }> {
    return await this.#call('read', async () => {
      const after = cursor === undefined ? -1 : Number(cursor);
      const all = this.#index.positions(log).filter((at) => at > after);
      if (all.length <= PAGE_MAX) return { positions: all };
      const positions = all.sort((a, b) => a - b).slice(0, PAGE_MAX);
      return { positions, cursor: String(positions.at(-1)) };
    });
  }

  async logs(): Promise<{ logs: readonly LogId[] }> {
    return await this.#call('read', async () => ({ logs: this.#index.logs() }));
  }

  delete(log: LogId, range: Range<Position>): Promise<void> {
    return this.#call('read', async () => {
      for (const at of this.#index.positionsIn(log, range)) {
        await this.#index.alone(log, at, () => this.#delete(log, at));
      }
    });
  }

  async #delete(log: LogId, at: Position): Promise<void> {
    const entry = this.#index.get(log, at);
    if (entry?.kind === 'seal' && this.isWritable) await this.#seals.erase(entry.slot);
    this.#index.remove(log, at);
    if (entry?.kind === 'data' && !entry.isFailed && this.isWritable) this.#slabs.drop(entry.place);
  }

  /** Refuses new calls, and resolves once the running ones are over and the files closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
    await this.#slabs.close();
    await this.#seals.close();
  }

  async #bytesOf(
    entry: DataEntry | Extract<Entry, { kind: 'seal' }>,
    log: LogId,
    at: Position,
    part: ChunkPart,
  ): Promise<Uint8Array | undefined> {
    if (entry.kind === 'data') return (await this.#read(entry, log, at, part))?.bytes;
    const { checksum } = this.#context;
    return (await this.#seals.holds(entry.slot, log, at)) ? encodeSeal(log, at, checksum) : undefined;
  }

  /** A copy of what lies at an entry's place, or undefined when it is not valid. @throws StoreError `storage`, `throttled` */
  #read(entry: DataEntry, log: LogId, at: Position, part: ChunkPart): Promise<ValidChunk | undefined> {
    const { place } = entry;
    return this.#reads.run(async () => {
      const block = this.#context.memory.take(part === 'header' ? 1 : place.pages);
      try {
        const count = await place.slab.file.read(block.bytes, place.page * PAGE_BYTES);
        const length = part === 'header' ? CHUNK_HEADER_BYTES : entry.chunkBytes;
        const bytes = block.bytes.subarray(MARK_BYTES, Math.min(count, MARK_BYTES + length));
        const found = validChunk(bytes, log, at, part, this.#context.checksum);
        return found && { kind: found.kind, bytes: found.bytes.slice() };
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const where = `${this.#context.dir}, ${logName(log)}:${at}`;
        throw new StoreError('storage', 'unknown', `${where} cannot be read: ${sayError(error)}`, { cause: error });
      } finally {
        this.#context.memory.give(block);
      }
    });
  }

  /** Runs a call of the port, which may be refused, and is waited for by close. */
  async #call<T>(kind: 'read' | 'write', work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw refused('unavailable', `zone ${this.zone} is closed`);
    if (kind === 'write' && !this.isWritable) throw refused('storage', `zone ${this.zone} is damaged and only read`);
    const call = work();
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }
}
