// `npm run edge`: the store and the Worker before it, started and stopped as one.

import { expect, onTestFinished, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { newServer, type Server } from '#test/support/server.ts';

const COMMAND = [process.execPath, 'functions/edge/main.ts'] as const;
const TOKEN = 'a-root-token-that-was-given';

async function made(env: Readonly<Record<string, string>>): Promise<Server> {
  const server = await newServer({ command: COMMAND, env: { EDGE_PORT: '0', ...env } });
  onTestFinished(() => server.dispose());
  return server;
}

async function edgeUrl(server: Server): Promise<string> {
  await expect.poll(() => server.output, { timeout: 20_000 }).toMatch(/the edge listens on (\S+)/);
  return /the edge listens on (\S+)/.exec(server.output)?.[1] ?? '';
}

test('serves through both, checks tokens where the store does, and a signal ends all of it', async () => {
  const server = await made({ MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: TOKEN });
  await server.start();
  const url = await edgeUrl(server);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const through = new Api(url, 'npm-edge-basin');
  expect((await through.call('POST', '/basins', { body: { basin: through.basin }, headers })).status).toBe(201);
  expect((await new Api(server.url, through.basin).call('GET', `/basins/${through.basin}`, { headers })).status).toBe(200);
  const none = await through.call('GET', '/basins');
  expect([none.status, none.headers.get('millrace-cache'), none.headers.get('cache-control')]).toEqual([
    401,
    null,
    'no-store, no-transform',
  ]);
  expect(server.output).not.toContain(TOKEN);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  for (const gone of [url, server.url]) await expect(fetch(`${gone}/health`)).rejects.toThrow();
});

test.each([
  [{ EDGE_PORT: 'x' }, 'EDGE_PORT is "x"'],
  [{ MILLRACE_ORIGIN: 'http://127.0.0.1:1' }, 'MILLRACE_ORIGIN is "http://127.0.0.1:1"'],
  [{ PORT: 'x' }, 'PORT is "x"'],
])('says why it cannot start: %o', async (env, message) => {
  const server = await made(env);
  server.spawn();
  expect((await server.exited).code).toBe(1);
  expect(server.output).toContain(message);
});
