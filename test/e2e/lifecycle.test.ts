// From `npm start` to SIGTERM, and what the environment decides.

import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect, openRead } from '#bench/session.ts';
import { Api } from '#test/support/api.ts';
import { newServer, type Server, type ServerOptions, startServer } from '#test/support/server.ts';

const servers: Server[] = [];

async function started(options: ServerOptions = {}): Promise<Server> {
  const server = await startServer(options);
  servers.push(server);
  return server;
}

async function refusedStart(options: ServerOptions): Promise<{ code: number | null; output: string }> {
  const server = await newServer(options);
  servers.push(server);
  server.spawn();
  const { code } = await server.exited;
  return { code, output: server.output };
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.dispose();
});

async function withBasin(server: Server): Promise<Api> {
  const api = new Api(server.url, 'life-basin');
  await api.createBasin({ create_stream_on_append: true });
  return api;
}

async function isListening(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

/** Local addresses on which something listens at `port`, as the kernel writes them. */
async function listeningAddresses(port: number): Promise<string[]> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')));
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return tables
    .join('\n')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) && columns[3] === '0A')
    .map((columns) => (columns[1] ?? '').slice(0, -suffix.length));
}

describe('start', () => {
  test('the line with the URL is printed once /health answers 200, and only once', async () => {
    const server = await newServer();
    servers.push(server);
    server.spawn();
    await server.ready();
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(server.output.match(/listens on http:/g)).toHaveLength(1);
  });

  test('before that, /health answers nothing or 503, never 200 and then 503', async () => {
    const first = await started();
    await first.stop();
    // A port that is known beforehand, so that it can be asked from the first moment.
    const server = await newServer({ port: first.port });
    servers.push(server);
    server.spawn();
    const seen: number[] = [];
    let isReady = false;
    const ready = server.ready().then(() => {
      isReady = true;
    });
    while (!isReady)
      seen.push(
        await fetch(`http://127.0.0.1:${first.port}/health`).then(
          (response) => response.status,
          () => 0,
        ),
      );
    await ready;
    const firstReady = seen.indexOf(200);
    for (const status of firstReady < 0 ? seen : seen.slice(0, firstReady)) expect(status).toBeOneOf([0, 503]);
    for (const status of firstReady < 0 ? [] : seen.slice(firstReady)) expect(status).toBe(200);
  });

  test('listens on 127.0.0.1 and nowhere else, unless MILLRACE_HOST says otherwise', async () => {
    const local = await started();
    expect(await listeningAddresses(local.port)).toEqual(['0100007F']);
    const open = await started({ env: { MILLRACE_HOST: '0.0.0.0' } });
    expect(await listeningAddresses(open.port)).toEqual(['00000000']);
  });

  test.each([
    ['PORT', 'eighty'],
    ['PORT', '65536'],
    ['MILLRACE_AUTH', 'required'],
    ['MILLRACE_DATA_DIR', ''],
    ['MILLRACE_BACKLOG_MIB', '7'],
    ['MILLRACE_BACKLOG_MIB', 'much'],
  ])('%s=%s ends the process with a message that names it', async (name, value) => {
    const { code, output } = await refusedStart({ env: { [name]: value } });
    expect(code).toBeGreaterThan(0);
    expect(output).toContain(name);
    expect(output).not.toMatch(/^\s+at /m);
  });

  test('a port that is taken, or a data folder that is a file, ends the process with a message that says so', async () => {
    const server = await started();
    const taken = await refusedStart({ port: server.port });
    expect(taken.code).toBeGreaterThan(0);
    expect(taken.output).toMatch(new RegExp(`${server.port}`));
    const file = path.join(server.dataDir, 'a-file');
    await writeFile(file, '');
    const notAFolder = await refusedStart({ dataDir: file });
    expect(notAFolder.code).toBeGreaterThan(0);
    expect(notAFolder.output).toContain(file);
    for (const { output } of [taken, notAFolder]) expect(output).not.toMatch(/^\s+at /m);
  });
});

describe('SIGTERM', () => {
  test('to npm itself ends the server, with exit code 0', async () => {
    const server = await started({ command: ['npm', 'start', '--silent'], readyTimeoutMs: 30_000 });
    const api = await withBasin(server);
    await api.appendBodies('s', 'kept');
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(await isListening(server.port)).toBe(false);
    const again = await started({ dataDir: server.dataDir });
    expect(await new Api(again.url, 'life-basin').readBodies('s')).toEqual(['kept']);
  });

  test('with nothing to wait for, it takes less than two seconds', async () => {
    const server = await started();
    const begin = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  test('every append that was accepted is acknowledged, sessions end with 503 server_draining, and what was acknowledged is there', async () => {
    const server = await started();
    const api = await withBasin(server);
    await api.appendBodies('s', 'first');
    const connection = await connect(server.url);
    const session = new AppendSession(connection, api.basin, 's');
    await session.opened;
    let readEnd: unknown = 'still open';
    let hasRead = false;
    openRead(connection, api.basin, 's', '?seq_num=0', {
      onBatch: () => {
        hasRead = true;
      },
      onEnd: (error) => {
        readEnd = error;
      },
    });
    await expect.poll(() => hasRead).toBe(true);
    const outcomes: Promise<boolean>[] = [];
    const exited = server.stop();
    let isOver = false;
    void exited.then(() => {
      isOver = true;
    });
    while (!isOver) {
      const frame = frameOf(encodeAppendInput([{ body: Buffer.from(`${outcomes.length}`) }]));
      outcomes.push(
        session.append(frame).then(
          () => true,
          () => false,
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const acknowledged = (await Promise.all(outcomes)).filter((isAcknowledged) => isAcknowledged).length;
    expect(await exited).toEqual({ code: 0, signal: null });
    await expect(session.append(Buffer.alloc(0))).rejects.toMatchObject({ status: 503, body: { code: 'server_draining' } });
    expect(readEnd).toMatchObject({ status: 503, body: { code: 'server_draining' } });
    connection.destroy();
    await server.start();
    // The poison takes a prefix: nothing behind the first refusal was written.
    const expected = ['first', ...Array.from({ length: acknowledged }, (_, at) => `${at}`)];
    expect(await new Api(server.url, api.basin).tail('s')).toBe(expected.length);
    expect((await new Api(server.url, api.basin).readBodies('s')).slice(0, 1_000)).toEqual(expected.slice(0, 1_000));
  });

  test('clients that never stop asking do not keep it from ending', async () => {
    const server = await started();
    const api = await withBasin(server);
    let isOver = false;
    const clients = Array.from({ length: 32 }, async (_, at) => {
      while (!isOver)
        await api.append(`s${at}`, { records: [{ body: 'x' }] }).catch(() => new Promise((resolve) => setTimeout(resolve, 5)));
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const begin = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(10_000);
    isOver = true;
    await Promise.all(clients);
  });

  test('while draining, /health answers 503 to whoever asks, and appends are refused without effect', async () => {
    const server = await started();
    const api = await withBasin(server);
    await api.appendBodies('s', 'first');
    const connection = await connect(server.url);
    const session = new AppendSession(connection, api.basin, 's');
    await session.opened; // The drain waits for it.
    const exited = server.stop();
    await expect.poll(async () => (await fetch(`${server.url}/health`).catch(() => ({ status: 'refused' }))).status).toBe(503);
    const late = await api.append('s', { records: [{ body: 'late' }] });
    expect([late.status, late.json]).toMatchObject([503, { code: 'server_draining' }]);
    await session.finish();
    connection.destroy();
    expect(await exited).toEqual({ code: 0, signal: null });
    await server.start();
    expect(await new Api(server.url, api.basin).readBodies('s')).toEqual(['first']);
  });
});
