import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../../core/model/principal.ts';
import { encodeClaims, type TokenClaims } from '../../../core/model/token-claims.ts';
import { Keys } from '../../../edge/keys.ts';
import { Tokens } from '../../../edge/tokens.ts';

type Sign = (claims?: Partial<TokenClaims>) => Promise<string>;

let keys: Keys;
let sign: Sign;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  keys = new Keys(JSON.stringify({ keys: [await exportJWK(publicKey)] }), async () => '');
  sign = (claims = {}) => {
    const text = encodeClaims({ tokenId: 'a'.repeat(32), id: 'one', issuedAt: 0, isPrefixed: false, scope: ROOT.scope, ...claims });
    return new CompactSign(new TextEncoder().encode(text)).setProtectedHeader({ alg: 'EdDSA', typ: 'millrace-access' }).sign(privateKey);
  };
});

describe('X1: a token', () => {
  test('is believed as long as the origin said, and no longer than the setting, from before it was asked', async () => {
    const tokens = new Tokens(keys, 'required', 10_000);
    const identity = await tokens.identify(`Bearer ${await sign()}`, 0);
    expect(tokens.isBelieved(identity, 0)).toBe(false);
    tokens.believe(identity, 1_000, 4_000);
    expect([tokens.isBelieved(identity, 4_999), tokens.isBelieved(identity, 5_000)]).toEqual([true, false]);
    // An answer that comes late takes nothing back, and one that promises too much gets what the setting allows.
    tokens.believe(identity, 500, 100);
    expect(tokens.isBelieved(identity, 4_999)).toBe(true);
    tokens.believe(identity, 2_000, 99_000);
    expect([tokens.isBelieved(identity, 11_999), tokens.isBelieved(identity, 12_000)]).toEqual([true, false]);
    tokens.doubt(identity);
    expect(tokens.isBelieved(identity, 2_001)).toBe(false);
  });

  test('that expires is refused from then on, known or not', async () => {
    const tokens = new Tokens(keys, 'required', 10_000);
    const header = `Bearer ${await sign({ expiresAt: 5_000 })}`;
    await tokens.identify(header, 4_999);
    await expect(tokens.identify(header, 5_000)).rejects.toMatchObject({ code: 'authn', message: 'the access token has expired' });
  });

  test('that is long is checked each time, and never believed', async () => {
    const tokens = new Tokens(keys, 'required', 10_000);
    const header = `Bearer ${await sign({ id: 'x'.repeat(2_000) })}`;
    const identity = await tokens.identify(header, 0);
    expect([identity.isKnown, tokens.isKnown(header)]).toEqual([true, false]);
    tokens.believe(identity, 0, 10_000);
    expect(tokens.isBelieved(identity, 1)).toBe(false);
  });

  test('that may be the root token is believed to be nothing', async () => {
    const tokens = new Tokens(keys, 'required', 10_000);
    const identity = await tokens.identify('Bearer root-token', 0);
    expect(identity.isKnown).toBe(false);
    tokens.believe(identity, 0, 10_000);
    expect(tokens.isBelieved(identity, 1)).toBe(false);
  });
});
