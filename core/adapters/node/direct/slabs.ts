// The slab files of one zone: which one takes the next record, which wait to be used, and when another is made.
//
// direct-chunk-store.ts calls this for chunks; what a position is, and what counts there, it knows and not we.
// One slab takes records; the next one is prepared beside it, so that a change of slabs waits for nothing.

import { Gate } from '../../../base/gate.ts';
import { refused, StoreError } from '../../../model/errors.ts';
import type { LogId, Position } from '../../../model/ids.ts';
import { PAGE_BYTES } from '../aligned-memory.ts';
import { isDiskFull, sayError } from '../files.ts';
import { chunkCrcOf, fillEnds, plainMark, type RecordKind, recordPages } from './record.ts';
import { SLAB_END_PAGES, SLAB_START_PAGES, Slab, slabName, startKind } from './slab.ts';
import { makeZoneFile, openZoneFile, PreparedRecord, writeRecord, type ZoneContext } from './zone-context.ts';
import { writeZoneFile } from './zone-file.ts';

/** Records written at a time: three zones leave a quarter of a pool of 16 threads to everything else. */
const WRITES_MAX = 4;

/** A slab is added only where this many would fit: the metadata needs space, too. */
const SPACE_SLABS = 2;

/** Where a chunk lies. */
export interface Place {
  readonly slab: Slab;
  readonly page: number;
  readonly pages: number;
}

export class Slabs {
  readonly #context: ZoneContext;
  readonly #slabPages: number;
  readonly #slabsMax: number;
  readonly #slabs: Slab[];
  readonly #gate = new Gate(WRITES_MAX);
  readonly #background = new Set<Promise<void>>();
  #open: Slab | undefined;
  #spare: Slab | undefined;
  #preparing: Promise<void> | undefined;

  /** `slabs` is what a scan found, by number. */
  constructor(context: ZoneContext, slabBytes: number, capacityBytes: number, slabs: readonly Slab[]) {
    this.#context = context;
    this.#slabPages = slabBytes / PAGE_BYTES;
    this.#slabsMax = Math.max(2, Math.floor(capacityBytes / slabBytes));
    this.#slabs = [...slabs];
  }

  get allocatedBytes(): number {
    return this.#slabs.length * this.#slabPages * PAGE_BYTES;
  }

  /** Bytes of the pages of chunks that count. */
  get liveBytes(): number {
    let pages = 0;
    for (const slab of this.#slabs) pages += slab.livePages;
    return pages * PAGE_BYTES;
  }

  /** Begins after a scan: one open slab goes on, the others are closed, and empty ones become free. */
  start(): void {
    for (const slab of this.#slabs.filter((each) => each.state === 'open').sort((a, b) => b.index - a.index)) {
      if (this.#open === undefined) this.#open = slab;
      else if (this.#spare === undefined && slab.index === 0) this.#spare = slab;
      else this.#close(slab);
    }
    for (const slab of this.#slabs) this.#settle(slab);
    this.#inBackground(this.#spare === undefined ? this.#prepare() : Promise.resolve());
  }

  /**
   * Writes a chunk to the next place; durable, and counted, once this resolves.
   *
   * @throws StoreError `disk_full`, `throttled`, `too_large` (effect none), `storage` (effect unknown)
   */
  store(log: LogId, at: Position, chunk: Uint8Array): Promise<Place> {
    const pages = recordPages(chunk.length);
    if (pages > this.#slabPages - SLAB_START_PAGES - SLAB_END_PAGES) {
      throw refused('too_large', `a chunk of ${chunk.length} bytes is larger than a slab`);
    }
    return this.#gate.run(async () => {
      const record = new PreparedRecord(this.#context, chunk);
      try {
        // Others may have taken the room between the answer and this turn: look again, and take it in the same turn.
        let slab = await this.#slabFor(pages);
        while (!slab.fits(pages)) slab = await this.#slabFor(pages);
        return await this.#storeIn(slab, record, log, at, chunk);
      } finally {
        record.release();
      }
    });
  }

  /** What lies at `place` counts no more. */
  drop(place: Place): void {
    place.slab.drop(place.pages);
    this.#settle(place.slab);
  }

  /** Resolves once nothing is being written; closes the files. Nothing may be stored any more. */
  async close(): Promise<void> {
    while (this.#background.size > 0 || this.#slabs.some((slab) => !slab.isQuiet)) {
      await Promise.allSettled(this.#background);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const slab of this.#slabs) await slab.file.close();
  }

  async #storeIn(slab: Slab, record: PreparedRecord, log: LogId, at: Position, chunk: Uint8Array): Promise<Place> {
    const { zone, sequence } = this.#context;
    const settled = slab.settled;
    const slot = slab.take(record.pages);
    const { generation, number } = slab;
    const mark = { kind: 'chunk', zone, slab: number, page: slot.page, generation, index: slot.index, settled } as const;
    const of = { sequence: sequence.next(), chunkBytes: chunk.length, chunkCrc: chunkCrcOf(chunk), log, at };
    try {
      await record.write(slab.file, { ...mark, ...of });
      slab.wrote(slot, record.pages);
      return { slab, page: slot.page, pages: record.pages };
    } catch (error) {
      slab.failed();
      throw new StoreError('storage', 'unknown', `${this.#nameOf(slab)} cannot be written: ${sayError(error)}`, { cause: error });
    } finally {
      this.#settle(slab);
    }
  }

  /** An open slab with room for `pages`. */
  async #slabFor(pages: number): Promise<Slab> {
    for (;;) {
      const open = this.#open;
      if (open?.fits(pages) === true) return open;
      if (this.#spare === undefined) {
        await this.#prepare();
        continue;
      }
      this.#open = this.#spare;
      this.#spare = undefined;
      if (open !== undefined) this.#close(open);
      this.#inBackground(this.#prepare());
    }
  }

  /** Makes a slab ready to be used next; one at a time. @throws StoreError `disk_full` */
  #prepare(): Promise<void> {
    if (this.#preparing === undefined) {
      this.#preparing = this.#prepareSpare().finally(() => {
        this.#preparing = undefined;
      });
    }
    return this.#preparing;
  }

  async #prepareSpare(): Promise<void> {
    // A slab whose freeing failed is tried once more.
    for (const slab of this.#slabs) this.#settle(slab);
    while (this.#spare === undefined) {
      const free = this.#slabs.find((slab) => slab.state === 'free');
      if (free !== undefined) {
        await this.#writeStart(free, 'slab');
        free.state = 'open';
        this.#spare = free;
      } else if (this.#slabs.some((slab) => slab.state === 'freeing')) {
        await Promise.race(this.#background);
      } else if (this.#slabs.length < this.#slabsMax || !this.#recycle()) {
        await this.#addSpare();
      }
    }
  }

  /** @throws StoreError `disk_full` when there is no space for it, and none can be made */
  async #addSpare(): Promise<void> {
    try {
      this.#spare = await this.#makeSlab();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'disk_full' || !this.#recycle()) throw error;
    }
  }

  /** Where no slab can be added, an open one of which nothing counts is freed although it has room: a record may not fit it. */
  #recycle(): boolean {
    const open = this.#open;
    if (open === undefined || !open.isFreeable || open.index === 0) return false;
    this.#open = undefined;
    this.#close(open);
    return true;
  }

  async #makeSlab(): Promise<Slab> {
    if (this.#slabs.length >= this.#slabsMax) throw refused('disk_full', `zone ${this.#context.zone} is full`);
    const { files, dir, zone, checksum, memory } = this.#context;
    await this.#checkSpace();
    const number = this.#slabs.length;
    const start = memory.take(SLAB_START_PAGES);
    try {
      fillEnds(start.bytes, this.#startMark('slab', number, 1), new Uint8Array(0), checksum);
      await makeZoneFile(this.#context, slabName(number), this.#slabPages, start.bytes);
      await writeZoneFile(files, dir, { zone, slabBytes: this.#slabPages * PAGE_BYTES, slabs: number + 1 }, checksum);
      const file = await openZoneFile(this.#context, slabName(number), 'write');
      const slab = new Slab(number, file, this.#slabPages, 1, 'open');
      this.#slabs.push(slab);
      return slab;
    } catch (error) {
      const what = `no slab can be added to ${dir}: ${sayError(error)}`;
      throw isDiskFull(error) ? refused('disk_full', what) : new StoreError('storage', 'none', what, { cause: error });
    } finally {
      memory.give(start);
    }
  }

  /** Looks before it writes: zeroes until ENOSPC would take the last space from everything else for a while. */
  async #checkSpace(): Promise<void> {
    const { files, dir } = this.#context;
    const free = await files.freeBytes(dir).catch(() => Number.POSITIVE_INFINITY);
    const needed = SPACE_SLABS * this.#slabPages * PAGE_BYTES;
    if (free < needed) throw refused('disk_full', `the disk of ${dir} is full: ${free} bytes are left, a slab needs ${needed}`);
  }

  #close(slab: Slab): void {
    slab.state = 'closed';
    this.#settle(slab);
  }

  /** Does what is due once a slab is quiet: it is freed if nothing counts, and gets its end if it takes no more. */
  #settle(slab: Slab): void {
    if (slab.state !== 'closed' || !slab.isQuiet) return;
    if (slab.isFreeable) {
      slab.state = 'freeing';
      this.#inBackground(this.#free(slab));
    } else if (!slab.hasEnd) {
      slab.hasEnd = true;
      this.#inBackground(this.#writeEnd(slab));
    }
  }

  async #free(slab: Slab): Promise<void> {
    slab.startGeneration(slab.generation + 1);
    try {
      await this.#writeStart(slab, 'free');
      slab.state = 'free';
    } catch (error) {
      slab.state = 'closed';
      throw error;
    }
  }

  async #writeStart(slab: Slab, kind: RecordKind): Promise<void> {
    slab.hold();
    try {
      await writeRecord(this.#context, slab.file, this.#startMark(kind, slab.number, slab.generation));
    } catch (error) {
      throw new StoreError('storage', 'none', `${this.#nameOf(slab)} cannot be written: ${sayError(error)}`, { cause: error });
    } finally {
      slab.letGo();
    }
  }

  /** Writes again what stands at the start of a slab, of which a scan found one copy only. */
  async mend(slab: Slab): Promise<void> {
    await this.#writeStart(slab, startKind(slab.state));
  }

  async #writeEnd(slab: Slab): Promise<void> {
    slab.hold();
    try {
      const { zone, sequence } = this.#context;
      const { number, generation, index, settled } = slab;
      const mark = { kind: 'end', zone, slab: number, page: slab.endPage, generation, index, settled } as const;
      await writeRecord(this.#context, slab.file, plainMark({ ...mark, sequence: sequence.next() }));
    } catch (error) {
      // It only makes a later scan shorter and stricter.
      this.#context.warn(`${this.#nameOf(slab)} cannot be closed: ${sayError(error)}`);
    } finally {
      slab.letGo();
      this.#settle(slab);
    }
  }

  #startMark(kind: RecordKind, slab: number, generation: number): ReturnType<typeof plainMark> {
    const { zone, sequence } = this.#context;
    return plainMark({ kind, zone, slab, page: 0, generation, sequence: sequence.next(), index: 0, settled: 0 });
  }

  #nameOf(slab: Slab): string {
    return `${this.#context.dir}/${slabName(slab.number)}`;
  }

  /** What nobody waits for: a failure is met again, with a caller, when its result is needed. */
  #inBackground(work: Promise<void>): void {
    const settled: Promise<void> = work
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
      })
      .finally(() => this.#background.delete(settled));
    this.#background.add(settled);
  }
}
