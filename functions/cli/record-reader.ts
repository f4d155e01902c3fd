// Reads a stream as server-sent events, exactly: bytes as bytes, u64 as u64. A connection that breaks is taken up again.
//
// Used by `read` and `tail -f`. What was delivered is never delivered again, and nothing is left out: every attempt after
// the first starts behind the last record, with what the limits leave.

import { S2Error } from '@s2-dev/streamstore';
import { type Connection, refusalOf } from './connection.ts';
import { parseExact } from './exact-json.ts';
import { isUnreachable } from './failure.ts';
import type { StreamPlace } from './place.ts';
import { eventsOf } from './sse.ts';

/** A server sends something every 15 s at least. */
const SILENCE_MS_MAX = 30_000;
const RETRY_DELAY_MS = 200;
/** Before anything came, a person waits: a server that is away is said soon. */
const FIRST_ATTEMPTS_MAX = 3;
/** Afterwards a restart of the server is sat out. */
const PATIENCE_MS = 60_000;
const PASSING_CODES = new Set(['hot_server', 'other', 'rate_limited', 'request_timeout', 'server_draining', 'storage', 'unavailable']);
const RECORD_OVERHEAD_BYTES = 8;
const HEADER_OVERHEAD_BYTES = 2;

export interface ReadStart {
  readonly by: 'seq_num' | 'timestamp' | 'tail_offset';
  /** A u64. */
  readonly at: string;
}

export interface ReadQuery {
  readonly start: ReadStart;
  readonly clamp?: boolean;
  readonly count?: number | undefined;
  readonly bytes?: number | undefined;
  readonly until?: string | undefined;
  /** Seconds without a record, at the tail, after which it ends. Undefined: never, where there is no other limit. */
  readonly waitSeconds?: number | undefined;
}

export interface ReadRecord {
  readonly seqNum: number | bigint;
  readonly timestamp: number | bigint;
  readonly headers: readonly (readonly [Buffer, Buffer])[];
  readonly body: Buffer;
}

/** As the API has it, with `s2-format: base64`. */
interface WireRecord {
  readonly seq_num: number | bigint;
  readonly timestamp: number | bigint;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

export interface ReadOptions {
  readonly encryptionKey: string | undefined;
  /** Ends the read quietly. */
  readonly signal: AbortSignal;
}

/** Batches until the limits, the tail where it may not wait, or `signal`. @throws S2Error, or what fetch throws */
export async function* readBatches(
  connection: Connection,
  place: StreamPlace,
  query: ReadQuery,
  options: ReadOptions,
): AsyncGenerator<readonly ReadRecord[]> {
  let left = query;
  let attempts = 0;
  let isConnected = false;
  let failingSince = 0;
  while (!options.signal.aborted && left.count !== 0 && left.bytes !== 0) {
    try {
      for await (const part of readOnce(connection, place, left, options)) {
        isConnected = true;
        attempts = 0;
        left = after(left, part);
        if (part.records.length > 0) yield part.records;
      }
      return;
    } catch (error) {
      if (options.signal.aborted) return;
      // What was left to read has been read: a start at the tail that may not wait is refused.
      if (isConnected && error instanceof S2Error && error.status === 416) return;
      if (!isPassing(error)) throw error;
      attempts += 1;
      if (attempts === 1) failingSince = performance.now();
      const isOver = isConnected ? performance.now() - failingSince > PATIENCE_MS : attempts >= FIRST_ATTEMPTS_MAX;
      if (isOver) throw error;
      await pause(RETRY_DELAY_MS * Math.min(attempts, 5), options.signal);
    }
  }
}

interface Part {
  readonly records: readonly ReadRecord[];
  /** Where a reader that has seen everything stands. */
  readonly tail?: number | bigint;
}

async function* readOnce(connection: Connection, place: StreamPlace, query: ReadQuery, options: ReadOptions): AsyncGenerator<Part> {
  const silence = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new TypeError('terminated')), SILENCE_MS_MAX);
  };
  heard();
  try {
    const response = await connection.openBody(
      connection.recordsPath(place, `?${queryString(query)}`),
      {
        accept: 'text/event-stream',
        's2-basin': place.basin,
        's2-format': 'base64',
        ...(options.encryptionKey === undefined ? {} : { 's2-encryption-key': options.encryptionKey }),
      },
      AbortSignal.any([options.signal, silence.signal]),
    );
    if (response.body === null) throw new TypeError('terminated');
    for await (const { name, data } of eventsOf(response.body, heard)) {
      if (data === '[DONE]') return;
      if (name === 'error') throw refusalOf(0, data);
      const parsed = parseExact(data) as { records?: readonly WireRecord[]; tail?: { seq_num: number | bigint } };
      if (name === 'batch') yield { records: (parsed.records ?? []).map(decode) };
      else if (name === 'ping' && parsed.tail !== undefined) yield { records: [], tail: parsed.tail.seq_num };
    }
    throw new TypeError('terminated');
  } finally {
    clearTimeout(timer);
  }
}

/** What is left to read after `part`. A tail anchors a start that was relative to it, so that a second attempt skips nothing. */
function after(query: ReadQuery, { records, tail }: Part): ReadQuery {
  const last = records.at(-1);
  if (last === undefined) return tail === undefined ? query : { ...query, start: { by: 'seq_num', at: String(tail) } };
  return {
    ...query,
    start: { by: 'seq_num', at: String(BigInt(last.seqNum) + 1n) },
    count: query.count === undefined ? undefined : Math.max(0, query.count - records.length),
    bytes: query.bytes === undefined ? undefined : Math.max(0, query.bytes - records.reduce((sum, one) => sum + meteredBytes(one), 0)),
  };
}

export function meteredBytes({ headers, body }: Pick<ReadRecord, 'headers' | 'body'>): number {
  return headers.reduce(
    (sum, [name, value]) => sum + HEADER_OVERHEAD_BYTES + name.length + value.length,
    RECORD_OVERHEAD_BYTES + body.length,
  );
}

function queryString({ start, clamp, count, bytes, until, waitSeconds }: ReadQuery): string {
  const query = new URLSearchParams({ [start.by]: start.at });
  if (clamp === true) query.set('clamp', 'true');
  if (count !== undefined) query.set('count', String(count));
  if (bytes !== undefined) query.set('bytes', String(bytes));
  if (until !== undefined) query.set('until', until);
  if (waitSeconds !== undefined) query.set('wait', String(waitSeconds));
  return query.toString();
}

function decode({ seq_num, timestamp, headers, body }: WireRecord): ReadRecord {
  return {
    seqNum: seq_num,
    timestamp,
    headers: headers?.map(([name, value]) => [Buffer.from(name, 'base64'), Buffer.from(value, 'base64')] as const) ?? [],
    body: Buffer.from(body ?? '', 'base64'),
  };
}

function isPassing(error: unknown): boolean {
  if (error instanceof S2Error) return PASSING_CODES.has(error.code ?? '');
  // `terminated` is what fetch says of a body that broke off.
  return isUnreachable(error) || (error instanceof TypeError && error.message === 'terminated');
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
