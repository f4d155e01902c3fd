// What an access token says of itself: the text that is signed, and that the token's item in metadata keeps.
//
//   claims := JSON { v: 1, token: <32 hex digits>, id, issued: <ms>, expires?: <ms>, prefixed?: true, scope }
//   scope  := { basins?, streams?, tokens?: {exact} | {prefix}, groups?: [<level>:<access>], ops?: [<operation>] }
//
// What allows nothing is left out: a reader that does not know a field allows less, never more.

import { type AccessScope, type NameSet, NO_NAMES } from './access-scope.ts';
import { isOperation, NO_GROUPS, type Operation, type OperationGroups, type OperationLevel } from './operations.ts';

/** One issued token. Times are milliseconds since 1970. */
export interface TokenClaims {
  /** Drawn at issue, 32 hexadecimal digits: an id that is used again is another token. */
  readonly tokenId: string;
  /** Chosen by whoever issued it. */
  readonly id: string;
  readonly issuedAt: number;
  readonly expiresAt?: number;
  /** Stream names in its requests are taken to lie below the prefix of its stream scope. */
  readonly isPrefixed: boolean;
  readonly scope: AccessScope;
}

const LEVELS = ['account', 'basin', 'stream'] as const satisfies readonly OperationLevel[];
const KINDS = ['read', 'write'] as const;

export function encodeClaims(claims: TokenClaims): string {
  const { scope } = claims;
  const groups = LEVELS.flatMap((level) => KINDS.filter((kind) => scope.groups[level][kind]).map((kind) => `${level}:${kind}`));
  return JSON.stringify({
    v: 1,
    token: claims.tokenId,
    id: claims.id,
    issued: claims.issuedAt,
    expires: claims.expiresAt,
    prefixed: claims.isPrefixed ? true : undefined,
    scope: {
      basins: encodeSet(scope.basins),
      streams: encodeSet(scope.streams),
      tokens: encodeSet(scope.accessTokens),
      groups: groups.length === 0 ? undefined : groups,
      ops: scope.operations.length === 0 ? undefined : scope.operations,
    },
  });
}

/** Undefined: it is not what this version writes. Only for text whose signature or item was checked. */
export function decodeClaims(text: string): TokenClaims | undefined {
  let value: Record<string, unknown>;
  try {
    value = objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { v, token, id, issued, expires, prefixed } = value;
  if (v !== 1 || typeof token !== 'string' || !/^[0-9a-f]{32}$/.test(token) || typeof id !== 'string') return undefined;
  if (typeof issued !== 'number' || (expires !== undefined && typeof expires !== 'number')) return undefined;
  return {
    tokenId: token,
    id,
    issuedAt: issued,
    ...(expires === undefined ? {} : { expiresAt: expires }),
    isPrefixed: prefixed === true,
    scope: decodeScope(objectOf(value['scope'])),
  };
}

function encodeSet(set: NameSet): object | undefined {
  switch (set.kind) {
    case 'none':
      return undefined;
    case 'exact':
      return { exact: set.name };
    case 'prefix':
      return { prefix: set.prefix };
  }
}

function decodeScope(value: Record<string, unknown>): AccessScope {
  return {
    basins: decodeSet(value['basins']),
    streams: decodeSet(value['streams']),
    accessTokens: decodeSet(value['tokens']),
    groups: decodeGroups(textsOf(value['groups'])),
    operations: textsOf(value['ops']).filter((name): name is Operation => isOperation(name)),
  };
}

function decodeSet(value: unknown): NameSet {
  const { exact, prefix } = objectOf(value);
  if (typeof exact === 'string') return { kind: 'exact', name: exact };
  return typeof prefix === 'string' ? { kind: 'prefix', prefix } : NO_NAMES;
}

function decodeGroups(names: readonly string[]): OperationGroups {
  const groups = { ...NO_GROUPS };
  for (const level of LEVELS) {
    groups[level] = { read: names.includes(`${level}:read`), write: names.includes(`${level}:write`) };
  }
  return groups;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
