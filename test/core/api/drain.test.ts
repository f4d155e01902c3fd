// How a server goes away while clients are connected.

import { connect } from 'node:http2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { startServer, type TestServer } from './server.ts';

const HI = Buffer.from('000007000a041a026869', 'hex');

test('advises sessions to go, acknowledges what it took, then ends them with server_draining', async () => {
  const server = await startServer();
  const api = new Api(server.origin, 'draining-basin');
  await api.createBasin();
  await api.createStream('a');
  const client = connect(server.origin);
  const open = (method: string) => {
    const stream = client.request(
      { ':method': method, ':path': '/v1/streams/a/records?tail_offset=0', 's2-basin': api.basin, 'content-type': 's2s/proto' },
      { endStream: method === 'GET' },
    );
    let received = Buffer.alloc(0);
    stream.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
    });
    const ended = new Promise<void>((resolve) => stream.once('end', () => resolve()));
    return { stream, received: () => received, ended };
  };
  const append = open('POST');
  const read = open('GET');
  append.stream.write(HI);
  await expect.poll(() => append.received().length).toBeGreaterThan(4);
  expect(append.received()[3]).toBe(0);
  const before = append.received().length;

  const drained = server.handler.drain(1_000);
  expect((await fetch(`${server.origin}/health`)).status).toBe(503);
  append.stream.write(HI);
  await expect.poll(() => append.received().length).toBeGreaterThan(before);
  expect(append.received()[before + 3]).toBe(0x10);
  // Who has no other connection yet is served, and advised too.
  const late = open('POST');
  late.stream.write(HI);
  await expect.poll(() => late.received().length).toBeGreaterThan(4);
  expect(late.received()[3]).toBe(0x10);

  await Promise.all([drained, append.ended, read.ended, late.ended]);
  for (const { received } of [append, read, late])
    expect(received().toString('latin1')).toContain('\u0080\u0001\u00f7{"code":"server_draining"');
  expect(server.handler.openCount).toBe(0);
  expect(server.store.openReads).toBe(0);
  expect(await api.append('a', { records: [{ body: 'too late' }] })).toMatchObject({ status: 503, json: { code: 'server_draining' } });
  expect(server.store.appended).toBe(3);
  client.close();
  await server.close();
});

describe('A19: a drain', () => {
  const GRACE_MS = 200;
  /** Grace, the time to hear of the end, and what a busy machine takes. */
  const DRAIN_MS_MAX = 2_500;

  async function started(): Promise<{ server: TestServer; api: Api }> {
    const server = await startServer();
    onTestFinished(() => server.close());
    const api = new Api(server.origin, 'draining-basin');
    await api.createBasin();
    await api.createStream('a');
    return { server, api };
  }

  async function opened(server: TestServer, api: Api, method: string, target: string, ...headers: string[]): Promise<RawConnection> {
    const raw = await RawConnection.open(server.origin);
    raw.socket.pause();
    raw.send([`${method} /v1/streams/${target} HTTP/1.1`, 'host: x', `s2-basin: ${api.basin}`, ...headers, '', ''].join('\r\n'));
    await expect.poll(() => server.handler.openCount).toBeGreaterThan(0);
    return raw;
  }

  async function drainMs(server: TestServer): Promise<number> {
    const begin = performance.now();
    await server.handler.drain(GRACE_MS);
    return performance.now() - begin;
  }

  test('ends a long poll at once, with server_draining', async () => {
    const { server, api } = await started();
    const poll = api.read('a', '?tail_offset=0&wait=45');
    await expect.poll(() => server.store.openReads).toBe(1);
    expect(await drainMs(server)).toBeLessThan(GRACE_MS);
    expect(await poll).toMatchObject({ status: 503, json: { code: 'server_draining' } });
    expect(server.store.openReads).toBe(0);
  });

  test('waits for an answer that is on its way', async () => {
    const { server, api } = await started();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.store.gate = promise;
    const append = api.append('a', { records: [{ body: 'x' }] });
    await expect.poll(() => server.handler.openCount).toBe(1);
    setTimeout(resolve, GRACE_MS / 2);
    expect(await drainMs(server)).toBeLessThan(GRACE_MS + 100);
    expect((await append).status).toBe(200);
  });

  test('answers a body that is not finished in its grace, and nothing of it is written', async () => {
    const { server, api } = await started();
    const raw = await opened(server, api, 'POST', 'a/records', 'content-type: application/json', 'content-length: 100');
    raw.send('{"records":[{"body":"half');
    raw.socket.resume();
    expect(await drainMs(server)).toBeLessThan(GRACE_MS + 500);
    await expect.poll(() => raw.text).toContain('"code":"server_draining"');
    expect(raw.status).toBe(503);
    expect(server.store.appended).toBe(0);
  });

  test.each([
    ['server-sent events', 'accept: text/event-stream'],
    ['a session', 'content-type: s2s/proto'],
  ])('cuts a client that reads nothing of %s', async (_, header) => {
    const { server, api } = await started();
    for (let i = 0; i < 24; i += 1) await api.appendBodies('a', 'x'.repeat(900_000));
    const raw = await opened(server, api, 'GET', 'a/records?seq_num=0', header);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(server.store.openReads).toBe(1);
    const ms = await drainMs(server);
    // It was given the time to hear of the end.
    expect(ms).toBeGreaterThan(GRACE_MS + 500);
    expect(ms).toBeLessThan(DRAIN_MS_MAX);
    await expect.poll(() => server.handler.openCount).toBe(0);
    expect(server.store.openReads).toBe(0);
    raw.reset();
  });

  test('cuts the one stream of an HTTP/2 connection that is not read', async () => {
    const { server, api } = await started();
    for (let i = 0; i < 24; i += 1) await api.appendBodies('a', 'x'.repeat(900_000));
    const client = connect(server.origin);
    onTestFinished(() => client.destroy());
    const stream = client.request({ ':path': '/v1/streams/a/records?seq_num=0', 's2-basin': api.basin, 'content-type': 's2s/proto' });
    stream.on('error', () => undefined);
    await expect.poll(() => server.store.openReads).toBe(1);
    expect(await drainMs(server)).toBeLessThan(DRAIN_MS_MAX);
    await expect.poll(() => server.handler.openCount).toBe(0);
    expect(server.store.openReads).toBe(0);
  });

  test('is over also while an append never is; its client is cut, not answered', async () => {
    const { server, api } = await started();
    server.store.gate = new Promise(() => undefined);
    const append = api.append('a', { records: [{ body: 'x' }] }).then(
      ({ status }) => status,
      () => 'cut',
    );
    await expect.poll(() => server.handler.openCount).toBe(1);
    expect(await drainMs(server)).toBeLessThan(DRAIN_MS_MAX);
    expect(await append).toBe('cut');
  });
});
