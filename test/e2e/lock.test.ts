// One data folder, one process: the lock is refused to a second, and free the moment its owner is dead.

import { constants } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { newServer, type Server, startServer } from '#test/support/server.ts';

const SLAB = /\/zones\/[abc]\/slab/;

const servers: Server[] = [];

async function started(dataDir?: string): Promise<Server> {
  const server = await startServer(dataDir === undefined ? {} : { dataDir });
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0).reverse()) await server.dispose();
});

describe('the lock on the data folder', () => {
  test('a second process is refused, with a message that names the folder, and the first goes on', async () => {
    const first = await started();
    const api = new Api(first.url, 'lock-basin');
    await api.createBasin({ create_stream_on_append: true });
    const second = await newServer({ dataDir: first.dataDir });
    second.spawn();
    const exit = await second.exited;
    expect(exit.code).toBeGreaterThan(0);
    expect(second.output).toContain(first.dataDir);
    expect(second.output).toMatch(/another|in use|lock/i);
    expect(second.output).not.toMatch(/^\s+at /m);
    expect(await api.appendBodies('s', 'still there')).toBe(0);
  });

  test('of two that start at once, one serves', async () => {
    const folder = (await started()).dataDir;
    await servers[0]?.kill();
    const rivals = await Promise.all([newServer({ dataDir: folder }), newServer({ dataDir: folder })]);
    for (const rival of rivals) rival.spawn();
    servers.push(...rivals);
    const outcomes = await Promise.allSettled(rivals.map((rival) => rival.ready()));
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('is free at once after kill -9: a restart serves what was acknowledged, without waiting for leases', async () => {
    const server = await started();
    const api = new Api(server.url, 'lock-basin');
    await api.createBasin({ create_stream_on_append: true });
    await api.appendBodies('s', 'before');
    await server.kill();
    const begin = performance.now();
    await server.start();
    await api.appendBodies('s', 'after');
    // A lease is 10 s.
    expect(performance.now() - begin).toBeLessThan(5_000);
    expect(await api.readBodies('s')).toEqual(['before', 'after']);
  });
});

describe('a start that may wait for the process that has the folder', () => {
  async function waiting(first: Server, secs: string): Promise<Server> {
    const next = await newServer({ dataDir: first.dataDir, port: first.port, env: { MILLRACE_WAIT_SECS: secs } });
    servers.push(next);
    next.spawn();
    await expect.poll(() => next.output, { timeout: 20_000 }).toContain(first.dataDir);
    return next;
  }

  test('takes its place after kill -9, with its port, and serves what was acknowledged', async () => {
    const first = await started();
    const api = new Api(first.url, 'lock-basin');
    await api.createBasin({ create_stream_on_append: true });
    await api.appendBodies('s', 'before');
    const next = await waiting(first, '60');
    expect(next.output).not.toContain('listens on');
    await first.kill();
    await next.ready();
    expect(next.url).toBe(first.url);
    await api.appendBodies('s', 'after');
    expect(await api.readBodies('s')).toEqual(['before', 'after']);
  });

  test('gives up in time, says who has the folder, and leaves it as it is', async () => {
    const first = await started();
    const api = new Api(first.url, 'lock-basin');
    await api.createBasin({ create_stream_on_append: true });
    const next = await waiting(first, '1');
    expect((await next.exited).code).toBeGreaterThan(0);
    expect(next.output).toContain(`in use by process ${first.pid}`);
    expect(await api.appendBodies('s', 'still there')).toBe(0);
  });

  test('gives up where the folder becomes free and the port does not', async () => {
    const first = await started();
    const other = await started();
    const next = await newServer({ dataDir: first.dataDir, port: other.port, env: { MILLRACE_WAIT_SECS: '60' } });
    servers.push(next);
    next.spawn();
    await expect.poll(() => next.output, { timeout: 20_000 }).toContain('waits for it to end');
    await first.stop();
    expect((await next.exited).code).toBeGreaterThan(0);
    expect(next.output).toContain(`port ${other.port} on 127.0.0.1 is taken`);
    expect((await fetch(`${other.url}/health`)).status).toBe(200);
  });

  test('ends at once when it is told to while it waits', async () => {
    const first = await started();
    const next = await waiting(first, '60');
    expect(await next.stop()).toEqual({ code: 0, signal: null });
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });
});

describe('files of the running process', () => {
  test('every open slab is synchronous: O_DSYNC, and O_DIRECT unless a warning says that it is refused', async () => {
    const server = await started();
    const api = new Api(server.url, 'lock-basin');
    await api.createBasin({ create_stream_on_append: true });
    await api.appendBodies('s', 'x');
    // A slab that is being filled with zeroes before its first use is not synchronous yet.
    await expect.poll(async () => (await openFlags(server.pid, SLAB)).every((flag) => (flag & constants.O_DSYNC) !== 0)).toBe(true);
    const flags = await openFlags(server.pid, SLAB);
    expect(flags.length).toBeGreaterThanOrEqual(3);
    const isDirectRefused = /O_DIRECT/.test(server.output);
    for (const flag of flags) expect((flag & constants.O_DIRECT) !== 0).toBe(!isDirectRefused);
  });
});

/** The flags of the open files of a process whose path matches. */
async function openFlags(pid: number, path: RegExp): Promise<number[]> {
  const flags: number[] = [];
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    if (!path.test(target)) continue;
    const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    flags.push(Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8));
  }
  return flags;
}
