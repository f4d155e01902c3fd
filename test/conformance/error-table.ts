// The table of error codes, and what every failure must look like. (Section 1.5.)

import type { FullAnswer } from './case-client.ts';
import { compare, oneOf, someText, text, u64 } from './expect.ts';

/** Codes with their statuses; those behind the line are for what S2 does not name and HTTP does. */
const STATUS_OF: Readonly<Record<string, number>> = {
  access_token_not_found: 404,
  authn: 401,
  bad_frame: 400,
  bad_header: 400,
  bad_json: 400,
  bad_path: 400,
  bad_proto: 400,
  bad_query: 400,
  basin_deletion_pending: 409,
  basin_not_found: 404,
  client_hangup: 499,
  decryption_failed: 400,
  hot_server: 502,
  invalid: 422,
  not_implemented: 501,
  other: 500,
  permission_denied: 403,
  quota_exhausted: 403,
  rate_limited: 429,
  request_timeout: 408,
  resource_already_exists: 409,
  server_draining: 503,
  storage: 500,
  stream_deletion_pending: 409,
  stream_not_found: 404,
  transaction_conflict: 409,
  unavailable: 503,
  upstream_timeout: 504,
  // —
  not_found: 404,
  method_not_allowed: 405,
  too_large: 413,
};

const CONDITION = oneOf({ seq_num_mismatch: u64 }, { fencing_token_mismatch: text });
const UNWRITTEN = { tail: { seq_num: u64, timestamp: u64 } };

/** What is wrong with an answer that is a failure; nothing for any other. */
export function failureProblems(path: string, { status, headers, json }: FullAnswer): string[] {
  if (status < 400 || !path.startsWith('/v1/')) return [];
  const problems = headers['content-type']?.startsWith('application/json') ? [] : [`a failure is ${headers['content-type'] ?? 'untyped'}`];
  if (status === 412) return [...problems, ...compare(CONDITION, json, new Map(), 'failure')];
  if (status === 416) return [...problems, ...compare(UNWRITTEN, json, new Map(), 'failure')];
  problems.push(...compare({ code: someText, message: someText }, json, new Map(), 'failure'));
  const code = (json as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string' && STATUS_OF[code] !== status) problems.push(`${code} must not be answered with ${status}`);
  return problems;
}
