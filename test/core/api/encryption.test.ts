// Streams with a cipher, as their clients see them, with fake channels behind: every way to append and to read.

import type { ClientHttp2Session } from 'node:http2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf, type InBatch } from '#bench/protocol.ts';
import { AppendSession, connect, openRead, readAll, SessionError } from '#bench/session.ts';
import { RecordCursor } from '#core/format/record.ts';
import { STREAM_CIPHERS, type StreamCipher } from '#core/model/stream-config.ts';
import { Api } from '#test/support/api.ts';
import { startServer, type TestServer } from './server.ts';

const key = (fill: number): string => Buffer.alloc(32, fill).toString('base64');
const MINE = { 's2-encryption-key': key(1) };
const THEIRS = { 's2-encryption-key': key(2) };
const PROTOBUF = { 'content-type': 'application/protobuf', accept: 'application/protobuf' };
const EVENTS = { accept: 'text/event-stream' };

let server: TestServer;
let connection: ClientHttp2Session;
let count = 0;

beforeAll(async () => {
  server = await startServer();
  connection = await connect(server.origin);
});
afterAll(async () => {
  connection.destroy();
  await server.close();
});
afterEach(async () => {
  await expect.poll(() => server.handler.openCount).toBe(0);
  expect(server.faults).toEqual([]);
  expect(server.store.openReads).toBe(0);
  expect(server.store.heldTails).toBe(0);
});

async function withBasin(cipher: StreamCipher | null, config: object = {}): Promise<Api> {
  count += 1;
  const api = new Api(server.origin, `encrypted-${String(count).padStart(4, '0')}`);
  await api.createBasin({ ...(cipher === null ? {} : { stream_cipher: cipher }), ...config });
  return api;
}

async function withStream(cipher: StreamCipher = 'aegis-256'): Promise<Api> {
  const api = await withBasin(cipher);
  await api.createStream('a');
  return api;
}

function refusal(code: string, message?: RegExp) {
  return { code, message: message === undefined ? expect.any(String) : expect.stringMatching(message) };
}

const bodies = (text: string): (string | undefined)[] =>
  (JSON.parse(text) as { records: { body?: string }[] }).records.map((record) => record.body);

async function sessionAppend(api: Api, headers: Record<string, string>, ...inputs: string[]): Promise<void> {
  const session = new AppendSession(connection, api.basin, 'a', headers);
  await session.opened;
  await Promise.all(inputs.map((body) => session.append(frameOf(encodeAppendInput([{ body: Buffer.from(body) }])))));
  expect(await session.finish()).toBeUndefined();
}

/** What a read session gave before it ended, and what it ended with. */
async function sessionRead(api: Api, query: string, headers: Record<string, string>): Promise<{ batches: InBatch[]; error?: Error }> {
  return await new Promise((resolve) => {
    const batches: InBatch[] = [];
    const onEnd = (error?: Error): void => resolve({ batches, ...(error === undefined ? {} : { error }) });
    openRead(connection, api.basin, 'a', query, { onBatch: (batch) => batches.push(batch), onEnd }, headers);
  });
}

const bodiesIn = (batches: readonly InBatch[]): string[] => batches.flatMap(({ records }) => records.map(({ body }) => body.toString()));

describe.each(STREAM_CIPHERS)('a stream with %s', (cipher) => {
  test('gives back what was appended, in every encoding, and keeps nothing of it in clear', async () => {
    const api = await withStream(cipher);
    const record = { timestamp: 7, headers: [['name', 'value']], body: 'as json' };
    expect((await api.append('a', { records: [record, {}] }, MINE)).json).toMatchObject({ end: { seq_num: 2 }, tail: { seq_num: 2 } });
    const proto = await api.call('POST', api.recordsPath('a'), {
      body: encodeAppendInput([{ body: Buffer.from('as protobuf'), timestamp: 8 }]),
      headers: { ...MINE, ...PROTOBUF },
    });
    expect(proto.status).toBe(200);
    await sessionAppend(api, MINE, 'in a session', 'and again');

    const all = ['as json', undefined, 'as protobuf', 'in a session', 'and again'];
    const unary = await Promise.all([0, 2, 3, 4].map((start) => api.read('a', `?seq_num=${start}`, MINE)));
    expect(unary.flatMap(({ text }) => bodies(text))).toEqual(all);
    expect(unary[0]?.json).toMatchObject({ records: [{ ...record, seq_num: 0 }, { seq_num: 1 }] });
    const raw = await api.call('GET', api.recordsPath('a', '?seq_num=2'), { headers: { ...MINE, ...PROTOBUF } });
    expect(raw.text).toContain('as protobuf');
    const events = await api.read('a', '?seq_num=0&count=5', { ...MINE, ...EVENTS });
    expect(events.text.match(/^data: \{.*$/gm)?.flatMap((line) => bodies(line.slice(6)))).toEqual(all);
    expect(events.text).toMatch(/data: \[DONE\]\n\n$/);
    const framed = await readAll(connection, api.basin, 'a', '?seq_num=0&count=5', MINE);
    expect(bodiesIn(framed)).toEqual(all.map((body) => body ?? ''));
    expect(framed[0]?.records[0]?.headers.map(([name, value]) => `${name}=${value}`)).toEqual(['name=value']);

    for (const bytes of server.store.bytesOf(server.store.lastRef)) {
      for (const word of ['as json', 'name', 'value', 'as protobuf', 'in a session']) expect(Buffer.from(bytes).includes(word)).toBe(false);
      const cursor = new RecordCursor(bytes);
      while (cursor.next()) expect(cursor.isEncrypted).toBe(true);
    }
  });

  test('says so, and wants a key for appends and reads, of 32 bytes', async () => {
    const api = await withStream(cipher);
    expect((await api.call('GET', '/streams')).json).toMatchObject({ streams: [{ name: 'a', cipher }] });
    const bad: readonly [Record<string, string>, RegExp][] = [
      [{}, new RegExp(`^missing encryption key for stream cipher '${cipher}'$`)],
      [{ 's2-encryption-key': 'not base64!' }, new RegExp(`'${cipher}' is not .*base64`)],
      [{ 's2-encryption-key': Buffer.alloc(31).toString('base64') }, new RegExp(`'${cipher}' has 32 bytes, not 31`)],
      [{ 's2-encryption-key': Buffer.alloc(33).toString('base64') }, new RegExp(`'${cipher}' has 32 bytes, not 33`)],
      [{ 's2-encryption-key': key(1).slice(0, 43) }, new RegExp(`'${cipher}' is not .*base64`)],
    ];
    for (const [headers, message] of bad) {
      const answer = { status: 400, json: refusal('bad_header', message) };
      expect(await api.append('a', { records: [{}] }, headers)).toMatchObject(answer);
      expect(await api.read('a', '?seq_num=0', headers)).toMatchObject(answer);
      expect(await api.read('a', '?seq_num=0', { ...headers, ...EVENTS })).toMatchObject(answer);
      const opened = new AppendSession(connection, api.basin, 'a', headers).opened;
      await expect(opened).rejects.toMatchObject({ status: 400, body: refusal('bad_header', message) });
      expect((await sessionRead(api, '?seq_num=0', headers)).error).toMatchObject({ status: 400, body: refusal('bad_header', message) });
    }
    expect(await api.tail('a')).toBe(0);
    expect((await api.append('a', { records: [{}] }, { 's2-encryption-key': ` ${key(1)} ` })).status).toBe(200);
  });

  test('takes records under several keys, and gives each reader its own', async () => {
    const api = await withStream(cipher);
    await sessionAppend(api, MINE, 'mine 0', 'mine 1');
    await sessionAppend(api, THEIRS, 'theirs 2');
    await sessionAppend(api, MINE, 'mine 3');
    const failed = { status: 400, json: refusal('decryption_failed', /^record 2 /) };
    expect(bodies((await api.read('a', '?seq_num=0&count=1', MINE)).text)).toEqual(['mine 0']);
    expect(await api.read('a', '?seq_num=2', MINE)).toMatchObject(failed);
    expect(await api.call('GET', api.recordsPath('a', '?seq_num=2'), { headers: { ...MINE, ...PROTOBUF } })).toMatchObject(failed);
    expect(bodies((await api.read('a', '?seq_num=2', THEIRS)).text)).toEqual(['theirs 2']);
    expect(bodies((await api.read('a', '?seq_num=3', MINE)).text)).toEqual(['mine 3']);

    const events = await api.read('a', '?seq_num=0', { ...MINE, ...EVENTS });
    expect(events.status).toBe(200);
    expect(events.text.match(/^data: \{"records.*$/gm)?.flatMap((line) => bodies(line.slice(6)))).toEqual(['mine 0', 'mine 1']);
    expect(events.text).toMatch(/event: error\ndata: \{"code":"decryption_failed","message":"record 2 [^\n]*\}\n\n$/);
    const framed = await sessionRead(api, '?seq_num=0', MINE);
    expect(bodiesIn(framed.batches)).toEqual(['mine 0', 'mine 1']);
    expect(framed.error).toBeInstanceOf(SessionError);
    expect(framed.error).toMatchObject({ status: 400, body: refusal('decryption_failed', /^record 2 /) });
  });

  test('E7: of a batch of which a part opens, a session gives that part and then fails, a unary read gives nothing', async () => {
    const api = await withStream(cipher);
    await sessionAppend(api, MINE, 'mine 0', 'mine 1');
    await sessionAppend(api, THEIRS, 'theirs 2');
    server.store.joinRuns();
    expect(await api.read('a', '?seq_num=0', MINE)).toMatchObject({ status: 400, json: refusal('decryption_failed', /^record 2 /) });
    expect(bodies((await api.read('a', '?seq_num=0&count=2', MINE)).text)).toEqual(['mine 0', 'mine 1']);
    const framed = await sessionRead(api, '?seq_num=0', MINE);
    expect(framed.batches.map(({ records }) => records.map(({ seqNum }) => seqNum))).toEqual([[0, 1]]);
    expect(framed.error).toMatchObject({ status: 400, body: refusal('decryption_failed', /^record 2 /) });
    const events = await api.read('a', '?seq_num=0', { ...MINE, ...EVENTS });
    expect(events.text).toMatch(/^event: batch\nid: 1,2,28\n/);
  });

  test('keeps commands in clear: they work, and open under any key', async () => {
    const api = await withStream(cipher);
    expect((await api.append('a', { records: [{ headers: [['', 'fence']], body: 'token' }, { body: 'x' }] }, MINE)).status).toBe(200);
    expect(await api.append('a', { records: [{}], fencing_token: 'other' }, MINE)).toMatchObject({
      status: 412,
      json: { fencing_token_mismatch: 'token' },
    });
    const { json } = await api.read('a', '?seq_num=0&count=1', THEIRS);
    expect(json).toMatchObject({ records: [{ headers: [['', 'fence']], body: 'token' }] });
    expect((await api.read('a', '?seq_num=1&count=1', THEIRS)).status).toBe(400);
  });

  test('is followed by readers with their keys, side by side', async () => {
    const api = await withStream(cipher);
    await sessionAppend(api, MINE, 'before');
    const reads = [MINE, THEIRS, MINE].map((headers) => {
      const seen: string[] = [];
      let error: Error | undefined;
      const onBatch = (batch: InBatch): void => void seen.push(...batch.records.map(({ body }) => body.toString()));
      const read = openRead(connection, api.basin, 'a', '?seq_num=1', { onBatch, onEnd: (how) => (error = how) }, headers);
      return { seen, error: () => error, close: read.close };
    });
    await expect.poll(() => server.store.openReads).toBe(3);
    await sessionAppend(api, MINE, 'one', 'two');
    await expect.poll(() => reads.map(({ seen }) => seen.join())).toEqual(['one,two', '', 'one,two']);
    await expect.poll(() => reads[1]?.error()).toMatchObject({ status: 400, body: refusal('decryption_failed') });
    for (const { close } of reads) close();
  });
});

describe('a key', () => {
  test.each(['', ' ', 'x'.repeat(45)])('of the shape "%s" is refused, whether its stream has a cipher or not', async (text) => {
    for (const cipher of [null, 'aegis-256'] as const) {
      const api = await withBasin(cipher);
      await api.createStream('a');
      const headers = { 's2-encryption-key': text };
      const answer = { status: 400, json: refusal('bad_header', /1 to 44/) };
      expect(await api.append('a', { records: [{}] }, headers)).toMatchObject(answer);
      expect(await api.read('a', '?seq_num=0', headers)).toMatchObject(answer);
    }
  });

  test('that a stream has no cipher for is ignored, whatever it stands for', async () => {
    const api = await withBasin(null);
    await api.createStream('a');
    expect((await api.call('GET', '/streams')).json).toMatchObject({ streams: [{ cipher: null }] });
    expect((await api.append('a', { records: [{ body: 'x' }] }, { 's2-encryption-key': 'no base64' })).status).toBe(200);
    for (const headers of [{}, MINE, { 's2-encryption-key': 'x' }])
      expect(bodies((await api.read('a', '?seq_num=0', headers)).text)).toEqual(['x']);
  });

  test('is not needed to ask for the tail, to create, to configure or to delete', async () => {
    const api = await withStream();
    await api.append('a', { records: [{}] }, MINE);
    expect(await api.tail('a')).toBe(1);
    expect((await api.call('GET', '/streams/a')).status).toBe(200);
    expect((await api.call('PATCH', '/streams/a', { body: { retention_policy: { age: 9 } } })).status).toBe(200);
    expect((await api.call('DELETE', '/streams/a')).status).toBe(202);
  });

  test('is asked for before anything is said of a deletion', async () => {
    const api = await withStream();
    await api.call('DELETE', '/streams/a');
    expect(await api.append('a', { records: [{}] })).toMatchObject({ status: 400, json: refusal('bad_header') });
    expect(await api.append('a', { records: [{}] }, MINE)).toMatchObject({ status: 409, json: refusal('stream_deletion_pending') });
  });

  test('E4: that is missing or wrong creates no stream; a right one does, and a look at the tail needs none', async () => {
    const api = await withBasin('aes-256-gcm', { create_stream_on_append: true, create_stream_on_read: true });
    const names = async () => ((await api.call('GET', '/streams')).json as { streams: { name: string }[] }).streams.map(({ name }) => name);
    for (const headers of [{}, { 's2-encryption-key': 'x' }]) {
      expect(await api.append('a', { records: [{}] }, headers)).toMatchObject({ status: 400, json: refusal('bad_header', /aes-256-gcm/) });
      expect(await api.read('a', '?seq_num=0', headers)).toMatchObject({ status: 400 });
      expect(await api.read('a', '?seq_num=0', { ...headers, ...EVENTS })).toMatchObject({ status: 400 });
      await expect(new AppendSession(connection, api.basin, 'a', headers).opened).rejects.toMatchObject({ status: 400 });
      expect((await sessionRead(api, '?seq_num=0', headers)).error).toMatchObject({ status: 400 });
    }
    expect(await names()).toEqual([]);
    // What is wrong with a request alone comes first.
    expect((await api.read('a', '?timestamp=5&until=5', {})).status).toBe(422);
    expect((await api.append('a', { records: [{}] }, MINE)).status).toBe(200);
    expect((await api.read('b', '?seq_num=0', MINE)).status).toBe(416);
    expect(await api.tail('c')).toBe(0);
    expect(await names()).toEqual(['a', 'b', 'c']);
  });
});

describe("a basin's cipher", () => {
  test('is shown, changed and cleared, and is for streams that come later', async () => {
    const api = await withBasin('aegis-256');
    const path = `/basins/${api.basin}`;
    const patch = (body: object) => api.call('PATCH', path, { body });
    const ciphers = async () => {
      const { streams } = (await api.call('GET', '/streams')).json as { streams: { name: string; cipher: string | null }[] };
      return Object.fromEntries(streams.map(({ name, cipher }) => [name, cipher]));
    };
    expect((await api.call('GET', path)).json).toMatchObject({ stream_cipher: 'aegis-256' });
    await api.createStream('a');
    expect((await patch({ stream_cipher: 'aes-256-gcm' })).json).toMatchObject({ stream_cipher: 'aes-256-gcm' });
    expect((await patch({ create_stream_on_read: true })).json).toMatchObject({ stream_cipher: 'aes-256-gcm' });
    expect((await api.call('PUT', '/streams/b')).json).toMatchObject({ cipher: 'aes-256-gcm' });
    expect((await patch({ stream_cipher: null })).json).toMatchObject({ stream_cipher: null });
    await api.createStream('c');
    expect((await api.call('PUT', path, { body: { config: { stream_cipher: 'aegis-256' } } })).headers.get('s2-provision-result')).toBe(
      'updated',
    );
    await api.createStream('d');
    expect((await api.call('PUT', path, { body: {} })).status).toBe(200);
    expect((await api.call('GET', path)).json).toMatchObject({ stream_cipher: null });
    expect((await patch({ stream_cipher: 'rot13' })).json).toMatchObject({ code: 'bad_json' });
    expect(await ciphers()).toEqual({ a: 'aegis-256', b: 'aes-256-gcm', c: null, d: 'aegis-256' });

    // Neither PUT nor PATCH of a stream gives it another one.
    for (const name of ['a', 'b', 'c']) {
      expect(
        (await api.call('PUT', `/streams/${name}`, { body: { retention_policy: { age: 5 } } })).headers.get('s2-provision-result'),
      ).toBe('updated');
      expect((await api.call('PATCH', `/streams/${name}`, { body: { storage_class: 'standard' } })).status).toBe(200);
    }
    expect(await ciphers()).toEqual({ a: 'aegis-256', b: 'aes-256-gcm', c: null, d: 'aegis-256' });
    await api.append('a', { records: [{ body: 'still there' }] }, MINE);
    expect(bodies((await api.read('a', '?seq_num=0', MINE)).text)).toEqual(['still there']);
  });
});
