// The seals of one zone, each a record of two pages in a file of its own: the last seal of a log stays for ever, and must not
// keep a slab from being used again.
//
//   seal file := slot*; slot := record 'seal' (2 pages), or zeroes
//
// A seal stands while either of its two marks does: its bytes follow from log and position.
//
//   Z11 A seal's slot is zeroed before its position can be stored again, so that no start brings back a seal over a newer chunk.

import { Gate } from '../../../base/gate.ts';
import { encodeSeal } from '../../../format/chunk.ts';
import { StoreError } from '../../../model/errors.ts';
import type { LogId, Position } from '../../../model/ids.ts';
import { PAGE_BYTES } from '../aligned-memory.ts';
import { isDiskFull, type OpenFile, sayError } from '../files.ts';
import { chunkCrcOf, type Mark, readHead, readTail, SEAL_FILE } from './record.ts';
import { makeZoneFile, writeRecord, writeZeroes, type ZoneContext } from './zone-context.ts';

export const SEAL_FILE_NAME = 'seals';
const SLOT_PAGES = 2;
const SLOT_BYTES = SLOT_PAGES * PAGE_BYTES;
/** The file grows by this many at a time: 1 MiB, more seals than one takeover sets. */
const SLOTS_GROWTH = 128;
/** It grows before it has to, so that a takeover on a full disk finds room for its seals. */
const SLOTS_SPARE = 96;
const CALLS_MAX = 4;

/** What a scan found in the slots. */
export interface SealScan {
  readonly seals: readonly { readonly slot: number; readonly mark: Mark }[];
  /** Slots that hold bytes, but nothing that tells which. */
  readonly lost: readonly number[];
  readonly slots: number;
}

export class SealFile {
  readonly #context: ZoneContext;
  readonly #file: OpenFile;
  readonly #free: number[] = [];
  readonly #gate = new Gate(CALLS_MAX);
  #slots: number;
  #growing: Promise<void> | undefined;

  constructor(context: ZoneContext, file: OpenFile, scan: SealScan) {
    this.#context = context;
    this.#file = file;
    this.#slots = scan.slots;
    const used = new Set([...scan.seals.map((seal) => seal.slot), ...scan.lost]);
    for (let slot = scan.slots - 1; slot >= 0; slot -= 1) if (!used.has(slot)) this.#free.push(slot);
  }

  /** Makes the file of a new zone; durable with its name once this resolves. */
  static async format(context: ZoneContext): Promise<void> {
    await makeZoneFile(context, SEAL_FILE_NAME, SLOTS_GROWTH * SLOT_PAGES, new Uint8Array(0));
  }

  get allocatedBytes(): number {
    return this.#slots * SLOT_BYTES;
  }

  /** A slot to write a seal into. @throws StoreError `disk_full` */
  async take(): Promise<number> {
    for (;;) {
      const slot = this.#free.pop();
      if (this.#free.length < SLOTS_SPARE) {
        const growing = this.#grow();
        if (slot === undefined) await growing;
        else growing.catch(() => undefined);
      }
      if (slot !== undefined) return slot;
    }
  }

  /** Writes a seal into a slot that was taken; durable once this resolves. @throws StoreError `storage` (effect unknown) */
  async write(slot: number, log: LogId, at: Position): Promise<void> {
    const { zone, checksum, sequence } = this.#context;
    const seal = encodeSeal(log, at, checksum);
    const where = { slab: SEAL_FILE, page: slot * SLOT_PAGES, generation: 0, index: slot, settled: 0 };
    const of = { chunkBytes: seal.length, chunkCrc: chunkCrcOf(seal), log, at };
    await this.#call('written', async () => {
      await writeRecord(this.#context, this.#file, { kind: 'seal', zone, sequence: sequence.next(), ...where, ...of }, seal);
    });
  }

  /** Whether the seal of this log and position stands in its slot. @throws StoreError `storage` */
  async holds(slot: number, log: LogId, at: Position): Promise<boolean> {
    const mark = await this.#call('read', async () => {
      const block = this.#context.memory.take(SLOT_PAGES);
      try {
        await this.#file.read(block.bytes, slot * SLOT_BYTES);
        return sealIn(block.bytes, this.#context, slot);
      } finally {
        this.#context.memory.give(block);
      }
    });
    return mark !== undefined && mark.log.channel === log.channel && mark.log.epoch === log.epoch && mark.at === at;
  }

  /** Z11: empties a slot, durably, and gives it back. */
  async erase(slot: number): Promise<void> {
    await this.#call('written', () => writeZeroes(this.#context, this.#file, slot * SLOT_PAGES, SLOT_PAGES));
    this.#free.push(slot);
  }

  async close(): Promise<void> {
    await this.#growing?.catch(() => undefined);
    await this.#file.close();
  }

  #grow(): Promise<void> {
    if (this.#growing === undefined) {
      this.#growing = this.#growOnce().finally(() => {
        this.#growing = undefined;
      });
    }
    return this.#growing;
  }

  async #growOnce(): Promise<void> {
    await this.#call('made larger', async () => {
      await writeZeroes(this.#context, this.#file, this.#slots * SLOT_PAGES, SLOTS_GROWTH * SLOT_PAGES);
      await this.#file.sync();
    });
    for (let slot = this.#slots + SLOTS_GROWTH - 1; slot >= this.#slots; slot -= 1) this.#free.unshift(slot);
    this.#slots += SLOTS_GROWTH;
  }

  async #call<T>(what: 'read' | 'written' | 'made larger', work: () => Promise<T>): Promise<T> {
    try {
      return await this.#gate.run(work);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const message = `${this.#context.dir}/${SEAL_FILE_NAME} cannot be ${what}: ${sayError(error)}`;
      const isFull = what === 'made larger' && isDiskFull(error);
      throw new StoreError(isFull ? 'disk_full' : 'storage', isFull ? 'none' : 'unknown', message, { cause: error });
    }
  }
}

function sealIn(bytes: Uint8Array, context: ZoneContext, slot: number): Mark | undefined {
  for (const mark of [readHead(bytes, context.checksum), readTail(bytes.subarray(PAGE_BYTES), context.checksum)]) {
    if (mark?.kind === 'seal' && mark.zone === context.zone && mark.page === slot * SLOT_PAGES) return mark;
  }
  return undefined;
}

/** Reads every slot. @throws what the file system throws */
export async function scanSeals(context: ZoneContext, file: OpenFile, fileBytes: number): Promise<SealScan> {
  const slots = Math.floor(fileBytes / SLOT_BYTES);
  const seals: { slot: number; mark: Mark }[] = [];
  const lost: number[] = [];
  const block = context.memory.take(SLOTS_GROWTH * SLOT_PAGES);
  try {
    for (let from = 0; from < slots; from += SLOTS_GROWTH) {
      const count = Math.min(SLOTS_GROWTH, slots - from);
      await file.read(block.bytes.subarray(0, count * SLOT_BYTES), from * SLOT_BYTES);
      for (let i = 0; i < count; i += 1) {
        const bytes = block.bytes.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES);
        const mark = sealIn(bytes, context, from + i);
        if (mark !== undefined) seals.push({ slot: from + i, mark });
        else if (bytes.some((byte) => byte !== 0)) lost.push(from + i);
      }
    }
  } finally {
    context.memory.give(block);
  }
  return { seals, lost, slots };
}
