// What a failure looks like on the wire: one total table from our codes to S2's code and status. (S2 v1 API, section 1.5.)
//
//   A2  An answer whose code promises "no side effect" is given only for an error with effect `none`.

import { type ErrorCode, StoreError } from '../model/errors.ts';

export interface ErrorAnswer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /** After how long a client may usefully try again. */
  readonly retryAfterMs?: number;
}

interface Entry {
  readonly code: string;
  readonly status: number;
  /** What is said instead when something may have happened; default `unavailable`, 503. */
  readonly ifUnknown?: { readonly code: string; readonly status: number };
  readonly retryAfterMs?: number;
}

const STORAGE = { code: 'storage', status: 500 } as const;

/** A new code does not compile until it has an answer here. */
export const ANSWERS = {
  bad_frame: { code: 'bad_frame', status: 400 },
  bad_header: { code: 'bad_header', status: 400 },
  bad_json: { code: 'bad_json', status: 400 },
  bad_path: { code: 'bad_path', status: 400 },
  bad_proto: { code: 'bad_proto', status: 400 },
  bad_query: { code: 'bad_query', status: 400 },
  invalid: { code: 'invalid', status: 422 },
  too_large: { code: 'too_large', status: 413 },
  method_not_allowed: { code: 'method_not_allowed', status: 405 },
  not_found: { code: 'not_found', status: 404 },
  basin_not_found: { code: 'basin_not_found', status: 404 },
  stream_not_found: { code: 'stream_not_found', status: 404 },
  access_token_not_found: { code: 'access_token_not_found', status: 404 },
  basin_deletion_pending: { code: 'basin_deletion_pending', status: 409 },
  stream_deletion_pending: { code: 'stream_deletion_pending', status: 409 },
  resource_already_exists: { code: 'resource_already_exists', status: 409 },
  transaction_conflict: { code: 'transaction_conflict', status: 409, retryAfterMs: 20 },
  fencing_token_mismatch: { code: 'fencing_token_mismatch', status: 412 },
  seq_num_mismatch: { code: 'seq_num_mismatch', status: 412 },
  range_not_satisfiable: { code: 'range_not_satisfiable', status: 416 },
  decryption_failed: { code: 'decryption_failed', status: 400 },
  authn: { code: 'authn', status: 401 },
  permission_denied: { code: 'permission_denied', status: 403 },
  rate_limited: { code: 'rate_limited', status: 429, retryAfterMs: 200 },
  client_hangup: { code: 'client_hangup', status: 499, ifUnknown: { code: 'client_hangup', status: 499 } },
  request_timeout: { code: 'request_timeout', status: 408, ifUnknown: { code: 'request_timeout', status: 408 } },
  deposed: { code: 'unavailable', status: 503 },
  throttled: { code: 'rate_limited', status: 429, retryAfterMs: 200 },
  disk_full: { code: 'hot_server', status: 502, ifUnknown: STORAGE, retryAfterMs: 1_000 },
  storage: { ...STORAGE, ifUnknown: STORAGE },
  corrupt: { ...STORAGE, ifUnknown: STORAGE },
  unavailable: { code: 'unavailable', status: 503 },
  moved: { code: 'moved', status: 421 },
  unowned: { code: 'unavailable', status: 503, retryAfterMs: 500 },
  draining: { code: 'server_draining', status: 503 },
  other: { code: 'other', status: 500, ifUnknown: { code: 'other', status: 500 } },
} as const satisfies Record<ErrorCode, Entry>;

const UNAVAILABLE = { code: 'unavailable', status: 503 } as const;

/** Of anything that was thrown; what is not a StoreError is a broken program, whose words stay inside. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!(error instanceof StoreError)) return { status: 500, body: info('other', 'an unexpected failure') };
  const entry: Entry = ANSWERS[error.code];
  const { code, status } = error.effect === 'none' ? entry : (entry.ifUnknown ?? UNAVAILABLE);
  const detail = error.effect === 'none' ? detailBody(error) : undefined;
  return {
    status,
    body: detail ?? info(code, error.message),
    ...(entry.retryAfterMs === undefined ? {} : { retryAfterMs: entry.retryAfterMs }),
  };
}

function info(code: string, message: string): string {
  return JSON.stringify({ code, message });
}

/** 412 and 416 answer with what a client needs to go on, and with nothing else. */
function detailBody({ detail }: StoreError): string | undefined {
  switch (detail?.kind) {
    case 'seq_num_mismatch':
      return `{"seq_num_mismatch":${detail.tail}}`;
    case 'fencing_token_mismatch':
      return JSON.stringify({ fencing_token_mismatch: detail.token });
    case 'range_not_satisfiable':
      return `{"tail":{"seq_num":${detail.tail.seqNum},"timestamp":${detail.tail.timestamp}}}`;
    case 'moved':
    case undefined:
      return undefined;
  }
}
