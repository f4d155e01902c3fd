// A cluster of real processes: any task takes any request, a zone goes and comes back, a task is killed, and nothing is lost.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ClusterOfTest, startClusterOfTest } from '#test/support/cluster.ts';
import type { Server } from '#test/support/server.ts';
import { folderOfTest } from '../core/adapters/support.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const ROOT = path.join(import.meta.dirname, '../..');
const BASIN = 'cluster-basin';
const STREAM = 'orders';
const LEASE_SECS = 2;

const clientOf = ({ url }: Server): S2 =>
  new S2({ accessToken: 'any', endpoints: { account: url, basin: url }, retry: { maxAttempts: 1 } });
const streamAt = (task: Server, name = STREAM): S2Stream => clientOf(task).basin(BASIN).stream(name);

/** Appends one numbered record after another until it is told to stop; those that fail are tried again as others. */
class Writer {
  readonly acknowledged: { readonly body: string; readonly seqNum: number }[] = [];
  readonly #running: Promise<void>;
  #task: Server;
  #isStopped = false;
  #next = 0;
  failures = 0;

  constructor(task: Server) {
    this.#task = task;
    this.#running = this.#run();
  }

  set task(task: Server) {
    this.#task = task;
  }

  /** Resolves once `count` more are acknowledged. */
  async more(count: number, withinMs: number): Promise<void> {
    const target = this.acknowledged.length + count;
    await expect.poll(() => this.acknowledged.length, { timeout: withinMs, interval: 10 }).toBeGreaterThanOrEqual(target);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const body = `record ${this.#next}`;
      this.#next += 1;
      try {
        const { start } = await streamAt(this.#task).append(AppendInput.create([AppendRecord.string({ body })]));
        this.acknowledged.push({ body, seqNum: start.seqNum });
      } catch {
        this.failures += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

async function readAll(task: Server): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const { tail } = await streamAt(task).checkTail();
  while (found.size < tail.seqNum) {
    const { records } = await streamAt(task).read({ start: { from: { seqNum: found.size } } });
    for (const { seqNum, body } of records) {
      expect(seqNum).toBe(found.size);
      found.set(seqNum, body);
    }
  }
  return found;
}

describe('a cluster of two tasks and three chunk servers', () => {
  let cluster: ClusterOfTest;
  let owner: Server;
  let other: Server;

  beforeAll(async () => {
    cluster = await startClusterOfTest(2, LEASE_SECS);
    [owner, other] = cluster.tasks as [Server, Server];
    await clientOf(other).basins.create({ basin: BASIN });
    await clientOf(other)
      .basin(BASIN)
      .streams.create({ stream: STREAM, config: { storageClass: 'native' as never } });
    const isOwner = async ({ url }: Server): Promise<boolean> =>
      /millrace_channel_ready\{channel="native-0"\} 1\n/.test(await (await fetch(`${url}/metrics`)).text());
    const isOwned = async (): Promise<void> => expect([await isOwner(owner), await isOwner(other)].sort()).toEqual([false, true]);
    await vi.waitFor(isOwned, { timeout: 20_000, interval: 50 });
    if (await isOwner(other)) [owner, other] = [other, owner];
  });
  afterAll(() => cluster?.dispose());

  test('appends to native go through the task that does not own it, while zones go and come back; its owner is killed, and nothing is lost', async () => {
    const writer = new Writer(other);
    await writer.more(20, 5_000);
    const [zone, another] = cluster.zones as [Server, Server];
    await zone.kill();
    await writer.more(20, 5_000);
    await zone.start();
    await writer.more(20, 5_000);
    // Two are needed: the one that came back is one of them.
    await another.kill();
    await writer.more(20, 10_000);
    expect(writer.failures).toBe(0);
    await another.start();
    const killedAt = performance.now();
    await owner.kill();
    await writer.more(20, 10_000);
    console.log(
      `${writer.failures} appends failed; after the kill others were acknowledged within ${Math.round(performance.now() - killedAt)} ms`,
    );
    await writer.stop();
    const found = await readAll(other);
    for (const { seqNum, body } of writer.acknowledged) expect(found.get(seqNum)).toBe(body);
    expect(new Set(found.values()).size).toBe(found.size);
  });

  test('streams of the other classes are served beside it', async () => {
    const basin = clientOf(other).basin(BASIN);
    for (const storageClass of ['express', 'standard'] as const) {
      await basin.streams.create({ stream: storageClass, config: { storageClass } });
      await streamAt(other, storageClass).append(AppendInput.create([AppendRecord.string({ body: storageClass })]));
      const { records } = await streamAt(other, storageClass).read({ start: { from: { seqNum: 0 } } });
      expect(records.map(({ body }) => body)).toEqual([storageClass]);
    }
  });
});

describe('npm run cluster', () => {
  const running: ChildProcess[] = [];
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
  });

  /** The launcher; `said` is what it said so far. */
  function launch(...flags: string[]): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
    let output = '';
    const child = spawn(process.execPath, ['functions/cluster/main.ts', ...flags], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    running.push(child);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, said: () => output, ended };
  }
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const pidsIn = (output: string): Map<string, number> =>
    new Map([...output.matchAll(/\b(stores|zone-[abc]|task-\d+) (\d+)(?=[,\n])/g)].map(([, name = '', pid]) => [name, Number(pid)]));

  test('starts all of it, says where, and names a process that ends by itself before it stops the others', async () => {
    const { said, ended } = launch('--tasks', '1', '--port', '0', '--dir', folderOfTest(), '--auth');
    await expect.poll(said, { timeout: 30_000 }).toContain('processes: ');
    const url = /serves at (\S+)/.exec(said())?.[1] ?? '';
    const token = /root token: (\S+)/.exec(said())?.[1] ?? '';
    expect((await fetch(`${url}/v1/basins`)).status).toBe(401);
    expect((await fetch(`${url}/v1/basins`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    const pids = pidsIn(said());
    expect([...pids.keys()]).toEqual(['stores', 'zone-a', 'zone-b', 'zone-c', 'task-1']);
    process.kill(pids.get('zone-b') ?? 0, 'SIGKILL');
    expect(await ended).toBe(1);
    expect(said()).toContain('zone-b ended (SIGKILL); everything is stopped');
    expect([...pids.values()].filter(isAlive)).toEqual([]);
  });

  test('SIGTERM ends all of it', async () => {
    const { child, said, ended } = launch('--tasks', '1', '--port', '0', '--dir', folderOfTest());
    await expect.poll(said, { timeout: 30_000 }).toContain('processes: ');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect([...pidsIn(said()).values()].filter(isAlive)).toEqual([]);
  });

  test.each([
    [['--zones', '2'], 'It must be 3.'],
    [['--tasks', '0'], 'whole number from 1 to 16'],
    [['--port', 'http'], 'whole number from 0'],
  ])('%j is refused', async (flags, message) => {
    const { said, ended } = launch(...flags);
    expect(await ended).toBe(1);
    expect(said()).toContain(message);
  });
});
