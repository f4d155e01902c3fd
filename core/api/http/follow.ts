// How one process tells another that a stream is served elsewhere, and which headers go along when a request is passed on.
//
//   P1  A request that says that it follows is never passed on to a task that may pass it on again: no request goes in circles, whatever
//       its client sends.
//
// `millrace-follow: peer` (tasks, functions) or `edge` (the edge Worker): the client follows by itself. Where the stream is served
// elsewhere it is told `421` and `millrace-owner: <base URL>`; where it is served nowhere now, and nothing has happened, 503 and
// `millrace-owner: none`. Any other answer says in `millrace-owner` who gave it.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { StoreError } from '../../model/errors.ts';
import type { ChannelId } from '../../model/ids.ts';
import type { OwnerAddress } from '../../model/owner-address.ts';
import type { PeerHeaders } from '../../ports/channel-peer.ts';

export type Follow = keyof OwnerAddress;

export const FOLLOW = 'millrace-follow';
export const OWNER = 'millrace-owner';
/** The value of `millrace-owner` where nobody serves the stream now. */
export const NOBODY = 'none';

/** Those of one connection (RFC 9110, section 7.6.1), and what node answers by itself. */
const OF_CONNECTION = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'http2-settings',
]);

/** Whether the client goes where it is told; undefined: it wants its answer here. */
export function followOf(headers: IncomingHttpHeaders): Follow | undefined {
  const value = headers[FOLLOW];
  return value === 'peer' || value === 'edge' ? value : undefined;
}

/** The channel of a refusal that says nothing but that it is served elsewhere. */
export function movedChannel(error: unknown): ChannelId | undefined {
  return error instanceof StoreError && error.effect === 'none' && error.detail?.kind === 'moved' ? error.detail.channel : undefined;
}

/** Whether the refusal says that the stream is not served here now, and nothing else. */
export function isNotServed(error: unknown): boolean {
  return error instanceof StoreError && error.effect === 'none' && (error.code === 'unowned' || error.code === 'draining');
}

/** A request's headers for a peer, who answers rather than pass it on (P1). @param body whole and unpacked; undefined: as it comes */
export function requestHeaders(headers: IncomingHttpHeaders, host: string | undefined, body: Uint8Array | undefined): PeerHeaders {
  const passed: Record<string, string | readonly string[]> = {};
  const named = String(headers.connection ?? '').toLowerCase();
  const ofConnection = new Set(named.split(',').map((name) => name.trim()));
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || OF_CONNECTION.has(name) || ofConnection.has(name)) continue;
    if (body !== undefined && (name === 'content-encoding' || name === 'content-length')) continue;
    passed[name] = value;
  }
  if (body !== undefined) passed['content-length'] = String(body.length);
  if (host !== undefined) passed['host'] = host;
  passed[FOLLOW] = 'peer';
  return passed;
}

/** A peer's headers for the client. */
export function answerHeaders(headers: PeerHeaders): OutgoingHttpHeaders {
  const passed: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (OF_CONNECTION.has(name) || name === OWNER) continue;
    passed[name] = typeof value === 'string' ? value : [...value];
  }
  return passed;
}
