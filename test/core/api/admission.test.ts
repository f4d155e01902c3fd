// What comes while a server starts.

import { describe, expect, onTestFinished, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { startServer, type TestServer } from './server.ts';

async function starting(): Promise<{ server: TestServer; api: Api }> {
  const server = await startServer({}, undefined, 'off', 'starting');
  onTestFinished(() => server.close());
  return { server, api: new Api(server.origin, 'held-basin') };
}

describe('A22: while a server starts', () => {
  test('requests wait, /health and what needs no store do not, and all are answered once it serves', async () => {
    const { server, api } = await starting();
    const created = api.createBasin({ create_stream_on_append: true });
    await expect.poll(() => server.handler.openCount).toBe(1);
    const health = await fetch(`${server.origin}/health`);
    expect([health.status, await health.text()]).toEqual([503, 'starting']);
    expect((await api.call('GET', '/nowhere')).status).toBe(404);
    server.becomeReady();
    await created;
    expect((await fetch(`${server.origin}/health`)).status).toBe(200);
    expect(await api.appendBodies('s', 'x')).toBe(0);
    expect(server.handler.openCount).toBe(0);
  });

  test('a request is told in time that nothing happened, and nothing of it is done later', async () => {
    const { server, api } = await starting();
    const asked = api.call('POST', '/basins', { body: { basin: api.basin } });
    // Clients give up after 5 s, and ask again.
    expect(await asked).toMatchObject({ status: 503, json: { code: 'server_draining' } });
    server.becomeReady();
    expect((await api.call('GET', '/basins')).json).toMatchObject({ basins: [] });
  });

  test.each<[string, (raw: RawConnection) => void]>([
    ['resets its connection', (raw) => raw.reset()],
    ['closes its connection', (raw) => raw.socket.end()],
  ])('nothing is done for a client that %s before', async (_, leave) => {
    const { server, api } = await starting();
    const raw = await RawConnection.open(server.origin);
    const body = `{"basin":"${api.basin}"}`;
    raw.send(`POST /v1/basins HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => server.handler.openCount).toBe(1);
    leave(raw);
    await expect.poll(() => server.handler.openCount).toBe(0);
    server.becomeReady();
    expect((await api.call('GET', '/basins')).json).toMatchObject({ basins: [] });
  });

  test('its end is told to those who wait', async () => {
    const { server, api } = await starting();
    const asked = api.call('GET', '/basins');
    await expect.poll(() => server.handler.openCount).toBe(1);
    await server.handler.drain(10_000);
    expect(await asked).toMatchObject({ status: 503, json: { code: 'server_draining' } });
  });
});
