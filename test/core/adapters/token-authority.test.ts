import { generateKeyPairSync } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CompactSign, compactVerify, importJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { createTokenAuthority, openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';

const CLAIMS = '{"v":1,"id":"é"}';

describe('tokens', () => {
  test('what was signed is verified, also after the next start, and by nobody else', async () => {
    const dir = await temporaryFolder();
    const { authority } = await openTokenAuthority({ dir, root: undefined });
    const token = await authority.sign(CLAIMS);
    expect(token).toMatch(/^[\x21-\x7e]+$/);
    expect(await authority.verify(token)).toBe(CLAIMS);
    const again = await openTokenAuthority({ dir, root: undefined });
    expect(await again.authority.verify(token)).toBe(CLAIMS);
    const other = await openTokenAuthority({ dir: await temporaryFolder(), root: undefined });
    expect(await other.authority.verify(token)).toBeUndefined();
  });

  test('the public key alone tells what was signed', async () => {
    const authority = createTokenAuthority('a secret that nobody can guess, 1', undefined);
    const { payload } = await compactVerify(await authority.sign(CLAIMS), await importJWK({ ...authority.publicKey }, 'EdDSA'));
    expect(new TextDecoder().decode(payload)).toBe(CLAIMS);
    expect(Object.keys(authority.publicKey)).toEqual(['kty', 'crv', 'x']);
  });

  test('all that have one secret sign alike, and nobody else', async () => {
    const one = createTokenAuthority('a secret that nobody can guess, 1', 'root');
    const token = await one.sign(CLAIMS);
    const same = createTokenAuthority('a secret that nobody can guess, 1', 'root');
    expect([await same.verify(token), same.isRoot('root'), same.isRoot('toor')]).toEqual([CLAIMS, true, false]);
    for (const secret of ['a secret that nobody can guess, 2', undefined]) {
      expect(await createTokenAuthority(secret, undefined).verify(token)).toBeUndefined();
    }
  });

  test('a token that was changed anywhere is none', async () => {
    const { authority } = await openTokenAuthority({ dir: await temporaryFolder(), root: undefined });
    const token = await authority.sign(CLAIMS);
    const last = token.length - 1;
    for (let at = 0; at < last; at += 1) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
      expect(await authority.verify(changed), `at ${at}`).toBeUndefined();
    }
    for (const text of ['', '.', '..', token.slice(1), token.slice(0, -2), `${token}.${token}`, 'x'.repeat(100_000)]) {
      expect(await authority.verify(text)).toBeUndefined();
    }
  });

  test('no other algorithm, no other type, and no signature at all are taken', async () => {
    const dir = await temporaryFolder();
    const { authority } = await openTokenAuthority({ dir, root: undefined });
    const payload = new TextEncoder().encode(CLAIMS);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${part({ alg: 'none', typ: 'millrace-access' })}.${Buffer.from(CLAIMS).toString('base64url')}.`;
    expect(await authority.verify(unsigned)).toBeUndefined();
    const jwk = JSON.parse(await readFile(path.join(dir, 'signing-key.json'), 'utf8'));
    // What is public must not serve as a shared secret.
    const shared = new CompactSign(payload).setProtectedHeader({ alg: 'HS256', typ: 'millrace-access' });
    expect(await authority.verify(await shared.sign(Buffer.from(jwk.x, 'base64url')))).toBeUndefined();
    const { privateKey } = generateKeyPairSync('ed25519');
    const foreign = new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA', typ: 'millrace-access' });
    expect(await authority.verify(await foreign.sign(privateKey))).toBeUndefined();
  });
});

describe('the root token', () => {
  test('is made and told once, and kept as a hash that only its owner can read', async () => {
    const dir = await temporaryFolder();
    const first = await openTokenAuthority({ dir, root: 'kept' });
    const token = first.newRootToken ?? '';
    expect(token).toMatch(/^millrace_root_[\w-]{43}$/);
    const second = await openTokenAuthority({ dir, root: 'kept' });
    expect(second.newRootToken).toBeUndefined();
    for (const { authority } of [first, second]) {
      expect(authority.isRoot(token)).toBe(true);
      for (const other of ['', token.slice(1), `${token} `, token.toUpperCase()]) expect(authority.isRoot(other)).toBe(false);
    }
    expect(await readFile(path.join(dir, 'root-token.sha256'), 'utf8')).not.toContain(token.slice(14));
    for (const name of ['root-token.sha256', 'signing-key.json']) expect((await stat(path.join(dir, name))).mode & 0o777).toBe(0o600);
  });

  test('that is given takes the place of the one that was made', async () => {
    const dir = await temporaryFolder();
    const made = (await openTokenAuthority({ dir, root: 'kept' })).newRootToken ?? '';
    const { authority, newRootToken } = await openTokenAuthority({ dir, root: { token: 'given' } });
    expect([authority.isRoot('given'), authority.isRoot(made), newRootToken]).toEqual([true, false, undefined]);
    const off = await openTokenAuthority({ dir, root: undefined });
    expect([off.authority.isRoot('given'), off.authority.isRoot(made)]).toEqual([false, false]);
  });
});

test.each([
  ['signing-key.json', '{"kty":"OKP"}'],
  ['signing-key.json', 'x'],
  ['root-token.sha256', 'x'],
])('a damaged %s is named, with what to do, and what it holds is not told', async (name, text) => {
  const dir = await temporaryFolder();
  await openTokenAuthority({ dir, root: 'kept' });
  await writeFile(path.join(dir, name), text);
  const opening = openTokenAuthority({ dir, root: 'kept' });
  await expect(opening).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(`${name} holds no`) });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('OKP') });
});
