// Writes large new files past the page cache, several blocks at a time.
//
// While zones are written, a copy into the page cache waits for processor and memory four times as long as the disk takes
// (bench append). file-object-store.ts calls this for large objects, and writes plainly where the file system refuses O_DIRECT.

import { Gate } from '../../base/gate.ts';
import { invariant } from '../../base/invariant.ts';
import { AlignedMemory, PAGE_BYTES } from './aligned-memory.ts';
import { errorCode, type Files, type OpenFile } from './files.ts';

const MIB = 1024 * 1024;
const BLOCK_BYTES = MIB;
/** Blocks of one file that are written at once; of all files together. */
const BLOCKS_MAX = 4;
const ALL_BLOCKS_MAX = 8;
const MEMORY_BYTES_MAX = 16 * MIB;
/** Smaller files are written through the page cache. */
export const LARGE_FILE_BYTES_MIN = MIB;

export class LargeFiles {
  readonly #files: Files;
  readonly #memory = new AlignedMemory(MEMORY_BYTES_MAX);
  readonly #gate = new Gate(ALL_BLOCKS_MAX);
  #isRefused = false;

  constructor(files: Files) {
    this.#files = files;
  }

  /**
   * Makes the file `path` of `parts`; its bytes are durable once this resolves.
   *
   * @returns false when the file system refuses O_DIRECT. A file may be there then, to be removed.
   */
  async write(path: string, parts: readonly Uint8Array[]): Promise<boolean> {
    if (this.#isRefused) return false;
    try {
      const file = await this.#files.open(path, { write: true, create: 'new', isDirect: true });
      try {
        await this.#fill(file, parts);
        await file.sync();
      } finally {
        await file.close();
      }
      return true;
    } catch (error) {
      if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
      this.#isRefused = true;
      return false;
    }
  }

  async #fill(file: OpenFile, parts: readonly Uint8Array[]): Promise<void> {
    const source = new PartsReader(parts);
    // Its length beforehand: blocks that come in any order then never extend the file.
    await file.truncate(source.bytes);
    let failed = false;
    const writeBlocks = async (): Promise<void> => {
      while (!source.isOver && !failed) await this.#gate.run(() => this.#writeBlock(file, source));
    };
    const workers = Array.from({ length: BLOCKS_MAX }, () =>
      writeBlocks().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    // All of them: the file must not be closed while anything is being written to it.
    const outcomes = await Promise.allSettled(workers);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    // The last block was whole pages.
    await file.truncate(source.bytes);
  }

  async #writeBlock(file: OpenFile, source: PartsReader): Promise<void> {
    if (source.isOver) return;
    const block = this.#memory.take(BLOCK_BYTES / PAGE_BYTES);
    try {
      const { at } = source;
      const count = source.fill(block.bytes);
      await file.write([block.bytes.subarray(0, Math.ceil(count / PAGE_BYTES) * PAGE_BYTES)], at);
    } finally {
      this.#memory.give(block);
    }
  }
}

/** Reads `parts` as if they lay behind each other. */
class PartsReader {
  readonly bytes: number;
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #partAt = 0;
  at = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
    this.bytes = parts.reduce((sum, part) => sum + part.length, 0);
  }

  get isOver(): boolean {
    return this.at === this.bytes;
  }

  /** Fills `into`, with zeroes behind the end. @returns bytes of the parts */
  fill(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length) {
      const part = this.#parts[this.#part];
      if (part === undefined) break;
      const count = Math.min(into.length - filled, part.length - this.#partAt);
      into.set(part.subarray(this.#partAt, this.#partAt + count), filled);
      filled += count;
      this.#partAt += count;
      if (this.#partAt < part.length) continue;
      this.#part += 1;
      this.#partAt = 0;
    }
    into.fill(0, filled);
    this.at += filled;
    invariant(this.at <= this.bytes, 'Z5: an object is as long as its parts');
    return filled;
  }
}
