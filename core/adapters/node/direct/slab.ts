// One slab file as it is known in memory: where the next record goes, which are durable, and how many count.
//
//   slab file := record 'slab' or 'free' (2 pages) | records of chunks … | record 'end' (the last 2 pages, once it takes no more)
//
//   Z9  A slab is used again only when none of its chunks counts and nothing is being written to it.
//   Z10 A record is told durable (`settled`) only when it and all before it in its slab are.

import { invariant } from '../../../base/invariant.ts';
import type { OpenFile } from '../files.ts';
import type { RecordKind } from './record.ts';

export const SLAB_START_PAGES = 2;
export const SLAB_END_PAGES = 2;

/** `free`: waits to be used. `open`: takes records, or is next to. `closed`: takes no more. `freeing`: is becoming free. */
export type SlabState = 'free' | 'open' | 'closed' | 'freeing';

export interface Slot {
  readonly page: number;
  readonly index: number;
}

export class Slab {
  readonly number: number;
  readonly file: OpenFile;
  readonly pages: number;
  state: SlabState;
  generation: number;
  /** Whether the record `end` is there, or on its way. */
  hasEnd = false;
  /** Pages of the chunks that count. */
  livePages = 0;
  #live = 0;
  #writing = 0;
  #page = SLAB_START_PAGES;
  #index = 0;
  /** Records that are being written, or whose write failed: they hold `settled` back. */
  readonly #unsettled = new Set<number>();

  constructor(number: number, file: OpenFile, pages: number, generation: number, state: SlabState) {
    this.number = number;
    this.file = file;
    this.pages = pages;
    this.generation = generation;
    this.state = state;
  }

  get index(): number {
    return this.#index;
  }

  get settled(): number {
    let settled = this.#index;
    for (const index of this.#unsettled) settled = Math.min(settled, index);
    return settled;
  }

  get endPage(): number {
    return this.pages - SLAB_END_PAGES;
  }

  get isQuiet(): boolean {
    return this.#writing === 0;
  }

  get isFreeable(): boolean {
    return this.#live === 0 && this.#writing === 0;
  }

  fits(pages: number): boolean {
    return this.state === 'open' && this.#page + pages <= this.endPage;
  }

  /** The next place. Whoever takes it says later how it went: `wrote` or `failed`. */
  take(pages: number): Slot {
    invariant(this.fits(pages), 'Z9: a record is put into an open slab with room');
    const slot = { page: this.#page, index: this.#index };
    this.#page += pages;
    this.#index += 1;
    this.#writing += 1;
    this.#unsettled.add(slot.index);
    return slot;
  }

  /** The record of `slot` is durable, and counts from now on. */
  wrote(slot: Slot, pages: number): void {
    invariant(this.#unsettled.delete(slot.index), 'Z10: a record settles once');
    this.#writing -= 1;
    this.count(pages);
  }

  /** What lies in `slot` is not known; it never counts. */
  failed(): void {
    this.#writing -= 1;
  }

  /** Something else than a chunk is being written to the slab. */
  hold(): void {
    this.#writing += 1;
  }

  letGo(): void {
    this.#writing -= 1;
    invariant(this.#writing >= 0, 'Z9: who lets a slab go has held it');
  }

  count(pages: number): void {
    this.#live += 1;
    this.livePages += pages;
  }

  drop(pages: number): void {
    this.#live -= 1;
    this.livePages -= pages;
    invariant(this.#live >= 0 && this.livePages >= 0, 'Z9: a chunk is dropped once');
  }

  /** The slab starts again, empty, in its next generation. */
  startGeneration(generation: number): void {
    invariant(this.isFreeable, 'Z9: only a slab of which nothing counts starts again');
    invariant(generation > this.generation, 'Z9: generations only grow');
    this.generation = generation;
    this.hasEnd = false;
    this.#page = SLAB_START_PAGES;
    this.#index = 0;
    this.#unsettled.clear();
  }

  /** Goes on behind what a scan found: `missing` are the indexes below `index` that it did not find. */
  resume(page: number, index: number, missing: readonly number[]): void {
    this.#page = page;
    this.#index = index;
    for (const lost of missing) this.#unsettled.add(lost);
  }
}

/** The file name of a slab. */
export function slabName(number: number): string {
  return `slab-${String(number).padStart(6, '0')}`;
}

export function slabNumber(name: string): number | undefined {
  const [, digits] = /^slab-(\d{6,9})$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The record that stands at the start of a slab in this state. */
export function startKind(state: SlabState): RecordKind {
  return state === 'free' ? 'free' : 'slab';
}
