import { describe, expect, test } from 'vitest';
import { Access } from '#core/api/access/access.ts';
import type { Revocation } from '#core/metadata/access-tokens.ts';
import { refused } from '#core/model/errors.ts';
import { ROOT } from '#core/model/principal.ts';
import { encodeClaims, type TokenClaims } from '#core/model/token-claims.ts';
import type { TokenAuthority } from '#core/ports/token-authority.ts';

const BOUND_MS = 10_000;

/** Tokens are their claims, behind a word that stands for a signature. */
const authority: TokenAuthority = {
  publicKey: { kty: 'OKP', crv: 'Ed25519', x: 'x' },
  sign: async (claims) => `good.${Buffer.from(claims).toString('base64url')}`,
  verify: async (token) => (token.startsWith('good.') ? Buffer.from(token.slice(5), 'base64url').toString() : undefined),
  isRoot: (token) => token === 'root',
};

function claims(more: Partial<TokenClaims> = {}): TokenClaims {
  return { tokenId: 'a'.repeat(32), id: 'one', issuedAt: 0, isPrefixed: false, scope: ROOT.scope, ...more };
}

function world(mode: 'off' | 'required' = 'required') {
  const made = { time: 1_000_000, revoked: [] as Revocation[], looks: 0, isAway: false, asked: [] as number[] };
  const clock = {
    now: () => made.time,
    monotonic: () => made.time,
    sleep: async () => undefined,
    after: () => ({ cancel() {} }),
    soon: () => undefined,
  };
  const tokens = {
    revocations: async (sinceMs: number, limit: number, after?: Revocation) => {
      made.looks += 1;
      made.asked.push(sinceMs);
      if (made.isAway) throw refused('unavailable', 'the metadata store is away');
      const from = after === undefined ? 0 : made.revoked.indexOf(after) + 1;
      return made.revoked.filter(({ revokedAt }, at) => at >= from && revokedAt >= sinceMs).slice(0, limit);
    },
  };
  const access = new Access({ authority, tokens, clock }, { mode, revocationMsMax: BOUND_MS });
  const bearer = async (more: Partial<TokenClaims> = {}) => `Bearer ${await authority.sign(encodeClaims(claims(more)))}`;
  return { made, access, bearer };
}

describe('what is told to whoever checks tokens elsewhere', () => {
  test('K2: how much longer the token may be believed, so that together the bound is kept', async () => {
    const { made, access, bearer } = world();
    const principal = await access.authenticate(await bearer());
    expect(access.believedMs(principal)).toBe(BOUND_MS);
    made.time += 4_000;
    expect(access.believedMs(principal)).toBe(BOUND_MS - 4_000);
    made.time += 20_000;
    expect(access.believedMs(principal)).toBe(0);
    expect(access.believedMs(ROOT)).toBeUndefined();
    expect(world('off').access.believedMs(ROOT)).toBe('open');
  });

  test('the public key, unless nothing is checked', () => {
    expect(world().access.publicKeys).toEqual([authority.publicKey]);
    expect(world('off').access.publicKeys).toEqual([]);
  });
});

describe('authentication', () => {
  test('where access is off, everybody is root', async () => {
    const { access } = world('off');
    for (const header of [undefined, 'Bearer x', 'nonsense']) expect(await access.authenticate(header)).toBe(ROOT);
  });

  test('K3: only a token with our signature counts', async () => {
    const { access, bearer } = world();
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Basic cm9vdDo=',
      'Bearer good',
      'Bearer bad.token',
      'Bearer good.e30',
      'root',
    ]) {
      await expect(access.authenticate(header), header ?? 'none').rejects.toMatchObject({ code: 'authn', effect: 'none' });
    }
    expect((await access.authenticate(await bearer())).claims?.id).toBe('one');
    expect(await access.authenticate('bearer root')).toBe(ROOT);
  });

  test('K3: a token counts until it expires, also one that was seen before', async () => {
    const { access, bearer, made } = world();
    const header = await bearer({ expiresAt: made.time + 10 });
    const principal = await access.authenticate(header);
    made.time += 9;
    await access.authenticate(header);
    made.time += 1;
    await expect(access.authenticate(header)).rejects.toMatchObject({ code: 'authn' });
    expect(() => access.check(principal)).toThrow('expired');
  });

  test('K3: a revocation made here counts at once, also for a session under way', async () => {
    const { access, bearer } = world();
    const header = await bearer();
    const principal = await access.authenticate(header);
    access.check(principal);
    access.revocations.note({ tokenId: claims().tokenId, revokedAt: 0 });
    expect(() => access.check(principal)).toThrow('revoked');
    await expect(access.authenticate(header)).rejects.toMatchObject({ code: 'authn' });
  });
});

describe('revocations that were made elsewhere', () => {
  test('K2: are known within the bound', async () => {
    const { access, bearer, made } = world();
    const header = await bearer();
    await access.authenticate(header);
    made.revoked.push({ tokenId: claims().tokenId, revokedAt: made.time });
    made.time += BOUND_MS;
    await access.authenticate(header);
    made.time += 1;
    await expect(access.authenticate(header)).rejects.toMatchObject({ code: 'authn' });
  });

  test('K2: while they cannot be looked up, tokens count as long as the bound allows, and the root token always', async () => {
    const { access, bearer, made } = world();
    const header = await bearer();
    const principal = await access.authenticate(header);
    made.isAway = true;
    made.time += BOUND_MS;
    await access.authenticate(header);
    made.time += 1;
    await expect(access.authenticate(header)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(() => access.check(principal)).toThrow('cannot be looked up');
    expect(await access.authenticate('Bearer root')).toBe(ROOT);
    made.isAway = false;
    await access.authenticate(header);
  });

  test('are found page by page, and later looks ask only for what is new, and for what slow clocks may add', async () => {
    const { access, made } = world();
    for (let i = 0; i < 2_500; i += 1) made.revoked.push({ tokenId: String(i), revokedAt: made.time + i });
    await access.revocations.refresh();
    expect(made.looks).toBe(3);
    for (const id of ['0', '999', '1000', '2499']) expect(access.revocations.has(id)).toBe(true);
    await access.revocations.refresh();
    expect(made.asked.at(-1)).toBe(made.time + 2_499 - 600_000);
  });

  test('are forgotten once the token would have expired anyway', async () => {
    const { access, made } = world();
    made.revoked.push({ tokenId: 'x', revokedAt: made.time, expiresAt: made.time + 10 });
    await access.revocations.refresh();
    expect(access.revocations.has('x')).toBe(true);
    made.revoked.length = 0;
    made.time += 3_600_000;
    await access.revocations.refresh();
    expect(access.revocations.has('x')).toBe(false);
  });
});
