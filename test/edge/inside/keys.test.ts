import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, test } from 'vitest';
import { Keys } from '../../../edge/keys.ts';

async function jwks(count: number): Promise<string> {
  const keys = await Promise.all(
    Array.from({ length: count }, async () => exportJWK((await generateKeyPair('EdDSA', { extractable: true })).publicKey)),
  );
  return JSON.stringify({ keys });
}

test('this runs in workerd', () => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers');
});

describe('keys of the origin', () => {
  test('are asked for once, and again when they get old', async () => {
    let asked = 0;
    const set = await jwks(1);
    const keys = new Keys(undefined, async () => {
      asked += 1;
      return set;
    });
    for (const now of [0, 1_000, 299_999]) expect(await keys.current(now)).toHaveLength(1);
    expect(asked).toBe(1);
    await keys.current(300_000);
    expect(asked).toBe(2);
  });

  test('that came since are asked for at most every ten seconds', async () => {
    let set = await jwks(1);
    let asked = 0;
    const keys = new Keys(undefined, async () => {
      asked += 1;
      return set;
    });
    await keys.current(0);
    set = await jwks(2);
    expect(await keys.newer(9_999)).toBeUndefined();
    expect(await keys.newer(10_000)).toHaveLength(2);
    expect(await keys.current(10_001)).toHaveLength(2);
    expect(await keys.newer(10_002)).toBeUndefined();
    expect(asked).toBe(2);
  });

  test('stay what they were while the origin does not answer, and are unknown before it did', async () => {
    let isAway = true;
    const set = await jwks(1);
    const keys = new Keys(undefined, async () => {
      if (isAway) throw new Error('away');
      return set;
    });
    await expect(keys.current(0)).rejects.toThrow('away');
    isAway = false;
    await keys.current(1);
    isAway = true;
    expect(await keys.current(400_000)).toHaveLength(1);
    expect(await keys.newer(400_001)).toBeUndefined();
  });

  test('of another kind are none', async () => {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const keys = new Keys(undefined, async () => JSON.stringify({ keys: [await exportJWK(publicKey), { kty: 'oct', k: 'AAAA' }] }));
    expect(await keys.current(0)).toEqual([]);
  });
});
