// Every failure that a caller's program can act on: what went wrong, and whether anything may have happened.
//
// Log where an error is handled, never where it is passed on. A broken program throws InvariantError instead.

import type { ChannelId, SeqNum, StreamPosition } from './ids.ts';

/** The closed list of codes. api/http maps each to a status; a new one does not compile until it has one. */
export type ErrorCode =
  // The request itself.
  | 'bad_frame'
  | 'bad_header'
  | 'bad_json'
  | 'bad_path'
  | 'bad_proto'
  | 'bad_query'
  | 'invalid'
  | 'too_large'
  | 'method_not_allowed'
  | 'not_found'
  // Names and lifecycles.
  | 'basin_not_found'
  | 'stream_not_found'
  | 'access_token_not_found'
  | 'basin_deletion_pending'
  | 'stream_deletion_pending'
  | 'resource_already_exists'
  | 'transaction_conflict'
  // Conditions and positions.
  | 'fencing_token_mismatch'
  | 'seq_num_mismatch'
  | 'range_not_satisfiable'
  // Encryption keys.
  | 'decryption_failed'
  // Who asks, and how often.
  | 'authn'
  | 'permission_denied'
  | 'rate_limited'
  | 'client_hangup'
  | 'request_timeout'
  // The store.
  | 'deposed'
  | 'throttled'
  | 'disk_full'
  | 'storage'
  | 'corrupt'
  | 'unavailable'
  // Another process owns the stream's channel; nobody does, as far as is known.
  | 'moved'
  | 'unowned'
  | 'draining'
  | 'other';

/** `none`: nothing was written. `unknown`: it may have been, and only a read can tell. */
export type Effect = 'none' | 'unknown';

/** What a client needs to go on after a refused condition or position. */
export type ErrorDetail =
  | { readonly kind: 'seq_num_mismatch'; readonly tail: SeqNum }
  | { readonly kind: 'fencing_token_mismatch'; readonly token: string }
  | { readonly kind: 'range_not_satisfiable'; readonly tail: StreamPosition }
  | { readonly kind: 'moved'; readonly channel: ChannelId };

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: ErrorCode;
  readonly effect: Effect;
  readonly detail: ErrorDetail | undefined;

  constructor(code: ErrorCode, effect: Effect, message: string, options?: { detail?: ErrorDetail; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.effect = effect;
    this.detail = options?.detail;
  }
}

/** A refusal before anything happened. */
export function refused(code: ErrorCode, message: string, detail?: ErrorDetail): StoreError {
  return new StoreError(code, 'none', message, detail === undefined ? undefined : { detail });
}

/** Whether `error` says with certainty that nothing was written. */
export function isDefinite(error: unknown): boolean {
  return error instanceof StoreError && error.effect === 'none';
}
