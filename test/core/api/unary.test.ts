// The S2 API as single requests, over HTTP/1.1, with fake channels behind it.

import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let api: Api;
let count = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
afterEach(() => {
  expect(server.faults).toEqual([]);
  expect(server.store.openReads).toBe(0);
  expect(server.store.heldTails).toBe(0);
});

async function withBasin(config: object = {}): Promise<Api> {
  count += 1;
  api = new Api(server.origin, `basin-${String(count).padStart(4, '0')}`);
  await api.createBasin(config);
  return api;
}

describe('basins', () => {
  test('are created once, idempotently by request token, and listed', async () => {
    const name = `made-once-${Date.now()}`;
    const create = (token: string, config: object = {}) =>
      new Api(server.origin, name).call('POST', '/basins', { body: { basin: name, config }, headers: { 's2-request-token': token } });
    const made = await create('t1');
    expect(made.status).toBe(201);
    expect(made.headers.get('s2-provision-result')).toBe('created');
    expect(made.json).toMatchObject({ name, location: 'aws:us-east-1', deleted_at: null, state: 'active' });
    const again = await create('t1');
    expect([again.status, again.headers.get('s2-provision-result')]).toEqual([201, 'noop']);
    for (const other of [create('t2'), create('t1', { create_stream_on_append: true })]) {
      expect(await other).toMatchObject({ status: 409, json: { code: 'resource_already_exists' } });
    }
    const listed = await new Api(server.origin, name).call('GET', `/basins?prefix=made-once&limit=0`);
    expect(listed.json).toMatchObject({ basins: [{ name }], has_more: false });
  });

  test('are ensured, patched and read', async () => {
    const basin = await withBasin();
    const path = `/basins/${basin.basin}`;
    const put = (config: object) => basin.call('PUT', path, { body: { config } });
    expect((await basin.call('PUT', path)).headers.get('s2-provision-result')).toBe('noop');
    expect((await put({ create_stream_on_read: true })).headers.get('s2-provision-result')).toBe('updated');
    const patched = await basin.call('PATCH', path, { body: { default_stream_config: { timestamping: { uncapped: true } } } });
    expect(patched.json).toMatchObject({
      default_stream_config: { storage_class: 'express', timestamping: { mode: null, uncapped: true } },
      create_stream_on_read: true,
    });
    const cleared = await basin.call('PATCH', path, { body: { default_stream_config: null, create_stream_on_read: null } });
    expect(cleared.json).toMatchObject({ default_stream_config: { timestamping: null }, create_stream_on_read: true });
    expect((await basin.call('PUT', '/basins/another-new-basin')).status).toBe(201);
  });

  test('that are being deleted keep their name and take no stream', async () => {
    const basin = await withBasin();
    for (let i = 0; i < 2; i += 1) {
      const deleted = await basin.call('DELETE', `/basins/${basin.basin}`);
      expect([deleted.status, deleted.text, deleted.headers.get('content-length')]).toEqual([202, '', '0']);
      expect(deleted.headers.get('content-type')).toBeNull();
    }
    const pending = { status: 409, json: { code: 'basin_deletion_pending' } };
    expect(await basin.call('POST', '/basins', { body: { basin: basin.basin } })).toMatchObject(pending);
    expect(await basin.call('PATCH', `/basins/${basin.basin}`, { body: {} })).toMatchObject(pending);
    expect(await basin.call('POST', '/streams', { body: { stream: 's' } })).toMatchObject(pending);
    expect((await basin.call('GET', `/basins?prefix=${basin.basin}`)).json).toMatchObject({ basins: [{ state: 'deleting' }] });
    expect(await basin.call('DELETE', '/basins/never-there')).toMatchObject({ status: 404, json: { code: 'basin_not_found' } });
  });
});

describe('changes of one basin', () => {
  const change = (basin: Api, age: number) =>
    basin.call('PATCH', `/basins/${basin.basin}`, { body: { default_stream_config: { retention_policy: { age } } } });

  test('that others keep coming before are told as a conflict, and change nothing', async () => {
    const basin = await withBasin();
    const { metadata, names } = server.store;
    const commit = metadata.commit.bind(metadata);
    let age = 1_000;
    metadata.commit = async (writes) => {
      metadata.commit = commit;
      age += 1;
      await names.basins.configure(basin.basin, (config) => ({ ...config, defaultStreamConfig: { retention: { ageSecs: age } } }));
      metadata.commit = other;
      return await commit(writes);
    };
    const other = metadata.commit;
    try {
      expect(await change(basin, 5)).toMatchObject({ status: 409, json: { code: 'transaction_conflict' } });
    } finally {
      metadata.commit = commit;
    }
    expect((await basin.call('GET', `/basins/${basin.basin}`)).json).toMatchObject({
      default_stream_config: { retention_policy: { age } },
    });
  });
});

describe('streams', () => {
  test('resolve their configuration at creation, by request, basin and system', async () => {
    const basin = await withBasin({ default_stream_config: { timestamping: { mode: 'arrival' }, retention_policy: { infinite: {} } } });
    await basin.createStream('a', { timestamping: { uncapped: true } });
    expect((await basin.call('GET', '/streams/a')).json).toEqual({
      storage_class: 'express',
      retention_policy: { infinite: {} },
      timestamping: { mode: 'arrival', uncapped: true },
      delete_on_empty: { min_age_secs: 0 },
    });
    const patched = await basin.call('PATCH', '/streams/a', { body: { retention_policy: { age: 60 }, timestamping: null } });
    expect(patched.json).toMatchObject({ retention_policy: { age: 60 }, timestamping: { mode: 'arrival', uncapped: false } });
    const put = await basin.call('PUT', '/streams/a', { body: { storage_class: 'standard' } });
    expect([put.status, put.headers.get('s2-provision-result')]).toEqual([200, 'updated']);
    expect((await basin.call('GET', '/streams/a')).json).toMatchObject({ storage_class: 'standard', retention_policy: { infinite: {} } });
    expect((await basin.call('PUT', '/streams/b')).status).toBe(201);
  });

  test('A5: a changed configuration counts from the next append on', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    expect((await basin.append('a', { records: [{}] })).status).toBe(200);
    await basin.call('PATCH', '/streams/a', { body: { timestamping: { mode: 'client-require' } } });
    expect(await basin.append('a', { records: [{}] })).toMatchObject({ status: 422, json: { code: 'invalid' } });
  });

  test('may have any name that is text, as one segment of the path', async () => {
    const basin = await withBasin();
    for (const name of ['a/b é', '100%', '?#&', '...', '%2F', 'x'.repeat(512)]) {
      await basin.createStream(name);
      const { status } = await basin.append(name, { records: [{ body: name }] });
      expect([name, status]).toEqual([name, 200]);
    }
    const bad = (path: string) => basin.call('GET', path);
    expect(await bad(`/streams/${'x'.repeat(513)}`)).toMatchObject({ status: 400, json: { code: 'bad_path' } });
    expect(await bad('/streams/%FF')).toMatchObject({ status: 400, json: { code: 'bad_path' } });
    expect(await bad('/streams/a%00')).toMatchObject({ status: 400, json: { code: 'bad_path' } });
    for (const name of ['.', '..', '']) {
      expect(await basin.call('POST', '/streams', { body: { stream: name } })).toMatchObject({ status: 400, json: { code: 'bad_json' } });
    }
  });

  test('are listed in byte order, by pages', async () => {
    const basin = await withBasin();
    for (const name of ['b', 'a', 'é', 'a/1', 'Z']) await basin.createStream(name);
    const list = async (query: string) => {
      const { json } = await basin.call('GET', `/streams${query}`);
      const { streams, has_more } = json as { streams: { name: string }[]; has_more: boolean };
      return [streams.map(({ name }) => name), has_more];
    };
    expect(await list('')).toEqual([['Z', 'a', 'a/1', 'b', 'é'], false]);
    expect(await list('?limit=2')).toEqual([['Z', 'a'], true]);
    expect(await list('?prefix=a&start_after=a')).toEqual([['a/1'], false]);
    expect(await list('?limit=5000')).toEqual([['Z', 'a', 'a/1', 'b', 'é'], false]);
    expect(await basin.call('GET', '/streams?limit=x')).toMatchObject({ status: 400, json: { code: 'bad_query' } });
    expect(await new Api(server.origin, 'not-there-at-all').call('GET', '/streams')).toMatchObject({
      status: 404,
      json: { code: 'basin_not_found' },
    });
  });

  test('A6: once deleted nothing is appended, and the name is not brought back', async () => {
    const basin = await withBasin({ create_stream_on_append: true });
    await basin.createStream('a');
    await basin.append('a', { records: [{}] });
    for (let i = 0; i < 2; i += 1) expect((await basin.call('DELETE', '/streams/a')).status).toBe(202);
    const pending = { status: 409, json: { code: 'stream_deletion_pending' } };
    expect(await basin.append('a', { records: [{}] })).toMatchObject(pending);
    expect(await basin.call('GET', '/streams/a')).toMatchObject(pending);
    expect(await basin.call('POST', '/streams', { body: { stream: 'a' } })).toMatchObject(pending);
    expect((await basin.call('GET', '/streams')).json).toMatchObject({ streams: [{ name: 'a', deleted_at: expect.any(String) }] });
    expect(await basin.call('DELETE', '/streams/b')).toMatchObject({ status: 404, json: { code: 'stream_not_found' } });
  });

  test('A4: a name that was deleted and removed elsewhere is resolved again', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    await basin.append('a', { records: [{}, {}] });
    const { names, channels } = server.store;
    const old = await names.streams.resolve(basin.basin, 'a');
    // As another process would do it: this one's cache does not hear of it.
    await channels.deleteStream({ streamId: old.streamId, channel: old.chain[0]?.channel, streamlet: 0, config: old.config } as never);
    await names.streams.markDeleting(basin.basin, 'a', old.streamId);
    expect(await basin.append('a', { records: [{}] })).toMatchObject({ status: 409 });
  });

  test('are created by an append or a read where the basin says so', async () => {
    const basin = await withBasin({ create_stream_on_append: true, create_stream_on_read: true });
    const headers = { 's2-stream-config': '{"retention_policy":{"age":5}}' };
    const acks = await Promise.all([1, 2, 3].map(() => basin.append('fresh', { records: [{}] }, headers)));
    expect(acks.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await basin.call('GET', '/streams/fresh')).json).toMatchObject({ retention_policy: { age: 5 } });
    expect((await basin.call('GET', '/streams/seen/records/tail')).json).toEqual({ tail: { seq_num: 0, timestamp: 0 } });
    expect(await basin.call('GET', '/streams/x/records?timestamp=5&until=5')).toMatchObject({ status: 422 });
    expect(await basin.call('GET', '/streams/x')).toMatchObject({ status: 404, json: { code: 'stream_not_found' } });
    expect(await basin.append('y', { records: [{}] }, { 's2-stream-config': 'nonsense' })).toMatchObject({
      status: 400,
      json: { code: 'bad_header' },
    });
  });
});

describe('records', () => {
  test('are appended, acknowledged and read back, in both formats', async () => {
    const basin = await withBasin();
    await basin.createStream('a', { timestamping: { uncapped: true } });
    const ack = await basin.append('a', {
      records: [
        { timestamp: 1000, body: 'hi', headers: [['k', 'v']] },
        { timestamp: 999, body: 'ho' },
      ],
      match_seq_num: 0,
      fencing_token: '',
    });
    expect(ack.json).toEqual({
      start: { seq_num: 0, timestamp: 1000 },
      end: { seq_num: 2, timestamp: 1000 },
      tail: { seq_num: 2, timestamp: 1000 },
    });
    const raw = await basin.call('GET', '/streams/a/records?seq_num=0');
    expect(raw.headers.get('content-type')).toBe('application/json');
    expect(raw.text).toBe(
      '{"records":[{"seq_num":0,"timestamp":1000,"headers":[["k","v"]],"body":"hi"},{"seq_num":1,"timestamp":1000,"body":"ho"}]}',
    );
    const base64 = await basin.call('GET', '/streams/a/records?tail_offset=1', { headers: { 's2-format': 'base64' } });
    expect(base64.json).toEqual({ records: [{ seq_num: 1, timestamp: 1000, body: 'aG8=' }] });
    const proto = await fetch(`${server.origin}/v1/streams/a/records?seq_num=1`, {
      headers: { 's2-basin': basin.basin, accept: 'application/protobuf' },
    });
    expect(proto.headers.get('content-type')).toBe('application/protobuf');
    expect(Buffer.from(await proto.arrayBuffer()).toString('hex')).toBe('0a09080110e8072202686f');
    expect((await basin.call('GET', '/streams/a/records/tail')).text).toBe('{"tail":{"seq_num":2,"timestamp":1000}}');
  });

  test('protobuf is taken under both of its names, and answered by accept', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    for (const type of ['application/protobuf', 'application/x-protobuf; charset=utf-8']) {
      const body = Buffer.from('0a041a026869', 'hex');
      const json = await basin.call('POST', '/streams/a/records', { body, headers: { 'content-type': type } });
      expect(json).toMatchObject({ status: 200, json: { start: {}, end: {}, tail: {} } });
    }
    const answer = await fetch(`${server.origin}/v1/streams/a/records`, {
      method: 'POST',
      headers: { 's2-basin': basin.basin, 'content-type': 'application/json', accept: 'application/protobuf' },
      body: '{"records":[{}]}',
    });
    expect(answer.headers.get('content-type')).toBe('application/protobuf');
  });

  test('refused conditions answer with the state that refused them, and with nothing else', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    await basin.append('a', { records: [{ headers: [['', 'fence']], body: 'tok"1' }] });
    expect(await basin.append('a', { records: [{}], match_seq_num: 0 })).toMatchObject({ status: 412, text: '{"seq_num_mismatch":1}' });
    expect(await basin.append('a', { records: [{}], fencing_token: '', match_seq_num: 0 })).toMatchObject({
      status: 412,
      text: '{"fencing_token_mismatch":"tok\\"1"}',
    });
    expect((await basin.append('a', { records: [{}], fencing_token: 'tok"1', match_seq_num: 1 })).status).toBe(200);
  });

  test('positions that are not written answer with the tail', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    const unwritten = { status: 416, text: '{"tail":{"seq_num":0,"timestamp":0}}' };
    for (const query of ['', '?seq_num=0', '?seq_num=18446744073709551615', '?seq_num=0&clamp=true', '?timestamp=1']) {
      expect(await basin.call('GET', `/streams/a/records${query}`)).toMatchObject(unwritten);
    }
    expect(await basin.call('GET', '/streams/a/records?timestamp=0')).toMatchObject({ status: 200, text: '{"records":[]}' });
  });

  test('a long poll answers with the first record that comes', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    const polled = basin.call('GET', '/streams/a/records?seq_num=0&wait=30');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await basin.append('a', { records: [{ body: 'now' }] });
    expect((await polled).json).toMatchObject({ records: [{ seq_num: 0, body: 'now' }] });
  });

  test('a long poll whose client went away lets go', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    const leaving = new AbortController();
    const polled = basin.call('GET', '/streams/a/records?seq_num=0&wait=30', { signal: leaving.signal }).catch(() => 'gone');
    await expect.poll(() => server.store.openReads).toBe(1);
    leaving.abort();
    expect(await polled).toBe('gone');
    await expect.poll(() => server.store.openReads).toBe(0);
  });

  test('bodies may be compressed in both directions', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    const input = JSON.stringify({ records: [{ body: 'x'.repeat(5_000) }] });
    for (const [encoding, body] of [
      ['gzip', gzipSync(input)],
      ['zstd', zstdCompressSync(input)],
    ] as const) {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      expect((await basin.call('POST', '/streams/a/records', { body, headers })).status).toBe(200);
    }
    const packed = await fetch(`${server.origin}/v1/streams/a/records?seq_num=0`, {
      headers: { 's2-basin': basin.basin, 'accept-encoding': 'zstd' },
    });
    expect(packed.headers.get('content-encoding')).toBe('zstd');
    const bytes = Buffer.from(await packed.arrayBuffer());
    const text = bytes[0] === 0x7b ? bytes.toString() : zstdDecompressSync(bytes).toString();
    expect(JSON.parse(text).records[0].body).toHaveLength(5_000);
  });

  test.each([
    ['gzip;q=0', 'x'.repeat(5_000), null],
    ['zstd;q=0.000, gzip;q=0.001', 'x'.repeat(5_000), 'gzip'],
    ['gzip; q=0 , zstd ; Q=0.0', 'x'.repeat(5_000), null],
    ['gzip', 'short', null],
  ])('an answer to "%s" is packed with what is not ruled out, and says what it depends on', async (accepted, body, encoding) => {
    const basin = await withBasin();
    await basin.createStream('a');
    await basin.append('a', { records: [{ body }] });
    const headers = { 's2-basin': basin.basin, 'accept-encoding': accepted };
    const answer = await fetch(`${server.origin}/v1/streams/a/records?seq_num=0`, { headers });
    expect(answer.headers.get('content-encoding')).toBe(encoding);
    expect(answer.headers.get('vary')).toBe('accept-encoding');
    expect(await answer.json()).toMatchObject({ records: [{ body }] });
  });
});

describe('bad requests', () => {
  test.each([
    ['GET', '/nothing', {}, 404, 'not_found'],
    ['GET', '/streams/a/records/', {}, 404, 'not_found'],
    ['PUT', '/streams/', {}, 400, 'bad_path'],
    ['POST', '/streams//records', { body: { records: [{}] } }, 400, 'bad_path'],
    ['DELETE', '/basins/', {}, 400, 'bad_path'],
    ['DELETE', '/basins', {}, 405, 'method_not_allowed'],
    ['PUT', '/streams/a/records', {}, 405, 'method_not_allowed'],
    ['GET', '/basins/UPPERCASE', {}, 400, 'bad_path'],
    ['POST', '/basins', { body: { basin: 'UPPERCASE' } }, 400, 'bad_json'],
    ['POST', '/basins', { body: '{' }, 400, 'bad_json'],
    ['POST', '/basins', { body: { basin: 'good-name', config: { default_stream_config: { storage_class: 'fast' } } } }, 400, 'bad_json'],
    ['POST', '/basins', { body: { basin: 'good-name', config: { default_stream_config: { storage_class: 'native' } } } }, 422, 'invalid'],
    [
      'POST',
      '/basins',
      { body: { basin: 'good-name', config: { default_stream_config: { retention_policy: { age: 0 } } } } },
      422,
      'invalid',
    ],
    ['POST', '/basins', { body: { basin: 'good-name', location: 'aws:mars' } }, 422, 'invalid'],
    ['POST', '/basins', { body: { basin: 'good-name' }, headers: { 's2-request-token': 'x'.repeat(37) } }, 400, 'bad_header'],
    ['GET', '/streams', { headers: { 's2-basin': 'X' } }, 400, 'bad_header'],
    ['GET', '/streams/a/records?seq_num=-1', {}, 400, 'bad_query'],
    ['GET', '/streams/a/records?seq_num=1&seq_num=2', {}, 400, 'bad_query'],
    ['GET', '/streams/a/records?seq_num=18446744073709551616', {}, 400, 'bad_query'],
    ['GET', '/streams/a/records?clamp=1', {}, 400, 'bad_query'],
    ['GET', '/streams/a/records?wait=4294967296', {}, 400, 'bad_query'],
    ['GET', '/streams/a/records?seq_num=1&tail_offset=1', {}, 422, 'invalid'],
    ['GET', '/streams/a/records', { headers: { 's2-format': 'xml' } }, 400, 'bad_header'],
    ['GET', '/streams/a/records', { headers: { 's2-encryption-key': 'x'.repeat(45) } }, 400, 'bad_header'],
    ['GET', '/streams/a/records', { headers: { accept: 'text/event-stream', 'last-event-id': '1,2' } }, 400, 'bad_header'],
    ['GET', '/streams/missing/records?seq_num=0', {}, 404, 'stream_not_found'],
    ['POST', '/streams/a/records', { body: '{"records":[{}]}', headers: { 'content-type': 'text/plain' } }, 400, 'bad_json'],
    ['POST', '/streams/a/records', { body: { records: [] } }, 422, 'invalid'],
    ['POST', '/streams/a/records', { body: 'x', headers: { 'content-type': 'application/protobuf' } }, 400, 'bad_proto'],
    [
      'POST',
      '/streams/a/records',
      { body: 'x', headers: { 'content-type': 'application/json', 'content-encoding': 'br' } },
      400,
      'bad_header',
    ],
    [
      'POST',
      '/streams/a/records',
      { body: 'x', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } },
      400,
      'bad_header',
    ],
    ['PUT', '/locations/default', { body: '5', headers: { 'content-type': 'application/json' } }, 400, 'bad_json'],
    ['PUT', '/locations/default', { body: '"mars"', headers: { 'content-type': 'application/json' } }, 422, 'invalid'],
    ['PUT', '/locations/default', { body: '""', headers: { 'content-type': 'application/json' } }, 400, 'bad_json'],
    ['POST', '/basins', { body: { basin: 'good-name', location: 'a b' } }, 400, 'bad_json'],
    ['PUT', '/basins/good-name', { body: { location: 'x'.repeat(65) } }, 400, 'bad_json'],
    ['PUT', '/basins/good-name', { body: { location: 'x'.repeat(64) } }, 422, 'invalid'],
    ['GET', '/metrics/good-name', {}, 400, 'bad_query'],
    ['GET', '/metrics/good-name?set=storage', {}, 422, 'invalid'],
  ] as const)('A14: %s %s %o answers %i %s', async (method, path, options, status, code) => {
    const basin = await withBasin();
    await basin.createStream('a');
    const answer = await basin.call(method, path, options);
    expect(answer).toMatchObject({ status, json: { code, message: expect.any(String) } });
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  test('A9, A10: a body that is too large, or becomes so, is refused without being kept', async () => {
    const basin = await withBasin();
    await basin.createStream('a');
    const headers = { 'content-type': 'application/json' };
    const large = Buffer.alloc(9 * 1024 * 1024, 0x20);
    expect(await basin.call('POST', '/streams/a/records', { body: large, headers })).toMatchObject({
      status: 413,
      json: { code: 'too_large' },
    });
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(
      await basin.call('POST', '/streams/a/records', { body: bomb, headers: { ...headers, 'content-encoding': 'gzip' } }),
    ).toMatchObject({ status: 413 });
    expect((await basin.append('a', { records: [{}] })).status).toBe(200);
  });

  test('a missing basin header is named', async () => {
    const answer = await fetch(`${server.origin}/v1/streams`);
    expect([answer.status, await answer.json()]).toEqual([400, { code: 'bad_header', message: 'Missing header `s2-basin`' }]);
  });
});

test('health, ping, metrics and preflight answer outside of the API', async () => {
  const get = async (path: string, method = 'GET') => {
    const answer = await fetch(`${server.origin}${path}`, { method });
    return [answer.status, await answer.text(), answer.headers.get('access-control-allow-origin')];
  };
  expect(await get('/health')).toEqual([200, 'OK', '*']);
  expect(await get('/ping')).toEqual([200, 'OK', '*']);
  expect(await get('/metrics')).toEqual([200, 'millrace_up 1\n', '*']);
  expect(await get('/v1/streams/a/records', 'OPTIONS')).toEqual([204, '', '*']);
});
