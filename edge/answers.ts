// What the Worker answers: with the origin's words, or its own, in the form of the API.
//
//   X3  No cache on the way may keep an answer: all say `no-store`, errors too. What is kept is kept here, behind the check of who
//       asks.

import { errorAnswer } from '../core/wire/error-answer.ts';
import type { Forwarded } from './forward.ts';
import type { KeptAnswer } from './history-store.ts';
import { SettingError } from './settings.ts';

/** What the origin tells the Worker alone, what belongs to one connection, and what is decided here. */
const NOT_PASSED_BACK = [
  'millrace-immutable',
  'millrace-owner',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'alt-svc',
] as const;
/** Nor may a body be changed, or held back to be packed. */
const NO_STORE = 'no-store, no-transform';

export function passedBack({ response }: Forwarded): Response {
  const { status, body } = response;
  const headers = new Headers(response.headers);
  for (const name of NOT_PASSED_BACK) headers.delete(name);
  headers.set('cache-control', NO_STORE);
  return new Response(body, { status, headers });
}

/** @param isKept false: it was read just now, to be kept */
export function historyAnswer({ contentType, body }: KeptAnswer, isKept: boolean): Response {
  return new Response(body, {
    headers: { 'content-type': contentType, 'cache-control': NO_STORE, 'millrace-cache': isKept ? 'hit' : 'miss' },
  });
}

export function failure(error: unknown): Response {
  const isSetting = error instanceof SettingError;
  const { status, body, retryAfterMs } = isSetting
    ? { status: 500, body: JSON.stringify({ code: 'other', message: error.message }), retryAfterMs: undefined }
    : errorAnswer(error);
  const headers = new Headers({ 'content-type': 'application/json', 'cache-control': NO_STORE });
  if (status === 401) headers.set('www-authenticate', 'Bearer');
  if (retryAfterMs !== undefined) {
    headers.set('retry-after-ms', String(retryAfterMs));
    headers.set('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  }
  return new Response(body, { status, headers });
}
