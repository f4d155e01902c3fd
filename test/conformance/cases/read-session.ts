// GET /streams/{stream}/records as a session, over HTTP/1.1 and HTTP/2. (Sections 3.5, 4.1 and 4.5.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, read, refusal } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { decodeBatch } from '../client/proto.ts';
import { type Session, unpacked } from '../client/session.ts';
import { matching } from '../expect.ts';
import { MIB, numbered, PROTOCOLS, recordsOf, UNCAPPED, x } from '../helpers.ts';

const S = { s: UNCAPPED };
const stamped = (...timestamps: number[]) => timestamps.map((timestamp) => ({ timestamp, body: String(timestamp) }));
const bodiesOf = (found: { readonly records: readonly { readonly body: Buffer }[] }) => found.records.map(({ body }) => body.toString());

async function heartbeat(session: Session): Promise<[seqNum: bigint | undefined, timestamp: bigint | undefined]> {
  const { records, tail } = await session.batch();
  assert.deepEqual(records, []);
  return [tail?.seqNum, tail?.timestamp];
}

/** How long until the session ends cleanly, in ms. */
async function untilEnd(session: Session): Promise<number> {
  const startedAt = performance.now();
  await session.batches();
  return performance.now() - startedAt;
}

async function fill(client: CaseClient, stream: string, mebibytes: number): Promise<void> {
  const session = await client.appendSession(stream);
  for (let at = 0; at < mebibytes; at += 1) session.append({ records: [0, 1, 2, 3].map(() => ({ body: x(MIB / 4 - 8) })) });
  for (let at = 0; at < mebibytes; at += 1) await session.ack();
  session.halfClose();
}

export const READ_SESSION_CASES: readonly Case[] = [
  {
    name: 'batches without a tail, a heartbeat at once at the tail, then batches with a tail as they are written',
    shows: [
      '4.1-read',
      '4.5-flow',
      '3.5-catch-up',
      '3.5-heartbeat-at-tail',
      '3.5-live',
      '4.5-heartbeat',
      '3.5-unbounded-forever',
      '4.7-sessions-h2c',
    ],
    streams: { h1: UNCAPPED, h2: UNCAPPED },
    run: async (client) => {
      for (const over of PROTOCOLS) {
        await client.expect(append(over, stamped(5, 6)), { status: 200 });
        const session = await client.readSession(over, 'seq_num=0', over);
        assert.deepEqual([session.status, session.headers['content-type']], [200, 's2s/proto']);
        const first = await session.batch();
        assert.deepEqual([bodiesOf(first), first.tail], [['5', '6'], undefined]);
        assert.deepEqual(await heartbeat(session), [2n, 6n]);
        await client.expect(append(over, stamped(7)), { status: 200 });
        const live = await session.batch();
        assert.deepEqual([bodiesOf(live), live.tail], [['7'], { seqNum: 3n, timestamp: 7n }]);
        await client.expect(append(over, stamped(8, 9)), { status: 200 });
        assert.deepEqual((await session.batch()).tail, { seqNum: 5n, timestamp: 9n });
        session.exchange.abandon();
      }
    },
  },
  {
    name: 'a session is selected by the content-type of the request, whatever it accepts',
    shows: ['4.1-by-request-type', '1.3-content-type-session'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(5)), { status: 200 });
      for (const accept of ['application/protobuf', 'text/event-stream', 'application/json']) {
        const session = await client.readSession('s', 'seq_num=0&count=1', 'h2', { accept });
        assert.equal(session.headers['content-type'], 's2s/proto');
        assert.deepEqual(bodiesOf(await session.batch()), ['5']);
        await session.ended();
      }
      const answer = { status: 200, headers: { 'content-type': matching(/^application\/json/) } };
      await client.expect(read('s', 'seq_num=0', { headers: { accept: 's2s/proto' } }), answer);
    },
  },
  {
    name: 'the head comes at once, before there is anything to read',
    shows: ['4.1-head-at-once'],
    streams: S,
    run: async (client) => {
      for (const over of PROTOCOLS) {
        const startedAt = performance.now();
        const session = await client.readSession('s', 'tail_offset=0&wait=10', over);
        assert.ok(performance.now() - startedAt < 2_000);
        assert.deepEqual(await heartbeat(session), [0n, 0n]);
        session.exchange.abandon();
      }
    },
  },
  {
    name: 'what is wrong at the start is an ordinary answer',
    shows: ['3.5-preflight', '4.1-preflight'],
    streams: S,
    run: async (client) => {
      const asSession = { headers: { 'content-type': 's2s/proto' } };
      for (const over of PROTOCOLS) {
        const options = { ...asSession, over };
        await client.expect(read('none', 'seq_num=0', options), refusal(404, 'stream_not_found'));
        await client.expect(read('s', 'seq_num=7', options), { status: 416, json: { tail: { seq_num: 0, timestamp: 0 } } });
        await client.expect(read('s', 'seq_num=0&wait=0', options), { status: 416 });
        await client.expect(read('s', 'seq_num=0&timestamp=0', options), refusal(422, 'invalid'));
        await client.expect(read('s', 'seq_num=x', options), refusal(400, 'bad_query'));
        await client.expect(read('s', 'seq_num=0', { ...options, basin: null }), refusal(400, 'bad_header'));
      }
    },
  },
  {
    name: 'a read with a limit ends there, in the middle of a batch too, and does not wait at the tail',
    shows: ['3.5-limit-ends', '3.5-bounded-no-wait', '3.5-ends-at-tail', '4.5-end', '4.2-clean-end', '3.1-follow-unbounded'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(1, 2, 3, 4, 5)), { status: 200 });
      for (const [query, expected] of [
        ['seq_num=0&count=2', ['1', '2']],
        ['seq_num=1&bytes=27', ['2', '3', '4']],
        ['seq_num=0&until=3', ['1', '2']],
        ['seq_num=3&count=100', ['4', '5']],
        ['seq_num=3&bytes=100000', ['4', '5']],
        ['seq_num=3&until=99', ['4', '5']],
        ['seq_num=0&count=0', []],
        ['seq_num=4&wait=0', ['5']],
      ] as const) {
        const session = await client.readSession('s', query);
        assert.deepEqual((await session.batches()).flatMap(bodiesOf), expected, query);
      }
    },
  },
  {
    name: 'a limit that is reached by what is written later ends the session in the middle of the batch',
    shows: ['3.5-limit-ends', '3.5-live', '3.1-follow-wait'],
    streams: S,
    run: async (client) => {
      const [counted, until] = [
        await client.readSession('s', 'seq_num=0&count=3&wait=30'),
        await client.readSession('s', 'seq_num=0&until=4&wait=30'),
      ];
      await Promise.all([heartbeat(counted), heartbeat(until)]);
      await client.expect(append('s', stamped(1, 2)), { status: 200 });
      await client.expect(append('s', stamped(3, 4, 5)), { status: 200 });
      for (const session of [counted, until]) assert.deepEqual((await session.batches()).flatMap(bodiesOf), ['1', '2', '3']);
    },
  },
  {
    name: 'clamp starts at the tail, and follows',
    shows: ['3.2-clamped', '3.1-clamp', '3.1-start-default'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(1)), { status: 200 });
      for (const query of ['seq_num=99&clamp=true', 'timestamp=99&clamp=true', 'tail_offset=0', 'wait=9']) {
        const session = await client.readSession('s', query);
        const [seqNum] = await heartbeat(session);
        await client.expect(append('s', stamped(2)), { status: 200 });
        assert.deepEqual((await session.batch()).records[0]?.seqNum, seqNum);
        session.exchange.abandon();
      }
    },
  },
  {
    name: 'wait bounds the time between records: it starts at the tail and anew with each batch, and the end is clean',
    shows: ['3.5-wait-between-records', '4.5-end'],
    streams: S,
    run: async (client) => {
      const session = await client.readSession('s', 'seq_num=0&wait=2');
      await heartbeat(session);
      const ending = untilEnd(session);
      for (let at = 0; at < 2; at += 1) {
        await client.sleep(1_300);
        await client.expect(append('s', stamped(1)), { status: 200 });
      }
      const ms = await ending;
      assert.ok(ms > 4_400 && ms < 7_500, `the session was over after ${ms} ms`);
    },
  },
  {
    name: 'while idle a heartbeat comes every 5 to 15 s, and does not prolong the wait',
    shows: ['3.5-heartbeat-idle', '3.5-wait-between-records', '4.5-heartbeat', '4.5-frame-gap'],
    streams: S,
    timeoutMs: 30_000,
    run: async (client) => {
      const session = await client.readSession('s', 'seq_num=0&wait=17');
      await heartbeat(session);
      const startedAt = performance.now();
      const gaps: number[] = [];
      let last = startedAt;
      for (let next = await session.frame(); next !== undefined; next = await session.frame()) {
        const { records, tail } = decodeBatch(unpacked(next));
        assert.deepEqual([records, tail], [[], { seqNum: 0n, timestamp: 0n }]);
        gaps.push(performance.now() - last);
        last = performance.now();
      }
      const ms = performance.now() - startedAt;
      assert.ok(gaps.length >= 1 && gaps.every((gap) => gap > 4_500 && gap < 16_000), `heartbeats after ${gaps}`);
      assert.ok(ms > 16_000 && ms < 20_000, `the session was over after ${ms} ms`);
    },
  },
  {
    name: 'catching up gives batches of at most 1000 records and 1 MiB, in order',
    shows: ['3.5-catch-up', '3.3-batch-max', '4.5-tail-true'],
    streams: { many: {}, large: {} },
    timeoutMs: 30_000,
    run: async (client) => {
      for (let at = 0; at < 3; at += 1) await client.expect(append('many', recordsOf(1_000)), { status: 200 });
      await fill(client, 'large', 8);
      for (const [stream, count] of [
        ['many', 3_000],
        ['large', 32],
      ] as const) {
        const session = await client.readSession(stream, 'seq_num=0');
        let next = 0n;
        for (;;) {
          const { records, tail } = await session.batch();
          assert.ok(records.length > 0 || tail !== undefined, 'a batch without records has no tail');
          assert.ok(records.length <= 1_000 && records.reduce((sum, { body }) => sum + 8 + body.length, 0) <= MIB);
          for (const { seqNum } of records) {
            assert.equal(seqNum, next);
            next += 1n;
          }
          if (tail === undefined) continue;
          assert.ok(tail.seqNum >= next);
          if (tail.seqNum === next) break;
        }
        assert.equal(next, BigInt(count));
        session.exchange.abandon();
      }
    },
  },
  {
    name: 'a follower that stops taking catches up without gap or repeat, and is told the tail again',
    shows: ['3.5-lagging', '4.5-tail-true'],
    streams: { s: {} },
    timeoutMs: 40_000,
    run: async (client) => {
      const session = await client.readSession('s', 'seq_num=0');
      await heartbeat(session);
      session.exchange.pause();
      await fill(client, 's', 24);
      await client.sleep(500);
      session.exchange.resume();
      let next = 0n;
      for (let tail = -1n; tail < 96n || next < 96n; ) {
        const batch = await session.batch();
        for (const { seqNum } of batch.records) {
          assert.equal(seqNum, next);
          next += 1n;
        }
        if (batch.tail !== undefined) tail = batch.tail.seqNum;
      }
      await client.expect(append('s', numbered(1)), { status: 200 });
      // A heartbeat may come between.
      let live = await session.batch();
      while (live.records.length === 0) live = await session.batch();
      assert.deepEqual(bodiesOf(live), ['0']);
    },
  },
  {
    name: 'a session that reads from a timestamp starts at the first record that has it',
    shows: ['3.1-timestamp', '4.1-read'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(1, 4, 4, 9)), { status: 200 });
      const session = await client.readSession('s', 'timestamp=3&count=2');
      const [batch] = await session.batches();
      assert.deepEqual(
        batch?.records.map(({ seqNum }) => seqNum),
        [1n, 2n],
      );
    },
  },
  {
    name: 'an error in the middle of a session is a terminal frame',
    shows: ['4.5-error', '5.4-wrong-key-session', '4.2-terminal', '1.5-code-decryption-failed'],
    needs: ['encryption'],
    basin: { stream_cipher: 'aes-256-gcm' },
    streams: S,
    run: async (client) => {
      const key = (byte: number) => ({ 's2-encryption-key': Buffer.alloc(32, byte).toString('base64') });
      const session = await client.readSession('s', 'seq_num=0', 'h2', key(1));
      await heartbeat(session);
      await client.expect(append('s', stamped(1), { headers: key(1) }), { status: 200 });
      assert.deepEqual(bodiesOf(await session.batch()), ['1']);
      await client.expect(append('s', stamped(2), { headers: key(2) }), { status: 200 });
      const { status, body } = await session.terminal();
      assert.deepEqual([status, (body as { code: string }).code], [400, 'decryption_failed']);
      await client.expect(read('s', 'seq_num=0&count=1', { headers: key(1) }), bodies('1'));
    },
  },
];
