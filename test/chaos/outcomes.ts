// What an error of the SDK says of a call's effect.
//
// Only what the protocol promises counts as "nothing happened": the codes without side effect, and a connection that was never
// there. Everything else a client must take for "it may have happened, or happen yet".

import { FencingTokenMismatchError, RangeNotSatisfiableError, S2Error, SeqNumMismatchError } from '@s2-dev/streamstore';
import type { Operation, Outcome } from '#test/sim/history.ts';

/** S2 v1 API, table of error codes: those with which a server promises no side effect. */
const NO_EFFECT = new Set([
  'authn',
  'bad_frame',
  'bad_header',
  'bad_json',
  'bad_path',
  'bad_proto',
  'bad_query',
  'basin_deletion_pending',
  'basin_not_found',
  'hot_server',
  'invalid',
  'not_implemented',
  'permission_denied',
  'quota_exhausted',
  'rate_limited',
  'resource_already_exists',
  'server_draining',
  'stream_deletion_pending',
  'stream_not_found',
  'transaction_conflict',
]);

/** No byte of the request has left. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']);

/** Codes that answer a request that this client should never have sent: a mistake here, or there. */
const NONSENSE = /^(bad_|invalid$|authn$|permission_denied$|not_implemented$|quota_exhausted$)/;

export function outcomeOf(error: unknown, operation: Operation): Outcome {
  if (error instanceof SeqNumMismatchError) return { kind: 'seq_num_mismatch', tail: error.expectedSeqNum };
  if (error instanceof FencingTokenMismatchError) return { kind: 'fencing_token_mismatch', token: error.expectedFencingToken };
  if (error instanceof RangeNotSatisfiableError) {
    if (error.tail === undefined) return { kind: 'failed', code: 'range_not_satisfiable' };
    return { kind: 'range_not_satisfiable', tail: error.tail.seqNum };
  }
  const code = codeOf(error);
  const isAnswer = error instanceof S2Error && error.origin === 'server';
  if (isAnswer && (code === 'stream_not_found' || code === 'stream_deletion_pending' || code === 'resource_already_exists')) {
    return { kind: code };
  }
  const changesNothing = operation.kind === 'read' || operation.kind === 'check-tail';
  const isRefusal = isAnswer ? NO_EFFECT.has(code) : NEVER_SENT.has(code);
  return { kind: changesNothing || isRefusal ? 'failed' : 'unknown', code };
}

/** What a call answered that cannot be right, whatever happened to the server; undefined when the outcome may be. */
export function nonsenseOf(error: unknown): string | undefined {
  if (!(error instanceof S2Error)) return undefined;
  const code = codeOf(error);
  // The SDK's own checks of what a session acknowledges.
  const isNonsense = error.origin === 'server' ? code === 'other' || NONSENSE.test(code) : code === 'INTERNAL_ERROR';
  return isNonsense ? `${code}: ${error.message}` : undefined;
}

export function codeOf(error: unknown): string {
  if (error instanceof S2Error) return error.code ?? `status ${error.status}`;
  return error instanceof Error ? error.name : 'unknown';
}
