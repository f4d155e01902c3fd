// How a server goes away while clients are connected.

import { connect } from 'node:http2';
import { expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { startServer } from './server.ts';

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

  const drained = server.handler.drain(300);
  expect((await fetch(`${server.origin}/health`)).status).toBe(503);
  append.stream.write(HI);
  await expect.poll(() => append.received().length).toBeGreaterThan(before);
  expect(append.received()[before + 3]).toBe(0x10);
  const late = await fetch(`${server.origin}/v1/streams/a/records?tail_offset=0`, {
    headers: { 's2-basin': api.basin, 'content-type': 's2s/proto' },
  });
  expect([late.status, await late.json()]).toMatchObject([503, { code: 'server_draining' }]);

  await Promise.all([drained, append.ended, read.ended]);
  for (const { received } of [append, read]) expect(received().toString('latin1')).toContain('\u0080\u0001\u00f7{"code":"server_draining"');
  expect(server.handler.openCount).toBe(0);
  expect(server.store.openReads).toBe(0);
  client.close();
  await server.close();
});
