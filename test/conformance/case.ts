// What a case is: a claim, the statements that it shows, and requests with the answers that they must get.
//
// Cases are data as far as they go. `run` is for what happens on open connections.

import type { CaseClient } from './case-client.ts';
import type { Protocol } from './client/http.ts';
import { absent, type Expected, including, matching, someText } from './expect.ts';
import type { Json } from './json.ts';
import type { StatementId } from './statements/all.ts';
import type { Elsewhere } from './statements/define.ts';
import type { Feature } from './target.ts';

export interface Case {
  /** A claim about the server. */
  readonly name: string;
  readonly shows: readonly [StatementId, ...StatementId[]];
  /** Without these it is skipped. */
  readonly needs?: readonly Feature[];
  /** Config of the basin that is made for the case, `{basin}`; null: none is made. Default: one without any config. */
  readonly basin?: Json;
  /** Streams that are made in it, with their configs. */
  readonly streams?: Readonly<Record<string, Json>>;
  /** More than the default for what has to wait. */
  readonly timeoutMs?: number;
  /** It waits for a minute or more: `npm test` leaves it to this test, which has a clock of its own. */
  readonly slow?: Elsewhere;
  /** Why it is not run yet. */
  readonly pending?: string;
  readonly steps?: readonly Step[];
  /** Behind the steps. */
  readonly run?: (client: CaseClient) => Promise<void>;
}

export interface CaseFile {
  /** Name of the file, which --only takes. */
  readonly file: string;
  readonly cases: readonly Case[];
}

export type Step = readonly [request: Request, expect: Expectation];

export interface Request {
  readonly method: string;
  /** Below /v1; a path that starts with // is one of the origin itself. {name} is what was saved under it, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as application/json, unless the headers say otherwise. */
  readonly json?: Json;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
  /** For routes below /streams: another basin than the case's, or none at all. */
  readonly basin?: string | null;
  /** The name under which a token was saved; null: without a token. Default: the token that may do everything. */
  readonly as?: string | null;
  readonly over?: Protocol;
}

export interface Expectation {
  readonly status: number | readonly number[];
  /** Of the body as JSON. */
  readonly json?: Expected;
  readonly text?: Expected;
  readonly headers?: Readonly<Record<string, Expected>>;
  /** The request is made again until all this holds, at most for so long. */
  readonly withinMs?: number;
}

type Options = Omit<Request, 'method' | 'path' | 'json'>;

export const get = (path: string, options: Options = {}): Request => ({ method: 'GET', path, ...options });
export const del = (path: string, options: Options = {}): Request => ({ method: 'DELETE', path, ...options });
export const post = (path: string, json: Json, options: Options = {}): Request => ({ method: 'POST', path, json, ...options });
export const patch = (path: string, json: Json, options: Options = {}): Request => ({ method: 'PATCH', path, json, ...options });
export const put = (path: string, json?: Json, options: Options = {}): Request => ({
  method: 'PUT',
  path,
  ...(json === undefined ? {} : { json }),
  ...options,
});

/** An append of these records to a stream. */
export const append = (
  stream: string,
  records: readonly Json[],
  options: Options & { with?: { readonly [key: string]: Json } } = {},
): Request => {
  const { with: conditions, ...others } = options;
  return post(`/streams/${encodeURIComponent(stream)}/records`, { records, ...conditions }, others);
};

export const read = (stream: string, query: string, options: Options = {}): Request =>
  get(`/streams/${encodeURIComponent(stream)}/records?${query}`, options);

export const checkTail = (stream: string, options: Options = {}): Request =>
  get(`/streams/${encodeURIComponent(stream)}/records/tail`, options);

export const ok = (json?: Expected): Expectation => ({ status: 200, ...(json === undefined ? {} : { json }) });

export const created = (json?: Expected, result = 'created'): Expectation => ({
  status: 201,
  headers: { 's2-provision-result': result },
  ...(json === undefined ? {} : { json }),
});

/** 202 with nothing. */
export const accepted: Expectation = { status: 202, text: '' };

/** A failure with a code; `message` is what its message must contain. */
export const refusal = (status: number, code: string, message?: RegExp): Expectation => ({
  status,
  json: { code, message: message === undefined ? someText : matching(message) },
});

export const eventually = (expectation: Expectation, withinMs: number): Expectation => ({ ...expectation, withinMs });

/** An acknowledgement of [start, end). */
export const acked = (start: number, end: number): Expectation =>
  ok(including({ start: including({ seq_num: start }), end: including({ seq_num: end }) }));

export const bodies = (...texts: readonly string[]): Expectation =>
  ok(including({ records: texts.map((body) => including(body === '' ? { body: absent } : { body })) }));

export const tailAt = (seqNum: number): Expectation => ok({ tail: including({ seq_num: seqNum }) });
