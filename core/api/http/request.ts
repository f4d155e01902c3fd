// What the parts of a request say: path, query and headers, each with the error code that belongs to it.

import type { IncomingHttpHeaders } from 'node:http';
import { refused } from '../../model/errors.ts';
import type { SeqNum } from '../../model/ids.ts';
import { LIST_LIMIT_MAX } from '../../model/limits.ts';
import type { ReadRequest, ReadStart } from '../../model/read.ts';
import type { PartialStreamConfig } from '../../model/stream-config.ts';
import type { JsonFormat } from '../../wire/append-json.ts';
import type { EventId } from '../../wire/sse.ts';
import type { Page } from '../deps.ts';
import { basinName } from '../names.ts';
import { parseConfigJson, parseStreamConfig } from './config-schema.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const ENCRYPTION_KEY_CHARS_MAX = 44;

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

function u64(query: ReadonlyMap<string, string>, name: string): bigint | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,20}$/.test(text)) throw refused('bad_query', `"${name}" is a whole number`);
  const value = BigInt(text);
  if (value > U64_MAX) throw refused('bad_query', `"${name}" has at most 64 bits`);
  return value;
}

/** A count or position; no stream reaches 2^53 − 1, so what lies above means the same. */
function safe(value: bigint): number {
  return Number(value > SAFE_MAX ? SAFE_MAX : value);
}

export function parsePage(query: ReadonlyMap<string, string>, check: (text: string) => string): Page {
  const limit = u64(query, 'limit') ?? 0n;
  return {
    prefix: check(query.get('prefix') ?? ''),
    startAfter: check(query.get('start_after') ?? ''),
    limit: limit === 0n || limit > BigInt(LIST_LIMIT_MAX) ? LIST_LIMIT_MAX : Number(limit),
  };
}

/** @param resume where an EventSource says that it is: it overrides the start, and counts against the limits. */
export function parseRead(query: ReadonlyMap<string, string>, resume?: EventId): ReadRequest {
  const seqNum = u64(query, 'seq_num');
  const timestamp = u64(query, 'timestamp');
  const tailOffset = u64(query, 'tail_offset');
  const count = u64(query, 'count');
  const bytes = u64(query, 'bytes');
  const until = u64(query, 'until');
  const wait = u64(query, 'wait');
  const clamp = query.get('clamp') ?? 'false';
  if (clamp !== 'true' && clamp !== 'false') throw refused('bad_query', '"clamp" is true or false');
  if (wait !== undefined && wait > 0xffff_ffffn) throw refused('bad_query', '"wait" has at most 32 bits');
  const given = [seqNum, timestamp, tailOffset].filter((value) => value !== undefined).length;
  if (given > 1) throw refused('invalid', 'only one of "seq_num", "timestamp" and "tail_offset" may be given');
  if (timestamp !== undefined && until !== undefined && timestamp >= until) {
    throw refused('invalid', 'a read starts before it ends: "timestamp" must be less than "until"');
  }
  return {
    start: resume === undefined ? readStart(seqNum, timestamp, tailOffset) : { kind: 'seqNum', seqNum: after(resume) },
    clamp: clamp === 'true',
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

export function requestBasin(headers: IncomingHttpHeaders): string {
  const name = header(headers, 's2-basin');
  if (name === undefined) throw refused('bad_header', 'Missing header `s2-basin`');
  return basinName(name, 'bad_header');
}

export function requestFormat(headers: IncomingHttpHeaders): JsonFormat {
  switch (header(headers, 's2-format')?.trim()) {
    case undefined:
    case 'raw':
    case 'json':
      return 'raw';
    case 'base64':
    case 'json-binsafe':
      return 'base64';
    default:
      throw refused('bad_header', 's2-format is raw or base64');
  }
}

/** Encryption keys are checked in shape only: no stream has a cipher yet. */
export function checkEncryptionKey(headers: IncomingHttpHeaders): void {
  const key = header(headers, 's2-encryption-key')?.trim();
  if (key !== undefined && (key.length === 0 || key.length > ENCRYPTION_KEY_CHARS_MAX)) {
    throw refused('bad_header', `s2-encryption-key is 1 to ${ENCRYPTION_KEY_CHARS_MAX} characters`);
  }
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

export type MediaType = 'json' | 'protobuf' | 'session' | 'event-stream' | 'other';

/** Of a content-type, or of the first in an accept. */
export function mediaType(value: string | undefined): MediaType | undefined {
  const name = value?.split(',', 1)[0]?.split(';', 1)[0]?.trim().toLowerCase();
  if (name === undefined || name === '') return undefined;
  if (name === 's2s/proto') return 'session';
  if (name === 'text/event-stream') return 'event-stream';
  if (name === 'application/protobuf' || name === 'application/x-protobuf') return 'protobuf';
  if (name === 'application/json' || /^application\/[^/]+\+json$/.test(name)) return 'json';
  return 'other';
}
