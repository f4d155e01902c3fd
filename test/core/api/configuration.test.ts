// Configurations as a client sees them, with the whole store behind HTTP. (S2 v1 API, sections 1.7 and 5.1 to 5.3.)

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect } from '#bench/session.ts';
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

describe('a storage class', () => {
  test('that is changed is told at once, and the stream stays where it is: the same numbers go on, and its status shows both', async () => {
    const api = await withBasin(eager);
    await api.createStream('s');
    const { streamId, chain } = await eager.cell.service.streams.get(api.basin, 's');
    await api.appendBodies('s', 'a', 'b');
    expect(await api.call('PATCH', '/streams/s', { body: { storage_class: 'standard' } })).toMatchObject({
      status: 200,
      json: { storage_class: 'standard' },
    });
    expect((await api.call('GET', '/streams/s')).json).toMatchObject({ storage_class: 'standard' });
    const status = await api.call('GET', '/streams/s/status');
    expect(status).toMatchObject({
      status: 200,
      json: { name: 's', created_at: expect.any(String), deleted_at: null, cipher: null },
    });
    expect(status.json).toMatchObject({ storage_class: { configured: 'standard', serving: 'express' } });
    expect(await api.appendBodies('s', 'c')).toBe(2);
    expect(await api.readBodies('s')).toEqual(['a', 'b', 'c']);
    expect(await eager.cell.service.streams.get(api.basin, 's')).toMatchObject({ streamId, chain });
    const back = await api.call('PUT', '/streams/s', { body: {} });
    expect(result(back)).toEqual([200, 'updated']);
    expect((await api.call('GET', '/streams/s/status')).json).toMatchObject({
      storage_class: { configured: 'express', serving: 'express' },
    });
  });

  test('of a new stream is where it is stored', async () => {
    const api = await withBasin(eager, { default_stream_config: { storage_class: 'standard' } });
    await api.createStream('s');
    expect((await api.call('GET', '/streams/s/status')).json).toMatchObject({
      storage_class: { configured: 'standard', serving: 'standard' },
    });
  });

  test('native is refused on every way in, before the resource is looked for, and nothing is made; elsewhere it is taken', async () => {
    const api = await withBasin(lazy, BOTH_AUTO);
    await api.createStream('s');
    const native = { storage_class: 'native' };
    const asDefault = { config: { default_stream_config: native } };
    const headers = { 's2-stream-config': JSON.stringify(native) };
    for (const refused of [
      api.call('POST', '/basins', { body: { basin: 'native-basin', ...asDefault } }),
      api.call('PUT', '/basins/native-basin', { body: asDefault }),
      api.call('PATCH', `/basins/${api.basin}`, { body: asDefault.config }),
      api.call('PATCH', '/basins/not-there-at-all', { body: asDefault.config }),
      api.call('POST', '/streams', { body: { stream: 'x', config: native } }),
      api.call('PUT', '/streams/x', { body: native }),
      api.call('PATCH', '/streams/s', { body: native }),
      api.call('PATCH', '/streams/not-there', { body: native }),
      api.append('x', { records: [{}] }, headers),
      api.read('x', '?seq_num=0', headers),
      api.call('GET', '/streams/x/records/tail', { headers }),
    ]) {
      expect(await refused).toMatchObject(code(422, 'invalid'));
    }
    expect(await api.call('GET', '/streams/x')).toMatchObject(code(404, 'stream_not_found'));
    expect(await api.call('GET', '/basins/native-basin')).toMatchObject(code(404, 'basin_not_found'));
    expect((await api.call('GET', '/streams/s')).json).toMatchObject({ storage_class: 'express' });
    const server = await startMemoryServer({}, ['express', 'native']);
    try {
      const other = await withBasin(server);
      await other.createStream('s', native);
      expect((await other.call('GET', '/streams/s/status')).json).toMatchObject({
        storage_class: { configured: 'native', serving: 'native' },
      });
      expect(await other.call('PATCH', '/streams/s', { body: { storage_class: 'standard' } })).toMatchObject(code(422, 'invalid'));
    } finally {
      await server.close();
    }
  });
});

describe('the status of a stream', () => {
  test('is told while it is being deleted, and is 404 with the others', async () => {
    const api = await withBasin(lazy);
    await api.createStream('s');
    await api.call('DELETE', '/streams/s');
    expect(await api.call('GET', '/streams/s/status')).toMatchObject({ status: 200, json: { deleted_at: expect.any(String) } });
    expect(await api.call('GET', '/streams/t/status')).toMatchObject(code(404, 'stream_not_found'));
    expect(await new Api(lazy.origin, 'not-there-at-all').call('GET', '/streams/t/status')).toMatchObject(code(404, 'basin_not_found'));
  });
});

describe('a configuration', () => {
  const SYSTEM = {
    storage_class: 'express',
    retention_policy: { age: 604_800 },
    timestamping: { mode: 'client-prefer', uncapped: false },
    delete_on_empty: { min_age_secs: 0 },
  };

  test('of a stream is resolved field by field, stays when its basin changes, and takes null as absent', async () => {
    const api = await withBasin(eager, {
      default_stream_config: {
        timestamping: { mode: 'arrival' },
        delete_on_empty: { min_age_secs: 60 },
        retention_policy: { infinite: {} },
      },
    });
    await api.createStream('s', { timestamping: { uncapped: true }, storage_class: null, retention_policy: null });
    const resolved = {
      storage_class: 'express',
      retention_policy: { infinite: {} },
      timestamping: { mode: 'arrival', uncapped: true },
      delete_on_empty: { min_age_secs: 60 },
    };
    expect((await api.call('GET', '/streams/s')).json).toEqual(resolved);
    await api.call('PATCH', `/basins/${api.basin}`, { body: { default_stream_config: null } });
    expect((await api.call('GET', '/streams/s')).json).toEqual(resolved);
    await api.createStream('t');
    expect((await api.call('GET', '/streams/t')).json).toEqual(SYSTEM);
  });

  test('is patched by absent, null and value, nested fields one by one', async () => {
    const api = await withBasin(eager, { default_stream_config: { timestamping: { mode: 'arrival' }, retention_policy: { age: 5_000 } } });
    const patch = async (body: object): Promise<unknown> => {
      const answer = await api.call('PATCH', '/streams/s', { body });
      expect(answer.status).toBe(200);
      expect((await api.call('GET', '/streams/s')).json).toEqual(answer.json);
      return answer.json;
    };
    await api.createStream('s', { retention_policy: { age: 60 }, delete_on_empty: { min_age_secs: 7 } });
    const made = {
      ...SYSTEM,
      retention_policy: { age: 60 },
      timestamping: { mode: 'arrival', uncapped: false },
      delete_on_empty: { min_age_secs: 7 },
    };
    expect(await patch({})).toEqual(made);
    expect(await patch({ timestamping: { uncapped: true } })).toEqual({ ...made, timestamping: { mode: 'arrival', uncapped: true } });
    expect(await patch({ timestamping: { mode: 'client-require' } })).toMatchObject({
      timestamping: { mode: 'client-require', uncapped: true },
    });
    expect(await patch({ timestamping: { mode: null } })).toMatchObject({ timestamping: { mode: 'arrival', uncapped: true } });
    expect(await patch({ delete_on_empty: {} })).toMatchObject({ delete_on_empty: { min_age_secs: 7 } });
    // What is cleared takes the basin's default as it is now.
    await api.call('PATCH', `/basins/${api.basin}`, {
      body: { default_stream_config: { timestamping: { mode: 'client-prefer', uncapped: true } } },
    });
    expect(await patch({ timestamping: null, retention_policy: null, delete_on_empty: null, storage_class: null })).toEqual({
      ...SYSTEM,
      retention_policy: { age: 5_000 },
      timestamping: { mode: 'client-prefer', uncapped: true },
    });
    expect(await patch({ retention_policy: { infinite: {} } })).toMatchObject({ retention_policy: { infinite: {} } });
  });

  test('of a basin is what was set, patched by absent, null and value', async () => {
    const api = await withBasin(eager);
    const path = `/basins/${api.basin}`;
    const empty = { storage_class: 'express', retention_policy: null, timestamping: null, delete_on_empty: null };
    const flags = { create_stream_on_append: false, create_stream_on_read: false };
    expect((await api.call('GET', path)).json).toEqual({ default_stream_config: empty, stream_cipher: null, ...flags });
    const patched = await api.call('PATCH', path, {
      body: {
        default_stream_config: { timestamping: { uncapped: true }, delete_on_empty: { min_age_secs: 9 } },
        create_stream_on_append: true,
      },
    });
    expect(patched.json).toMatchObject({
      default_stream_config: { ...empty, timestamping: { mode: null, uncapped: true }, delete_on_empty: { min_age_secs: 9 } },
      create_stream_on_append: true,
      create_stream_on_read: false,
    });
    const cleared = await api.call('PATCH', path, {
      body: { default_stream_config: { timestamping: { uncapped: null } }, create_stream_on_append: null },
    });
    expect(cleared.json).toMatchObject({
      default_stream_config: { ...empty, delete_on_empty: { min_age_secs: 9 } },
      create_stream_on_append: true,
    });
    expect((await api.call('PATCH', path, { body: {} })).json).toEqual(cleared.json);
    // PUT is wholesale: what it does not say is as if it had never been set.
    expect(result(await api.call('PUT', path, { body: { config: {} } }))).toEqual([200, 'updated']);
    expect((await api.call('GET', path)).json).toEqual({ default_stream_config: empty, stream_cipher: null, ...flags });
  });

  test('is checked before the resource is looked for, the resource before the merge', async () => {
    const api = await withBasin(lazy);
    await api.createStream('gone');
    await api.call('DELETE', '/streams/gone');
    for (const stream of ['not-there', 'gone']) {
      const patch = (body: unknown, headers?: Record<string, string>) =>
        api.call('PATCH', `/streams/${stream}`, { body, ...(headers === undefined ? {} : { headers }) });
      expect(await patch({ retention_policy: { age: 0 } })).toMatchObject(code(422, 'invalid'));
      expect(await patch({ retention_policy: { age: -1 } })).toMatchObject(code(400, 'bad_json'));
      expect(await patch({ retention_policy: { age: 1, infinite: {} } })).toMatchObject(code(400, 'bad_json'));
      expect(await patch({ timestamping: { mode: 'later' } })).toMatchObject(code(400, 'bad_json'));
      expect(await patch('{')).toMatchObject(code(400, 'bad_json'));
      expect(await patch('{}', { 'content-type': 'text/plain' })).toMatchObject(code(400, 'bad_json'));
      expect(await patch({ unknown: 1 })).toMatchObject(
        stream === 'gone' ? code(409, 'stream_deletion_pending') : code(404, 'stream_not_found'),
      );
    }
    expect(await api.call('POST', '/streams', { body: { stream: 'x', config: { retention_policy: { age: 0 } } } })).toMatchObject(
      code(422, 'invalid'),
    );
    expect(
      await api.call('PATCH', '/basins/not-there-at-all', { body: { default_stream_config: { retention_policy: { age: 0 } } } }),
    ).toMatchObject(code(422, 'invalid'));
  });

  test('a retention that is changed counts for records that are there', async () => {
    const api = await withBasin(eager);
    await api.createStream('s');
    await api.appendBodies('s', 'a', 'b');
    await api.call('PATCH', '/streams/s', { body: { retention_policy: { age: 1 } } });
    await settled(() => api.readBodies('s')).toEqual([]);
    expect(await api.tail('s')).toBe(2);
    expect(await api.read('s', '?seq_num=0&count=5')).toMatchObject({ status: 200, json: { records: [] } });
  });

  test('a timestamping that is changed counts from the next append on, in sessions that were opened before too', async () => {
    const api = await withBasin(eager);
    await api.createStream('s', { timestamping: { uncapped: true } });
    const connection = await connect(eager.origin);
    const session = new AppendSession(connection, api.basin, 's');
    const input = (timestamp?: number) =>
      frameOf(encodeAppendInput([{ body: Buffer.from('x'), ...(timestamp === undefined ? {} : { timestamp }) }]));
    const far = 2 ** 52;
    try {
      await session.opened;
      expect((await session.append(input(far))).end.timestamp).toBe(far);
      await api.call('PATCH', '/streams/s', { body: { timestamping: { mode: 'client-require' } } });
      expect((await session.append(input(far + 1))).end.timestamp).toBe(far + 1);
      await expect(session.append(input())).rejects.toMatchObject({ status: 422, body: { code: 'invalid' } });
      await api.call('PATCH', '/streams/s', { body: { timestamping: { mode: 'arrival' } } });
      // Not below what stands there.
      expect((await api.append('s', { records: [{}] })).text).toContain(`"end":{"seq_num":3,"timestamp":${far + 1}}`);
    } finally {
      session.destroy();
      connection.destroy();
    }
  });
});
