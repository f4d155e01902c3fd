// What an access token allows: operations, on which basins, streams and tokens. Pure, so that servers and the edge decide alike.
//
//   K1  A token that is issued allows nothing that its issuer does not: no operation, no basin, no stream, no token, no later time.

import { allowedOperations, type Operation, type OperationGroups } from './operations.ts';

/** Names that are covered: none, one, or all that begin with a prefix (the empty one: all). */
export type NameSet =
  | { readonly kind: 'none' }
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'prefix'; readonly prefix: string };

export interface AccessScope {
  readonly basins: NameSet;
  readonly streams: NameSet;
  readonly accessTokens: NameSet;
  readonly groups: OperationGroups;
  /** Besides those of the groups. */
  readonly operations: readonly Operation[];
}

export const NO_NAMES: NameSet = { kind: 'none' };
export const ALL_NAMES: NameSet = { kind: 'prefix', prefix: '' };

export function coversName(set: NameSet, name: string): boolean {
  switch (set.kind) {
    case 'none':
      return false;
    case 'exact':
      return set.name === name;
    case 'prefix':
      return name.startsWith(set.prefix);
  }
}

/** Whether every name of `inner` is one of `outer`. */
export function coversNames(outer: NameSet, inner: NameSet): boolean {
  switch (inner.kind) {
    case 'none':
      return true;
    case 'exact':
      return coversName(outer, inner.name);
    case 'prefix':
      return outer.kind === 'prefix' && inner.prefix.startsWith(outer.prefix);
  }
}

/** Whether all that `inner` allows is allowed by `outer` (K1). */
export function coversScope(outer: AccessScope, inner: AccessScope): boolean {
  const allowed = operationsOf(outer);
  return (
    [...operationsOf(inner)].every((operation) => allowed.has(operation)) &&
    coversNames(outer.basins, inner.basins) &&
    coversNames(outer.streams, inner.streams) &&
    coversNames(outer.accessTokens, inner.accessTokens)
  );
}

export function operationsOf(scope: AccessScope): ReadonlySet<Operation> {
  return allowedOperations(scope.operations, scope.groups);
}

/**
 * The names that a listing may show: those that begin with `prefix` and that `set` covers.
 *
 * @returns the longer prefix to list by, `exact` where only that very name may be shown; undefined: nothing may.
 */
export function narrowed(prefix: string, set: NameSet): { readonly prefix: string; readonly isExact: boolean } | undefined {
  switch (set.kind) {
    case 'none':
      return undefined;
    case 'exact':
      return set.name.startsWith(prefix) ? { prefix: set.name, isExact: true } : undefined;
    case 'prefix':
      if (set.prefix.startsWith(prefix)) return { prefix: set.prefix, isExact: false };
      return prefix.startsWith(set.prefix) ? { prefix, isExact: false } : undefined;
  }
}
