// Who asks, and what they may do: what authentication finds out, and what every use case is asked on behalf of.

import { type AccessScope, ALL_NAMES, coversName, operationsOf } from './access-scope.ts';
import { refused, StoreError } from './errors.ts';
import { OPERATION_NAMES, type Operation } from './operations.ts';
import type { TokenClaims } from './token-claims.ts';

export interface Principal {
  /** Undefined: the root token, or anybody where access is not checked. It is never revoked and never expires. */
  readonly claims?: TokenClaims;
  readonly scope: AccessScope;
  readonly operations: ReadonlySet<Operation>;
  /** Put before every stream name of a request, and taken off the names in its answer. */
  readonly streamPrefix: string;
}

const ALL_GROUPS = { read: true, write: true } as const;

export const ROOT: Principal = {
  scope: {
    basins: ALL_NAMES,
    streams: ALL_NAMES,
    accessTokens: ALL_NAMES,
    groups: { account: ALL_GROUPS, basin: ALL_GROUPS, stream: ALL_GROUPS },
    operations: [],
  },
  operations: new Set(OPERATION_NAMES),
  streamPrefix: '',
};

export function principalOf(claims: TokenClaims): Principal {
  const { scope, isPrefixed } = claims;
  return {
    claims,
    scope,
    operations: operationsOf(scope),
    streamPrefix: isPrefixed && scope.streams.kind === 'prefix' ? scope.streams.prefix : '',
  };
}

/** What an operation is asked of. A name that is not given is not asked about. */
export interface Target {
  readonly basin?: string;
  /** As it is stored, with any prefix. */
  readonly stream?: string;
  readonly accessToken?: string;
}

/** @throws StoreError `permission_denied` unless the principal may do this to that. */
export function authorize({ operations, scope }: Principal, operation: Operation, target: Target = {}): void {
  if (!operations.has(operation)) throw refused('permission_denied', `this access token does not allow "${operation}"`);
  if (target.basin !== undefined && !coversName(scope.basins, target.basin)) {
    throw refused('permission_denied', `this access token does not cover the basin "${target.basin}"`);
  }
  if (target.stream !== undefined && !coversName(scope.streams, target.stream)) {
    throw refused('permission_denied', `this access token does not cover the stream "${target.stream}"`);
  }
  if (target.accessToken !== undefined && !coversName(scope.accessTokens, target.accessToken)) {
    throw refused('permission_denied', `this access token does not cover the access token "${target.accessToken}"`);
  }
}

/** The records of a batch that are commands need operations of their own. @throws StoreError `permission_denied` */
export function authorizeCommands(principal: Principal, commands: readonly { readonly kind: 'fence' | 'trim' }[]): void {
  for (const { kind } of commands) authorize(principal, kind);
}

/** The failure as the token is told it: the stream in its message by the name that the token knows. Messages say `stream "name"`. */
export function knownFailure({ streamPrefix }: Principal, error: unknown): unknown {
  if (streamPrefix === '' || !(error instanceof StoreError)) return error;
  const { code, effect, detail, message, cause } = error;
  const known = message.replace(`stream "${streamPrefix}`, 'stream "');
  return known === message ? error : new StoreError(code, effect, known, { cause, ...(detail === undefined ? {} : { detail }) });
}
