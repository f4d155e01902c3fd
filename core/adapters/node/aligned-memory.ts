// Page-aligned memory for O_DIRECT, where a plain Buffer is refused: the memory of a WebAssembly.Memory starts on a page.
//
// One pool serves all zones of a process. Memory is never given back to the system; what was used once is used again first.
//
//   Z13  A block is lent to one user at a time, and a staged chunk is given up only when everyone who staged it has let it go.

import { invariant } from '../../base/invariant.ts';
import { refused } from '../../model/errors.ts';

/** Node has it, and its types have not. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

export const PAGE_BYTES = 4096;
/** A wasm page is 64 KiB. An arena holds the largest record twice. */
const WASM_PAGE_BYTES = 65_536;
const ARENA_BYTES = 16 * 1024 * 1024;
const ARENA_PAGES = ARENA_BYTES / PAGE_BYTES;
/** Three stalled zones hold no more than this; then puts are refused with `throttled`. */
const MEMORY_BYTES_MAX = 128 * 1024 * 1024;

export interface AlignedBlock {
  readonly bytes: Uint8Array;
  readonly arena: Arena;
  readonly page: number;
}

interface Run {
  page: number;
  pages: number;
}

interface Arena {
  readonly bytes: Uint8Array;
  /** Free runs by page, never two beside each other. */
  readonly free: Run[];
}

interface Staged {
  readonly block: AlignedBlock;
  holders: number;
}

export class AlignedMemory {
  readonly #arenasMax: number;
  readonly #arenas: Arena[] = [];
  readonly #staged = new WeakMap<Uint8Array, Staged>();
  #lentPages = 0;

  constructor(bytesMax = MEMORY_BYTES_MAX) {
    this.#arenasMax = Math.max(1, Math.floor(bytesMax / ARENA_BYTES));
  }

  /** Bytes that are lent now. */
  get lentBytes(): number {
    return this.#lentPages * PAGE_BYTES;
  }

  /** Lends `pages` pages, with whatever they held before. @throws StoreError `throttled` when all memory is lent */
  take(pages: number): AlignedBlock {
    invariant(pages > 0 && pages <= ARENA_PAGES, 'Z13: a block fits an arena');
    for (const arena of this.#arenas) {
      const block = carve(arena, pages);
      if (block !== undefined) return this.#lent(block, pages);
    }
    if (this.#arenas.length >= this.#arenasMax) throw refused('throttled', 'all memory for direct I/O is in use');
    const wasmPages = ARENA_BYTES / WASM_PAGE_BYTES;
    const memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages });
    const arena: Arena = { bytes: new Uint8Array(memory.buffer), free: [{ page: 0, pages: ARENA_PAGES }] };
    this.#arenas.push(arena);
    const block = carve(arena, pages);
    invariant(block !== undefined, 'Z13: a new arena has room');
    return this.#lent(block, pages);
  }

  give(block: AlignedBlock): void {
    const pages = block.bytes.length / PAGE_BYTES;
    const { free } = block.arena;
    let next = free.findIndex((run) => run.page > block.page);
    if (next === -1) next = free.length;
    const before = free[next - 1];
    const behind = free[next];
    invariant(before === undefined || before.page + before.pages <= block.page, 'Z13: a block is given back once');
    invariant(behind === undefined || block.page + pages <= behind.page, 'Z13: a block is given back once');
    const run: Run = { page: block.page, pages };
    const joinsBefore = before !== undefined && before.page + before.pages === run.page;
    const joinsBehind = behind !== undefined && run.page + run.pages === behind.page;
    if (joinsBefore) {
      run.page = before.page;
      run.pages += before.pages;
    }
    if (joinsBehind) run.pages += behind.pages;
    free.splice(joinsBefore ? next - 1 : next, (joinsBefore ? 1 : 0) + (joinsBehind ? 1 : 0), run);
    this.#lentPages -= pages;
  }

  /**
   * An aligned copy of `pages` pages of `chunk` from byte `start`, zeroes behind its end; made once for all who hold it now.
   * The chunk must not change, and everyone asks for the same part of it.
   */
  stage(chunk: Uint8Array, start: number, pages: number): Uint8Array {
    const known = this.#staged.get(chunk);
    if (known !== undefined) {
      invariant(known.block.bytes.length === pages * PAGE_BYTES, 'Z13: everyone stages the same part');
      known.holders += 1;
      return known.block.bytes;
    }
    const block = this.take(pages);
    const part = chunk.subarray(start, start + block.bytes.length);
    block.bytes.set(part);
    block.bytes.fill(0, part.length);
    this.#staged.set(chunk, { block, holders: 1 });
    return block.bytes;
  }

  /** Lets go what `stage` gave, once. */
  unstage(chunk: Uint8Array): void {
    const staged = this.#staged.get(chunk);
    invariant(staged !== undefined && staged.holders > 0, 'Z13: only what is staged is let go');
    staged.holders -= 1;
    if (staged.holders > 0) return;
    this.#staged.delete(chunk);
    this.give(staged.block);
  }

  #lent(block: AlignedBlock, pages: number): AlignedBlock {
    this.#lentPages += pages;
    return block;
  }
}

/** The first run that fits, so that memory used before is used again. */
function carve(arena: Arena, pages: number): AlignedBlock | undefined {
  const index = arena.free.findIndex((run) => run.pages >= pages);
  const run = arena.free[index];
  if (run === undefined) return undefined;
  const page = run.page;
  run.page += pages;
  run.pages -= pages;
  if (run.pages === 0) arena.free.splice(index, 1);
  return { bytes: arena.bytes.subarray(page * PAGE_BYTES, (page + pages) * PAGE_BYTES), arena, page };
}
