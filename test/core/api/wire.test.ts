// Small print of the wire: headers that do not apply, numbers beyond doubles, fields that nobody knows, other shapes of a request.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput } from '#bench/protocol.ts';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startServer();
  api = new Api(server.origin, 'small-print');
  await api.createBasin();
  await api.createStream('a');
  await api.appendBodies('a', 'x', 'y', 'z');
});
afterAll(() => {
  expect(server.faults).toEqual([]);
  return server.close();
});

/** What a raw request of `lines` is answered. */
async function answerTo(...lines: string[]): Promise<RawConnection> {
  const raw = await RawConnection.open(server.origin);
  const [first = '', ...others] = lines;
  raw.send(Buffer.from([first, 'connection: close', ...others, '', ''].join('\r\n'), 'latin1'));
  await expect.poll(() => raw.isClosed).toBe(true);
  return raw;
}

describe('s2-format', () => {
  const bad = { 's2-format': 'hex' };

  test('is not looked at for protobuf and sessions', async () => {
    const body = encodeAppendInput([{ body: Buffer.from('p') }]);
    const append = await api.call('POST', '/streams/a/records', { body, headers: { ...bad, 'content-type': 'application/protobuf' } });
    expect(append.status).toBe(200);
    const read = await api.read('a', '?seq_num=0', { ...bad, accept: 'application/protobuf' });
    expect([read.status, read.headers.get('content-type')]).toEqual([200, 'application/protobuf']);
    expect((await api.read('a', '?seq_num=0&count=1', { ...bad, 'content-type': 's2s/proto' })).status).toBe(200);
  });

  test('is, for JSON and server-sent events', async () => {
    const refusal = { status: 400, json: { code: 'bad_header' } };
    expect(await api.append('a', { records: [{}] }, bad)).toMatchObject(refusal);
    expect(await api.read('a', '?seq_num=0', bad)).toMatchObject(refusal);
    expect(await api.read('a', '?seq_num=0', { ...bad, accept: 'text/event-stream' })).toMatchObject(refusal);
  });
});

describe('numbers of a configuration', () => {
  const put = (stream: string, config: string) =>
    api.call('PUT', `/streams/${stream}`, { body: config, headers: { 'content-type': 'application/json' } });
  const configOf = async (stream: string) => (await api.call('GET', `/streams/${stream}`)).json;
  const MAX = '18446744073709551615';

  test.each([MAX, '9007199254740993', '9007199254740992', '9007199254740991', '1'])(
    'have 64 bits, and come back the same: %s',
    async (text) => {
      const stream = `age-${text}`;
      const config = `"retention_policy":{"age":${text}},"timestamping":{"mode":"arrival","uncapped":true},"delete_on_empty":{"min_age_secs":${text}}`;
      const made = await put(stream, `{${config}}`);
      expect([made.status, (await put(stream, `{${config}}`)).headers.get('s2-provision-result')]).toEqual([201, 'noop']);
      expect((await api.call('GET', `/streams/${stream}`)).text).toBe(`{"storage_class":"express",${config}}`);
      const [body, headers] = [`{"delete_on_empty":null}`, { 'content-type': 'application/json' }];
      const patched = await api.call('PATCH', `/streams/${stream}`, { body, headers });
      expect(patched.text).toContain(`"age":${text}}`);
      expect(patched.text).toContain('"min_age_secs":0}');
    },
  );

  test('of a basin come back the same, are taken by its streams, and a request token knows them apart', async () => {
    const basin = new Api(server.origin, 'small-print-ages');
    const create = (age: string) =>
      basin.call('POST', '/basins', {
        body: `{"basin":"${basin.basin}","config":{"default_stream_config":{"retention_policy":{"age":${age}}}}}`,
        headers: { 'content-type': 'application/json', 's2-request-token': 'once' },
      });
    expect([(await create(MAX)).status, (await create(MAX)).status, (await create('18446744073709551614')).status]).toEqual([
      201, 201, 409,
    ]);
    expect((await basin.call('GET', `/basins/${basin.basin}`)).text).toContain(`"age":${MAX}}`);
    await basin.createStream('s');
    expect((await basin.call('GET', '/streams/s')).text).toContain(`"age":${MAX}}`);
  });

  test.each(['18446744073709551616', '-1', '1.5', '1.0', '1e3', '"7"', 'null'])('are no u64: %s', async (text) => {
    expect(await put('bad-age', `{"retention_policy":{"age":${text}}}`)).toMatchObject({ status: 400, json: { code: 'bad_json' } });
  });

  test('are the same in s2-stream-config', async () => {
    const open = new Api(server.origin, 'small-print-open');
    await open.createBasin({ create_stream_on_append: true });
    const headers = { 's2-stream-config': '{"retention_policy":{"age":18446744073709551615}}' };
    expect((await open.append('made', { records: [{}] }, headers)).status).toBe(200);
    expect((await open.call('GET', '/streams/made')).text).toContain(`"age":${MAX}}`);
  });

  test('fields that nobody knows are ignored, but a policy is one of the two', async () => {
    const config = '{"x":1,"retention_policy":{"infinite":{"x":1}},"timestamping":{"x":1,"mode":"arrival"},"delete_on_empty":{"x":2}}';
    expect((await put('unknown', config)).status).toBe(201);
    expect(await configOf('unknown')).toMatchObject({ retention_policy: { infinite: {} }, timestamping: { mode: 'arrival' } });
    expect((await put('both', '{"retention_policy":{"age":1,"infinite":{}}}')).status).toBe(400);
  });
});

describe('a request token', () => {
  const make = (token: string) =>
    answerTo(
      'POST /v1/streams HTTP/1.1',
      'host: x',
      `s2-basin: ${api.basin}`,
      'content-type: application/json',
      `s2-request-token: ${token}`,
      'content-length: 16',
      '',
      '{"stream":"tok"}',
    );

  test('that is not UTF-8 is a bad header; one that is counts by its bytes', async () => {
    const bad = await make('\xff\xfe');
    expect(bad.status).toBe(400);
    expect(bad.text).toContain('"code":"bad_header"');
    const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
    expect((await make(utf8('é'.repeat(19)))).status).toBe(400);
    expect((await make(utf8('é'.repeat(18)))).status).toBe(201);
  });
});

describe('last-event-id', () => {
  const read = (id: string, query = '?seq_num=0') => api.read('a', query, { accept: 'text/event-stream', 'last-event-id': id });

  test('saturates beyond 2^53 - 1', async () => {
    expect((await read('0,18446744073709551615,0', '?count=5')).text).toBe('data: [DONE]\n\n');
    expect((await read('0,9007199254740993,0', '?count=9007199254740991')).text).toBe('data: [DONE]\n\n');
    expect(await read('18446744073709551615,0,0')).toMatchObject({ status: 416, json: { tail: expect.anything() } });
    expect((await read('18446744073709551616,0,0')).status).toBe(400);
  });
});

describe('targets and methods', () => {
  test('a target may name the whole URL', async () => {
    expect((await answerTo('GET http://some.host:80/health HTTP/1.1', 'host: x')).status).toBe(200);
    const tail = await answerTo('GET HTTP://some.host/v1/streams/a/records?seq_num=0 HTTP/1.1', 'host: x', `s2-basin: ${api.basin}`);
    expect(tail.text).toContain('"body":"x"');
    expect((await answerTo('GET http://some.host HTTP/1.1', 'host: x')).status).toBe(404);
  });

  test.each(['/health', '/ping', '/metrics'])('%s is there to be read only', async (path) => {
    const answer = await fetch(`${server.origin}${path}`, { method: 'POST' });
    expect([answer.status, await answer.json()]).toMatchObject([405, { code: 'method_not_allowed' }]);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    expect((await fetch(`${server.origin}${path}`, { method: 'HEAD' })).status).toBe(200);
  });

  test('a method that a path does not take is answered with those that it takes', async () => {
    const allowed = async (method: string, path: string) =>
      (await fetch(`${server.origin}${path}`, { method, headers: { 's2-basin': api.basin } })).headers.get('allow')?.split(', ').sort();
    expect(await allowed('DELETE', '/v1/basins')).toEqual(['GET', 'HEAD', 'POST']);
    expect(await allowed('PUT', '/v1/streams/a/records')).toEqual(['GET', 'HEAD', 'POST']);
    expect(await allowed('POST', '/v1/streams/a')).toEqual(['DELETE', 'GET', 'HEAD', 'PATCH', 'PUT']);
  });

  test.each(['/v1/basins', '/v1/streams/a', '/v1/streams/a/records/tail', '/v1/streams/a/records?seq_num=0', '/v1/streams/none'])(
    'HEAD %s is GET without the body',
    async (path) => {
      const ask = (method: string) =>
        fetch(`${server.origin}${path}`, { method, headers: { 's2-basin': api.basin, 'accept-encoding': 'identity' } });
      const [get, head] = [await ask('GET'), await ask('HEAD')];
      const length = (await get.arrayBuffer()).byteLength;
      expect((await head.arrayBuffer()).byteLength).toBe(0);
      expect([head.status, head.headers.get('content-type'), head.headers.get('content-length')]).toEqual([
        get.status,
        get.headers.get('content-type'),
        String(length),
      ]);
    },
  );

  test('HEAD of a session is answered, and over', async () => {
    const answer = await fetch(`${server.origin}/v1/streams/a/records?seq_num=0`, {
      method: 'HEAD',
      headers: { 's2-basin': api.basin, accept: 'text/event-stream' },
    });
    expect(answer.status).toBe(200);
    expect(server.store.openReads).toBe(0);
  });
});
