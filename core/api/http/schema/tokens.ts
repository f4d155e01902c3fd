// Access tokens as JSON: what a request for one says, checked, and what answers say. (S2 v1 API, section 6.1.)

import { z } from 'zod';
import { rfc3339 } from '../../../base/rfc3339.ts';
import { type AccessScope, type NameSet, NO_NAMES } from '../../../model/access-scope.ts';
import { OPERATION_NAMES, type OperationGroups } from '../../../model/operations.ts';
import type { TokenClaims } from '../../../model/token-claims.ts';
import type { TokenRequest } from '../../access/tokens.ts';
import { accessTokenId, accessTokenIdPart, basinName, basinNamePart, streamName, streamNamePart } from '../../names.ts';
import { parseWith, textBy } from './parse.ts';

type NameCheck = Parameters<typeof textBy>[0];

/** One name, or all that begin with a prefix. The empty name stands for none. */
function nameSet(name: NameCheck, part: NameCheck) {
  const exact: NameCheck = (text, code) => (text === '' ? text : name(text, code));
  return z.union([z.strictObject({ exact: textBy(exact) }), z.strictObject({ prefix: textBy(part) })]);
}

const groupAccess = z.object({ read: z.boolean().nullish(), write: z.boolean().nullish() });
const scopeFields = z.object({
  basins: nameSet(basinName, basinNamePart).nullish(),
  streams: nameSet(streamName, streamNamePart).nullish(),
  access_tokens: nameSet(accessTokenId, accessTokenIdPart).nullish(),
  op_groups: z.object({ account: groupAccess.nullish(), basin: groupAccess.nullish(), stream: groupAccess.nullish() }).nullish(),
  ops: z.array(z.enum(OPERATION_NAMES as [string, ...string[]])).nullish(),
});

/** RFC 3339 lets its letters be small. */
const time = z
  .string()
  .transform((text) => text.toUpperCase())
  .pipe(z.iso.datetime({ offset: true, error: 'expected a time as in RFC 3339' }))
  .meta({ format: 'date-time' });

export const issueToken = z.object({
  id: textBy(accessTokenId).meta({ maxLength: 96 }),
  expires_at: time.nullish(),
  auto_prefix_streams: z.boolean().nullish(),
  scope: scopeFields,
});

const nameSetAnswer = z.union([z.object({ exact: z.string() }), z.object({ prefix: z.string() })]).nullable();
const groupAnswer = z.object({ read: z.boolean(), write: z.boolean() });
export const tokenInfo = z.object({
  id: z.string(),
  expires_at: z.string().nullable().meta({ format: 'date-time' }),
  auto_prefix_streams: z.boolean(),
  scope: z.object({
    basins: nameSetAnswer,
    streams: nameSetAnswer,
    access_tokens: nameSetAnswer,
    op_groups: z.object({ account: groupAnswer, basin: groupAnswer, stream: groupAnswer }),
    ops: z.array(z.string()),
  }),
});
export const tokenList = z.object({ access_tokens: z.array(tokenInfo), has_more: z.boolean() });
export const issuedToken = z.object({ access_token: z.string().describe('The secret, which is told this once') });

type ScopeFields = z.output<typeof scopeFields>;

/** @throws StoreError `bad_json` */
export function parseIssueToken(body: unknown): TokenRequest {
  const fields = parseWith(issueToken, body, 'bad_json', 'the JSON body');
  return {
    id: fields.id,
    scope: scopeOf(fields.scope),
    ...(fields.expires_at == null ? {} : { expiresAt: Date.parse(fields.expires_at) }),
    isPrefixed: fields.auto_prefix_streams ?? false,
  };
}

function scopeOf(fields: ScopeFields): AccessScope {
  return {
    basins: setOf(fields.basins),
    streams: setOf(fields.streams),
    accessTokens: setOf(fields.access_tokens),
    groups: groupsOf(fields.op_groups),
    operations: OPERATION_NAMES.filter((name) => fields.ops?.includes(name)),
  };
}

function setOf(value: { exact: string } | { prefix: string } | null | undefined): NameSet {
  if (value == null) return NO_NAMES;
  if ('prefix' in value) return { kind: 'prefix', prefix: value.prefix };
  return value.exact === '' ? NO_NAMES : { kind: 'exact', name: value.exact };
}

function groupsOf(groups: ScopeFields['op_groups']): OperationGroups {
  const of = (level: 'account' | 'basin' | 'stream') => ({
    read: groups?.[level]?.read ?? false,
    write: groups?.[level]?.write ?? false,
  });
  return { account: of('account'), basin: of('basin'), stream: of('stream') };
}

export function tokenInfoJson({ id, expiresAt, isPrefixed, scope }: TokenClaims): z.output<typeof tokenInfo> {
  return {
    id,
    expires_at: expiresAt === undefined ? null : rfc3339(expiresAt),
    auto_prefix_streams: isPrefixed,
    scope: {
      basins: setJson(scope.basins),
      streams: setJson(scope.streams),
      access_tokens: setJson(scope.accessTokens),
      op_groups: scope.groups,
      ops: [...scope.operations],
    },
  };
}

function setJson(set: NameSet): { exact: string } | { prefix: string } | null {
  if (set.kind === 'none') return null;
  return set.kind === 'exact' ? { exact: set.name } : { prefix: set.prefix };
}
