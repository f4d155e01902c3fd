// Memory of large batches, used again once their bytes lie in a chunk.
//
// Every mebibyte of it that is left to the garbage collector brings its next full collection nearer, and those took a fifth
// of the processor under load. wire/ fills it through RecordBatchBuilder, and the channel gives it back.
//
//   F5  Memory is lent to one batch at a time, and given back only by whoever has copied its bytes.

import { invariant } from '../base/invariant.ts';

const KIB = 1024;
/** What is smaller is left to the collector; what is larger than any batch, too. Sizes are powers of two. */
const LENT_BYTES_MIN = 64 * KIB;
const LENT_BYTES_MAX = 4096 * KIB;
/** What waits to be used again, in all. */
const FREE_BYTES_MAX = 32 * 1024 * KIB;

const free = new Map<number, ArrayBuffer[]>();
const lent = new WeakSet<ArrayBufferLike>();
let freeBytes = 0;

/** At least `bytes` of memory, with whatever it held before. */
export function lendBatchMemory(bytes: number): Uint8Array {
  if (bytes < LENT_BYTES_MIN || bytes > LENT_BYTES_MAX) return new Uint8Array(bytes);
  const size = 2 ** Math.ceil(Math.log2(bytes));
  const known = free.get(size)?.pop();
  if (known !== undefined) freeBytes -= size;
  const buffer = known ?? new ArrayBuffer(size);
  lent.add(buffer);
  return new Uint8Array(buffer);
}

/** Takes the memory of a batch back, of which nothing is read any more; other memory is let be. */
export function returnBatchMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (!lent.delete(buffer)) return;
  const size = buffer.byteLength;
  if (freeBytes + size > FREE_BYTES_MAX) return;
  const list = free.get(size) ?? [];
  free.set(size, list);
  invariant(!list.includes(buffer as ArrayBuffer), 'F5: memory is given back once');
  list.push(buffer as ArrayBuffer);
  freeBytes += size;
}
