// THE list of every object key: what it is, who writes it and who deletes it. (Metadata items are listed in metadata/schema.ts.)
//
// | key                                            | what                                     | written by | deleted by                      |
// |------------------------------------------------|------------------------------------------|------------|---------------------------------|
// | segments/offload/<channel>/<version>/<nonce>   | segment object: streams of one offload   | offload    | gc (no row left), sweep (orphan) |
// | segments/offload/<channel>/<version>/<nonce>.n | its n-th sibling: one large stream       | offload    | gc, sweep                       |
// | segments/compact/<stream>/<ms>-<nonce>         | segment object: rows of a stream, joined | compaction | gc, sweep                       |
//
// <version> is M.version as the offload read it, in 16 hexadecimal digits: once M has passed it, the offload cannot name the object any more.

import type { ChannelId, StreamId } from '../model/ids.ts';

export const OFFLOAD_PREFIX = 'segments/offload/';
export const COMPACT_PREFIX = 'segments/compact/';

export function offloadObjectKey(channel: ChannelId, version: number, nonce: string): string {
  return `${OFFLOAD_PREFIX}${channel}/${version.toString(16).padStart(16, '0')}/${nonce}`;
}

/** The object itself for 0, else its n-th sibling. */
export function siblingKey(object: string, sibling: number): string {
  return sibling === 0 ? object : `${object}.${sibling}`;
}

/** @param startedAt milliseconds since 1970. */
export function compactObjectKey(stream: StreamId, startedAt: number, nonce: string): string {
  return `${COMPACT_PREFIX}${stream}/${Math.floor(startedAt).toString().padStart(16, '0')}-${nonce}`;
}

/** When the compaction that named `object` was begun; 0 for another key. */
export function compactedAt(object: string): number {
  return Number(COMPACT.exec(object)?.[2] ?? 0);
}

/** What an object's key says of who wrote it; undefined for a key of another kind. */
export type ObjectOrigin =
  | { readonly kind: 'offload'; readonly channel: ChannelId; readonly version: number /** Without `.n`. */; readonly main: string }
  | { readonly kind: 'compact'; readonly streamId: StreamId };

const OFFLOAD = /^(segments\/offload\/([a-z0-9-]{1,40})\/([0-9a-f]{16})\/[0-9a-f]{32})(\.[0-9]{1,5})?$/;
const COMPACT = /^segments\/compact\/([0-9a-f]{32})\/([0-9]{16})-[0-9a-f]{32}$/;

export function objectOrigin(key: string): ObjectOrigin | undefined {
  const offload = OFFLOAD.exec(key);
  if (offload?.[1] !== undefined) {
    return { kind: 'offload', channel: offload[2] as ChannelId, version: Number.parseInt(offload[3] ?? '', 16), main: offload[1] };
  }
  const compact = COMPACT.exec(key);
  return compact === null ? undefined : { kind: 'compact', streamId: compact[1] as StreamId };
}
