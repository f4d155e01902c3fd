// What all parts of one open direct zone share, and how a record gets onto its pages.

import path from 'node:path';
import { invariant } from '../../../base/invariant.ts';
import type { ZoneId } from '../../../model/ids.ts';
import type { Checksum } from '../../../ports/checksum.ts';
import { type AlignedMemory, PAGE_BYTES } from '../aligned-memory.ts';
import type { Files, OpenFile } from '../files.ts';
import { FIRST_PAGE_CHUNK_BYTES, fillEnds, type Mark, recordPages } from './record.ts';

/** Zeroes are written this many pages at a time when a file is made: 1 MiB. */
const ZEROES_PAGES = 256;
const NOTHING = new Uint8Array(0);

export interface ZoneContext {
  readonly files: Files;
  readonly dir: string;
  readonly zone: ZoneId;
  readonly memory: AlignedMemory;
  readonly checksum: Checksum;
  readonly warn: (message: string) => void;
  /** Whether the file system takes O_DIRECT. */
  readonly isDirect: boolean;
  readonly sequence: Sequence;
}

/** Numbers everything that a zone writes. */
export class Sequence {
  #last = 0;

  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** `sequence` was found on disk: what comes now is greater. */
  saw(sequence: number): void {
    this.#last = Math.max(this.#last, sequence);
  }
}

export function openZoneFile(context: ZoneContext, name: string, access: 'write' | 'read'): Promise<OpenFile> {
  const { isDirect } = context;
  const target = path.join(context.dir, name);
  if (access === 'read') return context.files.open(target, { write: false, isDirect });
  return context.files.open(target, { write: true, isSynced: true, isDirect });
}

/** Makes a file of `pages` pages that start with `start` and are zero behind it: really allocated, and durable with its name. */
export async function makeZoneFile(context: ZoneContext, name: string, pages: number, start: Uint8Array): Promise<void> {
  const { files, dir } = context;
  const temporary = path.join(dir, `${name}.new`);
  await files.removeTree(temporary);
  try {
    const file = await files.open(temporary, { write: true, create: 'new', isDirect: context.isDirect });
    try {
      await writeZeroes(context, file, 0, pages);
      if (start.length > 0) await file.write([start], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, path.join(dir, name));
    await files.syncFolder(dir);
  } catch (error) {
    await files.removeTree(temporary).catch(() => undefined);
    throw error;
  }
}

/** Zeroes that are written, not holes: a later write in place then changes no metadata that O_DSYNC would wait for. */
export async function writeZeroes(context: ZoneContext, file: OpenFile, from: number, pages: number): Promise<void> {
  const block = context.memory.take(Math.min(ZEROES_PAGES, pages));
  try {
    block.bytes.fill(0);
    for (let done = 0; done < pages; done += ZEROES_PAGES) {
      const count = Math.min(ZEROES_PAGES, pages - done);
      await file.write([block.bytes.subarray(0, count * PAGE_BYTES)], (from + done) * PAGE_BYTES);
    }
  } finally {
    context.memory.give(block);
  }
}

/** Aligned memory with a chunk in it, ready for its marks: the middle pages are shared with the other zones that store it. */
export class PreparedRecord {
  readonly pages: number;
  readonly #context: ZoneContext;
  readonly #chunk: Uint8Array;
  readonly #ends: ReturnType<AlignedMemory['take']>;
  readonly #middle: Uint8Array | undefined;

  /** @throws StoreError `throttled` when no memory is left */
  constructor(context: ZoneContext, chunk: Uint8Array = NOTHING) {
    this.pages = recordPages(chunk.length);
    this.#context = context;
    this.#chunk = chunk;
    this.#ends = context.memory.take(2);
    try {
      this.#middle = this.pages > 2 ? context.memory.stage(chunk, FIRST_PAGE_CHUNK_BYTES, this.pages - 2) : undefined;
    } catch (error) {
      context.memory.give(this.#ends);
      throw error;
    }
  }

  /** Writes the record where its mark says; durable once this resolves. */
  async write(file: OpenFile, mark: Mark): Promise<void> {
    invariant(mark.chunkBytes === this.#chunk.length, 'Z8: a mark describes its chunk');
    const ends = this.#ends.bytes;
    fillEnds(ends, mark, this.#chunk, this.#context.checksum);
    const parts = this.#middle === undefined ? [ends] : [ends.subarray(0, PAGE_BYTES), this.#middle, ends.subarray(PAGE_BYTES)];
    await file.write(parts, mark.page * PAGE_BYTES);
  }

  release(): void {
    this.#context.memory.give(this.#ends);
    if (this.#middle !== undefined) this.#context.memory.unstage(this.#chunk);
  }
}

/** Writes a record with a small chunk, or none. */
export async function writeRecord(context: ZoneContext, file: OpenFile, mark: Mark, chunk: Uint8Array = NOTHING): Promise<void> {
  const record = new PreparedRecord(context, chunk);
  try {
    await record.write(file, mark);
  } finally {
    record.release();
  }
}
