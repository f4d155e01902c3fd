// As much as a cell takes, through the edge and with the official SDK: many writers at once, each on a stream of its own, so that every
// record is known by its stream and its place. Afterwards every one of them is read back.

import { setTimeout as sleep } from 'node:timers/promises';
import { AppendInput, AppendRecord, type S2Basin, S2Error, type S2Stream, SeqNumMismatchError } from '@s2-dev/streamstore';

export type LoadedClass = 'express' | 'standard';

/** Eight batches make a chunk of 4 MiB, two one of 1 MiB, each with 2% to spare. */
const BATCH_RECORDS = 64;
const RECORD_BYTES = 8_000;
const BATCH_BYTES = BATCH_RECORDS * RECORD_BYTES;
const READ_RECORDS = 1_000;
const READERS = 8;
/** A batch is tried for so long. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 100;

export interface Load {
  readonly storageClass: LoadedClass;
  readonly streams: readonly string[];
  readonly batchesPerStream: number;
}

export interface Written extends Load {
  /** Bodies of acknowledged records. */
  readonly bytes: number;
  readonly ms: number;
}

/**
 * @param bytes about as many; what was written is in the answer
 * @param onAcknowledged told after each batch how much of all is acknowledged, from 0 to 1
 */
export async function writeLoad(
  basin: S2Basin,
  storageClass: LoadedClass,
  bytes: number,
  writers: number,
  onAcknowledged: (share: number) => void,
): Promise<Written> {
  const batchesPerStream = Math.ceil(bytes / BATCH_BYTES / writers);
  const streams = Array.from({ length: writers }, (_, i) => `load/${storageClass}/${String(i).padStart(2, '0')}`);
  await Promise.all(streams.map((stream) => basin.streams.create({ stream, config: { storageClass } })));
  let count = 0;
  const onBatch = (): void => {
    count += 1;
    onAcknowledged(count / (writers * batchesPerStream));
  };
  const begun = performance.now();
  await Promise.all(streams.map((stream, i) => writeStream(basin, stream, i, batchesPerStream, onBatch)));
  const ms = performance.now() - begun;
  return { storageClass, streams, batchesPerStream, ms, bytes: streams.length * batchesPerStream * BATCH_BYTES };
}

async function writeStream(basin: S2Basin, name: string, writer: number, batches: number, onBatch: () => void): Promise<void> {
  const stream = basin.stream(name, { forceTransport: 'fetch' });
  for (let batch = 0; batch < batches; batch += 1) {
    const first = batch * BATCH_RECORDS;
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => AppendRecord.bytes({ body: bodyOf(writer, first + i) }));
    await appendOnce(stream, AppendInput.create(records, { matchSeqNum: first }), first);
    onBatch();
  }
}

/** Tries until it is there: nobody else writes to the stream, so that a tail behind the batch says that an answer was lost. */
async function appendOnce(stream: S2Stream, input: AppendInput, first: number): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; ; ) {
    try {
      const { start } = await stream.append(input);
      if (start.seqNum !== first) throw new Error(`${stream.name}: the batch of ${first} was acknowledged at ${start.seqNum}`);
      return;
    } catch (error) {
      if (error instanceof SeqNumMismatchError && error.expectedSeqNum === first + BATCH_RECORDS) return;
      if (!(error instanceof S2Error) || error instanceof SeqNumMismatchError || performance.now() > deadline) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

/** Says which record it is, and is like no other from its first byte to its last. */
function bodyOf(writer: number, seqNum: number): Uint8Array {
  const word = Buffer.from(`${writer}:${seqNum};`);
  return Buffer.alloc(RECORD_BYTES, word);
}

/** @returns how many records are as they were acknowledged @throws Error that names the first one that is not */
export async function readLoad(basin: S2Basin, load: Load): Promise<number> {
  const left = load.streams.map((name, writer) => ({ name, writer }));
  let count = 0;
  const reader = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) count += await readStream(basin, next.name, next.writer, load);
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return count;
}

async function readStream(basin: S2Basin, name: string, writer: number, { batchesPerStream }: Load): Promise<number> {
  const stream = basin.stream(name, { forceTransport: 'fetch' });
  const end = batchesPerStream * BATCH_RECORDS;
  let next = 0;
  while (next < end) {
    const count = Math.min(READ_RECORDS, end - next);
    const { records } = await stream.read({ start: { from: { seqNum: next } }, stop: { limits: { count } } }, { as: 'bytes' });
    if (records.length === 0) throw new Error(`${name}: nothing at ${next} of ${end}`);
    for (const { seqNum, body } of records) {
      if (seqNum !== next || Buffer.compare(body, bodyOf(writer, next)) !== 0) throw new Error(`${name}: record ${next} is another one`);
      next += 1;
    }
  }
  const { tail } = await stream.checkTail();
  if (tail.seqNum !== end) throw new Error(`${name}: its tail is ${tail.seqNum} and not ${end}`);
  return end;
}
