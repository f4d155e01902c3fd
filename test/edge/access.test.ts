// What the Worker checks of who asks before it bothers the origin, and what it leaves to it.

import { generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { CompactSign } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { BASIN, bearer, closeWorld, issue, ROOT_TOKEN, SECRET, startWorld, type World, world } from './world.ts';

const root = bearer(ROOT_TOKEN);
const STREAMS = { basins: { exact: BASIN }, streams: { prefix: 'a/' } };

let at: World;

beforeAll(async () => {
  at = await startWorld({ auth: 'required' });
  await at.api.call('POST', '/basins', { body: { basin: BASIN, config: { create_stream_on_append: true } }, headers: root });
});
afterAll(() => closeWorld(at));
beforeEach(() => {
  at.origin.seen.length = 0;
});

/** Requests that reached the origin, but for its keys. */
function reached(): string[] {
  return at.origin.seen.filter(({ url }) => url !== '/.well-known/jwks.json').map(({ method, url }) => `${method} ${url}`);
}

describe('tokens', () => {
  test('none, a malformed and a forged one are refused here, as the origin would', async () => {
    const good = await issue(at.direct, 'good', { ...STREAMS, ops: ['append'] });
    const [head = '', payload = '', signature = ''] = good.split('.');
    const swapped = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), scope: {} })).toString(
      'base64url',
    );
    const { privateKey } = generateKeyPairSync('ed25519');
    const foreign = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'millrace-access' })
      .sign(privateKey);
    at.origin.seen.length = 0;
    const headers = [
      {},
      { authorization: 'Basic cm9vdDpyb290' },
      { authorization: 'Bearer' },
      bearer(`${head}.${swapped}.${signature}`),
      bearer(foreign),
      bearer(`${head}.${payload}.${'A'.repeat(signature.length)}`),
    ];
    for (const one of headers) {
      const answer = await at.api.append('a/one', { records: [{ body: 'x' }] }, one);
      expect([answer.status, answer.json, answer.headers.get('www-authenticate')], JSON.stringify(one)).toEqual([
        401,
        { code: 'authn', message: expect.any(String) },
        'Bearer',
      ]);
    }
    expect(reached()).toEqual([]);
    expect((await at.api.append('a/one', { records: [{ body: 'x' }] }, bearer(good))).status).toBe(200);
  });

  test('of another algorithm, or without a signature, are none', async () => {
    const payload = Buffer.from('{"v":1}').toString('base64url');
    for (const alg of ['none', 'HS256', 'ES256']) {
      const head = Buffer.from(JSON.stringify({ alg, typ: 'millrace-access' })).toString('base64url');
      expect((await at.api.call('GET', '/basins', { headers: bearer(`${head}.${payload}.AAAA`) })).status).toBe(401);
    }
    expect(reached()).toEqual([]);
  });

  test('what looks like none of ours may be the root token: the origin judges it', async () => {
    expect((await at.api.call('GET', '/basins', { headers: root })).status).toBe(200);
    expect((await at.api.call('GET', '/basins', { headers: bearer(`${ROOT_TOKEN}x`) })).status).toBe(401);
    expect(reached()).toEqual(['GET /v1/basins', 'GET /v1/basins']);
  });

  test('where keys cannot be had, the origin judges alone', async () => {
    const here = await world({ auth: 'required' });
    const token = await issue(here.direct, 'one', { ...STREAMS, ops: ['list-basins'] });
    here.origin.intercept = (request, response) => {
      if (request.url !== '/.well-known/jwks.json') return false;
      (response as ServerResponse).writeHead(500).end();
      return true;
    };
    expect((await here.api.call('GET', '/basins', { headers: bearer(token) })).status).toBe(200);
    expect((await here.api.call('GET', '/basins', { headers: bearer(`${token.slice(0, -6)}AAAAAA`) })).status).toBe(401);
  });

  test('what the key signed for another purpose is none', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const here = await world({ auth: 'required' }, { MILLRACE_KEYS: JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }) });
    const good = await issue(here.direct, 'one', { ...STREAMS, ops: ['list-basins'] });
    const payload = Buffer.from(good.split('.')[1] ?? '', 'base64url');
    here.origin.seen.length = 0;
    for (const typ of ['JWT', undefined, 'millrace-access']) {
      const token = await new CompactSign(payload)
        .setProtectedHeader({ alg: 'EdDSA', ...(typ === undefined ? {} : { typ }) })
        .sign(privateKey);
      expect((await here.api.call('GET', '/basins', { headers: bearer(token) })).status).toBe(401);
      // Only the last is for the origin to refuse, whose key this is not.
      expect(here.origin.seen.length, typ).toBe(typ === 'millrace-access' ? 1 : 0);
    }
  });

  test('keys of the settings are enough', async () => {
    const keys = JSON.stringify({ keys: [createTokenAuthority(SECRET, undefined).publicKey] });
    const here = await world({ auth: 'required' }, { MILLRACE_KEYS: keys });
    const token = await issue(here.direct, 'one', { ...STREAMS, ops: ['list-basins'] });
    expect((await here.api.call('GET', '/basins', { headers: bearer(token) })).status).toBe(200);
    expect(here.origin.seen.map(({ url }) => url)).not.toContain('/.well-known/jwks.json');
  });
});

describe('scopes', () => {
  test('what a token does not allow is refused here, in the words of the origin', async () => {
    const token = await issue(at.direct, 'narrow', { ...STREAMS, ops: ['append', 'read', 'get-basin-config'] });
    const headers = bearer(token);
    const asks: [string, string, unknown?][] = [
      ['POST', '/streams/b%2Fone/records', { records: [{ body: 'x' }] }],
      ['GET', '/streams/a%2Fone/records/tail'],
      ['GET', '/basins'],
      ['GET', '/basins/other-basin'],
      ['DELETE', '/streams/a%2Fone'],
    ];
    for (const [method, path, body] of asks) {
      at.origin.seen.length = 0;
      const through = await at.api.call(method, path, { headers, body });
      expect(reached(), `${method} ${path}`).toEqual([]);
      const direct = await at.direct.call(method, path, { headers, body });
      expect([through.status, through.json]).toEqual([403, direct.json]);
      expect(direct.status).toBe(403);
    }
  });

  test('a token with a prefix does not learn it from a refusal', async () => {
    const token = await issue(at.direct, 'prefixed', { ...STREAMS, ops: ['append'] }, { auto_prefix_streams: true });
    const through = await at.api.append('one', { records: [{ body: 'x' }] }, bearer(token));
    expect([through.status, through.text]).toEqual([200, expect.not.stringContaining('a/')]);
    const refusal = await at.api.read('one', '?seq_num=0', bearer(token));
    expect([refusal.status, refusal.text]).toEqual([403, expect.not.stringContaining('a/')]);
  });
});
