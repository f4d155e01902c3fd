// What several files of cases need: shapes of answers, large inputs, and names that are being deleted.

import { strict as assert } from 'node:assert';
import type { Request } from './case.ts';
import type { CaseClient, FullAnswer } from './case-client.ts';
import type { Protocol } from './client/http.ts';
import type { Session } from './client/session.ts';
import { type Expected, matching, oneOf, time } from './expect.ts';
import type { Json } from './json.ts';

export const MIB = 1_048_576;
export const PROTOCOLS: readonly Protocol[] = ['h1', 'h2'];
/** How long trimming, retention and deletions may take before a case gives up. */
export const BACKGROUND_MS_MAX = 30_000;

export const LOCATION_NAME = matching(/^[A-Za-z0-9:.-]{1,64}$/);

export const basinInfo = (name: Expected = '{basin}'): Expected => ({
  name,
  location: oneOf(null, LOCATION_NAME),
  created_at: time,
  deleted_at: null,
  state: 'active',
});

export const streamInfo = (name: Expected, cipher: Expected = null): Expected => ({ name, created_at: time, deleted_at: null, cipher });

/** What a stream has of which nothing was configured. */
export const SYSTEM_CONFIG = {
  storage_class: 'express',
  retention_policy: { age: 604_800 },
  timestamping: { mode: 'client-prefer', uncapped: false },
  delete_on_empty: { min_age_secs: 0 },
} as const;

/** A config in which each field differs from the default. */
export const OTHER_CONFIG = {
  storage_class: 'standard',
  retention_policy: { age: 86_400 },
  timestamping: { mode: 'client-require', uncapped: true },
  delete_on_empty: { min_age_secs: 60 },
} as const;

/** A basin in which a stream is made by whoever appends to it or reads it. */
export const ON_DEMAND = { create_stream_on_append: true, create_stream_on_read: true } as const;

export const UNCAPPED = { timestamping: { mode: 'client-prefer', uncapped: true } } as const;

export const x = (count: number, text = 'x'): string => text.repeat(count);

export const recordsOf = (count: number, record: Json = {}): Json[] => Array.from({ length: count }, () => record);

export const numbered = (count: number, from = 0): { body: string }[] =>
  Array.from({ length: count }, (_, at) => ({ body: String(from + at) }));

export const seconds = (): number => Math.floor(Date.now() / 1_000);

const PENDING_TRIES_MAX = 8;

/**
 * Makes a name, deletes it, and at once makes the request that must find it being deleted. A server may be quick to remove it: then
 * all is done again with another name.
 *
 * @param make creates and deletes what `name` says
 * @throws when no try found it being deleted
 */
export async function whilePending(
  client: CaseClient,
  make: (name: string) => Promise<void>,
  request: (name: string) => Request,
  isRemoved: (answer: FullAnswer) => boolean = ({ status }) => status === 404 || status === 201 || status === 200,
): Promise<FullAnswer> {
  for (let at = 0; ; at += 1) {
    const name = `${client.basin}-${at}`;
    await make(name);
    const answer = await client.call(request(name));
    if (!isRemoved(answer) || at === PENDING_TRIES_MAX) return answer;
  }
}

/** A stream that was made and deleted. */
export async function deletedStream(client: CaseClient, stream: string): Promise<void> {
  await client.expect({ method: 'POST', path: '/streams', json: { stream } }, { status: 201 });
  await client.expect({ method: 'DELETE', path: `/streams/${stream}` }, { status: 202 });
}

/** A basin that was made and deleted, with a stream in it. */
export async function deletedBasin(client: CaseClient, basin: string, config: Json = {}): Promise<void> {
  await client.expect({ method: 'POST', path: '/basins', json: { basin, config } }, { status: 201 });
  await client.expect({ method: 'POST', path: '/streams', json: { stream: 's' }, basin }, { status: 201 });
  await client.expect({ method: 'DELETE', path: `/basins/${basin}` }, { status: 202 });
}

export function expectFailure(answer: FullAnswer, status: number, code: string): void {
  assert.deepEqual(
    [answer.status, (answer.json as { code?: unknown } | undefined)?.code],
    [status, code],
    `got ${answer.status} ${answer.text}`,
  );
}

/** The terminal frame that comes next in a session says this. */
export async function expectTerminal(session: Session, status: number, code: string): Promise<void> {
  const terminal = await session.terminal();
  assert.deepEqual([terminal.status, (terminal.body as { code?: unknown }).code], [status, code]);
}

export interface JsonRecord {
  readonly seq_num: number;
  readonly timestamp: number | bigint;
  readonly headers?: [string, string][];
  readonly body?: string;
}

export function recordsIn(answer: FullAnswer): JsonRecord[] {
  assert.equal(answer.status, 200, answer.text.slice(0, 500));
  return (answer.json as { records: JsonRecord[] }).records;
}

export interface JsonAck {
  readonly start: { readonly seq_num: number; readonly timestamp: number };
  readonly end: { readonly seq_num: number; readonly timestamp: number };
  readonly tail: { readonly seq_num: number; readonly timestamp: number };
}

export function ackIn(answer: FullAnswer): JsonAck {
  assert.equal(answer.status, 200, answer.text.slice(0, 500));
  return answer.json as JsonAck;
}
