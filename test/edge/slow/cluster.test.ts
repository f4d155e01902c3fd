// The Worker before two real tasks: it goes straight to the owner of a stream, also once another task has taken over.

import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningEdge, startEdge } from '#functions/edge/workerd.ts';
import { type ClusterOfTest, startClusterOfTest } from '#test/support/cluster.ts';
import type { Server } from '#test/support/server.ts';

const BASIN = 'edge-cluster-basin';
const LEASE_SECS = 2;

let cluster: ClusterOfTest;
let edge: RunningEdge;
/** The task that the Worker knows, and the one that serves the stream. */
let origin: Server;
let owner: Server;
let stream: S2Stream;

function asks(task: Server): Promise<Response> {
  return fetch(`${task.url}/v1/streams/orders/records/tail`, { headers: { 's2-basin': BASIN, 'millrace-follow': 'edge' } });
}

/** Appends that a task has answered, passed on or not. */
async function appendsAt({ url }: Server): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = text.matchAll(
    /^millrace_request_seconds_count\{method="POST",route="\/v1\/streams\/:stream\/records",status="\d+"\} (\d+)/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

function strings(...bodies: string[]): AppendInput {
  return AppendInput.create(bodies.map((body) => AppendRecord.string({ body })));
}

beforeAll(async () => {
  cluster = await startClusterOfTest(2, LEASE_SECS);
  const [first] = cluster.tasks;
  if (first === undefined) throw new Error('no task');
  const direct = new S2({ accessToken: 'any', endpoints: { account: first.url, basin: first.url } });
  await direct.basins.create({ basin: BASIN });
  await direct.basin(BASIN).streams.create({ stream: 'orders' });
  const statuses = await Promise.all(cluster.tasks.map(async (task) => [task, (await asks(task)).status] as const));
  origin = statuses.find(([, status]) => status === 421)?.[0] as Server;
  owner = statuses.find(([, status]) => status === 200)?.[0] as Server;
  expect([origin, owner]).not.toContain(undefined);
  edge = await startEdge({
    port: 0,
    variables: { MILLRACE_ORIGIN: origin.url, MILLRACE_OWNERS: 'http://127.0.0.1:*', MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' },
  });
  const s2 = new S2({ accessToken: 'any', endpoints: { account: edge.url, basin: edge.url }, retry: { maxAttempts: 1 } });
  stream = s2.basin(BASIN).stream('orders', { forceTransport: 'fetch' });
});
afterAll(async () => {
  await edge?.close();
  await cluster?.dispose();
});

test('requests and sessions go straight to the owner, once it is known', async () => {
  for (let i = 0; i < 10; i += 1) await stream.append(strings(`${i}`));
  // The first was told to go there.
  expect([await appendsAt(origin), await appendsAt(owner)]).toEqual([1, 10]);
  const session = await stream.appendSession();
  const tickets = await Promise.all([10, 11, 12].map((i) => session.submit(strings(`${i}`))));
  expect((await tickets[2]?.ack())?.end.seqNum).toBe(13);
  await session.close();
  expect(await appendsAt(origin)).toBe(1);
  const { records } = await stream.read({ start: { from: { seqNum: 0 } } });
  expect(records.map(({ body }) => body)).toEqual(Array.from({ length: 13 }, (_, i) => `${i}`));
});

test('a task that is killed is taken over from, and nothing that was acknowledged is lost or doubled', async () => {
  const { tail } = await stream.checkTail();
  const acknowledged: string[] = [];
  const unknown = new Set<string>();
  const killedAt = performance.now();
  await owner.kill();
  let firstAt = Number.NaN;
  for (let i = 0; acknowledged.length < 20; i += 1) {
    const body = `after ${i}`;
    try {
      await stream.append(strings(body));
      if (acknowledged.length === 0) firstAt = performance.now() - killedAt;
      acknowledged.push(body);
    } catch {
      unknown.add(body);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (performance.now() - killedAt > 30_000) break;
  }
  expect(acknowledged).toHaveLength(20);
  console.log(`first acknowledged append through the edge ${firstAt.toFixed(0)} ms after its owner was killed (lease ${LEASE_SECS} s)`);
  const { records } = await stream.read({ start: { from: { seqNum: tail.seqNum } } });
  const bodies = records.map(({ body }) => body);
  expect(bodies.filter((body) => !unknown.has(body))).toEqual(acknowledged);
  expect(new Set(bodies).size).toBe(bodies.length);
});
