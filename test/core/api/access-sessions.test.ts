// Sessions outlive their first step: what a token is worth is looked at before each further one.

import { connect } from 'node:http2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { ROOT_TOKEN, startServer, type TestServer } from './server.ts';

let server: TestServer;
let api: Api;
const root = { authorization: `Bearer ${ROOT_TOKEN}` };

beforeAll(async () => {
  server = await startServer({}, undefined, 'required');
  api = new Api(server.origin, 'session-basin');
  await api.call('POST', '/basins', { body: { basin: api.basin }, headers: root });
  await api.call('POST', '/streams', { body: { stream: 'a' }, headers: root });
});
afterAll(() => server.close());
afterEach(async () => {
  await expect.poll(() => server.handler.openCount).toBe(0);
  expect(server.faults).toEqual([]);
  expect(server.store.openReads).toBe(0);
});

async function issue(id: string, ops: readonly string[]): Promise<string> {
  const scope = { ops, basins: { prefix: '' }, streams: { prefix: '' } };
  const answer = await api.call('POST', '/access-tokens', { body: { id, scope }, headers: root });
  return (answer.json as { access_token: string }).access_token;
}

/** One record with the body `hi`, and a fence. */
const RECORD = Buffer.from('000007000a041a026869', 'hex');
const FENCE = Buffer.from('000012000a0f1207120566656e63651a04746f6b31', 'hex');

/** A session over HTTP/2: what it was answered, as text. */
function open(method: 'GET' | 'POST', secret: string, headers: Record<string, string>) {
  const client = connect(server.origin);
  const stream = client.request({
    ':method': method,
    ':path': '/v1/streams/a/records?seq_num=0',
    authorization: `Bearer ${secret}`,
    's2-basin': api.basin,
    ...headers,
  });
  const made = { text: '', bytes: Buffer.alloc(0), send: (bytes: Buffer) => void stream.write(bytes), ended: Promise.resolve() };
  stream.on('data', (piece: Buffer) => {
    made.bytes = Buffer.concat([made.bytes, piece]);
    made.text = made.bytes.toString('latin1');
  });
  made.ended = new Promise<void>((resolve) => {
    stream.once('end', () => {
      stream.end();
      client.close();
      resolve();
    });
  });
  if (method === 'GET') stream.end();
  return made;
}

const tail = async () => (await api.call('GET', '/streams/a/records/tail', { headers: root })).text;

describe('K3: once its token is revoked', () => {
  test('an append session takes no further batch, and says so behind the acknowledgements', async () => {
    const session = open('POST', await issue('appender', ['append']), { 'content-type': 's2s/proto' });
    session.send(RECORD);
    await expect.poll(() => session.bytes.length).toBeGreaterThan(0);
    const before = await tail();
    await api.call('DELETE', '/access-tokens/appender', { headers: root });
    for (let i = 0; i < 3; i += 1) session.send(RECORD);
    await session.ended;
    expect(session.text).toContain('"code":"authn"');
    expect(await tail()).toBe(before);
  });

  test.each([
    ['a read session', { 'content-type': 's2s/proto' }],
    ['a stream of events', { accept: 'text/event-stream' }],
  ])('%s ends with the next batch or heartbeat', async (_, headers) => {
    const session = open('GET', await issue('reader', ['read']), headers);
    await expect.poll(() => session.bytes.length).toBeGreaterThan(0);
    await api.call('DELETE', '/access-tokens/reader', { headers: root });
    await session.ended;
    expect(session.text).toContain('"code":"authn"');
  });
});

test('a command without its operation fails the session, and nothing behind it takes effect', async () => {
  const session = open('POST', await issue('no fence', ['append']), { 'content-type': 's2s/proto' });
  const before = await tail();
  session.send(Buffer.concat([FENCE, RECORD, RECORD]));
  await session.ended;
  expect(session.text).toContain('"code":"permission_denied"');
  expect(await tail()).toBe(before);
});

test('a session is refused before its head by a token that does not cover it', async () => {
  const reader = await issue('only reads', ['read']);
  const session = open('POST', reader, { 'content-type': 's2s/proto' });
  await session.ended;
  expect(JSON.parse(session.text)).toMatchObject({ code: 'permission_denied' });
});
