// Disks that are really full: appends fail with a clear, retryable error, reads go on, nothing is lost, and all recovers by itself.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect, openRead, readAll } from '#bench/session.ts';
import { type Answer, Api } from '#test/support/api.ts';
import { newServer, type Server } from '#test/support/server.ts';
import { type Sizes, SmallDisks, whyNoDisks } from '#test/support/small-disks.ts';

const KIB = 1024;
const obstacle = whyNoDisks();
if (obstacle !== undefined) console.log(`skipped: ${obstacle}`);

interface Setup {
  readonly disks: SmallDisks;
  readonly server: Server;
  readonly api: Api;
}

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function setUp(sizes: Sizes, env: Readonly<Record<string, string>> = {}): Promise<Setup> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'millrace-full-'));
  undo.push(() => rm(dataDir, { recursive: true, force: true }));
  const disks = await SmallDisks.mount(dataDir, sizes);
  undo.push(async () => disks.unmount());
  const server = await newServer({ dataDir, command: disks.command, env });
  undo.push(() => server.kill());
  await server.start();
  const api = new Api(server.url, 'full-basin');
  await api.createBasin();
  await api.createStream('s');
  return { disks, server, api };
}

/** What the only writer of a stream was told of each of its records, by number. */
class Told {
  readonly acknowledged = new Set<number>();
  readonly refused = new Set<number>();
  #count = 0;

  /** Appends one record of about `bytes`. */
  async append(api: Api, bytes: number): Promise<Answer> {
    const number = this.#count++;
    const answer = await api.append('s', { records: [{ body: `${number}:${'x'.repeat(bytes)}` }] });
    const { code } = answer.json as { code?: string };
    if (answer.status === 200) this.acknowledged.add(number);
    // These codes promise that nothing happened.
    else if (code === 'hot_server' || code === 'rate_limited') this.refused.add(number);
    return answer;
  }

  /** Appends until a refusal that says that nothing was written. Before it, what is in flight may be told unknown. */
  async appendUntilRefused(api: Api, bytes: number, countMax: number): Promise<Answer> {
    for (let i = 0; i < countMax; i += 1) {
      const before = this.refused.size;
      const answer = await this.append(api, bytes);
      if (this.refused.size > before) return answer;
      if (answer.status !== 200) expect([answer.status, answer.json]).toMatchObject([500, { code: 'storage' }]);
    }
    throw new Error(`${countMax} records were taken`);
  }

  async check(server: Server, api: Api): Promise<void> {
    const connection = await connect(server.url);
    const batches = await readAll(connection, api.basin, 's', `?seq_num=0&count=${await api.tail('s')}`);
    connection.destroy();
    const numbers = batches.flatMap(({ records }) => records.map(({ body }) => Number.parseInt(body.toString('latin1'), 10)));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const there = new Set(numbers);
    expect([...this.acknowledged].filter((number) => !there.has(number))).toEqual([]);
    expect([...this.refused].filter((number) => there.has(number))).toEqual([]);
  }
}

function expectDiskFull(answer: Answer): void {
  expect([answer.status, answer.json]).toEqual([502, { code: 'hot_server', message: expect.stringMatching(/full/) }]);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(answer.headers.get('retry-after-ms'))).toBeGreaterThan(0);
}

/** Follows the stream, and counts what it is shown. */
async function follow(server: Server, api: Api): Promise<{ readonly count: number; readonly ended: unknown; close(): void }> {
  const connection = await connect(server.url);
  const state = { count: 0, ended: undefined as unknown, close: () => connection.destroy() };
  openRead(connection, api.basin, 's', '?seq_num=0', {
    onBatch: ({ records }) => {
      state.count += records.length;
    },
    onEnd: (error) => {
      state.ended = error ?? 'cleanly';
    },
  });
  undo.push(async () => connection.destroy());
  return state;
}

async function metric(server: Server, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1]);
}

const RECOVERY = { timeout: 15_000, interval: 100 };

describe.skipIf(obstacle !== undefined)('a full disk', () => {
  test('of segments: appends are refused once the backlog is at its bound, sessions are slowed, reads go on, and all recovers', async () => {
    const { disks, server, api } = await setUp({ segments: 64 }, { MILLRACE_BACKLOG_MIB: '8' });
    const told = new Told();
    for (let i = 0; i < 4; i += 1) await told.append(api, KIB);
    const follower = await follow(server, api);
    await disks.fill('segments');
    const began = performance.now();
    expectDiskFull(await told.appendUntilRefused(api, 256 * KIB, 60));
    expect(performance.now() - began).toBeLessThan(20_000);
    for (let i = 0; i < 3; i += 1) expectDiskFull(await told.append(api, KIB));
    // A session is not refused: it is not read.
    await api.createStream('session');
    const connection = await connect(server.url);
    undo.push(async () => connection.destroy());
    const session = new AppendSession(connection, api.basin, 'session');
    await session.opened;
    let isSettled = false;
    const slowed = session.append(frameOf(encodeAppendInput([{ body: Buffer.from('slowed') }]))).finally(() => {
      isSettled = true;
    });
    await told.check(server, api);
    await expect.poll(() => follower.count).toBeGreaterThanOrEqual(told.acknowledged.size);
    expect([isSettled, follower.ended]).toEqual([false, undefined]);

    await disks.empty('segments');
    expect((await slowed).start.seqNum).toBe(0);
    await expect.poll(async () => (await told.append(api, KIB)).status, RECOVERY).toBe(200);
    await told.check(server, api);
    await expect.poll(() => follower.count).toBeGreaterThanOrEqual(told.acknowledged.size);
    await server.kill();
    await server.start();
    await told.check(server, api);
  }, 60_000);

  test('of zones: what is in flight may be there, what comes is refused, reads go on, and all recovers once it is offloaded', async () => {
    // One slab a zone, as the next needs twice its size; it is filled long before the backlog is at its bound.
    const { disks, server, api } = await setUp({ zones: 130, segments: 96 });
    const told = new Told();
    await told.append(api, KIB);
    const follower = await follow(server, api);
    await disks.fill('segments');
    expectDiskFull(await told.appendUntilRefused(api, 900 * KIB, 120));
    expectDiskFull(await told.append(api, KIB));
    await expect.poll(() => follower.count).toBeGreaterThanOrEqual(told.acknowledged.size);
    expect(follower.ended).toBeUndefined();
    await told.check(server, api);
    // Space for the backlog, and none more in the zones: offload and GC make it there.
    await disks.empty('segments');
    await expect.poll(async () => (await told.append(api, KIB)).status, RECOVERY).toBe(200);
    for (let i = 0; i < 20; i += 1) expect((await told.append(api, 500 * KIB)).status).toBe(200);
    await told.check(server, api);
    await server.kill();
    await server.start();
    await told.check(server, api);
  }, 60_000);

  test('of metadata: nothing new is made, while appends, offload, GC and reads go on, also after a restart; and all recovers', async () => {
    const { disks, server, api } = await setUp({ '.': 64, zones: 330, segments: 256, chunks: 64 }, { MILLRACE_BACKLOG_MIB: '8' });
    const create = (stream: string) => api.call('POST', '/streams', { body: { stream } });
    const told = new Told();
    await told.append(api, KIB);
    await disks.fill('.');
    // The first commit that does not fit finds out.
    let made = 0;
    await expect.poll(async () => (await create(`early-${made++}`)).status, { timeout: 10_000, interval: 0 }).toBe(502);
    expectDiskFull(await api.call('POST', '/basins', { body: { basin: 'another-basin' } }));
    expect(await metric(server, 'millrace_metadata_low')).toBe(1);
    // And whoever takes what it frees does not stop it.
    await disks.fill('.');
    // Six times the backlog's bound: it goes through offload and GC, or it would be held back.
    for (let i = 0; i < 100; i += 1) expect((await told.append(api, 500 * KIB)).status).toBe(200);
    await told.check(server, api);
    await server.kill();
    await disks.fill('.');
    await server.start();
    await told.check(server, api);
    expect((await told.append(api, KIB)).status).toBe(200);
    expectDiskFull(await create('new'));

    await disks.empty('.');
    await expect.poll(async () => (await create('new')).status, RECOVERY).toBe(201);
    expect(await metric(server, 'millrace_metadata_low')).toBe(0);
    expect((await told.append(api, KIB)).status).toBe(200);
    await told.check(server, api);
  }, 60_000);

  test('of everything, in one: what zones have room for is taken and all is read, also after a restart; and all recovers', async () => {
    const { disks, server, api } = await setUp({ '.': 400 }, { MILLRACE_BACKLOG_MIB: '8' });
    await api.createStream('standard', { storage_class: 'standard' });
    await api.appendBodies('standard', 'kept');
    const told = new Told();
    for (let i = 0; i < 10; i += 1) await told.append(api, 100 * KIB);
    await disks.fill('.');
    expectDiskFull(await told.appendUntilRefused(api, 256 * KIB, 60));
    const standard = await api.append('standard', { records: [{ body: 'more' }] });
    expect(standard.status).toBeOneOf([500, 502]);
    await told.check(server, api);
    expect((await api.readBodies('standard'))[0]).toBe('kept');
    await server.kill();
    await server.start();
    await told.check(server, api);

    await disks.empty('.');
    await expect.poll(async () => (await told.append(api, KIB)).status, RECOVERY).toBe(200);
    await expect.poll(async () => (await api.append('standard', { records: [{ body: 'last' }] })).status, RECOVERY).toBe(200);
    // The metadata store looks at its disk now and then, so that what is new may be refused a little longer.
    const create = async () => (await api.call('POST', '/streams', { body: { stream: 'new' } })).status;
    await expect.poll(create, RECOVERY).toBe(201);
    await told.check(server, api);
    expect((await api.readBodies('standard')).at(-1)).toBe('last');
  }, 60_000);
});
