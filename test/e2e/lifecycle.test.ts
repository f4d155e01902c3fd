// From `npm start` to SIGTERM, and what the environment decides.

import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect, openRead } from '#bench/session.ts';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
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

/** Said to a person, on a line of its own: not a stack, neither as text nor inside of a JSON log. */
function expectOneLine(output: string, ...words: string[]): void {
  const said = output.split('\n').filter((line) => line.startsWith('millrace cannot start: '));
  expect(said, output).toHaveLength(1);
  for (const word of words) expect(said[0]).toContain(word);
  expect(output).not.toMatch(/(^|\\n)\s+at /m);
  expect(output).not.toContain('server.crashed');
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
    ['MILLRACE_AUTH', 'on'],
    ['MILLRACE_ROOT_TOKEN', 'long-enough-but-access-is-off'],
    ['MILLRACE_REVOCATION_SECS', '0'],
    ['MILLRACE_DATA_DIR', ''],
    ['MILLRACE_WAIT_SECS', 'soon'],
    ['MILLRACE_BACKLOG_MIB', '7'],
    ['MILLRACE_BACKLOG_MIB', 'much'],
    ['MILLRACE_STORE_MAX_MIB', '0'],
  ])('%s=%s ends the process with a message that names it', async (name, value) => {
    const { code, output } = await refusedStart({ env: { [name]: value } });
    expect(code).toBeGreaterThan(0);
    expectOneLine(output, name);
  });

  test('a port that is taken ends the process with a message that names it, its host and PORT', async () => {
    const server = await started();
    const { code, output } = await refusedStart({ port: server.port });
    expect(code).toBe(1);
    expectOneLine(output, `port ${server.port} on 127.0.0.1 is taken`, 'PORT');
  });

  test.each(['no-such-host.invalid', '192.0.2.1', 'not a host'])(
    'so does MILLRACE_HOST=%s, which is none of this machine',
    async (host) => {
      const { code, output } = await refusedStart({ env: { MILLRACE_HOST: host } });
      expect(code).toBe(1);
      expectOneLine(output, `MILLRACE_HOST is "${host}"`);
    },
  );

  test('so does a data folder that is a file, or takes no writes', async () => {
    const server = await newServer();
    servers.push(server);
    const file = path.join(server.dataDir, 'a-file');
    await writeFile(file, '');
    // Not even root writes there.
    for (const dataDir of [file, '/proc']) {
      const { code, output } = await refusedStart({ dataDir });
      expect(code).toBe(1);
      expectOneLine(output, dataDir, 'MILLRACE_DATA_DIR');
    }
  });
});

describe('metrics', () => {
  test('count requests and how long they took, by method, route and status; unknown methods and paths add nothing without bound', async () => {
    const server = await started();
    const api = await withBasin(server);
    for (let at = 0; at < 3; at += 1) await api.appendBodies(`s${at}`, 'x');
    await api.read('s0', '?seq_num=0');
    await api.read('s0', '?seq_num=7');
    for (const path of ['/a', '/b']) await api.call('GET', path);
    await api.call('PATCH', '/streams/s0/records');
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const count = (method: string, route: string, status: number): string | undefined =>
      new RegExp(`^millrace_request_seconds_count\\{method="${method}",route="${route}",status="${status}"\\} (\\d+)$`, 'm').exec(
        text,
      )?.[1];
    expect(count('POST', '/v1/streams/:stream/records', 200)).toBe('3');
    expect(count('GET', '/v1/streams/:stream/records', 200)).toBe('1');
    expect(count('GET', '/v1/streams/:stream/records', 416)).toBe('1');
    expect(count('POST', '/v1/basins', 201)).toBe('1');
    expect(count('any', 'none', 404)).toBe('2');
    expect(count('any', 'none', 405)).toBe('1');
    expect(text).toMatch(
      /^millrace_request_seconds_bucket\{le="60",method="POST",route="\/v1\/streams\/:stream\/records",status="200"\} 3$/m,
    );
  });
});

/** The bound of a drain and of what comes after it, and what a busy machine takes. */
const STOP_MS_MAX = 6_500;

async function timed<T>(work: Promise<T>): Promise<{ ms: number; value: T }> {
  const begin = performance.now();
  const value = await work;
  return { ms: performance.now() - begin, value };
}

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

  test('while draining, who has a connection is served, and told to take another one; /health answers 503, and nobody new is let in', async () => {
    const server = await started();
    const api = await withBasin(server);
    await api.appendBodies('s', 'first');
    const kept = await Promise.all([RawConnection.open(server.url), RawConnection.open(server.url)]);
    const connection = await connect(server.url);
    const session = new AppendSession(connection, api.basin, 's');
    await session.opened; // The drain waits for it.
    const exited = server.stop();
    const isLetIn = (): Promise<boolean> =>
      fetch(`${server.url}/ping`).then(
        () => true,
        () => false,
      );
    await expect.poll(isLetIn).toBe(false);
    const [health, late] = kept as [RawConnection, RawConnection];
    health.send('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    const body = '{"records":[{"body":"late"}]}';
    const head = [`POST /v1/streams/s/records HTTP/1.1`, 'host: x', `s2-basin: ${api.basin}`, 'content-type: application/json'];
    late.send(`${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => health.text).toContain('draining');
    expect(health.status).toBe(503);
    await expect.poll(() => late.text).toContain('"tail"');
    expect([late.status, late.text]).toEqual([200, expect.stringMatching(/^connection: close\r$/im)]);
    await session.finish();
    connection.destroy();
    expect(await exited).toEqual({ code: 0, signal: null });
    await server.start();
    expect(await new Api(server.url, api.basin).readBodies('s')).toEqual(['first', 'late']);
  });

  test('with a long poll and nothing else, it takes less than two seconds, and the poll is answered', async () => {
    const server = await started();
    const api = await withBasin(server);
    await api.appendBodies('s', 'first');
    const poll = api.read('s', '?tail_offset=0&wait=45');
    await sleep(200);
    const { ms, value } = await timed(server.stop());
    expect(value).toEqual({ code: 0, signal: null });
    expect(ms).toBeLessThan(2_000);
    expect(await poll).toMatchObject({ status: 503, json: { code: 'server_draining' } });
  });

  test('no client keeps it from ending: not one that reads nothing, not one that does not finish its body', async () => {
    const server = await started();
    const api = await withBasin(server);
    for (let at = 0; at < 30; at += 1) await api.appendBodies('large', 'y'.repeat(900_000));
    const head = (method: string, ...headers: string[]): string =>
      [`${method} /v1/streams/large/records?seq_num=0 HTTP/1.1`, 'host: x', `s2-basin: ${api.basin}`, ...headers, '', ''].join('\r\n');
    const stuck = [head('GET', 'accept: text/event-stream'), head('GET', 'content-type: s2s/proto'), head('GET')];
    const slow = `${head('POST', 'content-type: application/json', 'content-length: 100')}{"rec`;
    for (const text of [...stuck, slow]) {
      const raw = await RawConnection.open(server.url);
      if (text !== slow) raw.socket.pause();
      raw.send(text);
    }
    await sleep(500);
    const { ms, value } = await timed(server.stop());
    expect(value).toEqual({ code: 0, signal: null });
    expect(ms).toBeLessThan(STOP_MS_MAX);
    await server.start();
    expect(await new Api(server.url, api.basin).tail('large')).toBe(30);
  });

  test('again ends the process at once, and what was acknowledged is there', async () => {
    const server = await started();
    const api = await withBasin(server);
    const connection = await connect(server.url);
    const session = new AppendSession(connection, api.basin, 's');
    await session.append(frameOf(encodeAppendInput([{ body: Buffer.from('kept') }])));
    process.kill(server.pid, 'SIGTERM');
    // npm passes Ctrl-C on to a process that got it from the terminal: that is one wish, said twice.
    await sleep(50);
    process.kill(server.pid, 'SIGINT');
    await sleep(700);
    expect(server.state).toBe('running');
    const { ms, value } = await timed(server.stop());
    expect(value).toEqual({ code: 1, signal: null });
    expect(ms).toBeLessThan(500);
    expect(server.output).toContain('millrace ends at once: a second SIGTERM');
    connection.destroy();
    await server.start();
    expect(await new Api(server.url, api.basin).readBodies('s')).toEqual(['kept']);
  });

  test('during the start ends it cleanly, before and after storage is open', async () => {
    const first = await started();
    const api = await withBasin(first);
    await api.appendBodies('s', 'kept');
    await first.stop();
    for (let round = 0; round < 6; round += 1) {
      const server = await newServer({ dataDir: first.dataDir });
      servers.push(server);
      server.spawn();
      await hasFolder(server);
      await sleep(round * 15);
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      expect(server.output).not.toContain('cannot');
    }
    await first.start();
    expect(await new Api(first.url, api.basin).readBodies('s')).toEqual(['kept']);
  });
});

/** Resolves once the process has the data folder, and so is about to open what is in it. */
async function hasFolder({ dataDir, pid }: Server): Promise<void> {
  while ((await readFile(path.join(dataDir, 'lock-owner'), 'utf8')).trim() !== String(pid)) await sleep(1);
}
