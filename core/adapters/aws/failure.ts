// What an error of an AWS client means for the caller: which code, whether anything may have happened, whether to try again.
//
// The clients are made with one attempt each, so that nothing is repeated behind our back: only who repeats a call knows that an
// earlier attempt of it may have taken effect (attempts.ts).

import type { Effect, ErrorCode } from '../../model/errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  readonly effect: Effect;
  /** Another attempt may do better. */
  readonly isTransient: boolean;
  /** What a person reads: never a header, a key of an account, or a signature. */
  readonly message: string;
}

const THROTTLED = new Set([
  'SlowDown',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestLimitExceeded',
  'ProvisionedThroughputExceededException',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequestsException',
  'BandwidthLimitExceeded',
  'LimitExceededException',
]);
/** Whom the service did not believe; a client renews what expired before its next attempt, and corrects its clock by the answer. */
const STALE_SIGNATURE = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestTimeTooSkewed',
  'RequestExpired',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
]);
const NOT_ALLOWED = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'InvalidAccessKeyId',
  'UnrecognizedClientException',
  'MissingAuthenticationTokenException',
  'CredentialsProviderError',
  'InvalidToken',
]);
/** Two who wanted the same at once: neither was applied, or it is still being decided. */
const CONFLICT: Readonly<Record<string, Effect>> = {
  ConditionalRequestConflict: 'none',
  OperationAborted: 'none',
  TransactionConflictException: 'none',
  TransactionInProgressException: 'unknown',
};
/** Why a transaction was cancelled, where the next one may not be. Nothing of it was applied. */
const CANCELLED_FOR_NOW = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']);
const MISSING = new Set(['NoSuchBucket', 'ResourceNotFoundException']);
/** No connection came about: nothing was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** @throws `error` itself when it is none of a client's or of the network's: a fault of ours */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) throw error;
  const { name } = error;
  const message = `${name}: ${error.message}`;
  const status = statusOf(error);
  if (THROTTLED.has(name) || status === 429) return { code: 'throttled', effect: 'none', isTransient: true, message };
  const conflict = Object.hasOwn(CONFLICT, name) ? CONFLICT[name] : undefined;
  if (conflict !== undefined || isCancelledForNow(error)) {
    return { code: 'throttled', effect: conflict ?? 'none', isTransient: true, message };
  }
  if (STALE_SIGNATURE.has(name)) return { code: 'unavailable', effect: 'none', isTransient: true, message };
  if (NOT_ALLOWED.has(name) || status === 403) return { code: 'unavailable', effect: 'none', isTransient: false, message };
  if (MISSING.has(name)) return { code: 'storage', effect: 'none', isTransient: false, message };
  if (NOT_SENT.has(networkCode(error))) return { code: 'unavailable', effect: 'none', isTransient: true, message };
  // S3 answers 503 where it is asked too much, whatever name it gives that; DynamoDB's 5xx may have been applied.
  if (status !== undefined && status >= 500) return { code: 'unavailable', effect: 'unknown', isTransient: true, message };
  if (status !== undefined && status >= 400) return { code: 'storage', effect: 'none', isTransient: false, message };
  if (isOfTheNetwork(error)) return { code: 'unavailable', effect: 'unknown', isTransient: true, message };
  throw error;
}

export function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

function isCancelledForNow(error: Error): boolean {
  const reasons = 'CancellationReasons' in error && Array.isArray(error.CancellationReasons) ? error.CancellationReasons : [];
  const codes = reasons.map((reason: { Code?: string }) => reason.Code).filter((code) => code !== undefined && code !== 'None');
  return codes.length > 0 && codes.every((code) => CANCELLED_FOR_NOW.has(String(code)));
}

/** An attempt that took too long, a connection that broke, an answer that was cut short or made no sense. */
function isOfTheNetwork(error: Error): boolean {
  return networkCode(error) !== '' || '$metadata' in error || ['AbortError', 'TimeoutError', 'CutShortError'].includes(error.name);
}

function networkCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Whether an answer has this name, or where it has no body to say so, this status. */
export function isFailure(error: unknown, name: string, status?: number): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === name || (status !== undefined && statusOf(error) === status && !MISSING.has(error.name));
}
