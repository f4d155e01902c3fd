// Lifecycles as a client sees them, with the whole store and its background jobs behind HTTP. (S2 v1 API, sections 1.8, 1.9, 2.7, 5.6
// and 5.7.)

import { fc, test as property } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect, openRead, SessionError } from '#bench/session.ts';
import { compareBytes } from '#core/base/byte-order.ts';
import { Api } from '#test/support/api.ts';
import { BOTH_AUTO, code, NO_JOBS, result, settled, withBasin } from '#test/support/black-box.ts';
import { type MemoryServer, startMemoryServer } from '#test/support/memory-server.ts';

/** Deletions come to their end at once. */
let eager: MemoryServer;
/** Deletions stay pending. */
let lazy: MemoryServer;

beforeAll(async () => {
  eager = await startMemoryServer();
  lazy = await startMemoryServer(NO_JOBS);
});
afterAll(async () => {
  expect([...eager.faults, ...lazy.faults]).toEqual([]);
  await eager.close();
  await lazy.close();
});

describe('auto-creation', () => {
  test('is for what the basin says, with the configuration of the request over that of the basin; else nothing is there', async () => {
    const headers = { 's2-stream-config': '{"timestamping":{"uncapped":true},"retention_policy":{"age":5}}' };
    const defaults = { default_stream_config: { timestamping: { mode: 'arrival' }, retention_policy: { age: 77 } } };
    for (const [onAppend, onRead] of [
      [true, false],
      [false, true],
      [true, true],
      [false, false],
    ] as const) {
      const api = await withBasin(eager, { create_stream_on_append: onAppend, create_stream_on_read: onRead, ...defaults });
      const missing = code(404, 'stream_not_found');
      const append = await api.append('by append', { records: [{}] }, headers);
      expect(append).toMatchObject(onAppend ? { status: 200 } : missing);
      expect(await api.read('by read', '?seq_num=0', headers)).toMatchObject(
        onRead ? code(416, undefined as never).json && { status: 416 } : missing,
      );
      expect(await api.call('GET', '/streams/by%20tail/records/tail', { headers })).toMatchObject(
        onRead ? { status: 200, json: { tail: { seq_num: 0, timestamp: 0 } } } : missing,
      );
      const made = { timestamping: { mode: 'arrival', uncapped: true }, retention_policy: { age: 5 } };
      for (const [name, isMade] of Object.entries({ 'by append': onAppend, 'by read': onRead, 'by tail': onRead })) {
        expect(await api.call('GET', `/streams/${encodeURIComponent(name)}`)).toMatchObject(isMade ? { status: 200, json: made } : missing);
      }
    }
    const nowhere = new Api(eager.origin, 'not-there-at-all');
    expect(await nowhere.append('x', { records: [{}] })).toMatchObject(code(404, 'basin_not_found'));
  });

  test('of a stream that is there changes nothing', async () => {
    const api = await withBasin(eager, BOTH_AUTO);
    await api.createStream('s', { retention_policy: { age: 77 } });
    const headers = { 's2-stream-config': '{"retention_policy":{"age":5}}' };
    await api.append('s', { records: [{}] }, headers);
    await api.read('s', '?seq_num=0', headers);
    expect((await api.call('GET', '/streams/s')).json).toMatchObject({ retention_policy: { age: 77 } });
  });

  test('of many first appends, reads and looks at the tail at once makes one stream, and all succeed', async () => {
    const api = await withBasin(eager, BOTH_AUTO);
    const appends = Array.from({ length: 40 }, (_, i) => api.append('s', { records: [{ body: `${i}` }] }));
    const tails = Array.from({ length: 20 }, () => api.call('GET', '/streams/s/records/tail'));
    const reads = Array.from({ length: 20 }, () => api.read('s', '?seq_num=0&clamp=true&wait=1'));
    expect(new Set((await Promise.all([...appends, ...tails, ...reads])).map(({ status }) => status))).toEqual(new Set([200]));
    expect((await api.readBodies('s')).sort()).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`).sort());
  });

  test('is not led to by a request that is wrong in itself', async () => {
    const api = await withBasin(eager, BOTH_AUTO);
    const bad = { 's2-stream-config': '{"retention_policy":' };
    const zero = { 's2-stream-config': '{"retention_policy":{"age":0}}' };
    for (const [answer, expected] of [
      [api.read('s', '?timestamp=5&until=5'), code(422, 'invalid')],
      [api.read('s', '?timestamp=5&until=5', { accept: 'text/event-stream' }), code(422, 'invalid')],
      [api.read('s', '?seq_num=1&tail_offset=1'), code(422, 'invalid')],
      [api.read('s', '?seq_num=x'), code(400, 'bad_query')],
      [api.append('s', { records: [] }), code(422, 'invalid')],
      [api.append('s', { records: [{ body: 1 }] }), code(400, 'bad_json')],
      [api.append('s', { records: [{}] }, bad), code(400, 'bad_header')],
      [api.append('s', { records: [{}] }, zero), code(422, 'invalid')],
      [api.read('s', '?seq_num=0', bad), code(400, 'bad_header')],
      [api.append('s', { records: [{}] }, { 's2-encryption-key': '' }), code(400, 'bad_header')],
    ] as const) {
      expect(await answer).toMatchObject(expected);
    }
    expect(await api.call('GET', '/streams/s')).toMatchObject(code(404, 'stream_not_found'));
  });

  test('brings back neither a stream nor a basin that is being deleted', async () => {
    const api = await withBasin(lazy, BOTH_AUTO);
    await api.appendBodies('s', 'a');
    await api.call('DELETE', '/streams/s');
    const all = (stream: string) => [
      api.append(stream, { records: [{}] }),
      api.read(stream, '?seq_num=0'),
      api.call('GET', `/streams/${stream}/records/tail`),
    ];
    for (const answer of all('s')) expect(await answer).toMatchObject(code(409, 'stream_deletion_pending'));
    await api.call('DELETE', `/basins/${api.basin}`);
    for (const answer of all('t')) expect(await answer).toMatchObject(code(409, 'basin_deletion_pending'));
    expect((await api.call('GET', '/streams')).json).toMatchObject({ streams: [{ name: 's' }] });
  });
});

describe('creation', () => {
  test('is repeated by its request token and configuration, and refused otherwise', async () => {
    const api = await withBasin(lazy);
    const basin = `token-${api.basin}`;
    const ways = [
      (config: object | undefined, token?: string) =>
        api.call('POST', '/basins', { body: { basin, config: config && { default_stream_config: config } }, headers: tokenOf(token) }),
      (config: object | undefined, token?: string) =>
        api.call('POST', '/streams', { body: { stream: 's', config }, headers: tokenOf(token) }),
    ];
    for (const create of ways) {
      const config = { retention_policy: { age: 60 }, timestamping: { mode: 'arrival' } };
      const first = await create(config, 'token');
      expect(result(first)).toEqual([201, 'created']);
      // The order of fields, and null for absent, are the same configuration.
      for (const same of [
        config,
        { timestamping: { uncapped: null, mode: 'arrival' }, storage_class: null, retention_policy: { age: 60 } },
      ]) {
        const again = await create(same, 'token');
        expect(result(again)).toEqual([201, 'noop']);
        expect(again.json).toEqual(first.json);
      }
      const others = [
        create(config),
        create(config, 'other'),
        create({ ...config, retention_policy: { age: 61 } }, 'token'),
        create({}, 'token'),
      ];
      for (const other of others) expect(await other).toMatchObject(code(409, 'resource_already_exists'));
      expect(await create(config, 'x'.repeat(37))).toMatchObject(code(400, 'bad_header'));
    }
  });

  test('by one token many times at once makes one, and all are told so', async () => {
    const api = await withBasin(eager);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => api.call('POST', '/streams', { body: { stream: 's' }, headers: tokenOf('one') })),
    );
    expect(answers.map(result).sort()).toEqual([[201, 'created'], ...Array.from({ length: 11 }, () => [201, 'noop'])]);
    const others = await Promise.all(Array.from({ length: 12 }, () => api.call('POST', '/streams', { body: { stream: 't' } })));
    expect(others.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 11 }, () => 409)]);
  });

  test('by PUT makes, changes or leaves, needs no body, and no location but the one there is', async () => {
    const api = await withBasin(eager);
    for (const path of [`/basins/put-${api.basin}`, '/streams/s']) {
      const wrap = (config: object) => (path.startsWith('/basins') ? { config: { default_stream_config: config } } : config);
      const put = (body?: object) => api.call('PUT', path, body === undefined ? {} : { body });
      expect(result(await put())).toEqual([201, 'created']);
      expect(result(await put())).toEqual([200, 'noop']);
      expect(result(await put({}))).toEqual([200, 'noop']);
      expect(result(await put(wrap({ retention_policy: { age: 9 } })))).toEqual([200, 'updated']);
      expect(result(await put(wrap({ retention_policy: { age: 9 } })))).toEqual([200, 'noop']);
      expect(result(await put())).toEqual([200, 'updated']);
    }
    const path = `/basins/${api.basin}`;
    expect(result(await api.call('PUT', path, { body: { location: 'aws:us-east-1' } }))).toEqual([200, 'noop']);
    expect((await api.call('PUT', path, { body: {} })).json).toMatchObject({ location: 'aws:us-east-1' });
    expect(await api.call('PUT', path, { body: { location: 'aws:eu-north-1' } })).toMatchObject(code(422, 'invalid'));
    expect(await api.call('POST', '/basins', { body: { basin: 'elsewhere-basin', location: 'aws:eu-north-1' } })).toMatchObject(
      code(422, 'invalid'),
    );
    expect(await api.call('GET', '/basins/elsewhere-basin')).toMatchObject(code(404, 'basin_not_found'));
    // The basin's defaults are part of what a stream is wanted to be like.
    await api.call('PATCH', path, { body: { default_stream_config: { retention_policy: { age: 99 } } } });
    expect(result(await api.call('PUT', '/streams/s'))).toEqual([200, 'updated']);
    expect((await api.call('GET', '/streams/s')).json).toMatchObject({ retention_policy: { age: 99 } });
  });
});

function tokenOf(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { 's2-request-token': token };
}

describe('listing', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', 'Z', '\u{1f600}', '￿', '~'), minLength: 1, maxLength: 4 });
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', 'Z', '\u{1f600}'), maxLength: 3 });

  property.prop(
    [fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), fc.array(fc.tuple(part, part, fc.nat(6)), { minLength: 3, maxLength: 8 })],
    {
      numRuns: 25,
    },
  )(
    'gives names with the prefix behind start_after in byte order, those being deleted too, and says whether there are more',
    async (names, pages) => {
      const api = await withBasin(lazy);
      await Promise.all(names.map((stream) => api.createStream(stream)));
      const deleted = new Set(names.filter((_, i) => i % 3 === 0));
      await Promise.all([...deleted].map((stream) => api.call('DELETE', `/streams/${encodeURIComponent(stream)}`)));
      const sorted = [...names].sort(compareBytes);
      for (const [prefix, startAfter, limit] of pages) {
        const query = new URLSearchParams({ prefix, start_after: startAfter, limit: String(limit) });
        const { status, json } = await api.call('GET', `/streams?${query}`);
        expect(status).toBe(200);
        const { streams, has_more: hasMore } = json as { streams: { name: string; deleted_at: string | null }[]; has_more: boolean };
        const all = sorted.filter((one) => one.startsWith(prefix) && (startAfter === '' || compareBytes(one, startAfter) > 0));
        const page = limit === 0 ? all : all.slice(0, limit);
        expect(streams.map((stream) => [stream.name, stream.deleted_at !== null])).toEqual(page.map((one) => [one, deleted.has(one)]));
        expect(hasMore).toBe(all.length > page.length);
      }
    },
  );

  test('takes any limit that is a number, and gives 1,000 at most', async () => {
    const api = await withBasin(lazy);
    const names = Array.from({ length: 1_003 }, (_, i) => `s${String(i).padStart(5, '0')}`);
    for (const stream of names) await lazy.cell.service.streams.create(api.basin, stream, {});
    for (const query of ['', '?limit=0', '?limit=1000', '?limit=1001', `?limit=${2n ** 64n - 1n}`]) {
      const { json } = await api.call('GET', `/streams${query}`);
      expect((json as { streams: unknown[] }).streams).toHaveLength(1_000);
      expect(json).toMatchObject({ has_more: true });
    }
    const rest = await api.call('GET', '/streams?start_after=s00999');
    expect(rest.json).toMatchObject({ streams: [{ name: 's01000' }, { name: 's01001' }, { name: 's01002' }], has_more: false });
    for (const query of ['?limit=x', '?limit=-1', '?limit=1.5', '?limit=', `?prefix=${'x'.repeat(513)}`]) {
      expect([query, await api.call('GET', `/streams${query}`)]).toMatchObject([query, code(400, 'bad_query')]);
    }
  });

  test('of basins knows their names only, and shows those being deleted', async () => {
    const api = await withBasin(lazy);
    await api.call('DELETE', `/basins/${api.basin}`);
    const { json } = await api.call('GET', `/basins?prefix=${api.basin}`);
    expect(json).toMatchObject({ basins: [{ name: api.basin, state: 'deleting', deleted_at: expect.any(String) }], has_more: false });
    expect((await api.call('GET', '/basins?prefix=basin-&start_after=zzzz')).json).toEqual({ basins: [], has_more: false });
    expect((await api.call('GET', `/basins?prefix=${api.basin}&start_after=a`)).json).toEqual(json);
    for (const bad of ['prefix=UPPER', 'start_after=-x', `prefix=${'x'.repeat(49)}`]) {
      expect(await api.call('GET', `/basins?${bad}`)).toMatchObject(code(400, 'bad_query'));
    }
  });

  test('sees every creation and deletion that was answered', async () => {
    const api = await withBasin(eager);
    const names = async () => ((await api.call('GET', '/streams')).json as { streams: { name: string; deleted_at: unknown }[] }).streams;
    for (let i = 0; i < 20; i += 1) {
      await api.createStream(`s${i}`);
      expect((await names()).filter(({ name: listed, deleted_at: at }) => listed === `s${i}` && at === null)).toHaveLength(1);
      await api.call('DELETE', `/streams/s${i}`);
      expect((await names()).filter(({ name: listed, deleted_at: at }) => listed === `s${i}` && at === null)).toEqual([]);
    }
  });
});

describe('a stream that is being deleted', () => {
  test('refuses everything but another deletion, and is listed', async () => {
    const api = await withBasin(lazy, BOTH_AUTO);
    await api.call('POST', '/streams', { body: { stream: 's' }, headers: tokenOf('token') });
    await api.appendBodies('s', 'a');
    for (let i = 0; i < 3; i += 1) {
      const deleted = await api.call('DELETE', '/streams/s');
      expect([deleted.status, deleted.text, deleted.headers.get('content-length'), deleted.headers.get('content-type')]).toEqual([
        202,
        '',
        '0',
        null,
      ]);
    }
    const pending = code(409, 'stream_deletion_pending');
    for (const answer of [
      api.call('GET', '/streams/s'),
      api.call('PATCH', '/streams/s', { body: {} }),
      api.call('PUT', '/streams/s'),
      api.call('POST', '/streams', { body: { stream: 's' } }),
      api.call('POST', '/streams', { body: { stream: 's' }, headers: tokenOf('token') }),
      api.append('s', { records: [{}] }),
      api.read('s', '?seq_num=0'),
      api.read('s', '?seq_num=0', { accept: 'text/event-stream' }),
      api.call('GET', '/streams/s/records/tail'),
    ]) {
      expect(await answer).toMatchObject(pending);
    }
    expect((await api.call('GET', '/streams')).json).toMatchObject({ streams: [{ name: 's', deleted_at: expect.any(String) }] });
    const connection = await connect(lazy.origin);
    try {
      await expect(new AppendSession(connection, api.basin, 's').opened).rejects.toMatchObject({ status: 409 });
    } finally {
      connection.destroy();
    }
  });

  test('frees its name: what is made anew starts at 0, without a fence, and the old request token means nothing', async () => {
    const api = await withBasin(eager);
    const create = () => api.call('POST', '/streams', { body: { stream: 's' }, headers: tokenOf('token') });
    await create();
    await api.append('s', { records: [{ headers: [['', 'fence']], body: 'me' }, { body: 'x' }] });
    await api.call('DELETE', '/streams/s');
    await settled(async () => (await api.call('DELETE', '/streams/s')).status).toBe(404);
    expect(await api.call('GET', '/streams/s')).toMatchObject(code(404, 'stream_not_found'));
    expect(await api.append('s', { records: [{}] })).toMatchObject(code(404, 'stream_not_found'));
    expect(result(await create())).toEqual([201, 'created']);
    expect(await api.append('s', { records: [{ body: 'new' }], match_seq_num: 0, fencing_token: '' })).toMatchObject({
      status: 200,
      json: { start: { seq_num: 0 }, tail: { seq_num: 1 } },
    });
    expect(await api.readBodies('s')).toEqual(['new']);
  });

  test('ends whoever reads it, at once: sessions with a terminal frame, event sources with an error, long polls with 409', async () => {
    const api = await withBasin(eager);
    await api.createStream('s');
    await api.appendBodies('s', 'a');
    const connection = await connect(eager.origin);
    let heard = (): void => undefined;
    const isFollowing = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const framed = new Promise<Error | undefined>((resolve) => {
      openRead(connection, api.basin, 's', '?seq_num=1', { onBatch: () => heard(), onEnd: resolve });
    });
    const events = fetch(`${eager.origin}/v1/streams/s/records?seq_num=0`, {
      headers: { 's2-basin': api.basin, accept: 'text/event-stream' },
    });
    const text = events.then((answer) => answer.text());
    const polled = api.read('s', '?seq_num=1&wait=30');
    const session = new AppendSession(connection, api.basin, 's');
    await Promise.all([isFollowing, events, session.opened]);
    const at = performance.now();
    await api.call('DELETE', '/streams/s');
    const pending = { code: 'stream_deletion_pending', message: expect.any(String) };
    expect(await framed).toMatchObject({ name: 'SessionError', status: 409, body: pending });
    expect(await text).toMatch(/event: error\ndata: \{"code":"stream_deletion_pending".*\}\n\n$/);
    expect(await polled).toMatchObject(code(409, 'stream_deletion_pending'));
    expect(performance.now() - at).toBeLessThan(2_000);
    await expect(session.append(frameOf(encodeAppendInput([{ body: Buffer.from('late') }])))).rejects.toBeInstanceOf(SessionError);
    connection.destroy();
  });

  test('S6: is gone for a session that was opened before and slept until nothing of it was left', async () => {
    const server = await startMemoryServer({ readPlanAgeMs: 10 });
    const api = await withBasin(server);
    const connection = await connect(server.origin);
    try {
      await api.createStream('s');
      const session = new AppendSession(connection, api.basin, 's');
      await session.opened;
      const { streamId } = await server.cell.service.streams.get(api.basin, 's');
      await api.call('DELETE', '/streams/s');
      await settled(async () => (await api.call('DELETE', '/streams/s')).status).toBe(404);
      await settled(async () => server.metadata.items().some(({ partition }) => partition === `stream/${streamId}`)).toBe(false);
      await settled(async () => server.cell.channels[0]?.channel.gauges.streams).toBe(0);
      const late = session.append(frameOf(encodeAppendInput([{ body: Buffer.from('late') }])));
      await expect(late).rejects.toMatchObject({ status: 404, body: { code: 'stream_not_found' } });
    } finally {
      connection.destroy();
      await server.close();
    }
  });
});

describe('a basin that is being deleted', () => {
  test('refuses everything but another deletion and a look at it, and is listed', async () => {
    const api = await withBasin(lazy, BOTH_AUTO);
    await api.createStream('s');
    await api.appendBodies('s', 'a');
    for (let i = 0; i < 3; i += 1) expect(await api.call('DELETE', `/basins/${api.basin}`)).toMatchObject({ status: 202, text: '' });
    const path = `/basins/${api.basin}`;
    for (const answer of [
      api.call('POST', '/basins', { body: { basin: api.basin } }),
      api.call('PUT', path),
      api.call('PATCH', path, { body: {} }),
      api.call('POST', '/streams', { body: { stream: 't' } }),
      api.call('PUT', '/streams/t'),
      api.call('PUT', '/streams/s'),
      api.call('PATCH', '/streams/s', { body: {} }),
      api.append('t', { records: [{}] }),
      api.read('t', '?seq_num=0'),
      api.append('s', { records: [{}] }),
      api.read('s', '?seq_num=0'),
      api.call('GET', '/streams/s/records/tail'),
      api.call('GET', '/streams/s'),
    ]) {
      expect(await answer).toMatchObject(code(409, 'basin_deletion_pending'));
    }
    expect((await api.call('GET', path)).status).toBe(200);
    expect((await api.call('GET', '/streams')).json).toMatchObject({ streams: [{ name: 's', deleted_at: null }] });
  });

  test('takes its streams along, and its name is free then: nothing of the old one is in the new one', async () => {
    const api = await withBasin(eager, { ...BOTH_AUTO, default_stream_config: { retention_policy: { age: 77 } } });
    for (const stream of ['a', 'b', 'c']) await api.appendBodies(stream, 'x', 'y');
    expect((await api.call('DELETE', `/basins/${api.basin}`)).status).toBe(202);
    await settled(async () => (await api.call('DELETE', `/basins/${api.basin}`)).status).toBe(404);
    expect(await api.call('GET', '/streams')).toMatchObject(code(404, 'basin_not_found'));
    expect(await api.append('a', { records: [{}] })).toMatchObject(code(404, 'basin_not_found'));
    await api.createBasin();
    expect((await api.call('GET', '/streams')).json).toEqual({ streams: [], has_more: false });
    expect(await api.append('a', { records: [{}] })).toMatchObject(code(404, 'stream_not_found'));
    await api.createStream('a');
    expect((await api.call('GET', '/streams/a')).json).toMatchObject({ retention_policy: { age: 604_800 } });
    expect(await api.appendBodies('a', 'new')).toBe(0);
  });
});
