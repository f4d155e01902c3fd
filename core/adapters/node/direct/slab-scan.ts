// Finds again what a slab file holds, from nothing but its marks.
//
//   Z8  Of a record of which either end is whole, log and position are found: it is torn there, never absent.
//   Z12 A record below the settled prefix that is not found is damage; above it, it is an unfinished write.

import { PAGE_BYTES } from '../aligned-memory.ts';
import type { OpenFile } from '../files.ts';
import { type Mark, readHead, readTail, recordPages } from './record.ts';
import { SLAB_END_PAGES, SLAB_START_PAGES } from './slab.ts';
import type { ZoneContext } from './zone-context.ts';

/** Pages that are read at once. */
const WINDOW_PAGES = 32;

export interface SlabScan {
  /** What stands at the start: undefined when neither copy is whole. */
  readonly start: Mark | undefined;
  /** Whether both copies at the start say the same. */
  readonly isStartWhole: boolean;
  /** Chunks of the slab's generation, in the order of their places. */
  readonly records: readonly Mark[];
  readonly end: Mark | undefined;
}

/**
 * Reads a slab file of `pages` pages.
 *
 * @param isSalvage records of any generation count, and a free slab is searched as well.
 * @throws what the file system throws
 */
export async function scanSlab(context: ZoneContext, file: OpenFile, slab: number, pages: number, isSalvage: boolean): Promise<SlabScan> {
  const window = new PageWindow(context, file, pages);
  try {
    const isOurs = (mark: Mark): boolean => mark.zone === context.zone && mark.slab === slab;
    const copies = [readHead(await window.page(0), context.checksum), readTail(await window.page(1), context.checksum)];
    const valid = copies.filter((mark) => mark !== undefined && isOurs(mark) && mark.page === 0 && isStart(mark));
    const start = valid.reduce((best, mark) => (mark !== undefined && mark.sequence > (best?.sequence ?? -1) ? mark : best), undefined);
    const isStartWhole = valid.length === 2 && valid[0]?.sequence === valid[1]?.sequence;
    const isCurrent = (mark: Mark): boolean => isOurs(mark) && (isSalvage || mark.generation === start?.generation);
    if (start?.kind === 'free' && !isSalvage) return { start, isStartWhole, records: [], end: undefined };
    const records = await findRecords(window, pages, context, isCurrent);
    const end = await findEnd(window, pages, context, isCurrent);
    return { start, isStartWhole, records, end };
  } finally {
    window.release();
  }
}

function isStart(mark: Mark): boolean {
  return mark.kind === 'slab' || mark.kind === 'free';
}

async function findRecords(window: PageWindow, pages: number, context: ZoneContext, isCurrent: (mark: Mark) => boolean): Promise<Mark[]> {
  const records: Mark[] = [];
  const endPage = pages - SLAB_END_PAGES;
  let known = SLAB_START_PAGES;
  for (let page = known; page < endPage; page += 1) {
    const bytes = await window.page(page);
    const head = readHead(bytes, context.checksum);
    if (head?.kind === 'chunk' && isCurrent(head) && head.page === page && lastPage(head) < endPage) {
      records.push(head);
      page = lastPage(head);
      known = page + 1;
      continue;
    }
    // Its head is lost or half written, but its tail tells what it was.
    const tail = readTail(bytes, context.checksum);
    if (tail?.kind === 'chunk' && isCurrent(tail) && tail.page >= known && lastPage(tail) === page) {
      records.push(tail);
      known = page + 1;
    }
  }
  return records;
}

async function findEnd(
  window: PageWindow,
  pages: number,
  context: ZoneContext,
  isCurrent: (mark: Mark) => boolean,
): Promise<Mark | undefined> {
  const page = pages - SLAB_END_PAGES;
  const copies = [readHead(await window.page(page), context.checksum), readTail(await window.page(page + 1), context.checksum)];
  return copies.find((mark) => mark?.kind === 'end' && isCurrent(mark) && mark.page === page);
}

export function lastPage(mark: Mark): number {
  return mark.page + recordPages(mark.chunkBytes) - 1;
}

/** Indexes below the greatest one found that were not found. */
export function missingIndexes(scan: SlabScan): { readonly missing: readonly number[]; readonly next: number; readonly settled: number } {
  const found = new Set(scan.records.map((record) => record.index));
  let next = scan.end?.index ?? 0;
  let settled = scan.end?.settled ?? 0;
  for (const record of scan.records) {
    next = Math.max(next, record.index + 1);
    settled = Math.max(settled, record.settled);
  }
  const missing: number[] = [];
  for (let index = 0; index < next; index += 1) if (!found.has(index)) missing.push(index);
  return { missing, next, settled };
}

/** Pages of a file, read a window at a time. */
class PageWindow {
  readonly #context: ZoneContext;
  readonly #file: OpenFile;
  readonly #pages: number;
  readonly #block: ReturnType<ZoneContext['memory']['take']>;
  #from = 0;
  #count = 0;

  constructor(context: ZoneContext, file: OpenFile, pages: number) {
    this.#context = context;
    this.#file = file;
    this.#pages = pages;
    this.#block = context.memory.take(WINDOW_PAGES);
  }

  /** A page, valid until the next call. */
  async page(page: number): Promise<Uint8Array> {
    if (page < this.#from || page >= this.#from + this.#count) {
      this.#count = Math.min(WINDOW_PAGES, this.#pages - page);
      this.#from = page;
      const into = this.#block.bytes.subarray(0, this.#count * PAGE_BYTES);
      const bytes = await this.#file.read(into, page * PAGE_BYTES);
      into.fill(0, bytes);
    }
    const at = (page - this.#from) * PAGE_BYTES;
    return this.#block.bytes.subarray(at, at + PAGE_BYTES);
  }

  release(): void {
    this.#context.memory.give(this.#block);
  }
}
