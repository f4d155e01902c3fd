// Load on one stream, and how long its answers take. In bounded time and memory; the histograms are Node's own.
//
//   closed loop  so many batches are in flight; the next leaves when one is answered. Shows what the server can do.
//   open loop    batches leave at their appointed times, whatever became of the earlier ones, and latency counts from the
//                appointed time: a server that stalls cannot hide it. Shows what a user at that rate would see.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { AppendInput, AppendRecord, type S2Stream } from '@s2-dev/streamstore';

const US_PER_MS = 1_000;
const SENT_AT_BYTES = 8;
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
/** An open loop that is that far behind its appointments ends: its figures would be about itself. */
const OVERDUE_BATCHES_MAX = 20_000;
/** How long the follower may still need once the last append was answered. */
const CATCH_UP_MS_MAX = 10_000;

export interface Load {
  readonly durationMs: number;
  readonly recordBytes: number;
  readonly batchRecords: number;
  /** Batches a second; undefined for a closed loop. */
  readonly rate: number | undefined;
  /** Of a closed loop. */
  readonly inFlight: number;
}

export interface AppendFigures {
  readonly elapsedMs: number;
  readonly records: number;
  readonly bytes: number;
  /** Microseconds from sending, or from the appointed time, to the answer. */
  readonly ackUs: RecordableHistogram;
}

/** Appends until the time is over or `signal`. @throws S2Error of the first append that fails */
export async function appendLoad(
  stream: S2Stream,
  load: Load,
  signal: AbortSignal,
  onRecords: (records: number) => void,
): Promise<AppendFigures> {
  const session = await stream.appendSession({ maxInflightBytes: IN_FLIGHT_BYTES_MAX });
  const ackUs = createHistogram();
  const body = Buffer.alloc(load.recordBytes, 'millrace ');
  const startedAt = performance.now();
  let records = 0;
  let bytes = 0;
  const send = async (since: number): Promise<void> => {
    const input = AppendInput.create(Array.from({ length: load.batchRecords }, () => AppendRecord.bytes({ body: stamped(body) })));
    await (await session.submit(input)).ack();
    ackUs.record(microseconds(performance.now() - since));
    records += load.batchRecords;
    bytes += load.batchRecords * load.recordBytes;
    onRecords(records);
  };
  const isOver = (): boolean => signal.aborted || performance.now() - startedAt >= load.durationMs;
  if (load.rate === undefined) await closedLoop(send, load.inFlight, isOver);
  else await openLoop(send, load.rate, startedAt, isOver);
  const elapsedMs = performance.now() - startedAt;
  await session.close();
  return { elapsedMs, records, bytes, ackUs };
}

async function closedLoop(send: (since: number) => Promise<void>, inFlight: number, isOver: () => boolean): Promise<void> {
  const lane = async (): Promise<void> => {
    while (!isOver()) await send(performance.now());
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

async function openLoop(send: (since: number) => Promise<void>, rate: number, startedAt: number, isOver: () => boolean): Promise<void> {
  const open = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (let sent = 0; !isOver() && failure === undefined; ) {
    const dueAt = startedAt + (sent / rate) * 1_000;
    const earlyMs = dueAt - performance.now();
    if (earlyMs > 0) {
      // In steps, so that the end of the time is seen.
      await new Promise((resolve) => setTimeout(resolve, Math.min(earlyMs, 1_000)));
      continue;
    }
    if (open.size >= OVERDUE_BATCHES_MAX)
      throw new Error(`the server cannot keep up with ${rate} batches a second: ${open.size} wait for their answer`);
    const one: Promise<void> = send(dueAt)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => open.delete(one));
    open.add(one);
    sent += 1;
  }
  await Promise.all(open);
  if (failure !== undefined) throw failure.error;
}

/** Follows the stream. `stop(records)` waits until that many have come. */
export async function follow(
  stream: S2Stream,
): Promise<{ readonly deliveryUs: RecordableHistogram; stop(records: number): Promise<void> }> {
  const deliveryUs = createHistogram();
  const session = await stream.readSession({ start: { from: { seqNum: 0 } } }, { as: 'bytes' });
  let seen = 0;
  const done = (async () => {
    for await (const { body } of session) {
      deliveryUs.record(microseconds(performance.now() - Buffer.from(body.buffer, body.byteOffset, body.byteLength).readDoubleBE(0)));
      seen += 1;
    }
  })();
  // Said by `stop`, whenever it happens.
  done.catch(() => undefined);
  return {
    deliveryUs,
    async stop(records) {
      const deadline = performance.now() + CATCH_UP_MS_MAX;
      while (seen < records && performance.now() < deadline) {
        await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 5))]);
      }
      if (seen < records)
        throw new Error(`the follower saw ${seen} of ${records} records ${CATCH_UP_MS_MAX / 1_000} s after the last append`);
      await session.cancel('done').catch(() => undefined);
    },
  };
}

/** Reads the stream from its start to its tail. */
export async function readAll(stream: S2Stream): Promise<{ readonly elapsedMs: number; readonly records: number; readonly bytes: number }> {
  const startedAt = performance.now();
  let records = 0;
  let bytes = 0;
  const session = await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { waitSecs: 0 } }, { as: 'bytes' });
  for await (const { body } of session) {
    records += 1;
    bytes += body.byteLength;
  }
  return { elapsedMs: performance.now() - startedAt, records, bytes };
}

function stamped(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  if (copy.length >= SENT_AT_BYTES) copy.writeDoubleBE(performance.now(), 0);
  return copy;
}

function microseconds(ms: number): number {
  return Math.max(1, Math.round(ms * US_PER_MS));
}
