// What the Worker's answers say of themselves: caches, pages of other origins, request ids, failures, and where else to go.

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startEdge } from '#functions/edge/workerd.ts';
import { Api } from '#test/support/api.ts';
import { openDuplex } from '#test/support/raw.ts';
import { BASIN, bearer, closeWorld, issue, offloadedStream, ROOT_TOKEN, startWorld, type World, world } from './world.ts';

let at: World;

beforeAll(async () => {
  at = await startWorld({}, { MILLRACE_BASIN_SUFFIX: 'b.localhost', MILLRACE_REGIONAL_URL: 'https://streams.example.com' });
  await at.direct.createBasin({ create_stream_on_append: true });
});
afterAll(() => closeWorld(at));
beforeEach(() => {
  at.origin.seen.length = 0;
});

describe('caches', () => {
  test('X3: no answer may be kept on the way: not records, not history, not events, not errors', async () => {
    await offloadedStream(at.direct, 'past', 10);
    const answers = [
      await at.api.read('past', '?seq_num=0'),
      await at.api.read('past', '?seq_num=2&count=3'),
      await at.api.read('past', '?seq_num=2&count=3'),
      await at.api.read('past', '?seq_num=0&count=1', { accept: 'text/event-stream' }),
      await at.api.read('past', '?seq_num=99'),
      await at.api.read('nowhere', '?seq_num=0'),
      await at.api.call('GET', '/basins'),
      await at.api.call('GET', '/nothing'),
      await at.api.call('PUT', '/basins'),
      await at.api.append('past', { records: [{ body: 'x' }] }),
      await at.api.append('past', { nonsense: 1 }),
      await at.api.call('GET', '/streams', { headers: { upgrade: 'h2c', connection: 'upgrade' } }).catch(() => undefined),
    ];
    const told = answers.flatMap((answer) => (answer === undefined ? [] : [[answer.status, answer.headers.get('cache-control')]]));
    expect(told.length).toBeGreaterThanOrEqual(11);
    expect(new Set(told.map(([status]) => status)).size).toBeGreaterThan(4);
    for (const [status, control] of told) expect(control, `${status}`).toBe('no-store, no-transform');
  });

  test('what the origin tells the Worker alone goes no further', async () => {
    await offloadedStream(at.direct, 'quiet', 10);
    const answer = await at.api.read('quiet', '?seq_num=2&count=3');
    expect([...answer.headers.keys()].filter((name) => name.startsWith('millrace-'))).toEqual(['millrace-cache']);
    // Nor what a client pretends to be.
    await at.api.read('quiet', '?seq_num=0', { 'millrace-follow': 'peer', 'millrace-owner': 'x' });
    for (const name of ['millrace-follow', 'millrace-owner']) expect(at.origin.seen.at(-1)?.headers).not.toHaveProperty(name);
  });
});

describe('pages of other origins', () => {
  const preflight = (edge: string, origin: string) =>
    fetch(`${edge}/v1/streams/x/records`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,s2-basin' },
    });

  test('may ask and see what the API needs, without a request to the origin', async () => {
    const answer = await preflight(at.edge.url, 'https://page.example.com');
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST');
    expect(answer.headers.get('access-control-allow-headers')).toMatch(/authorization.*s2-basin.*s2-encryption-key/);
    expect(at.origin.seen).toEqual([]);
    const { headers } = await at.api.read('nowhere', '?seq_num=0', { origin: 'https://page.example.com' });
    expect([headers.get('access-control-allow-origin'), headers.get('access-control-expose-headers')]).toEqual([
      '*',
      expect.stringMatching(/retry-after-ms.*x-request-id/),
    ]);
  });

  test('only those of the settings, where they name some', async () => {
    const here = await world({}, { MILLRACE_CORS_ORIGINS: 'https://a.example.com, https://b.example.com' });
    const allowed = async (origin: string) => (await preflight(here.edge.url, origin)).headers.get('access-control-allow-origin');
    expect([await allowed('https://b.example.com'), await allowed('https://c.example.com')]).toEqual(['https://b.example.com', null]);
  });
});

test('a request is called the same by client, Worker and origin', async () => {
  const given = await at.api.call('GET', '/basins', { headers: { 'x-request-id': 'trace.1:a-b' } });
  expect([given.headers.get('x-request-id'), at.origin.seen.at(-1)?.headers['x-request-id']]).toEqual(['trace.1:a-b', 'trace.1:a-b']);
  for (const bad of [{}, { 'x-request-id': 'no spaces' }, { 'x-request-id': 'x'.repeat(200) }]) {
    const made = await at.api.call('GET', '/basins', { headers: bad });
    const id = made.headers.get('x-request-id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(at.origin.seen.at(-1)?.headers['x-request-id']).toBe(id);
  }
});

test('a basin may be named by the host, and by nothing else at the same time', async () => {
  await at.direct.appendBodies('hosted', 'a');
  const ask = (host: string, more: Readonly<Record<string, string>> = {}) =>
    new Promise<[number | undefined, string]>((resolve, reject) => {
      const { port } = new URL(at.edge.url);
      const options = { host: '127.0.0.1', port, path: '/v1/streams/hosted/records?seq_num=0', headers: { host, ...more } };
      httpRequest(options, async (response) => {
        let text = '';
        for await (const part of response) text += part;
        resolve([response.statusCode, text]);
      })
        .on('error', reject)
        .end();
    });
  expect(await ask(`${BASIN}.b.localhost`)).toEqual([200, expect.stringContaining('"body":"a"')]);
  expect(await ask('else.localhost')).toEqual([400, expect.stringContaining('bad_header')]);
  expect(await ask(`${BASIN}.b.localhost`, { 's2-basin': 'other-basin' })).toEqual([400, expect.stringContaining('bad_header')]);
});

describe('failures', () => {
  test('are those of the origin, in its words', async () => {
    for (const [method, call] of [
      ['GET', '/streams/nowhere/records?seq_num=0'],
      ['GET', '/nothing'],
      ['PATCH', '/basins'],
      ['GET', '/streams/%zz/records'],
      ['GET', '/streams//records'],
    ] as const) {
      const [through, direct] = [await at.api.call(method, call), await at.direct.call(method, call)];
      expect([through.status, through.json, through.headers.get('allow')], `${method} ${call}`).toEqual([
        direct.status,
        direct.json,
        direct.headers.get('allow'),
      ]);
    }
  });

  test('an origin that does not answer is told as such', async () => {
    const edge = await startEdge({
      port: 0,
      variables: { MILLRACE_ORIGIN: 'http://127.0.0.1:1', MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' },
    });
    try {
      const answer = await new Api(edge.url, BASIN).call('GET', '/basins');
      expect([answer.status, answer.json]).toEqual([503, { code: 'unavailable', message: expect.any(String) }]);
      expect(answer.headers.get('cache-control')).toContain('no-store');
      expect(edge.output()).toContain(`"requestId":"${answer.headers.get('x-request-id')}"`);
    } finally {
      await edge.close();
    }
  });

  test.each([
    [{ MILLRACE_ORIGIN: '' }, 'MILLRACE_ORIGIN is missing'],
    [{ MILLRACE_ORIGIN: 'nonsense' }, 'MILLRACE_ORIGIN is "nonsense"'],
    [{ MILLRACE_AUTH: 'maybe' }, 'MILLRACE_AUTH is "maybe"; it must be "required" or "off"'],
    [{ MILLRACE_HISTORY_SECS: '-1' }, 'MILLRACE_HISTORY_SECS is "-1"'],
    [{ MILLRACE_OWNERS: 'https://*.com' }, 'MILLRACE_OWNERS names "https://*.com"'],
    [{ MILLRACE_KEYS: '{}' }, 'MILLRACE_KEYS'],
  ])('a setting that is wrong is named: %o', async (variables, message) => {
    const edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: 'http://127.0.0.1:1', ...variables } });
    try {
      const answer = await new Api(edge.url, BASIN).call('GET', '/basins');
      expect([answer.status, answer.json]).toEqual([500, { code: 'other', message: expect.stringContaining(message) }]);
    } finally {
      await edge.close();
    }
  });
});

describe('what does not go through here', () => {
  test('an upgrade is pointed to the regional endpoint', async () => {
    const { request, response } = openDuplex(at.edge.url, 'GET', '/v1/basins', { connection: 'upgrade', upgrade: 'h2c' });
    request.end();
    const answer = await response;
    let text = '';
    for await (const part of answer) text += part;
    expect([answer.statusCode, text]).toEqual([400, expect.stringContaining('https://streams.example.com')]);
  });

  test('append sessions, where the settings say so', async () => {
    const here = await world({}, { MILLRACE_APPEND_SESSIONS: 'off', MILLRACE_REGIONAL_URL: 'https://streams.example.com' });
    const answer = await here.api.call('POST', '/streams/x/records', { headers: { 'content-type': 's2s/proto' }, body: 'x' });
    expect([answer.status, answer.json]).toEqual([
      422,
      { code: 'invalid', message: expect.stringContaining('https://streams.example.com') },
    ]);
  });

  test('the metrics of the process', async () => {
    expect((await fetch(`${at.edge.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${at.edge.url}/health`)).status).toBe(200);
  });
});

test('a client that asks too often is told to come later, and others are not', async () => {
  const here = await world({}, { MILLRACE_RATE_PER_SEC: '5' });
  const of = (address: string) => here.api.call('GET', '/basins', { headers: { 'cf-connecting-ip': address } });
  const answers = await Promise.all(Array.from({ length: 30 }, () => of('192.0.2.1')));
  const refused = answers.filter(({ status }) => status === 429);
  expect([refused.length >= 15, refused.length <= 22]).toEqual([true, true]);
  expect([refused[0]?.json, refused[0]?.headers.get('retry-after-ms')]).toEqual([
    { code: 'rate_limited', message: expect.any(String) },
    '200',
  ]);
  expect((await of('192.0.2.2')).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await of('192.0.2.1')).status).toBe(200);
});

test('tokens are counted each, and what is no token of ours by its address', async () => {
  const here = await world({ auth: 'required' }, { MILLRACE_RATE_PER_SEC: '5' });
  const tokens = await Promise.all(
    ['a', 'b'].map((id) => issue(here.direct, id, { basins: { prefix: '' }, streams: { prefix: '' }, ops: ['list-basins'] })),
  );
  const refusals = async (token: string, address: string, times: number): Promise<number> => {
    const headers = { ...bearer(token), 'cf-connecting-ip': address };
    const answers = await Promise.all(Array.from({ length: times }, () => here.api.call('GET', '/basins', { headers })));
    return answers.filter(({ status }) => status === 429).length;
  };
  const [one = '', two = ''] = tokens;
  await refusals(one, '192.0.2.1', 1);
  await refusals(two, '192.0.2.1', 1);
  expect(await refusals(one, '192.0.2.1', 30)).toBeGreaterThan(15);
  // Another token from the same address; and addresses that guess, or have the root token.
  expect(await refusals(two, '192.0.2.1', 5)).toBe(0);
  expect(await refusals('guess', '192.0.2.3', 30)).toBeGreaterThan(15);
  expect(await refusals(ROOT_TOKEN, '192.0.2.4', 8)).toBe(0);
});
