// Requests that reach a task which does not serve their stream: passed on to the one that does, whole and both ways.

import { AppendInput, AppendRecord, S2 } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MemoryTask, MemoryTasks, until } from '#test/support/memory-tasks.ts';

const BASIN = 'tasks-basin';
const clientOf = ({ origin }: MemoryTask): S2 => new S2({ accessToken: 'any', endpoints: { account: origin, basin: origin } });
const record = (body: string) => AppendRecord.string({ body });

describe('of two tasks', () => {
  const tasks = new MemoryTasks();
  let owner: MemoryTask;
  let other: MemoryTask;

  beforeAll(async () => {
    owner = await tasks.start();
    await until(() => owner.cell.channels[0]?.channel.isReady === true);
    other = await tasks.start();
    await clientOf(other).basins.create({ basin: BASIN });
  });
  afterAll(async () => {
    await other.stop();
    await owner.stop();
    expect([...owner.faults, ...other.faults]).toEqual([]);
  });

  const headers = { 's2-basin': BASIN, 'content-type': 'application/json' };
  const call = (task: MemoryTask, method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
    fetch(`${task.origin}/v1/streams${path}`, {
      method,
      headers: { ...headers, ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  test('the wrong one takes appends, reads and tails', async () => {
    await clientOf(other).basin(BASIN).streams.create({ stream: 'unary' });
    const stream = clientOf(other).basin(BASIN).stream('unary');
    const ack = await stream.append(AppendInput.create([record('a'), record('b')]));
    expect(ack.end.seqNum).toBe(2);
    expect((await stream.checkTail()).tail.seqNum).toBe(2);
    const { records } = await stream.read({ start: { from: { seqNum: 0 } } });
    expect(records.map(({ body }) => body)).toEqual(['a', 'b']);
    expect((await call(other, 'HEAD', '/unary/records/tail')).status).toBe(200);
  });

  test('the wrong one takes a session of appends and one of reads', async () => {
    await clientOf(other).basin(BASIN).streams.create({ stream: 'sessions' });
    const stream = clientOf(other).basin(BASIN).stream('sessions');
    const session = await stream.appendSession();
    const tickets = [];
    for (let i = 0; i < 50; i += 1) tickets.push(await session.submit(AppendInput.create([record(`record ${i}`)])));
    for (const [i, ticket] of tickets.entries()) expect((await ticket.ack()).start.seqNum).toBe(i);
    await session.close();
    const read = await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 50 } } });
    const bodies: string[] = [];
    for await (const { body } of read) bodies.push(body);
    expect(bodies).toEqual(Array.from({ length: 50 }, (_, i) => `record ${i}`));
  });

  test('events come through as they happen, and a client that leaves is gone at the owner', async () => {
    await clientOf(other).basin(BASIN).streams.create({ stream: 'events' });
    const leave = new AbortController();
    const answer = await fetch(`${other.origin}/v1/streams/events/records?seq_num=0`, {
      headers: { 's2-basin': BASIN, accept: 'text/event-stream' },
      signal: leave.signal,
    });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    await clientOf(other)
      .basin(BASIN)
      .stream('events')
      .append(AppendInput.create([record('live')]));
    let text = '';
    while (!text.includes('live')) text += (await reader?.read())?.value ?? '';
    const open = owner.handler.openCount;
    expect(open).toBeGreaterThan(0);
    leave.abort();
    await expect.poll(() => owner.handler.openCount).toBe(open - 1);
    expect(other.handler.openCount).toBe(0);
  });

  test('configurations and deletions take effect at the owner', async () => {
    await clientOf(other).basin(BASIN).streams.create({ stream: 'configured' });
    expect((await call(other, 'PATCH', '/configured', { retention_policy: { age: 7 } })).status).toBe(200);
    expect(await (await call(owner, 'GET', '/configured')).json()).toMatchObject({ retention_policy: { age: 7 } });
    expect((await call(other, 'PUT', '/configured', { retention_policy: { age: 8 } })).status).toBe(200);
    expect((await call(other, 'DELETE', '/configured')).status).toBe(202);
    // It is going, or gone.
    const late = await call(owner, 'POST', '/configured/records', { records: [{ body: 'x' }] });
    expect([404, 409]).toContain(late.status);
  });

  test('a follower is told where to go, and whoever follows it finds the owner there', async () => {
    await clientOf(other).basin(BASIN).streams.create({ stream: 'followed' });
    const follow = { 'millrace-follow': 'peer' };
    const body = { records: [{ body: 'x' }] };
    const moved = await call(other, 'POST', '/followed/records', body, follow);
    expect([moved.status, moved.headers.get('millrace-owner')]).toEqual([421, owner.origin]);
    expect(await moved.json()).toMatchObject({ code: 'moved' });
    const served = await call(owner, 'POST', '/followed/records', body, follow);
    expect([served.status, served.headers.get('millrace-owner')]).toEqual([200, owner.origin]);
    const passed = await call(other, 'POST', '/followed/records', body, { 'millrace-follow': 'edge' });
    expect([passed.status, passed.headers.get('millrace-owner')]).toEqual([200, null]);
  });
});
