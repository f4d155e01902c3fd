// Which reads may be given again, and what of a request their answer depends on.
//
// Only reads from a sequence number: what else a read may start at moves. Whatever is not as expected here is left to the origin.

import { mediaType } from '../core/wire/media-type.ts';
import type { EdgeCall } from './edge-call.ts';

export interface HistoryRead {
  readonly streamKey: string;
  readonly start: number;
  /** All that the answer depends on, but for the stream. */
  readonly bounds: string;
}

/** No leading zeros, and exact as a number. */
const WHOLE = /^(?:0|[1-9]\d{0,14})$/;
const BOUNDS = ['count', 'bytes', 'until'] as const;
/** They change nothing of an answer that a bound ends. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['clamp', 'wait']);
/** With any of these a request is no plain read, or one whose answer is for its sender alone. */
const OTHERS = ['s2-encryption-key', 's2-stream-config', 'last-event-id', 'range'];

export function historyRead({ request, url, rule, streamKey }: EdgeCall): HistoryRead | undefined {
  if (rule?.name !== 'GET /v1/streams/:stream/records' || request.method !== 'GET' || streamKey === undefined) return undefined;
  const { headers } = request;
  if (OTHERS.some((name) => headers.has(name)) || mediaType(headers.get('content-type') ?? undefined) === 'session') return undefined;
  const format = formatOf(headers);
  const query = queryOf(url);
  if (format === undefined || query === undefined) return undefined;
  const start = query.get('seq_num');
  if (start === undefined) return undefined;
  const bounds = BOUNDS.map((name) => query.get(name) ?? '');
  return { streamKey, start: Number(start), bounds: [start, ...bounds, format].join('/') };
}

function queryOf(url: URL): ReadonlyMap<string, string> | undefined {
  const query = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const isKnown = name === 'seq_num' || BOUNDS.some((one) => one === name) || WITHOUT_EFFECT.has(name);
    const isPlain = WHOLE.test(value) || (name === 'clamp' && (value === 'true' || value === 'false'));
    if (!isKnown || !isPlain || query.has(name)) return undefined;
    query.set(name, value);
  }
  return query;
}

function formatOf(headers: Headers): string | undefined {
  const accept = mediaType(headers.get('accept') ?? undefined);
  if (accept === 'event-stream' || accept === 'session') return undefined;
  if (accept === 'protobuf') return 'protobuf';
  const format = headers.get('s2-format')?.trim() ?? 'raw';
  if (format === 'raw' || format === 'json') return 'raw';
  return format === 'base64' || format === 'json-binsafe' ? 'base64' : undefined;
}
