// The HTTP API as anybody with curl sees it, on the real process.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeAck, decodeReadBatch, encodeAppendInput, FrameCutter, frameOf, type InFrame } from '#bench/protocol.ts';
import { AppendSession, connect, openRawRead, SessionError } from '#bench/session.ts';
import { Api } from '#test/support/api.ts';
import { openDuplex } from '#test/support/raw.ts';
import { type Server, startServer } from '#test/support/server.ts';

const run = promisify(execFile);
const POSITION = { seq_num: expect.any(Number), timestamp: expect.any(Number) };

let server: Server;
let api: Api;
let streams = 0;

async function newStream(config: object = {}): Promise<string> {
  const stream = `curl ${++streams}`;
  await api.createStream(stream, config);
  return stream;
}

beforeAll(async () => {
  server = await startServer();
  api = new Api(server.url, 'curl-basin');
  await api.createBasin();
});

afterAll(async () => {
  await server?.dispose();
});

describe('outside /v1', () => {
  test.each(['/health', '/ping'])('%s answers 200 OK once ready', async (path) => {
    const response = await fetch(`${server.url}${path}`);
    expect([response.status, await response.text()]).toEqual([200, 'OK']);
  });

  test('/metrics answers in Prometheus text', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/^# TYPE \w+ (counter|gauge)$/m);
  });

  test('a browser may ask from anywhere, with every header of S2', async () => {
    const response = await fetch(`${server.url}/v1/streams/x/records`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://example.org',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 's2-basin, s2-format',
      },
    });
    expect(response.ok).toBe(true);
    expect(response.headers.get('access-control-allow-origin')).toMatch(/^\*$|example\.org/);
    expect(response.headers.get('access-control-allow-headers')).toMatch(/s2-basin/);
  });

  test('the commands that the server prints do what they say', async () => {
    const commands = server.output.split('\n').filter((line) => line.startsWith('curl ') && !line.startsWith('curl -N'));
    expect(commands.length).toBeGreaterThanOrEqual(2);
    for (const command of commands) await run('sh', ['-c', command.replace('curl ', 'curl -sS --fail-with-body ')]);
    const read = await run('sh', ['-c', (commands.at(-1) ?? '').replace('curl ', 'curl -sS ')]);
    expect(JSON.parse(read.stdout)).toMatchObject({ records: [{ seq_num: 0, body: 'hello' }] });
    const tail = server.output.split('\n').find((line) => line.startsWith('curl -N')) ?? '';
    const tailed = await run('sh', ['-c', `${tail.replace('curl -N', 'curl -sSN --max-time 1')} || true`]);
    expect(tailed.stdout).toMatch(/^event: batch\n/);
  });
});

describe('basins and streams', () => {
  test('POST creates with 201, repeats with the same token as a no-op, and refuses another', async () => {
    const create = (token: string, config: object = {}) =>
      api.call('POST', '/basins', { body: { basin: 'token-basin', config }, headers: { 's2-request-token': token } });
    const first = await create('one');
    expect([first.status, first.headers.get('s2-provision-result')]).toEqual([201, 'created']);
    expect(first.json).toMatchObject({ name: 'token-basin', deleted_at: null, state: 'active' });
    const again = await create('one');
    expect([again.status < 300, again.headers.get('s2-provision-result')]).toEqual([true, 'noop']);
    for (const other of [await create('two'), await create('one', { create_stream_on_read: true })]) {
      expect([other.status, other.json]).toEqual([409, { code: 'resource_already_exists', message: expect.any(String) }]);
    }
  });

  test('PUT answers 201 created, 200 noop, 200 updated; PATCH tells null from absent; DELETE answers 202 with nothing', async () => {
    const put = async (body: object) => {
      const answer = await api.call('PUT', '/streams/ensured', { body });
      return [answer.status, answer.headers.get('s2-provision-result')];
    };
    expect(await put({ storage_class: 'standard' })).toEqual([201, 'created']);
    expect(await put({ storage_class: 'standard' })).toEqual([200, 'noop']);
    expect(await put({ storage_class: 'standard', retention_policy: { age: 9 } })).toEqual([200, 'updated']);
    const patched = await api.call('PATCH', '/streams/ensured', { body: { retention_policy: null } });
    expect(patched.json).toMatchObject({ storage_class: 'standard', retention_policy: { age: 604_800 } });
    const deleted = await api.call('DELETE', '/streams/ensured');
    expect([deleted.status, deleted.text, deleted.headers.get('content-length'), deleted.headers.get('content-type')]).toEqual([
      202,
      '',
      '0',
      null,
    ]);
  });

  test('a deleted stream refuses everything, and its name begins again at 0', async () => {
    const stream = await newStream();
    await api.appendBodies(stream, 'old', 'older');
    expect((await api.call('DELETE', `/streams/${encodeURIComponent(stream)}`)).status).toBe(202);
    expect((await api.append(stream, { records: [{ body: 'late' }] })).status).toBeOneOf([404, 409]);
    await expect.poll(async () => (await api.call('POST', '/streams', { body: { stream } })).status, { timeout: 20_000 }).toBe(201);
    expect(await api.tail(stream)).toBe(0);
    expect(await api.appendBodies(stream, 'new')).toBe(0);
    expect(await api.readBodies(stream)).toEqual(['new']);
  });

  test('lists go by bytes, page by page, and say whether there is more', async () => {
    for (const name of ['list/b', 'list/a', 'list/é', 'list/Z']) await api.createStream(name);
    const list = async (query: string) => {
      const { json } = await api.call('GET', `/streams?prefix=list/${query}`);
      const { streams: found, has_more } = json as { streams: { name: string }[]; has_more: boolean };
      return [found.map((one) => one.name), has_more];
    };
    expect(await list('')).toEqual([['list/Z', 'list/a', 'list/b', 'list/é'], false]);
    expect(await list('&limit=2')).toEqual([['list/Z', 'list/a'], true]);
    expect(await list('&limit=2&start_after=list/a')).toEqual([['list/b', 'list/é'], false]);
    expect(await list('&limit=0')).toEqual([['list/Z', 'list/a', 'list/b', 'list/é'], false]);
  });
});

describe('append and read', () => {
  test('an acknowledgement states start, end and tail', async () => {
    const stream = await newStream();
    const { status, json } = await api.append(stream, { records: [{ body: 'a' }, { body: 'b', headers: [['k', 'v']], timestamp: 7 }] });
    expect([status, json]).toEqual([200, { start: POSITION, end: POSITION, tail: POSITION }]);
    expect(json).toMatchObject({ start: { seq_num: 0 }, end: { seq_num: 2 }, tail: { seq_num: 2 } });
    const read = (await api.read(stream, '?seq_num=0')).json as { records: object[] };
    expect(read.records).toMatchObject([
      { seq_num: 0, body: 'a' },
      { seq_num: 1, body: 'b', headers: [['k', 'v']] },
    ]);
    expect(read.records[0]).not.toHaveProperty('headers');
  });

  test('base64 carries any bytes, both ways', async () => {
    const stream = await newStream();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString('base64');
    const format = { 's2-format': 'base64' };
    await api.append(stream, { records: [{ body: bytes, headers: [[bytes, bytes]] }] }, format);
    expect((await api.read(stream, '?seq_num=0', format)).json).toMatchObject({ records: [{ body: bytes, headers: [[bytes, bytes]] }] });
  });

  test('timestamps beyond 2^53 pass through without loss', async () => {
    const stream = await newStream({ timestamping: { mode: 'client-prefer', uncapped: true } });
    const timestamp = '18446744073709551614';
    const appended = await api.call('POST', api.recordsPath(stream), {
      headers: { 'content-type': 'application/json' },
      body: `{"records":[{"body":"x","timestamp":${timestamp}}]}`,
    });
    expect(appended.text).toContain(`"timestamp":${timestamp}`);
    expect((await api.read(stream, '?seq_num=0')).text).toContain(`"timestamp":${timestamp}`);
  });

  test('protobuf in and out, and JSON answers to protobuf requests', async () => {
    const stream = await newStream();
    const post = (accept: string) =>
      fetch(`${server.url}/v1${api.recordsPath(stream)}`, {
        method: 'POST',
        headers: { 's2-basin': api.basin, 'content-type': 'application/x-protobuf', accept },
        body: encodeAppendInput([{ body: Buffer.from('p') }]),
      });
    const first = await post('application/protobuf');
    expect(first.headers.get('content-type')).toBe('application/protobuf');
    expect(decodeAck(Buffer.from(await first.arrayBuffer()))).toMatchObject({ start: { seqNum: 0 }, end: { seqNum: 1 } });
    expect(await (await post('*/*')).json()).toMatchObject({ start: { seq_num: 1 } });
    const read = await fetch(`${server.url}/v1${api.recordsPath(stream)}?seq_num=0`, {
      headers: { 's2-basin': api.basin, accept: 'application/protobuf' },
    });
    const batch = decodeReadBatch(Buffer.from(await read.arrayBuffer()));
    expect(batch.records.map((record) => record.body.toString())).toEqual(['p', 'p']);
  });

  test('failed conditions and unwritten positions have the bodies of S2', async () => {
    const stream = await newStream();
    await api.append(stream, { records: [{ headers: [['', 'fence']], body: 'token' }] });
    const records = [{ body: 'x' }];
    const mismatch = await api.append(stream, { records, match_seq_num: 5 });
    expect([mismatch.status, mismatch.json]).toEqual([412, { seq_num_mismatch: 1 }]);
    const fenced = await api.append(stream, { records, match_seq_num: 5, fencing_token: '' });
    expect([fenced.status, fenced.json]).toEqual([412, { fencing_token_mismatch: 'token' }]);
    for (const query of ['', '?seq_num=1', '?seq_num=2', '?seq_num=1&clamp=true']) {
      const beyond = await api.read(stream, query);
      expect([beyond.status, beyond.json], query).toEqual([416, { tail: { ...POSITION, seq_num: 1 } }]);
    }
    expect(await api.tail(stream)).toBe(1);
  });

  test('a read that waits is answered by the append that it waits for, or by nothing in time', async () => {
    const stream = await newStream();
    const waiting = api.read(stream, '?seq_num=0&wait=10');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await api.appendBodies(stream, 'at last');
    expect((await waiting).json).toMatchObject({ records: [{ seq_num: 0, body: 'at last' }] });
    const begin = performance.now();
    const nothing = await api.read(stream, '?seq_num=1&wait=1');
    expect([nothing.status, nothing.json]).toEqual([200, expect.objectContaining({ records: [] })]);
    expect(performance.now() - begin).toBeGreaterThan(900);
  });

  test('count, bytes and until bound a read, each to the record', async () => {
    const stream = await newStream();
    for (const timestamp of [10, 20, 30]) await api.append(stream, { records: [{ body: `${timestamp}`, timestamp }] });
    const bodies = async (query: string) =>
      ((await api.read(stream, query)).json as { records: { body: string }[] }).records.map((one) => one.body);
    expect(await bodies('?seq_num=0&count=2')).toEqual(['10', '20']);
    expect(await bodies('?seq_num=0&bytes=29')).toEqual(['10', '20']);
    expect(await bodies('?seq_num=0&bytes=9')).toEqual([]);
    expect(await bodies('?seq_num=0&until=30')).toEqual(['10', '20']);
    expect(await bodies('?timestamp=11')).toEqual(['20', '30']);
    expect(await bodies('?tail_offset=1')).toEqual(['30']);
  });
});

describe('sessions', () => {
  /** Gives the frames of an answer one by one, as they come in. */
  function framesOf(response: Readable): () => Promise<InFrame> {
    const cutter = new FrameCutter();
    const frames: InFrame[] = [];
    response.on('data', (bytes: Buffer) => frames.push(...cutter.push(bytes)));
    return async () => {
      await expect.poll(() => frames.length).toBeGreaterThan(0);
      return frames.shift() ?? { flag: 0, payload: Buffer.alloc(0) };
    };
  }

  test('over HTTP/1.1 an append session is full duplex: head before any frame, acknowledgements before the end', async () => {
    const stream = await newStream();
    const { request, response } = openDuplex(server.url, 'POST', `/v1${api.recordsPath(stream)}`, {
      's2-basin': api.basin,
      'content-type': 's2s/proto',
    });
    const answer = await response;
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 's2s/proto']);
    const next = framesOf(answer);
    for (const at of [0, 1, 2]) {
      request.write(frameOf(encodeAppendInput([{ body: Buffer.from(`${at}`) }])));
      expect(decodeAck((await next()).payload).start.seqNum).toBe(at);
    }
    request.end();
    await once(answer, 'end');
    expect(await api.readBodies(stream)).toEqual(['0', '1', '2']);
  });

  test('over HTTP/1.1 a read session delivers, states its tail, and follows', async () => {
    const stream = await newStream();
    await api.appendBodies(stream, 'first');
    const { request, response } = openDuplex(server.url, 'GET', `/v1${api.recordsPath(stream)}?seq_num=0`, {
      's2-basin': api.basin,
      'content-type': 's2s/proto',
    });
    request.end();
    const nextFrame = framesOf(await response);
    const next = async () => decodeReadBatch((await nextFrame()).payload);
    expect((await next()).records.map((record) => record.body.toString())).toEqual(['first']);
    expect(await next()).toMatchObject({ records: [], tail: { seqNum: 1 } });
    await api.appendBodies(stream, 'second');
    expect(await next()).toMatchObject({ records: [{ seqNum: 1, body: Buffer.from('second') }], tail: { seqNum: 2 } });
    request.destroy();
  });

  test('over HTTP/2 the frames on the wire are those of S2, to the byte', async () => {
    const stream = await newStream();
    const connection = await connect(server.url);
    const payloads: string[] = [];
    const read = openRawRead(connection, api.basin, stream, '?seq_num=0', {
      onOpen: () => undefined,
      onFrame: (payload) => payloads.push(payload.toString('hex')),
      onEnd: () => undefined,
    });
    await expect.poll(() => payloads).toEqual(['1200']); // The heartbeat of an empty stream.
    read.close();
    const session = new AppendSession(connection, api.basin, stream);
    const send = async (hex: string) => (await session.append(Buffer.from(hex, 'hex'))).start.seqNum;
    expect(await send('000011000a0a080512060a016b12017610001a00')).toBe(0); // Timestamp 5, k=v, at 0 and unfenced.
    expect(await send('000012000a0f1207120566656e63651a04746f6b31')).toBe(1); // The fence `tok1`.
    expect(await send('000007000a041a026869')).toBe(2); // The body `hi`.
    connection.destroy();
    expect(await api.readBodies(stream, 1)).toEqual(['tok1', 'hi']);
  });

  test('what can be refused beforehand is an ordinary answer, the rest a terminal frame', async () => {
    const connection = await connect(server.url);
    const missing = await new AppendSession(connection, api.basin, 'nowhere').opened.catch((error: unknown) => error);
    expect(missing).toMatchObject({ status: 404, body: { code: 'stream_not_found' } });
    const stream = await newStream();
    const session = new AppendSession(connection, api.basin, stream);
    await session.append(frameOf(encodeAppendInput([{ body: Buffer.from('x') }])));
    const refused = session.append(frameOf(encodeAppendInput([{ body: Buffer.from('y') }], { matchSeqNum: 9 })));
    const behind = session.append(frameOf(encodeAppendInput([{ body: Buffer.from('z') }])));
    behind.catch(() => undefined);
    await expect(refused).rejects.toMatchObject({ status: 412, body: { seq_num_mismatch: 1 } });
    await expect(behind).rejects.toBeInstanceOf(SessionError);
    connection.destroy();
    expect(await api.readBodies(stream)).toEqual(['x']);
  });
});
