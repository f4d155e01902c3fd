// One encoding of a live batch for all followers of a format: those that a commit wakes get the same records at the same time.
//
// Whoever follows at the tail gets frames as memory holds them, so that equal batches are the same bytes in memory: they are
// recognised without a look at what is in them. Encoders ask here; readers and the channel know nothing of it.
//
//   A16  An encoding is given again only for the same records, the same tail and the same format; what one reader's key
//        decrypted is kept for nobody.

import type { ReadBatch, RecordRun } from '../model/read.ts';

/** Followers come in the same turns, so that only what came last is asked for again. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;

interface Kept {
  readonly format: string;
  readonly batch: ReadBatch;
  readonly encoded: Uint8Array;
}

export class SharedEncodings {
  readonly #bytesMax: number;
  /** By the bytes of the first run, oldest first. */
  readonly #kept = new Map<Uint8Array, Kept[]>();
  #bytes = 0;

  constructor(bytesMax = KEPT_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /**
   * `batch` in a format: what another follower was given, if it had the same batch. Nobody may write to it.
   *
   * @param format everything besides the batch that `encode` depends on.
   */
  encode(format: string, batch: ReadBatch, encode: (batch: ReadBatch) => Uint8Array): Uint8Array {
    const first = batch.runs[0]?.bytes;
    // Only at the tail does a batch carry one; a reader that catches up shares nothing, nor does one with a key.
    if (first === undefined || batch.tail === undefined || batch.isDecrypted === true) return encode(batch);
    const known = this.#kept.get(first) ?? [];
    const same = known.find((kept) => kept.format === format && isSame(kept.batch, batch));
    if (same !== undefined) return same.encoded;
    const encoded = encode(batch);
    this.#kept.set(first, [...known, { format, batch, encoded }]);
    this.#bytes += encoded.length;
    this.#forget();
    return encoded;
  }

  #forget(): void {
    for (const [first, kept] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#kept.delete(first);
      for (const { encoded } of kept) this.#bytes -= encoded.length;
    }
  }
}

function isSame(a: ReadBatch, b: ReadBatch): boolean {
  const isTailSame = a.tail?.seqNum === b.tail?.seqNum && a.tail?.timestamp === b.tail?.timestamp;
  return isTailSame && a.runs.length === b.runs.length && a.runs.every((run, i) => isSameRun(run, b.runs[i]));
}

function isSameRun(a: RecordRun, b: RecordRun | undefined): boolean {
  return a.bytes === b?.bytes && a.first === b.first && a.count === b.count;
}
