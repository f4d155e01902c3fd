// Sends a request on to whoever owns its stream, and follows where that moved to; the answer streams back as it comes.
//
//   X5  What may have been taken is not sent again: only a request that was refused as one for another owner, or one that changes
//       nothing.
//
// A body that flows cannot be sent twice, so it is never offered to be sent on: whoever gets it passes it on by itself. An append
// session asks for its way first, by the same request without a body: a session without input does nothing.

import { refused, StoreError } from '../core/model/errors.ts';
import { mediaType } from '../core/wire/media-type.ts';
import type { EdgeCall } from './edge-call.ts';
import type { Owners } from './owners.ts';
import { type RequestBody, requestBody } from './request-body.ts';

const FOLLOWS_MAX = 3;
/** Headers of one connection, and those that only servers of ours send. `host` is the runtime's to set. */
const NOT_PASSED_ON = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'expect',
  'millrace-owner',
] as const;
/** Of a server that is going, or gone: the next request asks the origin where its stream is now. */
const GOING: ReadonlySet<number> = new Set([502, 503, 504]);
const NO_BODY: RequestBody = { isRepeatable: true, init: null };

export interface Forwarded {
  readonly response: Response;
  /** Before the request was sent: the answer is at least as new as this. */
  readonly sentAt: number;
}

/** @param encodings replaces what the client accepts. @throws StoreError `unavailable` when nobody answers, or too many send it on */
export async function forward(call: EdgeCall, owners: Owners, encodings?: string): Promise<Forwarded> {
  const body = await requestBody(call.request, owners.mayBeElsewhere);
  const headers = headersFor(call, encodings);
  if (body.isRepeatable || !needsWay(call, owners)) return await follow(call, owners, body, headers);
  const withoutInput = new Headers(headers);
  withoutInput.delete('content-length');
  const way = await follow(call, owners, NO_BODY, withoutInput);
  // What refuses the session without input refuses it with some.
  if (!way.response.ok) return way;
  await way.response.body?.cancel();
  return await follow(call, owners, body, headers);
}

/** An append session, whose owner may be elsewhere and is not known. */
function needsWay({ request, streamKey }: EdgeCall, owners: Owners): boolean {
  const isSession = mediaType(request.headers.get('content-type') ?? undefined) === 'session';
  return isSession && owners.mayBeElsewhere && streamKey !== undefined && !owners.knows(streamKey, Date.now());
}

async function follow(call: EdgeCall, owners: Owners, body: RequestBody, headers: Headers): Promise<Forwarded> {
  const { streamKey } = call;
  let base = owners.find(streamKey, Date.now());
  let follows = 0;
  for (;;) {
    const sentAt = Date.now();
    // Whoever is asked without this passes the request on by itself.
    const mayFollow = owners.mayBeElsewhere && streamKey !== undefined && follows < FOLLOWS_MAX && body.isRepeatable;
    if (mayFollow) headers.set('millrace-follow', 'edge');
    else headers.delete('millrace-follow');
    const response = await send(call, base, headers, body).catch((error: unknown) => error);
    if (!(response instanceof Response)) {
      if (streamKey !== undefined) owners.forget(streamKey);
      // A known owner that is gone: the origin knows where the stream is by now.
      if (base === owners.origin || !isSafe(call)) throw unanswered(call, response);
      base = owners.origin;
      continue;
    }
    if (streamKey === undefined) return { response, sentAt };
    const named = response.headers.get('millrace-owner');
    const owner = owners.allowed(named);
    // Whoever says so has done nothing, and the origin may know better.
    const isNowhere = response.status === 503 && named === 'none' && base !== owners.origin && mayFollow;
    if (response.status !== 421 && !isNowhere) {
      if (GOING.has(response.status)) owners.forget(streamKey);
      else if (owner !== undefined) owners.note(streamKey, owner, sentAt);
      return { response, sentAt };
    }
    await response.body?.cancel();
    owners.forget(streamKey);
    if (!mayFollow) throw refused('unavailable', 'the stream has moved; try again');
    // Who names an owner that requests may not go to (X4) is asked to pass it on.
    follows = owner === undefined && !isNowhere ? FOLLOWS_MAX : follows + 1;
    base = owner ?? owners.origin;
  }
}

function send({ request, url }: EdgeCall, base: string, headers: Headers, { init }: RequestBody): Promise<Response> {
  return fetch(base + url.pathname + url.search, { method: request.method, headers, body: init, redirect: 'manual' });
}

function headersFor({ request, id, basin }: EdgeCall, encodings: string | undefined): Headers {
  // One copy and some deletions cross into the runtime less often than a look at each header.
  const headers = new Headers(request.headers);
  for (const name of NOT_PASSED_ON) headers.delete(name);
  headers.set('x-request-id', id);
  if (basin !== undefined) headers.set('s2-basin', basin);
  if (encodings !== undefined) headers.set('accept-encoding', encodings);
  return headers;
}

function isSafe({ request }: EdgeCall): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

function unanswered(call: EdgeCall, cause: unknown): StoreError {
  return new StoreError('unavailable', isSafe(call) ? 'none' : 'unknown', 'the origin does not answer; try again', { cause });
}
