// Clients as people have them, through the Worker: the official SDK, and an EventSource.

import type { ServerResponse } from 'node:http';
import { AppendInput, AppendRecord, S2, SeqNumMismatchError } from '@s2-dev/streamstore';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BASIN, closeWorld, ROOT_TOKEN, startWorld, type World } from './world.ts';

let at: World;
let s2: S2;
let token: string;

beforeAll(async () => {
  at = await startWorld({ auth: 'required' });
  const client = (accessToken: string): S2 =>
    new S2({ accessToken, endpoints: { account: at.edge.url, basin: at.edge.url }, retry: { maxAttempts: 3 } });
  const root = client(ROOT_TOKEN);
  await root.basins.create({ basin: BASIN });
  const issued = await root.accessTokens.issue({
    id: 'app',
    scope: {
      basins: { exact: BASIN },
      streams: { prefix: 'app/' },
      opGroups: { stream: { read: true, write: true } },
      ops: ['create-stream'],
    },
  });
  token = issued.accessToken;
  s2 = client(token);
});
afterAll(() => closeWorld(at));

function strings(...bodies: string[]): AppendInput {
  return AppendInput.create(bodies.map((body) => AppendRecord.string({ body })));
}

describe('the SDK', () => {
  test('appends, reads, and is told what it asked for in vain', async () => {
    const basin = s2.basin(BASIN);
    await basin.streams.create({ stream: 'app/unary é' });
    const stream = basin.stream('app/unary é');
    const ack = await stream.append(strings('a', 'b', 'c'));
    expect([ack.start.seqNum, ack.end.seqNum]).toEqual([0, 3]);
    expect((await stream.checkTail()).tail.seqNum).toBe(3);
    const batch = await stream.read({ start: { from: { seqNum: 1 } } });
    expect(batch.records.map(({ body }) => body)).toEqual(['b', 'c']);
    const failed = stream.append(AppendInput.create([AppendRecord.string({ body: 'd' })], { matchSeqNum: 9 }));
    await expect(failed).rejects.toBeInstanceOf(SeqNumMismatchError);
    await expect(basin.stream('other').append(strings('x'))).rejects.toMatchObject({ status: 403, code: 'permission_denied' });
  });

  test('appends and follows on sessions', async () => {
    const basin = s2.basin(BASIN);
    await basin.streams.create({ stream: 'app/sessions' });
    const stream = basin.stream('app/sessions', { forceTransport: 'fetch' });
    const reading = (async () => {
      const bodies: string[] = [];
      for await (const { body } of await stream.readSession({ start: { from: { seqNum: 0 }, clamp: true } })) {
        bodies.push(body);
        if (bodies.length === 100) break;
      }
      return bodies;
    })();
    const session = await stream.appendSession();
    const tickets = await Promise.all(Array.from({ length: 100 }, (_, i) => session.submit(strings(`${i}`))));
    const acks = await Promise.all(tickets.map((ticket) => ticket.ack()));
    expect(acks.at(-1)?.end.seqNum).toBe(100);
    await session.close();
    expect(await reading).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });
});

test('an EventSource follows a stream, and resumes where it stopped', async () => {
  await s2.basin(BASIN).streams.create({ stream: 'app/events' });
  const stream = s2.basin(BASIN).stream('app/events');
  await stream.append(strings('a', 'b'));
  const asked: (string | null)[] = [];
  const bodies: string[] = [];
  const source = new EventSource(`${at.edge.url}/v1/streams/app%2Fevents/records?seq_num=0`, {
    fetch: (input, init) => {
      const headers = new Headers(init.headers);
      asked.push(headers.get('last-event-id'));
      headers.set('s2-basin', BASIN);
      headers.set('authorization', `Bearer ${token}`);
      return fetch(input, { ...init, headers });
    },
  });
  source.addEventListener('batch', ({ data }) => {
    for (const { body } of (JSON.parse(data) as { records: { body: string }[] }).records) bodies.push(body);
  });
  try {
    await expect.poll(() => bodies).toEqual(['a', 'b']);
    await stream.append(strings('c'));
    await expect.poll(() => bodies).toEqual(['a', 'b', 'c']);
    // The origin drops every connection: the source comes back by itself.
    at.origin.intercept = (_, response) => {
      (response as ServerResponse).writeHead(200, { 'content-type': 'text/event-stream' }).end();
      return true;
    };
    const connection = at.origin.seen.length;
    at.origin.dropConnections();
    await expect.poll(() => at.origin.seen.length, { timeout: 15_000 }).toBeGreaterThan(connection);
    at.origin.intercept = undefined;
    await stream.append(strings('d'));
    await expect.poll(() => bodies, { timeout: 15_000 }).toEqual(['a', 'b', 'c', 'd']);
    expect(asked.at(-1)).toBe('2,3,27');
  } finally {
    source.close();
  }
});
