// Turns whatever was thrown into an exit code and one line: the server's code and words, and what to do about it.
//
// Called once, at the edge of the process. Nothing of a request is printed, so no token or key can be.

import { FencingTokenMismatchError, RangeNotSatisfiableError, S2Error, SeqNumMismatchError } from '@s2-dev/streamstore';
import { CliError, EXIT_CODES } from './exit-code.ts';
import { printable } from './printable.ts';

export interface Failure {
  readonly exitCode: number;
  readonly line: string;
}

/** What the SDK says where it did not look. */
const UNKNOWN_CODE = 'NETWORK_ERROR';
/** What Node and the SDK call a connection that did not come about, or broke. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  UNKNOWN_CODE,
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
  'CONNECTION_TIMEOUT',
]);

/** What a person can do, by the server's code. */
const ADVICE: Readonly<Record<string, string>> = {
  authn: 'give a valid token with MILLRACE_TOKEN or --token',
  permission_denied: 'the token does not allow this; issue one that does with "millrace token issue"',
  basin_not_found: 'see the basins with "millrace ls", or create it with "millrace create"',
  stream_not_found: 'see the streams with "millrace ls <basin>", or create it with "millrace create"',
  resource_already_exists: 'add --if-missing if that is fine',
  basin_deletion_pending: 'it is being deleted; try again when it has left "millrace ls --all"',
  stream_deletion_pending: 'it is being deleted; try again when it has left "millrace ls --all"',
  decryption_failed: 'the records were written with another key; check --encryption-key-file',
  rate_limited: 'try again, or more slowly',
  hot_server: 'the server is overloaded or its disk is full; try again later',
  server_draining: 'the server is going down; try again when it is back',
  unavailable: 'try again; a write may have happened, so look first',
  access_token_not_found: 'see the tokens with "millrace token ls"',
};

export function failureOf(error: unknown, url: string): Failure {
  if (error instanceof CliError) return failure(error.exitCode, error.message);
  if (isUnreachable(error)) {
    const code = connectionCodeOf(error);
    const why = code === undefined || code === UNKNOWN_CODE ? '' : ` (${code})`;
    return failure(
      EXIT_CODES.unreachable,
      `cannot reach ${url}${why}: start a server with "millrace start", or name one with --url or MILLRACE_URL`,
    );
  }
  return failure(EXIT_CODES.failed, reasonOf(error));
}

/** The server's code and words, and what to do, without the name of the program. */
export function reasonOf(error: unknown): string {
  if (error instanceof FencingTokenMismatchError) {
    const held = error.expectedFencingToken === '' ? 'no fencing token' : `the fencing token "${error.expectedFencingToken}"`;
    return `fencing_token_mismatch: the stream has ${held}`;
  }
  if (error instanceof SeqNumMismatchError) return `seq_num_mismatch: the next record gets sequence number ${error.expectedSeqNum}`;
  if (error instanceof RangeNotSatisfiableError) {
    const tail = error.tail === undefined ? '' : `; the tail is ${error.tail.seqNum}`;
    return `range_not_satisfiable: the start lies beyond what is written${tail}`;
  }
  if (error instanceof S2Error) {
    const message = error.code === undefined || error.origin === 'sdk' ? error.message : `${error.code}: ${error.message}`;
    const advice = error.code === undefined ? undefined : ADVICE[error.code];
    return advice === undefined ? message : `${message} (${advice})`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether a request that failed with this can have had no effect: refused, or never sent. */
export function hadNoEffect(error: unknown): boolean {
  if (!(error instanceof S2Error)) return false;
  const { status } = error;
  return error.hasNoSideEffects() || (error.origin === 'server' && status >= 400 && status < 500 && status !== 408 && status !== 499);
}

export function isUnreachable(error: unknown): boolean {
  const code = connectionCodeOf(error);
  return (code !== undefined && CONNECTION_CODES.has(code)) || (error instanceof TypeError && error.message === 'fetch failed');
}

function connectionCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof S2Error && error.origin === 'server') return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  const cause = error.cause;
  if (cause instanceof AggregateError) return connectionCodeOf(cause.errors[0]);
  return connectionCodeOf(cause);
}

function failure(exitCode: number, message: string): Failure {
  return { exitCode, line: `millrace: ${printable(message.replace(/\s*\n\s*/g, ' '))}` };
}
