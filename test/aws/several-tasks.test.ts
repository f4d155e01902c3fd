// Two channel tasks that share the channels of a cell, on emulators: any of them takes any request of the official SDK, and one
// takes over from the other.

import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cloud, ROOT_TOKEN, startCloud } from '#test/support/aws/cloud.ts';
import { isMissing, missingDynamo, missingMoto } from '#test/support/aws/emulators.ts';
import { until } from '#test/support/memory-tasks.ts';
import { type Server, startServer } from '#test/support/server.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const BASIN = 'shared-basin';
const COMMAND = [process.execPath, 'functions/channel/main.ts'] as const;
/** To the claim: what lies behind it is a hundred requests to an emulator that takes its time. test/core/tasks has the figures to the first append. */
const LOST_TO_CLAIM_MS_MAX = 10_000 + 2_000;
const RELEASED_TO_CLAIM_MS_MAX = 1_500;

describe.skipIf(isMissing(missingDynamo(), missingMoto()))('two channel tasks', () => {
  let cloud: Cloud;
  const tasks: Server[] = [];
  const start = async (): Promise<Server> => {
    const env = { ...cloud.env, MILLRACE_CHANNELS: '2' };
    const task = await startServer({ command: COMMAND, env, readyTimeoutMs: 60_000 });
    tasks.push(task);
    return task;
  };

  beforeAll(async () => {
    cloud = await startCloud();
    await start();
    await start();
    await until(async () => (await ready(first())).length === 2 && (await ready(second())).length === 2, 30_000);
    await clientOf(first()).basins.create({ basin: BASIN });
  });
  afterAll(async () => {
    await Promise.all(tasks.map((task) => task.dispose()));
    await cloud?.stop();
  });

  const taskAt = (at: number): Server => {
    const task = tasks[at];
    if (task === undefined) throw new Error('no such task');
    return task;
  };
  const first = (): Server => taskAt(0);
  const second = (): Server => taskAt(1);
  const clientOf = ({ url }: Server): S2 =>
    new S2({ accessToken: ROOT_TOKEN, endpoints: { account: url, basin: url }, retry: { maxAttempts: 1 } });
  const streamAt = (task: Server, name: string): S2Stream => clientOf(task).basin(BASIN).stream(name);
  const input = (body: string) => AppendInput.create([AppendRecord.string({ body })]);

  /** The channels that a task has. */
  async function ready(task: Server): Promise<string[]> {
    const text = await (await fetch(`${task.url}/metrics`, { headers: { authorization: `Bearer ${ROOT_TOKEN}` } })).text();
    return [...text.matchAll(/^millrace_channel_ready\{channel="([^"]+)"\} 1$/gm)].map(([, channel]) => channel ?? '');
  }

  /** When the task claimed a channel last, by the clock of this machine. */
  function claimedAt(task: Server): number {
    const claims = [...task.output.matchAll(/"time":"([^"]+)","event":"takeover.claimed"/g)];
    return Math.max(...claims.map(([, time]) => Date.parse(time ?? '')));
  }

  async function newStreams(prefix: string, count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
    for (const stream of names)
      await clientOf(first())
        .basin(BASIN)
        .streams.create({ stream, config: { storageClass: 'express' } });
    return names;
  }

  /** One append after another to each stream through a task, until the test ends it. */
  function load(task: Server, names: readonly string[]) {
    const acknowledged = names.map((name) => ({ name, bodies: new Map<number, string>() }));
    const times: number[] = [];
    let isOver = false;
    const all = acknowledged.map(async ({ name, bodies }) => {
      for (let i = 0; !isOver; i += 1) {
        const ack = await streamAt(task, name)
          .append(input(`record ${i}`))
          .catch(() => undefined);
        if (ack === undefined) continue;
        bodies.set(ack.start.seqNum, `record ${i}`);
        times.push(performance.now());
      }
    });
    return {
      times,
      /** Every record that was acknowledged is there, in its place. */
      async end(reader: Server): Promise<void> {
        isOver = true;
        await Promise.all(all);
        for (const { name, bodies } of acknowledged) {
          const found = new Map<number, string>();
          const session = await streamAt(reader, name).readSession({ start: { from: { seqNum: 0 } }, stop: { waitSecs: 0 } });
          for await (const record of session) found.set(record.seqNum, record.body);
          for (const [at, body] of bodies) expect(found.get(at)).toBe(body);
        }
      },
    };
  }

  test('have one channel of each class, and take appends, reads and sessions for both', async () => {
    expect([...(await ready(first())), ...(await ready(second()))].sort()).toEqual(['express-0', 'express-1', 'standard-0', 'standard-1']);
    for (const name of await newStreams('any', 2)) {
      for (const [turn, task] of [first(), second()].entries()) {
        const stream = streamAt(task, name);
        expect((await stream.append(input(`unary ${turn}`))).start.seqNum).toBe(6 * turn);
        const session = await stream.appendSession();
        const tickets = await Promise.all(Array.from({ length: 5 }, (_, i) => session.submit(input(`session ${turn} ${i}`))));
        for (const [i, ticket] of tickets.entries()) expect((await ticket.ack()).start.seqNum).toBe(6 * turn + 1 + i);
        await session.close();
        expect((await stream.checkTail()).tail.seqNum).toBe(6 * turn + 6);
        const read = await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 6 * turn + 6 } } });
        let count = 0;
        for await (const record of read) expect(record.seqNum).toBe(count++);
        expect(count).toBe(6 * turn + 6);
      }
    }
  });

  test('give events of any stream as they happen', async () => {
    for (const name of await newStreams('events', 2)) {
      for (const task of [first(), second()]) {
        const leave = new AbortController();
        const answer = await fetch(`${task.url}/v1/streams/${name}/records?tail_offset=0`, {
          headers: { authorization: `Bearer ${ROOT_TOKEN}`, 's2-basin': BASIN, accept: 'text/event-stream' },
          signal: leave.signal,
        });
        const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
        await streamAt(task, name).append(input('live'));
        let text = '';
        while (!text.includes('live')) text += (await reader?.read())?.value ?? '';
        leave.abort();
        await reader?.cancel().catch(() => undefined);
      }
    }
  });

  test('one that is stopped is followed at once, and one that is killed after its lease: nothing acknowledged is lost', async () => {
    const names = await newStreams('lost', 4);
    const loaded = load(first(), names);
    await until(() => loaded.times.length > 20, 30_000);
    const stopping = second();
    await stopping.stop();
    const all = (): Promise<boolean> => ready(first()).then((channels) => channels.length === 4);
    const stoppedAt = performance.now();
    await until(all, 10_000);
    await until(() => loaded.times.some((at) => at > stoppedAt));
    tasks.splice(tasks.indexOf(stopping), 1);
    await stopping.dispose();
    await start();
    await until(async () => (await ready(second())).length === 2, 30_000);
    const killed = second();
    const theirs = await ready(killed);
    const killedAt = Date.now();
    await killed.kill();
    tasks.splice(tasks.indexOf(killed), 1);
    await until(async () => (await ready(first())).length === 4, 30_000);
    const claimMs = claimedAt(first()) - killedAt;
    console.log(`${theirs.join(', ')} were claimed ${claimMs} ms after a kill, and served after ${Date.now() - killedAt} ms`);
    expect(claimMs).toBeLessThan(LOST_TO_CLAIM_MS_MAX);
    const before = loaded.times.length;
    await until(() => loaded.times.length > before + 20, 30_000);
    await loaded.end(first());
    await killed.dispose();
  });

  test('what one releases the other acknowledges appends of soon after', async () => {
    await start();
    await until(async () => (await ready(second())).length === 2, 30_000);
    const names = await newStreams('released', 4);
    const going = second();
    const loaded = load(first(), names);
    await until(() => loaded.times.length > 20, 30_000);
    // The release comes at the end of a drain.
    await going.stop();
    const endedAt = Date.now();
    await until(async () => (await ready(first())).length === 4, 10_000);
    const claimMs = claimedAt(first()) - endedAt;
    console.log(`channels were claimed ${claimMs} ms after a task ended, and served after ${Date.now() - endedAt} ms`);
    expect(claimMs).toBeLessThan(RELEASED_TO_CLAIM_MS_MAX);
    await loaded.end(first());
  });
});
