import { describe, expect, test } from 'vitest';
import { ALL_NAMES, NO_NAMES } from '#core/model/access-scope.ts';
import { NO_GROUPS } from '#core/model/operations.ts';
import type { TokenClaims } from '#core/model/token-claims.ts';
import { world } from './support.ts';

let drawn = 0;

function claims(id: string, more: Partial<TokenClaims> = {}): TokenClaims {
  drawn += 1;
  return {
    tokenId: drawn.toString(16).padStart(32, '0'),
    id,
    issuedAt: 0,
    isPrefixed: false,
    scope: { basins: ALL_NAMES, streams: NO_NAMES, accessTokens: NO_NAMES, groups: NO_GROUPS, operations: ['list-basins'] },
    ...more,
  };
}

const page = { prefix: '', startAfter: '', limit: 1_000 };

describe('access tokens', () => {
  test('M19: an id is free again only with the revocation of the token that had it', async () => {
    const { repository, store } = world();
    const tokens = repository.accessTokens;
    const first = claims('a');
    await tokens.issue(first);
    await expect(tokens.issue(claims('a'))).rejects.toMatchObject({ code: 'resource_already_exists', effect: 'none' });
    // The write of the list is lost with that of the id, or neither is.
    const before = store.commit.bind(store);
    store.commit = () => Promise.reject(new Error('the store is away'));
    await expect(tokens.revoke('a')).rejects.toThrow('away');
    store.commit = before;
    expect(await tokens.revocations(0, 10)).toEqual([]);
    await tokens.revoke('a');
    await tokens.issue(claims('a'));
    expect((await tokens.revocations(0, 10)).map(({ tokenId }) => tokenId)).toEqual([first.tokenId]);
  });

  test('one that is unknown, revoked or expired cannot be revoked', async () => {
    const made = world();
    const tokens = made.repository.accessTokens;
    await tokens.issue(claims('a', { expiresAt: made.time + 10 }));
    made.time += 10;
    for (const id of ['a', 'b']) await expect(tokens.revoke(id)).rejects.toMatchObject({ code: 'access_token_not_found' });
  });

  test('an expired one leaves the list, and gives its id up', async () => {
    const made = world();
    const tokens = made.repository.accessTokens;
    await tokens.issue(claims('a', { expiresAt: made.time + 10 }));
    await tokens.issue(claims('b'));
    expect((await tokens.list(page)).tokens.map(({ id }) => id)).toEqual(['a', 'b']);
    made.time += 10;
    expect((await tokens.list(page)).tokens.map(({ id }) => id)).toEqual(['b']);
    await tokens.issue(claims('a'));
    expect((await tokens.list(page)).tokens.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test('a page of the list is full while more follow, however many expired lie between, and an empty one says that none do', async () => {
    const made = world();
    const tokens = made.repository.accessTokens;
    const list = async (limit: number, startAfter = '') => {
      const found = await tokens.list({ prefix: 't', startAfter, limit });
      return [found.tokens.map(({ id }) => id).join(), found.hasMore];
    };
    for (let at = 0; at < 1_100; at += 1) await tokens.issue(claims(`t${String(at).padStart(4, '0')}`, { expiresAt: made.time + 10 }));
    for (const id of ['t0500x', 't2', 't3', 'u']) await tokens.issue(claims(id));
    made.time += 10;
    expect(await list(1)).toEqual(['t0500x', true]);
    expect(await list(1, 't0500x')).toEqual(['t2', true]);
    expect(await list(2, 't0500x')).toEqual(['t2,t3', false]);
    expect(await list(1, 't2')).toEqual(['t3', false]);
    expect(await list(1, 't3')).toEqual(['', false]);
    expect(await list(1_000)).toEqual(['t0500x,t2,t3', false]);
  });

  test('a purge forgets only what expired long ago', async () => {
    const made = world();
    const tokens = made.repository.accessTokens;
    await tokens.issue(claims('old', { expiresAt: made.time + 10 }));
    await tokens.issue(claims('gone', { expiresAt: made.time + 10 }));
    await tokens.issue(claims('kept'));
    await tokens.issue(claims('for ever'));
    await tokens.revoke('gone');
    await tokens.revoke('for ever');
    made.time += 3_600_000;
    await tokens.purge(10);
    await tokens.purgeRevocations(10);
    expect(await tokens.revocations(0, 10)).toHaveLength(2);
    made.time += 24 * 3_600_000;
    expect(await tokens.purge(1)).toBe('kept');
    expect(await tokens.purge(1, 'kept')).toBe('old');
    expect(await tokens.purge(1, 'old')).toBeUndefined();
    await tokens.purgeRevocations(10);
    expect(await tokens.revocations(0, 10)).toHaveLength(1);
    expect((await tokens.list(page)).tokens.map(({ id }) => id)).toEqual(['kept']);
  });

  test('a damaged item is named, and never taken for a token', async () => {
    const { repository, store } = world();
    await store.commit([{ kind: 'put', key: { partition: 'access-tokens', sort: 'a' }, fields: { claims: '{"v":1}' } }]);
    await expect(repository.accessTokens.list(page)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('access-tokens'),
    });
  });
});
