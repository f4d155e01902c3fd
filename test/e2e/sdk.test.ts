// The official S2 SDK, unmodified, against the real process.

import {
  AppendInput,
  AppendRecord,
  BatchTransform,
  FencingTokenMismatchError,
  Producer,
  RangeNotSatisfiableError,
  type ReadSession,
  S2,
  type S2Basin,
  type S2Stream,
  SeqNumMismatchError,
  type SessionTransports,
} from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';

const BASIN = 'sdk-basin';
const TRANSPORTS: readonly SessionTransports[] = ['s2s', 'fetch'];

let server: Server;
let s2: S2;
let basin: S2Basin;
let streams = 0;

async function newStream(): Promise<{ name: string; stream: S2Stream }> {
  const name = `stream ${++streams}/é`;
  await basin.streams.create({ stream: name });
  return { name, stream: basin.stream(name) };
}

function strings(...bodies: string[]): AppendInput {
  return AppendInput.create(bodies.map((body) => AppendRecord.string({ body })));
}

/** The bodies of the next `count` records of a session. */
async function take(session: ReadSession, count: number): Promise<string[]> {
  const bodies: string[] = [];
  const reader = session.getReader();
  try {
    while (bodies.length < count) {
      const { done, value } = await reader.read();
      if (done) break;
      bodies.push(value.body);
    }
  } finally {
    reader.releaseLock();
  }
  return bodies;
}

beforeAll(async () => {
  server = await startServer();
  s2 = new S2({ accessToken: 'any', endpoints: { account: server.url, basin: server.url }, retry: { maxAttempts: 10 } });
  await s2.basins.create({ basin: BASIN });
  basin = s2.basin(BASIN);
});

afterAll(async () => {
  await server?.dispose();
});

describe('basins and streams', () => {
  test('are created, listed, configured and deleted', async () => {
    await s2.basins.create({ basin: 'sdk-other-basin', config: { createStreamOnAppend: true } });
    expect((await s2.basins.list({ prefix: 'sdk-' })).basins.map((one) => one.name)).toEqual([BASIN, 'sdk-other-basin']);
    expect((await s2.basins.getConfig({ basin: 'sdk-other-basin' })).createStreamOnAppend).toBe(true);

    const other = s2.basin('sdk-other-basin');
    await other.stream('made by an append').append(strings('x'));
    const created = await other.streams.ensure({ stream: 'ensured', config: { retentionPolicy: { ageSecs: 60 } } });
    expect(created.result).toBe('created');
    expect((await other.streams.ensure({ stream: 'ensured', config: { retentionPolicy: { ageSecs: 60 } } })).result).toBe('noop');
    expect((await other.streams.ensure({ stream: 'ensured', config: { retentionPolicy: { ageSecs: 61 } } })).result).toBe('updated');
    expect((await other.streams.list()).streams.map((one) => one.name)).toEqual(['ensured', 'made by an append']);
    const config = await other.streams.reconfigure({ stream: 'ensured', timestamping: { mode: 'arrival' } });
    expect(config).toMatchObject({ storageClass: 'express', retentionPolicy: { ageSecs: 61 }, timestamping: { mode: 'arrival' } });

    await other.streams.delete({ stream: 'ensured' });
    await expect(other.stream('ensured').checkTail()).rejects.toMatchObject({ status: expect.toBeOneOf([404, 409]) });
    await s2.basins.delete({ basin: 'sdk-other-basin' });
  });
});

describe('unary calls', () => {
  test('an append is acknowledged with its positions, and a read returns it, as strings and as bytes', async () => {
    const { stream } = await newStream();
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    const first = await stream.append(strings('one', 'two'));
    expect([first.start.seqNum, first.end.seqNum, first.tail.seqNum]).toEqual([0, 2, 2]);
    await stream.append(AppendInput.create([AppendRecord.bytes({ body: bytes, headers: [['name', bytes]] })]));

    const text = await stream.read({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 2 } } });
    expect(text.records.map((record) => [record.seqNum, record.body])).toEqual([
      [0, 'one'],
      [1, 'two'],
    ]);
    const raw = await stream.read({ start: { from: { seqNum: 2 } } }, { as: 'bytes' });
    expect(raw.records[0]?.body).toEqual(bytes);
    expect(raw.records[0]?.headers[0]?.[1]).toEqual(bytes);
    expect((await stream.checkTail()).tail.seqNum).toBe(3);
  });

  test('a read starts at a sequence number, a timestamp or an offset from the tail', async () => {
    const { stream } = await newStream();
    for (const timestamp of [1_000, 2_000, 3_000])
      await stream.append(AppendInput.create([AppendRecord.string({ body: `${timestamp}`, timestamp })]));
    const from = async (start: { seqNum: number } | { timestamp: number } | { tailOffset: number }): Promise<string[]> =>
      (await stream.read({ start: { from: start } })).records.map((record) => record.body);
    expect(await from({ seqNum: 1 })).toEqual(['2000', '3000']);
    expect(await from({ timestamp: 1_500 })).toEqual(['2000', '3000']);
    expect(await from({ tailOffset: 1 })).toEqual(['3000']);
    const until = await stream.read({ start: { from: { seqNum: 0 } }, stop: { untilTimestamp: 3_000 } });
    expect(until.records.map((record) => record.body)).toEqual(['1000', '2000']);
  });

  test('a read beyond the tail is refused with the tail, unless it is clamped and may wait', async () => {
    const { stream } = await newStream();
    await stream.append(strings('only'));
    const refusal = await stream.read({ start: { from: { seqNum: 9 } } }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RangeNotSatisfiableError);
    expect((refusal as RangeNotSatisfiableError).tail?.seqNum).toBe(1);
    const waiting = stream.read({ start: { from: { seqNum: 9 }, clamp: true }, stop: { waitSecs: 5 } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await stream.append(strings('later'));
    expect((await waiting).records.map((record) => record.body)).toEqual(['later']);
  });

  test('match_seq_num admits an append only at that sequence number', async () => {
    const { stream } = await newStream();
    const at = (matchSeqNum: number) => stream.append(AppendInput.create([AppendRecord.string({ body: 'x' })], { matchSeqNum }));
    await at(0);
    const refusal = await at(0).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SeqNumMismatchError);
    expect((refusal as SeqNumMismatchError).expectedSeqNum).toBe(1);
    await at(1);
    expect((await stream.checkTail()).tail.seqNum).toBe(2);
  });

  test('a fencing token admits only appends that carry it, or none', async () => {
    const { stream } = await newStream();
    await stream.append(AppendInput.create([AppendRecord.fence('mine')]));
    const withToken = (fencingToken: string) => stream.append(AppendInput.create([AppendRecord.string({ body: 'x' })], { fencingToken }));
    await withToken('mine');
    const refusal = await withToken('yours').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FencingTokenMismatchError);
    expect((refusal as FencingTokenMismatchError).expectedFencingToken).toBe('mine');
    await stream.append(strings('cooperative: no token, no refusal'));
    expect((await stream.checkTail()).tail.seqNum).toBe(3);
  });

  test('a trim takes away what lies below, and reads begin at the first record that is left', async () => {
    const { stream } = await newStream();
    await stream.append(strings('a', 'b', 'c', 'd'));
    await stream.append(AppendInput.create([AppendRecord.trim(2)]));
    await expect
      .poll(
        async () =>
          (await stream.read({ start: { from: { seqNum: 0 } }, ignoreCommandRecords: true })).records.map((record) => record.body),
        {
          timeout: 10_000,
        },
      )
      .toEqual(['c', 'd']);
  });
});

describe.each(TRANSPORTS)('sessions over %s', (forceTransport) => {
  test('acknowledge every batch in order, and end cleanly', async () => {
    const { name } = await newStream();
    const stream = basin.stream(name, { forceTransport });
    const session = await stream.appendSession();
    const tickets = [];
    for (let at = 0; at < 50; at++) tickets.push(await session.submit(strings(`${at}`, `${at}'`)));
    const acks = await Promise.all(tickets.map((ticket) => ticket.ack()));
    expect(acks.map((ack) => ack.start.seqNum)).toEqual(Array.from({ length: 50 }, (_, at) => at * 2));
    await session.close();
    expect((await stream.checkTail()).tail.seqNum).toBe(100);
  });

  test('read what is there, then follow what comes', async () => {
    const { name } = await newStream();
    const stream = basin.stream(name, { forceTransport });
    await stream.append(strings('old 1', 'old 2'));
    const session = await stream.readSession({ start: { from: { seqNum: 0 } } });
    expect(await take(session, 2)).toEqual(['old 1', 'old 2']);
    await session.caughtUp();
    expect(session.lastObservedTail()?.seqNum).toBe(2);
    await stream.append(strings('new 1'));
    await stream.append(strings('new 2'));
    expect(await take(session, 2)).toEqual(['new 1', 'new 2']);
    await session.cancel();
  });

  test('a bounded read ends by itself', async () => {
    const { name } = await newStream();
    const stream = basin.stream(name, { forceTransport });
    await stream.append(strings(...Array.from({ length: 10 }, (_, at) => `${at}`)));
    const session = await stream.readSession({ start: { from: { seqNum: 3 } }, stop: { limits: { count: 4 } } });
    const bodies: string[] = [];
    for await (const record of session) bodies.push(record.body);
    expect(bodies).toEqual(['3', '4', '5', '6']);
  });

  test('a session is ended by the first refused condition, and nothing behind it takes effect', async () => {
    const { name } = await newStream();
    const stream = basin.stream(name, { forceTransport });
    const session = await stream.appendSession();
    const good = await session.submit(strings('kept'));
    const bad = await session.submit(AppendInput.create([AppendRecord.string({ body: 'refused' })], { matchSeqNum: 7 }));
    const behind = await session.submit(strings('behind')).catch(() => undefined);
    await good.ack();
    await expect(bad.ack()).rejects.toBeInstanceOf(SeqNumMismatchError);
    await behind?.ack().catch(() => undefined);
    await session.close().catch(() => undefined);
    expect((await stream.read({ start: { from: { seqNum: 0 } } })).records.map((record) => record.body)).toEqual(['kept']);
  });

  test('a producer batches records and tells each its sequence number', async () => {
    const { name } = await newStream();
    const stream = basin.stream(name, { forceTransport });
    const producer = new Producer(new BatchTransform({ lingerDurationMillis: 2, maxBatchRecords: 7 }), await stream.appendSession());
    const tickets = [];
    for (let at = 0; at < 100; at++) tickets.push(await producer.submit(AppendRecord.string({ body: `${at}` })));
    const acks = await Promise.all(tickets.map((ticket) => ticket.ack()));
    expect(acks.map((ack) => ack.seqNum())).toEqual(Array.from({ length: 100 }, (_, at) => at));
    await producer.close();
    const { records } = await stream.read({ start: { from: { seqNum: 0 } } });
    expect(records.map((record) => record.body)).toEqual(Array.from({ length: 100 }, (_, at) => `${at}`));
  });
});

describe.each(TRANSPORTS)('a restart of the server, over %s', (forceTransport) => {
  test.each(['kill -9', 'SIGTERM'])(
    'by %s: a reader goes on where it was, and a conditional session resumes without loss or repeat',
    async (how) => {
      const { name } = await newStream();
      const stream = basin.stream(name, { forceTransport });
      const reading = await stream.readSession({ start: { from: { seqNum: 0 } } });
      const session = await stream.appendSession();
      for (let at = 0; at < 3; at++) await (await session.submit(strings(`before ${at}`))).ack();
      expect(await take(reading, 3)).toEqual(['before 0', 'before 1', 'before 2']);

      const port = server.port;
      if (how === 'kill -9') await server.kill();
      else expect(await server.stop()).toEqual({ code: 0, signal: null });
      const next = session.submit(AppendInput.create([AppendRecord.string({ body: 'after' })], { matchSeqNum: 3 }));
      await server.start();
      expect(server.port).toBe(port);

      const ticket = await next;
      // Sent once or, if the first try had no answer, twice: the condition makes it one record.
      const ack = await ticket.ack().catch((error: unknown) => error);
      if (ack instanceof Error) expect(ack).toBeInstanceOf(SeqNumMismatchError);
      expect(await take(reading, 1)).toEqual(['after']);
      expect((await stream.checkTail()).tail.seqNum).toBe(4);
      await reading.cancel();
      await session.close().catch(() => undefined);
    },
  );
});
