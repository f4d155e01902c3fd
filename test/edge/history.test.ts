// History that the Worker gives again: what costs the origin a request, and what never may be given.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BASIN, bearer, closeWorld, issue, offloaded, offloadedStream, ROOT_TOKEN, startWorld, type World, world } from './world.ts';

const REVOCATION_MS = 2_000;
const ALL = { basins: { prefix: '' }, streams: { prefix: '' }, op_groups: { stream: { read: true, write: true }, basin: { read: true } } };
const root = bearer(ROOT_TOKEN);

describe('where access is checked', () => {
  let at: World;
  let token: string;
  let other: string;

  beforeAll(async () => {
    at = await startWorld({ auth: 'required', revocationMsMax: REVOCATION_MS });
    await at.direct.call('POST', '/basins', { body: { basin: BASIN }, headers: root });
    await at.direct.call('POST', '/streams', { body: { stream: 'team/past' }, headers: root });
    await at.direct.append('team/past', { records: [{ body: 'x' }, { body: 'y' }, { body: 'z' }] }, root);
    await Promise.all([
      offloadedStream(at.direct, 'past', 10, root),
      offloadedStream(at.direct, 'other-past', 3, root),
      offloaded(at.direct, 'team/past', root),
    ]);
    token = await issue(at.direct, 'one', ALL);
    other = await issue(at.direct, 'two', ALL);
  });
  afterAll(() => closeWorld(at));
  beforeEach(() => {
    at.origin.seen.length = 0;
  });

  /** The cache's word on it, the bodies, and how many requests that cost the origin. */
  async function read(query: string, secret = token, headers: Readonly<Record<string, string>> = {}) {
    const before = at.origin.seen.length;
    const answer = await at.api.read('past', query, { ...bearer(secret), ...headers });
    const bodies = (answer.json as { records?: { body: string }[] }).records?.map(({ body }) => body).join('');
    return { status: answer.status, cache: answer.headers.get('millrace-cache'), bodies, cost: at.origin.seen.length - before, answer };
  }

  test('X1: a second read of offloaded history costs the origin no request, also of another token that it vouched for', async () => {
    expect(await read('?seq_num=2&count=3')).toMatchObject({ status: 200, cache: 'miss', bodies: '234' });
    expect(await read('?seq_num=2&count=3')).toMatchObject({ status: 200, cache: 'hit', bodies: '234', cost: 0 });
    expect(await read('?count=3&wait=5&seq_num=2&clamp=true')).toMatchObject({ cache: 'hit', bodies: '234', cost: 0 });
    // The origin has not said anything of this token yet.
    expect(await read('?seq_num=2&count=3', other)).toMatchObject({ cache: 'miss', bodies: '234', cost: 1 });
    expect(await read('?seq_num=2&count=3', other)).toMatchObject({ cache: 'hit', bodies: '234', cost: 0 });
  });

  test('each format, and each bound, is another answer', async () => {
    await read('?seq_num=2&count=2');
    expect(await read('?seq_num=2&count=2', token, { 's2-format': 'base64' })).toMatchObject({ cache: 'miss', bodies: 'Mg==Mw==' });
    expect(await read('?seq_num=2&count=2', token, { 's2-format': 'base64' })).toMatchObject({ cache: 'hit', bodies: 'Mg==Mw==' });
    expect(await read('?seq_num=2&count=1')).toMatchObject({ cache: 'miss', bodies: '2' });
    expect(await read('?seq_num=2&bytes=18')).toMatchObject({ cache: 'miss', bodies: '23' });
    const proto = await at.api.read('past', '?seq_num=2&count=2', { ...bearer(token), accept: 'application/protobuf' });
    const again = await at.api.read('past', '?seq_num=2&count=2', { ...bearer(token), accept: 'application/protobuf' });
    expect([proto, again].map(({ headers }) => [headers.get('millrace-cache'), headers.get('content-type')])).toEqual([
      ['miss', 'application/protobuf'],
      ['hit', 'application/protobuf'],
    ]);
    expect(again.text).toBe(proto.text);
    expect(again.text).not.toBe((await read('?seq_num=2&count=2')).answer.text);
  });

  test('what may change is asked of the origin each time', async () => {
    for (const query of ['?seq_num=0', '?seq_num=5&count=100', '?timestamp=0&count=2', '?tail_offset=5&count=2', '?seq_num=99']) {
      for (const turn of [1, 2]) expect((await read(query)).cost, `${query}, ${turn}`).toBe(1);
    }
    const events = { accept: 'text/event-stream' };
    for (const turn of [1, 2]) {
      const answer = await at.api.read('past', '?seq_num=0&count=2', { ...bearer(token), ...events });
      expect([turn, answer.headers.get('content-type'), answer.headers.get('millrace-cache')]).toEqual([turn, 'text/event-stream', null]);
    }
  });

  test('X1: who may not read it is refused, though it is kept', async () => {
    await read('?seq_num=2&count=3');
    const elsewhere = await issue(at.direct, 'elsewhere', { ...ALL, streams: { prefix: 'other' } });
    // The origin vouches for it, for what it may read.
    for (const cache of ['miss', 'hit']) {
      const own = await at.api.read('other-past', '?seq_num=0&count=2', bearer(elsewhere));
      expect(own.headers.get('millrace-cache')).toBe(cache);
    }
    at.origin.seen.length = 0;
    const writer = await issue(at.direct, 'writer', { ...ALL, op_groups: undefined, ops: ['append'] });
    for (const secret of [elsewhere, writer]) {
      const { status, cost, answer } = await read('?seq_num=2&count=3', secret);
      expect([status, answer.json, cost]).toEqual([403, { code: 'permission_denied', message: expect.any(String) }, 0]);
    }
    const forged = `${token.slice(0, -6)}AAAAAA`;
    for (const secret of [forged, 'nonsense', `${token}.`]) {
      expect((await read('?seq_num=2&count=3', secret)).answer.json).toEqual({ code: 'authn', message: expect.any(String) });
    }
    expect((await at.api.read('past', '?seq_num=2&count=3')).status).toBe(401);
  });

  test('X1: a token with a prefix gets its own stream of that name', async () => {
    const prefixed = await issue(at.direct, 'prefixed', { ...ALL, streams: { prefix: 'team/' } }, { auto_prefix_streams: true });
    await read('?seq_num=0&count=2');
    for (const cache of ['miss', 'hit']) expect(await read('?seq_num=0&count=2', prefixed)).toMatchObject({ cache, bodies: 'xy' });
    expect(await read('?seq_num=0&count=2')).toMatchObject({ cache: 'hit', bodies: '01' });
  });

  test('X1: no way of writing basin and stream reaches what is kept of another stream', async () => {
    // It may read any stream called "past", and none below "team/".
    const narrow = await issue(at.direct, 'narrow', { ...ALL, basins: { prefix: 'edge-' }, streams: { exact: 'past' } });
    for (const turn of [1, 2]) expect((await read('?seq_num=1&count=2', narrow)).status, `${turn}`).toBe(200);
    for (const turn of [1, 2]) {
      const team = await at.api.read('team/past', '?seq_num=1&count=2', bearer(other));
      expect([turn, team.status, team.headers.get('millrace-cache')]).toEqual([turn, 200, turn === 1 ? 'miss' : 'hit']);
    }
    const ways = [
      [`${BASIN}/team`, 'past'],
      [`${BASIN}\tteam`, 'past'],
      [`${BASIN}/team/past`, ''],
      [BASIN, 'team/past'],
      [BASIN, './team/past'],
    ];
    for (const [basin = '', stream = ''] of ways) {
      const answer = await at.api.read(stream, '?seq_num=1&count=2', { ...bearer(narrow), 's2-basin': basin });
      expect([answer.status >= 400, answer.text.includes('"body"')], `${basin} ${stream}`).toEqual([true, false]);
    }
  });

  test('X1: a revoked token reaches nothing that is kept, within the bound', async () => {
    const revoked = await issue(at.direct, 'revoked', ALL);
    await read('?seq_num=2&count=3', revoked);
    expect(await read('?seq_num=2&count=3', revoked)).toMatchObject({ cache: 'hit', cost: 0 });
    await at.direct.call('DELETE', '/access-tokens/revoked', { headers: root });
    const revokedAt = performance.now();
    // Somebody else keeps asking, so what is kept stays believed.
    while (performance.now() - revokedAt < REVOCATION_MS) {
      await read('?seq_num=2&count=3');
      await sleep(100);
    }
    expect((await read('?seq_num=2&count=3', revoked)).answer.json).toEqual({ code: 'authn', message: 'the access token was revoked' });
    expect(await read('?seq_num=2&count=3')).toMatchObject({ status: 200 });
  });

  test('X1: a token that has expired is refused without a request', async () => {
    const expiresAt = new Date(Date.now() + 1_000).toISOString();
    const short = await issue(at.direct, 'short', ALL, { expires_at: expiresAt });
    await read('?seq_num=2&count=3', short);
    expect(await read('?seq_num=2&count=3', short)).toMatchObject({ cache: 'hit' });
    await sleep(1_100);
    const { answer, cost } = await read('?seq_num=2&count=3', short);
    expect([answer.json, cost]).toEqual([{ code: 'authn', message: 'the access token has expired' }, 0]);
  });

  test('the root token is judged by the origin, each time', async () => {
    for (const turn of [1, 2])
      expect(await read('?seq_num=2&count=3', ROOT_TOKEN), `${turn}`).toMatchObject({ status: 200, cache: null, cost: 1 });
  });
});

describe('X2: the bound on what may have changed', () => {
  const HISTORY_SECS = 1;

  test('trims, deletions and new streams of the name show within it, at once where they are made through here', async () => {
    const at = await world({}, { MILLRACE_HISTORY_SECS: String(HISTORY_SECS) });
    await at.direct.createBasin();
    await offloadedStream(at.direct, 'changing', 10);
    const read = (query: string) => at.api.read('changing', query);
    const bodies = (answer: { json: unknown }) => (answer.json as { records: { body: string }[] }).records.map(({ body }) => body).join('');
    await read('?seq_num=1&count=2');
    await read('?seq_num=8&count=1');
    expect((await read('?seq_num=1&count=2')).headers.get('millrace-cache')).toBe('hit');

    await at.direct.append('changing', { records: [{ headers: [['', 'trim']], body: String.fromCharCode(0, 0, 0, 0, 0, 0, 0, 5) }] });
    await sleep(HISTORY_SECS * 1_000 + 50);
    expect(bodies(await read('?seq_num=1&count=2'))).toBe('56');
    // The one above the trim point is as good as before, once the origin has said so again.
    await read('?seq_num=8&count=1');
    expect((await read('?seq_num=8&count=1')).headers.get('millrace-cache')).toBe('hit');
    expect(bodies(await read('?seq_num=1&count=2'))).toBe('56');

    await at.direct.call('DELETE', '/streams/changing');
    await sleep(HISTORY_SECS * 1_000 + 50);
    expect([404, 409]).toContain((await read('?seq_num=8&count=1')).status);
    await expect
      .poll(async () => (await at.direct.call('POST', '/streams', { body: { stream: 'changing' } })).status, { timeout: 10_000 })
      .toBe(201);
    await at.direct.appendBodies('changing', ...'abcdefghijk');
    await offloaded(at.direct, 'changing');
    expect(bodies(await read('?seq_num=8&count=1'))).toBe('i');
    await read('?seq_num=8&count=1');
    expect((await read('?seq_num=8&count=1')).headers.get('millrace-cache')).toBe('hit');

    // Through here, at once.
    expect((await at.api.call('DELETE', '/streams/changing')).status).toBe(202);
    expect([404, 409]).toContain((await read('?seq_num=8&count=1')).status);
  });

  test('where the settings say so, nothing is kept', async () => {
    const at = await world({}, { MILLRACE_HISTORY_SECS: '0' });
    await at.direct.createBasin();
    await offloadedStream(at.direct, 'past', 10);
    for (const turn of [1, 2, 3]) {
      at.origin.seen.length = 0;
      const answer = await at.api.read('past', '?seq_num=2&count=3');
      expect([answer.headers.get('millrace-cache'), at.origin.seen.length], `${turn}`).toEqual([null, 1]);
    }
  });

  test('X1: a Worker that checks no tokens keeps nothing of an origin that does', async () => {
    const at = await world({ auth: 'required' }, { MILLRACE_AUTH: 'off' });
    await at.direct.call('POST', '/basins', { body: { basin: BASIN }, headers: root });
    await offloadedStream(at.direct, 'past', 10, root);
    const token = await issue(at.direct, 'one', ALL);
    for (const turn of [1, 2]) {
      const answer = await at.api.read('past', '?seq_num=2&count=3', bearer(token));
      expect([answer.status, answer.headers.get('millrace-cache')], `${turn}`).toEqual([200, null]);
    }
    expect((await at.api.read('past', '?seq_num=2&count=3')).status).toBe(401);
  });
});
