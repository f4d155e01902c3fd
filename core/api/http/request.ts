// What the parts of a request say: path, query and headers, each with the error code that belongs to it.

import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import { refused } from '../../model/errors.ts';
import type { SeqNum } from '../../model/ids.ts';
import { LIST_LIMIT_MAX } from '../../model/limits.ts';
import type { ReadRequest, ReadStart } from '../../model/read.ts';
import type { PartialStreamConfig } from '../../model/stream-config.ts';
import type { JsonFormat } from '../../wire/append-json.ts';
import type { EventId } from '../../wire/sse.ts';
import { CustomerKey } from '../customer-key.ts';
import type { Page } from '../deps.ts';
import { basinName } from '../names.ts';
import type { Exchange } from './exchange.ts';
import { parseConfigJson, parseStreamConfig } from './schema/config.ts';
import { HEADERS, type HeaderName } from './schema/headers.ts';
import { parseWith } from './schema/parse.ts';
import { type PageQuery, readQuery } from './schema/query.ts';

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** One segment of the path, decoded. @throws StoreError `bad_path` */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw refused('bad_path', 'the path is not valid percent-encoded UTF-8');
  }
}

/** The query, by name. @throws StoreError `bad_query` for one that is given twice. */
export function parseQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  if (text === '') return query;
  for (const [name, value] of new URLSearchParams(text)) {
    if (query.has(name)) throw refused('bad_query', `"${name}" is given twice`);
    query.set(name, value);
  }
  return query;
}

/** @throws StoreError `bad_query` */
export function parseQueryWith<T extends z.ZodType>(schema: T, query: ReadonlyMap<string, string>): z.output<T> {
  return parseWith(schema, Object.fromEntries(query), 'bad_query', 'the query');
}

/** A count or position; no stream reaches 2^53 − 1, so what lies above means the same. */
function safe(value: bigint): number {
  return Number(value > SAFE_MAX ? SAFE_MAX : value);
}

export function pageOf({ prefix = '', start_after: startAfter = '', limit = 0n }: PageQuery): Page {
  return { prefix, startAfter, limit: limit === 0n || limit > BigInt(LIST_LIMIT_MAX) ? LIST_LIMIT_MAX : Number(limit) };
}

/** @param resume where an EventSource says that it is: it overrides the start, and counts against the limits. */
export function parseRead(query: ReadonlyMap<string, string>, resume?: EventId): ReadRequest {
  const read = parseQueryWith(readQuery, query);
  const { seq_num: seqNum, timestamp, tail_offset: tailOffset, count, bytes, until, wait } = read;
  const given = [seqNum, timestamp, tailOffset].filter((value) => value !== undefined).length;
  if (given > 1) throw refused('invalid', 'only one of "seq_num", "timestamp" and "tail_offset" may be given');
  if (timestamp !== undefined && until !== undefined && timestamp >= until) {
    throw refused('invalid', 'a read starts before it ends: "timestamp" must be less than "until"');
  }
  return {
    start: resume === undefined ? readStart(seqNum, timestamp, tailOffset) : { kind: 'seqNum', seqNum: after(resume) },
    clamp: read.clamp ?? false,
    ...(count === undefined ? {} : { count: Math.max(0, safe(count) - (resume?.count ?? 0)) }),
    ...(bytes === undefined ? {} : { bytes: Math.max(0, safe(bytes) - (resume?.bytes ?? 0)) }),
    ...(until === undefined ? {} : { until }),
    ...(wait === undefined ? {} : { waitSecs: Number(wait) }),
  };
}

function readStart(seqNum: bigint | undefined, timestamp: bigint | undefined, tailOffset: bigint | undefined): ReadStart {
  if (seqNum !== undefined) return { kind: 'seqNum', seqNum: safe(seqNum) as SeqNum };
  if (timestamp !== undefined) return { kind: 'timestamp', timestamp };
  return { kind: 'tailOffset', offset: safe(tailOffset ?? 0n) };
}

function after(resume: EventId): SeqNum {
  return Math.min(resume.seqNum + 1, Number.MAX_SAFE_INTEGER) as SeqNum;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A header's one value. @throws StoreError `bad_header` unless it is visible text, in UTF-8. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const text = Array.isArray(value) ? value.join(',') : value;
  if (/^[\t\x20-\x7e]*$/.test(text)) return text;
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) throw refused('bad_header', `"${name}" is not visible text`);
  try {
    // Node gives each byte as a character.
    return UTF8.decode(Buffer.from(text, 'latin1'));
  } catch {
    throw refused('bad_header', `"${name}" is not UTF-8`);
  }
}

/** The basin that a header or the host names. @throws StoreError `bad_header`, also where the two differ */
export function requestBasin({ headers, hostBasin }: Pick<Exchange, 'headers' | 'hostBasin'>): string {
  const headerBasin = header(headers, 's2-basin');
  if (headerBasin !== undefined && hostBasin !== undefined && headerBasin !== hostBasin) {
    throw refused('bad_header', `the header \`s2-basin\` names another basin than the host, which is that of "${hostBasin}"`);
  }
  const name = headerBasin ?? hostBasin;
  if (name === undefined) throw refused('bad_header', 'Missing header `s2-basin`');
  return basinName(name, 'bad_header');
}

/** A header as its schema has it. @throws StoreError `bad_header` */
function headerBy<Name extends HeaderName>(headers: IncomingHttpHeaders, name: Name): z.output<(typeof HEADERS)[Name]> | undefined {
  const text = header(headers, name)?.trim();
  if (text === undefined) return undefined;
  const parsed = HEADERS[name].safeParse(text);
  if (!parsed.success) throw refused('bad_header', `the header \`${name}\` is not as expected: ${parsed.error.issues[0]?.message}`);
  return parsed.data as z.output<(typeof HEADERS)[Name]>;
}

export function requestFormat(headers: IncomingHttpHeaders): JsonFormat {
  const format = headerBy(headers, 's2-format');
  return format === 'base64' || format === 'json-binsafe' ? 'base64' : 'raw';
}

export function requestToken(headers: IncomingHttpHeaders): string | undefined {
  return headerBy(headers, 's2-request-token');
}

/** Checked in shape only: nobody needs it unless the stream has a cipher. */
export function requestCustomerKey(headers: IncomingHttpHeaders): CustomerKey | undefined {
  const text = headerBy(headers, 's2-encryption-key');
  return text === undefined ? undefined : new CustomerKey(text);
}

/** What a stream should be like if this request creates it. */
export function requestStreamConfig(headers: IncomingHttpHeaders): PartialStreamConfig {
  const text = header(headers, 's2-stream-config');
  if (text === undefined) return {};
  try {
    return parseStreamConfig(parseConfigJson(text));
  } catch {
    throw refused('bad_header', 's2-stream-config is not a stream configuration in JSON');
  }
}
