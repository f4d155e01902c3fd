import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { Revocations } from '#core/api/access/revocations.ts';
import { type TokenRequest, Tokens } from '#core/api/access/tokens.ts';
import { type AccessScope, ALL_NAMES, coversName, type NameSet, NO_NAMES, narrowed } from '#core/model/access-scope.ts';
import { OPERATION_NAMES, type Operation } from '#core/model/operations.ts';
import { authorize, type Principal, principalOf, ROOT } from '#core/model/principal.ts';
import { decodeClaims, encodeClaims, type TokenClaims } from '#core/model/token-claims.ts';
import { world } from '#test/core/metadata/support.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';

const { authority } = await openTokenAuthority({ dir: await temporaryFolder(), root: undefined });

const NAMES = ['', 'a', 'ab', 'abc', 'abd', 'b', 'ba'];
const names: fc.Arbitrary<NameSet> = fc.oneof(
  fc.constant(NO_NAMES),
  fc.constantFrom(...NAMES.slice(1)).map((name): NameSet => ({ kind: 'exact', name })),
  fc.constantFrom(...NAMES).map((prefix): NameSet => ({ kind: 'prefix', prefix })),
);
const flags = fc.record({ read: fc.boolean(), write: fc.boolean() });
const scopes: fc.Arbitrary<AccessScope> = fc.record({
  basins: names,
  streams: names,
  accessTokens: names,
  groups: fc.record({ account: flags, basin: flags, stream: flags }),
  operations: fc.subarray([...OPERATION_NAMES]),
});

function principal(scope: AccessScope, more: Partial<TokenClaims> = {}): Principal {
  return principalOf({ tokenId: '0'.repeat(32), id: 'issuer', issuedAt: 0, isPrefixed: false, scope, ...more });
}

function tokens() {
  const { repository, ...made } = world();
  const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)), unit: Math.random };
  const clock = {
    now: () => 1_000,
    monotonic: () => 0,
    sleep: async () => undefined,
    after: () => ({ cancel() {} }),
    soon: () => undefined,
  };
  const meter = { operation: () => undefined };
  const deps = {
    meter,
    authority,
    tokens: repository.accessTokens,
    revocations: new Revocations(repository.accessTokens, clock),
    clock,
    random,
  };
  return { tokens: new Tokens(deps), repository, made };
}

function request(more: Partial<TokenRequest> = {}): TokenRequest {
  return { id: 'new', scope: { ...ROOT.scope, basins: ALL_NAMES }, isPrefixed: false, ...more };
}

function allows(asking: Principal, operation: Operation, basin: string, stream: string, accessToken: string): boolean {
  try {
    authorize(asking, operation, { basin, stream, accessToken });
    return true;
  } catch {
    return false;
  }
}

describe('issuing', () => {
  prop.prop([scopes, scopes], { numRuns: 2_000 })('K1: whatever a new token allows, its issuer allows', async (issuers, asked) => {
    const issuer = principal(issuers);
    const issued = await tokens()
      .tokens.issue(issuer, request({ scope: asked }))
      .then((secret) => authority.verify(secret))
      .catch(() => undefined);
    const claims = issued === undefined ? undefined : decodeClaims(issued);
    if (claims === undefined) return;
    expect(claims.scope).toEqual(asked);
    const holder = principalOf(claims);
    for (const operation of OPERATION_NAMES) {
      for (const name of NAMES) {
        if (allows(holder, operation, name, name, name)) expect(allows(issuer, operation, name, name, name)).toBe(true);
      }
    }
  });

  test('K1: a scope that covers exactly the same may be issued, one name more may not', async () => {
    const issuer = principal({ ...ROOT.scope, basins: { kind: 'prefix', prefix: 'team-' } });
    const scope = (basins: NameSet) => request({ scope: { ...ROOT.scope, basins } });
    await expect(tokens().tokens.issue(issuer, scope({ kind: 'prefix', prefix: 'team-' }))).resolves.toEqual(expect.any(String));
    await expect(tokens().tokens.issue(issuer, scope({ kind: 'exact', name: 'team-a' }))).resolves.toEqual(expect.any(String));
    for (const basins of [
      { kind: 'prefix', prefix: 'team' },
      { kind: 'exact', name: 'team' },
    ] as const) {
      await expect(tokens().tokens.issue(issuer, scope(basins))).rejects.toMatchObject({ code: 'permission_denied' });
    }
  });

  test('K1: a token ends no later than the one that issues it', async () => {
    const issuer = principal(ROOT.scope, { expiresAt: 5_000 });
    const issued = async (expiresAt?: number): Promise<number | undefined> => {
      const secret = await tokens().tokens.issue(issuer, request(expiresAt === undefined ? {} : { expiresAt }));
      return decodeClaims((await authority.verify(secret)) ?? '')?.expiresAt;
    };
    expect(await issued()).toBe(5_000);
    expect(await issued(5_000)).toBe(5_000);
    expect(await issued(1_001)).toBe(1_001);
    await expect(issued(5_001)).rejects.toMatchObject({ code: 'invalid' });
    await expect(issued(1_000)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('what allows nothing, or has nothing to prefix with, is invalid', async () => {
    const nothing = { ...ROOT.scope, groups: principal(ROOT.scope).scope.groups, operations: [] };
    const none = { read: false, write: false };
    await expect(
      tokens().tokens.issue(ROOT, request({ scope: { ...nothing, groups: { account: none, basin: none, stream: none } } })),
    ).rejects.toMatchObject({ code: 'invalid' });
    const exact = { ...ROOT.scope, streams: { kind: 'exact', name: 'a' } } as const;
    await expect(tokens().tokens.issue(ROOT, request({ scope: exact, isPrefixed: true }))).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('claims', () => {
  const arbitrary = fc.record({
    tokenId: fc.stringMatching(/^[0-9a-f]{32}$/),
    id: fc.string({ minLength: 1, unit: 'grapheme' }),
    issuedAt: fc.nat(),
    isPrefixed: fc.boolean(),
    scope: scopes,
  });

  prop.prop([arbitrary, fc.option(fc.nat(), { nil: undefined })])('come back as they were', (claims, expiresAt) => {
    const whole: TokenClaims = { ...claims, ...(expiresAt === undefined ? {} : { expiresAt }) };
    const operations = OPERATION_NAMES.filter((name) => whole.scope.operations.includes(name));
    const ordered = { ...whole, scope: { ...whole.scope, operations } };
    expect(decodeClaims(encodeClaims(ordered))).toEqual(ordered);
  });

  prop.prop([fc.oneof(fc.string(), fc.json())], { numRuns: 10_000 })(
    'of any other text are none, or allow nothing that was not said',
    (text) => {
      const claims = decodeClaims(text);
      expect(claims === undefined || typeof claims.id === 'string').toBe(true);
    },
  );
});

prop.prop([fc.constantFrom(...NAMES), names], { numRuns: 500 })(
  'a listing shows what begins with the prefix and is covered',
  (prefix, set) => {
    const shown = narrowed(prefix, set);
    for (const name of NAMES) {
      const isShown = shown !== undefined && (shown.isExact ? name === shown.prefix : name.startsWith(shown.prefix));
      expect(isShown).toBe(name.startsWith(prefix) && coversName(set, name));
    }
  },
);
