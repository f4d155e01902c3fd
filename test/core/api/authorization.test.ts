// Every route with every kind of token. The cells are written down here, apart from the product's own table.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROUTES } from '#core/api/http/routes.ts';
import { OPERATION_NAMES } from '#core/model/operations.ts';
import { AUTHORIZATION } from '#core/wire/authorization.ts';
import { type Answer, Api } from '#test/support/api.ts';
import { ROOT_TOKEN, startServer, type TestServer } from './server.ts';

const BASIN = 'cells-basin';
const ALL = { prefix: '' };

/** What a kind of token is issued with; the operation is that of the row. */
const KINDS = {
  'the operation alone, on all names': (op: string) => ({ ops: [op], basins: ALL, streams: ALL, access_tokens: ALL }),
  'all operations but it': (op: string) => ({
    ops: OPERATION_NAMES.filter((name) => name !== op),
    basins: ALL,
    streams: ALL,
    access_tokens: ALL,
  }),
  'it, on no names': (op: string) => ({ ops: [op] }),
  'it, in another basin': (op: string) => ({ ops: [op], basins: { exact: 'other-basin' }, streams: ALL, access_tokens: ALL }),
  'it, on other streams': (op: string) => ({ ops: [op], basins: ALL, streams: { prefix: 'other-' }, access_tokens: ALL }),
  'it, on other tokens': (op: string) => ({ ops: [op], basins: ALL, streams: ALL, access_tokens: { prefix: 'other-' } }),
} as const;

type Kind = keyof typeof KINDS;
const ONLY_OPERATION = new Set<Kind>(['all operations but it']);
const NEEDS_BASIN = new Set<Kind>([...ONLY_OPERATION, 'it, on no names', 'it, in another basin']);
const NEEDS_STREAM = new Set<Kind>([...NEEDS_BASIN, 'it, on other streams']);
const NEEDS_TOKEN = new Set<Kind>([...ONLY_OPERATION, 'it, on no names', 'it, on other tokens']);

interface Row {
  readonly route: string;
  readonly op: string;
  /** The kinds that are refused. */
  readonly refused: ReadonlySet<Kind>;
  readonly path: string;
  readonly body?: unknown;
}

const STREAM = '/streams/cells';
const IN_METRICS = '?set=storage&start=0&end=0';
const ROWS: readonly Row[] = [
  { route: 'GET /v1/basins', op: 'list-basins', refused: ONLY_OPERATION, path: '/basins' },
  { route: 'POST /v1/basins', op: 'create-basin', refused: NEEDS_BASIN, path: '/basins', body: { basin: BASIN } },
  { route: 'GET /v1/basins/:basin', op: 'get-basin-config', refused: NEEDS_BASIN, path: `/basins/${BASIN}` },
  { route: 'PUT /v1/basins/:basin', op: 'create-basin', refused: NEEDS_BASIN, path: `/basins/${BASIN}` },
  { route: 'PATCH /v1/basins/:basin', op: 'reconfigure-basin', refused: NEEDS_BASIN, path: `/basins/${BASIN}`, body: {} },
  { route: 'DELETE /v1/basins/:basin', op: 'delete-basin', refused: NEEDS_BASIN, path: '/basins/not-there-at-all' },
  { route: 'GET /v1/streams', op: 'list-streams', refused: NEEDS_BASIN, path: '/streams' },
  { route: 'POST /v1/streams', op: 'create-stream', refused: NEEDS_STREAM, path: '/streams', body: { stream: 'cells' } },
  { route: 'GET /v1/streams/:stream', op: 'get-stream-config', refused: NEEDS_STREAM, path: STREAM },
  { route: 'GET /v1/streams/:stream/status', op: 'get-stream-config', refused: NEEDS_STREAM, path: `${STREAM}/status` },
  { route: 'PUT /v1/streams/:stream', op: 'create-stream', refused: NEEDS_STREAM, path: STREAM },
  { route: 'PATCH /v1/streams/:stream', op: 'reconfigure-stream', refused: NEEDS_STREAM, path: STREAM, body: {} },
  { route: 'DELETE /v1/streams/:stream', op: 'delete-stream', refused: NEEDS_STREAM, path: '/streams/not-there' },
  { route: 'GET /v1/streams/:stream/records/tail', op: 'check-tail', refused: NEEDS_STREAM, path: `${STREAM}/records/tail` },
  { route: 'GET /v1/streams/:stream/records', op: 'read', refused: NEEDS_STREAM, path: `${STREAM}/records?seq_num=0` },
  { route: 'POST /v1/streams/:stream/records', op: 'append', refused: NEEDS_STREAM, path: `${STREAM}/records`, body: { records: [{}] } },
  { route: 'GET /v1/access-tokens', op: 'list-access-tokens', refused: ONLY_OPERATION, path: '/access-tokens' },
  {
    route: 'POST /v1/access-tokens',
    op: 'issue-access-token',
    refused: NEEDS_TOKEN,
    path: '/access-tokens',
    // Nothing that any of the issuers lacks.
    body: { id: 'cells-token', scope: { ops: ['issue-access-token'] } },
  },
  { route: 'DELETE /v1/access-tokens/:id', op: 'revoke-access-token', refused: NEEDS_TOKEN, path: '/access-tokens/cells-none' },
  { route: 'GET /v1/locations', op: 'list-locations', refused: ONLY_OPERATION, path: '/locations' },
  { route: 'GET /v1/locations/default', op: 'get-default-location', refused: ONLY_OPERATION, path: '/locations/default' },
  { route: 'PUT /v1/locations/default', op: 'set-default-location', refused: ONLY_OPERATION, path: '/locations/default', body: 'nowhere' },
  { route: 'GET /v1/metrics', op: 'account-metrics', refused: ONLY_OPERATION, path: '/metrics?set=account-ops&start=0&end=0' },
  { route: 'GET /v1/metrics/:basin', op: 'basin-metrics', refused: NEEDS_BASIN, path: `/metrics/${BASIN}${IN_METRICS}` },
  { route: 'GET /v1/metrics/:basin/:stream', op: 'stream-metrics', refused: NEEDS_STREAM, path: `/metrics/${BASIN}/cells${IN_METRICS}` },
];

let server: TestServer;
let api: Api;
const secrets = new Map<string, string>();

async function as(secret: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const authorization: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { ...authorization, 'content-type': 'application/json' } };
  return await api.call(method, path, { headers: authorization, ...json });
}

async function secretOf(kind: Kind, op: string): Promise<string> {
  const id = `${kind} ${op}`;
  const known = secrets.get(id);
  if (known !== undefined) return known;
  const { ops, ...sets } = KINDS[kind](op);
  const answer = await as(ROOT_TOKEN, 'POST', '/access-tokens', { id, scope: { ops, ...sets } });
  expect(answer.status, answer.text).toBe(201);
  const secret = (answer.json as { access_token: string }).access_token;
  secrets.set(id, secret);
  return secret;
}

async function revokedSecret(): Promise<string> {
  const id = `revoked ${secrets.size} ${Math.random()}`;
  const scope = { basins: ALL, streams: ALL, access_tokens: ALL, ops: OPERATION_NAMES };
  const answer = await as(ROOT_TOKEN, 'POST', '/access-tokens', { id, scope });
  expect((await as(ROOT_TOKEN, 'DELETE', `/access-tokens/${encodeURIComponent(id)}`)).status).toBe(204);
  return (answer.json as { access_token: string }).access_token;
}

beforeAll(async () => {
  server = await startServer({}, undefined, 'required');
  api = new Api(server.origin, BASIN);
  await as(ROOT_TOKEN, 'POST', '/basins', { basin: BASIN });
  await as(ROOT_TOKEN, 'POST', '/streams', { stream: 'cells' });
  await as(ROOT_TOKEN, 'POST', '/streams/cells/records', { records: [{ body: 'x' }] });
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.close();
});

describe('K4: authorisation', () => {
  test('every route has a row, here and in the table, and no row is of no route', () => {
    const routes = ROUTES.map(({ name }) => name).sort();
    expect(routes.length).toBeGreaterThanOrEqual(24);
    expect(Object.keys(AUTHORIZATION).sort()).toEqual(routes);
    for (const name of routes) expect(ROWS.map(({ route }) => route)).toContain(name);
  });

  describe.each(ROWS)('$route', ({ route, op, refused, path, body }) => {
    const [method = ''] = route.split(' ');

    test('answers 401 to no token, a wrong one and a revoked one', async () => {
      for (const secret of [undefined, 'wrong', `${ROOT_TOKEN}x`, ROOT_TOKEN.slice(1), await revokedSecret()]) {
        const answer = await as(secret, method, path, body);
        expect(answer).toMatchObject({ status: 401, json: { code: 'authn', message: expect.any(String) } });
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      }
    });

    test.each(Object.keys(KINDS) as Kind[])('%s', async (kind) => {
      const answer = await as(await secretOf(kind, op), method, path, body);
      if (refused.has(kind))
        expect(answer).toMatchObject({ status: 403, json: { code: 'permission_denied', message: expect.any(String) } });
      else expect(answer.status, answer.text).not.toBeOneOf([401, 403, 500]);
    });

    test('is open to the root token', async () => {
      expect((await as(ROOT_TOKEN, method, path, body)).status).not.toBeOneOf([401, 403]);
    });
  });
});

describe('what some requests need besides', () => {
  const fence = { headers: [['', 'fence']], body: 'holder' };
  const trim = { headers: [['', 'trim']], body: '\0\0\0\0\0\0\0\0' };

  test('commands need their operation besides append, and nothing of their batch is appended without it', async () => {
    const tail = async () => (await as(ROOT_TOKEN, 'GET', `${STREAM}/records/tail`)).text;
    const append = async (ops: readonly string[], records: readonly unknown[]) => {
      const id = `commands ${ops.join()}`;
      if (!secrets.has(id)) {
        const answer = await as(ROOT_TOKEN, 'POST', '/access-tokens', { id, scope: { ops, basins: ALL, streams: ALL } });
        secrets.set(id, (answer.json as { access_token: string }).access_token);
      }
      return (await as(secrets.get(id), 'POST', `${STREAM}/records`, { records })).status;
    };
    const before = await tail();
    for (const command of [fence, trim]) expect(await append(['append'], [{ body: 'x' }, command])).toBe(403);
    expect(await append(['append', 'trim'], [fence])).toBe(403);
    expect(await append(['fence'], [fence])).toBe(403);
    expect(await tail()).toBe(before);
    expect(await append(['append', 'trim'], [trim])).toBe(200);
    expect(await append(['append', 'fence'], [fence])).toBe(200);
  });

  test('an ensure that would change something needs to reconfigure as well', async () => {
    const creator = { basins: ALL, streams: ALL, ops: ['create-basin', 'create-stream'] };
    const changer = { ...creator, ops: [...creator.ops, 'reconfigure-basin', 'reconfigure-stream'] };
    const issue = async (id: string, scope: object) =>
      ((await as(ROOT_TOKEN, 'POST', '/access-tokens', { id, scope })).json as { access_token: string }).access_token;
    const [create, change] = [await issue('creator', creator), await issue('changer', changer)];
    const basin = { config: { create_stream_on_append: true } };
    const stream = { timestamping: { mode: 'arrival' } };
    expect((await as(create, 'PUT', '/basins/ensured-basin', {})).status).toBe(201);
    expect((await as(create, 'PUT', '/basins/ensured-basin', {})).status).toBe(200);
    expect((await as(create, 'PUT', '/basins/ensured-basin', basin)).status).toBe(403);
    expect((await as(change, 'PUT', '/basins/ensured-basin', basin)).status).toBe(200);
    expect((await as(create, 'PUT', '/streams/ensured', {})).status).toBe(201);
    expect((await as(create, 'PUT', '/streams/ensured', stream)).status).toBe(403);
    expect((await as(change, 'PUT', '/streams/ensured', stream)).status).toBe(200);
  });
});

describe('listings show what a token covers', () => {
  const names = (answer: Answer, key: string) =>
    ((answer.json as Record<string, { name?: string; id?: string }[]>)[key] ?? []).map((one) => one.name ?? one.id);

  test('basins, streams and tokens by exact name and by prefix', async () => {
    for (const basin of ['shown-one', 'shown-two', 'shown-two-b']) await as(ROOT_TOKEN, 'POST', '/basins', { basin });
    const ops = ['list-basins', 'list-streams', 'list-access-tokens'];
    const issue = async (id: string, scope: object) =>
      ((await as(ROOT_TOKEN, 'POST', '/access-tokens', { id, scope: { ops, ...scope } })).json as { access_token: string }).access_token;
    const exact = await issue('exactly', { basins: { exact: 'shown-two' }, access_tokens: { exact: 'exactly' } });
    const some = await issue('exactly so', { basins: { prefix: 'shown-t' }, access_tokens: { prefix: 'exactly' } });
    expect(names(await as(exact, 'GET', '/basins'), 'basins')).toEqual(['shown-two']);
    expect((await as(exact, 'GET', '/basins')).json).toMatchObject({ has_more: false });
    expect(names(await as(some, 'GET', '/basins?prefix=shown'), 'basins')).toEqual(['shown-two', 'shown-two-b']);
    expect((await as(some, 'GET', '/basins?limit=1')).json).toMatchObject({ basins: [{ name: 'shown-two' }], has_more: true });
    expect(names(await as(some, 'GET', '/basins?start_after=shown-two'), 'basins')).toEqual(['shown-two-b']);
    expect(names(await as(some, 'GET', '/basins?prefix=cells'), 'basins')).toEqual([]);
    expect(names(await as(exact, 'GET', '/access-tokens'), 'access_tokens')).toEqual(['exactly']);
    expect(names(await as(some, 'GET', '/access-tokens'), 'access_tokens')).toEqual(['exactly', 'exactly so']);
  });

  test('a token with a prefix sees and makes streams below it, by the rest of their names', async () => {
    const scope = {
      basins: ALL,
      streams: { prefix: 'tenant/' },
      op_groups: { basin: { read: true, write: true }, stream: { read: true, write: true } },
    };
    const request = { id: 'tenant', auto_prefix_streams: true, scope };
    const secret = ((await as(ROOT_TOKEN, 'POST', '/access-tokens', request)).json as { access_token: string }).access_token;
    expect((await as(secret, 'POST', '/streams', { stream: 'one' })).json).toMatchObject({ name: 'one' });
    expect((await as(secret, 'PUT', '/streams/two')).json).toMatchObject({ name: 'two' });
    expect((await as(secret, 'POST', '/streams/one/records', { records: [{ body: 'mine' }] })).status).toBe(200);
    expect((await as(ROOT_TOKEN, 'GET', '/streams/tenant%2Fone/records?seq_num=0')).text).toContain('mine');
    expect(names(await as(secret, 'GET', '/streams'), 'streams')).toEqual(['one', 'two']);
    expect(names(await as(secret, 'GET', '/streams?prefix=t'), 'streams')).toEqual(['two']);
    expect(names(await as(secret, 'GET', '/streams?start_after=one'), 'streams')).toEqual(['two']);
    expect(names(await as(ROOT_TOKEN, 'GET', '/streams?prefix=tenant'), 'streams')).toEqual(['tenant/one', 'tenant/two']);
    // What it cannot name it cannot reach: its own stream of that name is not there.
    expect((await as(secret, 'GET', `${STREAM}/records?seq_num=0`)).json).toMatchObject({ code: 'stream_not_found' });
    // Nor does it learn its prefix from what it is told of failures.
    const absent = await as(secret, 'GET', '/streams/zzz');
    expect(absent).toMatchObject({ status: 404, json: { code: 'stream_not_found' } });
    expect((absent.json as { message: string }).message).toContain('"zzz"');
    const taken = await as(secret, 'POST', '/streams', { stream: 'one' });
    expect(taken).toMatchObject({ status: 409, json: { code: 'resource_already_exists' } });
    expect((taken.json as { message: string }).message).toContain('"one"');
    const long = 'x'.repeat(510);
    expect((await as(secret, 'PUT', `/streams/${long}`)).json).toMatchObject({ code: 'bad_path' });
    expect((await as(secret, 'POST', '/streams', { stream: long })).json).toMatchObject({ code: 'bad_json' });
  });
});

describe('issuing over HTTP', () => {
  const issue = (body: unknown) => as(ROOT_TOKEN, 'POST', '/access-tokens', body);

  test('a token comes back in listings as it was asked for, spelled out, without its secret', async () => {
    const scope = { basins: { prefix: 'a' }, streams: { exact: '' }, op_groups: { stream: { read: true } }, ops: ['list-basins'] };
    const answer = await issue({ id: 'spelled', expires_at: '2999-01-01t00:00:00.5+01:00', scope });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const listed = await as(ROOT_TOKEN, 'GET', '/access-tokens?prefix=spelled');
    const none = { read: false, write: false };
    expect((listed.json as { access_tokens: unknown[] }).access_tokens).toEqual([
      {
        id: 'spelled',
        expires_at: '2998-12-31T23:00:00.500Z',
        auto_prefix_streams: false,
        scope: {
          basins: { prefix: 'a' },
          streams: null,
          access_tokens: null,
          op_groups: { account: none, basin: none, stream: { read: true, write: false } },
          ops: ['list-basins'],
        },
      },
    ]);
    expect(listed.text).not.toContain((answer.json as { access_token: string }).access_token);
    expect(await issue({ id: 'spelled', scope })).toMatchObject({ status: 409, json: { code: 'resource_already_exists' } });
    expect((await as(ROOT_TOKEN, 'DELETE', '/access-tokens/spelled')).status).toBe(204);
    expect(await as(ROOT_TOKEN, 'DELETE', '/access-tokens/spelled')).toMatchObject({
      status: 404,
      json: { code: 'access_token_not_found' },
    });
  });

  test.each([
    [{ scope: { ops: ['read'] } }, 400, 'bad_json'],
    [{ id: '', scope: { ops: ['read'] } }, 400, 'bad_json'],
    [{ id: 'x'.repeat(97), scope: { ops: ['read'] } }, 400, 'bad_json'],
    [{ id: '..', scope: { ops: ['read'] } }, 400, 'bad_json'],
    [{ id: 'a', scope: { ops: ['fly'] } }, 400, 'bad_json'],
    [{ id: 'a', scope: { ops: ['read'], basins: { exact: 'A' } } }, 400, 'bad_json'],
    [{ id: 'a', scope: { ops: ['read'], basins: { exact: 'good-name', prefix: 'g' } } }, 400, 'bad_json'],
    [{ id: 'a', scope: { ops: ['read'] }, expires_at: 'tomorrow' }, 400, 'bad_json'],
    [{ id: 'a', scope: { ops: ['read'] }, expires_at: '2001-01-01T00:00:00Z' }, 422, 'invalid'],
    [{ id: 'a', scope: {} }, 422, 'invalid'],
    [{ id: 'a', scope: { ops: ['read'], streams: { exact: 'a' } }, auto_prefix_streams: true }, 422, 'invalid'],
  ])('%o is refused', async (body, status, code) => {
    expect(await issue(body)).toMatchObject({ status, json: { code, message: expect.any(String) } });
  });
});
