// Several tasks share the channels: by their number, when one joins, leaves, or dies, and whatever they are asked meanwhile.

import { afterEach, describe, expect, test } from 'vitest';
import { invariant } from '#core/base/invariant.ts';
import { ChannelRegister } from '#core/metadata/channel-register.ts';
import { type MemoryTask, MemoryTasks, until } from '#test/support/memory-tasks.ts';

const BASIN = 'placement-basin';
let world: MemoryTasks;
const running = new Set<MemoryTask>();
afterEach(async () => {
  await Promise.all([...running].map((task) => task.stop()));
  running.clear();
});

async function start(): Promise<MemoryTask> {
  const task = await world.start();
  running.add(task);
  return task;
}
const owned = (task: MemoryTask): number => task.cell.channels.filter(({ channel }) => channel.isReady).length;
const headers = { 's2-basin': BASIN, 'content-type': 'application/json' };
const post = (task: MemoryTask, path: string, body: unknown) =>
  fetch(`${task.origin}/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
const append = (task: MemoryTask, stream: string, body = 'x') => post(task, `/streams/${stream}/records`, { records: [{ body }] });

async function streams(task: MemoryTask, count: number): Promise<string[]> {
  await post(task, '/basins', { basin: BASIN });
  const names = Array.from({ length: count }, (_, i) => `stream-${i}`);
  for (const stream of names) expect((await post(task, '/streams', { stream })).status).toBe(201);
  return names;
}

/** Appends through a task until the test ends it; every acknowledged record is there at the end, once and in its place. */
function load(task: () => MemoryTask, names: readonly string[]) {
  const acknowledged = new Map<string, Map<number, string>>(names.map((name) => [name, new Map()]));
  const answers = new Map<number, number>();
  const times: number[] = [];
  let isOver = false;
  let serial = 0;
  const one = async (name: string): Promise<void> => {
    while (!isOver) {
      serial += 1;
      const body = `${name} ${serial}`;
      const answer = await append(task(), name, body).catch(() => undefined);
      answers.set(answer?.status ?? 0, (answers.get(answer?.status ?? 0) ?? 0) + 1);
      if (answer?.status !== 200) continue;
      const { start: from } = (await answer.json()) as { start: { seq_num: number } };
      acknowledged.get(name)?.set(from.seq_num, body);
      times.push(performance.now());
    }
  };
  const all = names.map(one);
  return {
    times,
    answers,
    async end(): Promise<void> {
      isOver = true;
      await Promise.all(all);
    },
    async check(reader: MemoryTask): Promise<void> {
      for (const [name, records] of acknowledged) {
        for (const [at, body] of records) {
          const read = await fetch(`${reader.origin}/v1/streams/${name}/records?seq_num=${at}&count=1`, { headers });
          expect(await read.json()).toMatchObject({ records: [{ seq_num: at, body }] });
        }
      }
    },
  };
}

describe('tasks that share channels', () => {
  test('have their share each, soon after one joins, and all of them after one leaves: nothing acknowledged is lost', async () => {
    world = new MemoryTasks({ channelsPerClass: 4 });
    const first = await start();
    await until(() => owned(first) === 4);
    const names = await streams(first, 8);
    const loaded = load(() => first, names);
    const second = await start();
    await until(() => owned(first) === 2 && owned(second) === 2);
    const third = await start();
    await until(() => owned(first) + owned(second) + owned(third) === 4 && owned(third) >= 1);
    await second.stop();
    running.delete(second);
    await until(() => owned(first) + owned(third) === 4);
    await loaded.end();
    expect(loaded.times.length).toBeGreaterThan(20);
    // Whoever drains or gives up is passed by; only who breaks off leaves doubt.
    expect([...loaded.answers.keys()]).toEqual([200]);
    await loaded.check(third);
  });

  test('L14: take over from one that died, once its lease has run out and not before', async () => {
    world = new MemoryTasks({ channelsPerClass: 2 });
    const [first, second] = [await start(), await start()];
    await until(() => owned(first) === 1 && owned(second) === 1);
    const names = await streams(first, 4);
    const loaded = load(() => first, names);
    await until(() => loaded.times.length > 20);
    const kept = second.cell.channels.findIndex(({ channel }) => channel.isReady);
    const killedAt = performance.now();
    running.delete(second);
    await second.kill();
    await until(() => first.cell.channels[kept]?.channel.isReady === true);
    const tookMs = performance.now() - killedAt;
    // The lease is 1 s; the last renewal came up to a quarter of it before.
    expect(tookMs).toBeGreaterThan(700);
    expect(tookMs).toBeLessThan(2_000);
    const before = loaded.times.length;
    await until(() => loaded.times.length > before + 20);
    await loaded.end();
    await loaded.check(first);
  });

  test('L14: take over from one that died, though jobs change its channel all the time', async () => {
    world = new MemoryTasks({ channelsPerClass: 1 });
    const first = await start();
    await until(() => owned(first) === 1);
    const second = await start();
    const [owner] = first.cell.channels;
    invariant(owner !== undefined, 'there is one channel');
    const register = new ChannelRegister(world.metadata, owner.id, 1_000);
    let changes = 0;
    running.delete(first);
    await first.kill();
    const jobs = setInterval(async () => {
      const seen = await register.read();
      if (seen.epoch === 1 && (await register.bump(seen)) !== undefined) changes += 1;
    }, 20);
    await until(() => owned(second) === 1).finally(() => clearInterval(jobs));
    expect(changes).toBeGreaterThan(20);
    const [name = ''] = await streams(second, 1);
    expect((await append(second, name)).status).toBe(200);
  });

  test('serve at once what another one releases', async () => {
    world = new MemoryTasks({ channelsPerClass: 1 });
    const first = await start();
    await until(() => owned(first) === 1);
    const second = await start();
    const [name = ''] = await streams(second, 1);
    expect((await append(second, name)).status).toBe(200);
    running.delete(first);
    const released = first.stop().then(() => performance.now());
    const loaded = load(() => second, [name]);
    const releasedAt = await released;
    await until(() => loaded.times.some((at) => at > releasedAt));
    await loaded.end();
    const gapMs = Math.min(...loaded.times.filter((at) => at > releasedAt)) - releasedAt;
    console.log(`acknowledged ${gapMs.toFixed(0)} ms after the release`);
    expect(gapMs).toBeLessThan(300);
    expect([...loaded.answers.keys()]).toEqual([200]);
  });

  test('leave the streams of a deleted basin to their owners, and all of them go', async () => {
    world = new MemoryTasks({ channelsPerClass: 2 });
    const [first, second] = [await start(), await start()];
    await until(() => owned(first) === 1 && owned(second) === 1);
    const names = await streams(first, 4);
    for (const name of names) expect((await append(first, name)).status).toBe(200);
    expect((await fetch(`${first.origin}/v1/basins/${BASIN}`, { method: 'DELETE' })).status).toBe(202);
    await until(async () => (await fetch(`${second.origin}/v1/basins/${BASIN}`)).status === 404);
    expect([...first.faults, ...second.faults]).toEqual([]);
  });
});
