// The measurements, with the official SDK, against a cell wherever it is. Each record is sent once: what is acknowledged goes into the
// ledger, and what is not is nowhere counted on.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppendInput, AppendRecord, type S2Stream } from '@s2-dev/streamstore';
import type { Ledger } from './ledger.ts';

export interface Latencies {
  readonly medianMs: number;
  readonly p99Ms: number;
}

const BODY_CHARS = 1_024;
const APPEND_MS_MAX = 5_000;
const TAIL_EVERY_MS = 50;
const TAIL_MS_MAX = 30_000;
/** Of acknowledged appends in a row, after which a cell is up again. */
const RECOVERED_COUNT = 20;
const BETWEEN_TRIES_MS = 20;

export function latenciesOf(values: readonly number[]): Latencies {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { medianMs: at(0.5), p99Ms: at(0.99) };
}

/** A body that is like no other. */
function newBody(): string {
  return randomUUID().padEnd(BODY_CHARS, '.');
}

async function append(stream: S2Stream, ledger: Ledger, body: string, signal?: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(APPEND_MS_MAX);
  const { start } = await stream.append(AppendInput.create([AppendRecord.string({ body })]), {
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
  });
  ledger.acknowledged(stream.name, start.seqNum, body);
}

/** From an append that is sent to its acknowledgement, one after the other. */
export async function appendLatencies(stream: S2Stream, ledger: Ledger, count: number, signal: AbortSignal): Promise<Latencies> {
  const taken: number[] = [];
  // The first makes the connection.
  await append(stream, ledger, newBody(), signal);
  for (let i = 0; i < count; i += 1) {
    const startedAt = performance.now();
    await append(stream, ledger, newBody(), signal);
    taken.push(performance.now() - startedAt);
  }
  return latenciesOf(taken);
}

/** From an append that is sent until a reader that follows the stream has its record. */
export async function tailLatencies(stream: S2Stream, ledger: Ledger, count: number, signal: AbortSignal): Promise<Latencies> {
  const sentAt = new Map<string, number>();
  const taken: number[] = [];
  const over = AbortSignal.any([signal, AbortSignal.timeout(count * TAIL_EVERY_MS + TAIL_MS_MAX)]);
  const { tail } = await stream.checkTail({ signal });
  const session = await stream.readSession({ start: { from: { seqNum: tail.seqNum } } }, { signal: over });
  const reading = (async () => {
    for await (const { body } of session) {
      const at = sentAt.get(body);
      if (at !== undefined) taken.push(performance.now() - at);
      if (taken.length === count) return;
    }
    throw new Error(`the reader ended after ${taken.length} of ${count} records`);
  })();
  const writing = (async () => {
    await session.caughtUp();
    for (let i = 0; i < count; i += 1) {
      const body = newBody();
      sentAt.set(body, performance.now());
      await append(stream, ledger, body, over);
      await sleep(TAIL_EVERY_MS, undefined, { signal: over });
    }
  })();
  await Promise.all([reading, writing]);
  return latenciesOf(taken);
}

export interface Outage {
  /** From the kill to the first acknowledgement behind the first append that failed; the longest pause where none failed. */
  readonly ms: number;
  readonly failed: number;
}

export interface OutageLimits {
  /** Without a failure for so long, the task was replaced without anybody noticing. */
  readonly quietMs: number;
  readonly msMax: number;
}

/** Appends on while `kill` takes the owner away, until the cell is up again. @throws Error where it does not come back in time */
export async function measureOutage(
  stream: S2Stream,
  ledger: Ledger,
  kill: () => Promise<void>,
  { quietMs, msMax }: OutageLimits,
  signal: AbortSignal,
): Promise<Outage> {
  await append(stream, ledger, newBody(), signal);
  await kill();
  const killedAt = performance.now();
  let failed = 0;
  let inRow = 0;
  let lastAt = killedAt;
  let longestMs = 0;
  let backMs: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    const isOk = await append(stream, ledger, newBody(), signal).then(
      () => true,
      (error: unknown) => {
        // Whatever the ledger says against is no outage.
        if (error instanceof Error && error.message.includes('acknowledged twice')) throw error;
        return false;
      },
    );
    const now = performance.now();
    if (isOk) {
      longestMs = Math.max(longestMs, now - lastAt);
      lastAt = now;
      inRow += 1;
      if (failed > 0) backMs ??= now - killedAt;
    } else {
      failed += 1;
      inRow = 0;
      backMs = undefined;
    }
    if (backMs !== undefined && inRow >= RECOVERED_COUNT) return { ms: backMs, failed };
    if (failed === 0 && now - killedAt > quietMs) return { ms: longestMs, failed };
    if (now - killedAt > msMax) throw new Error(`no append was acknowledged for ${((now - lastAt) / 1_000).toFixed(0)} s after the kill`);
    await sleep(BETWEEN_TRIES_MS);
  }
}
