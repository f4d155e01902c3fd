// GET /streams/{stream}/records as one request. (Sections 3.1 to 3.4 and 3.7.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, get, ok, read, refusal } from '../case.ts';
import { decodeBatch, encodeAppend } from '../client/proto.ts';
import { absent, including, oneOf, u64 } from '../expect.ts';
import { MIB, ON_DEMAND, recordsIn, recordsOf, UNCAPPED, x } from '../helpers.ts';

const TEN_TO_FOURTEEN = [0, 1, 2, 3, 4].map((at) => ({ timestamp: 10 + at, body: String(at) }));
const FIVE = append('s', TEN_TO_FOURTEEN);
const S = { s: UNCAPPED };
const EMPTY = ok({ records: [], tail: oneOf(absent, { seq_num: u64, timestamp: u64 }) });
const unwritten = (seqNum: number, timestamp: number) => ({
  status: 416,
  json: { tail: { seq_num: seqNum, timestamp } },
  headers: { 'content-type': 'application/json' },
});
const timed = async (work: Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
};

export const RECORDS_READ: readonly Case[] = [
  {
    name: 'a batch has records, each with its sequence number and timestamp',
    shows: ['1.6-read', '1.7-read-batch', '1.7-sequenced-record', '3.1-seq-num', '3.4-at-once'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      [
        read('s', 'seq_num=3'),
        ok(
          including({
            records: [
              { seq_num: 3, timestamp: 13, body: '3' },
              { seq_num: 4, timestamp: 14, body: '4' },
            ],
          }),
        ),
      ],
      [read('s', 'seq_num=0&wait=30'), bodies('0', '1', '2', '3', '4')],
    ],
  },
  {
    name: 'timestamp starts at the first record with that or a later timestamp',
    shows: ['3.1-timestamp', '3.2-timestamp-at-tail'],
    streams: S,
    steps: [
      [
        append(
          's',
          [5, 5, 8, 8, 9, 9].map((timestamp, at) => ({ timestamp, body: String(at) })),
        ),
        { status: 200 },
      ],
      [read('s', 'timestamp=0&count=1'), bodies('0')],
      [read('s', 'timestamp=5&count=1'), bodies('0')],
      [read('s', 'timestamp=6&count=1'), bodies('2')],
      [read('s', 'timestamp=8&count=1'), bodies('2')],
      [read('s', 'timestamp=9'), bodies('4', '5')],
    ],
  },
  {
    name: 'tail_offset starts that many records before the tail, or at the beginning',
    shows: ['3.1-tail-offset'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      [read('s', 'tail_offset=2'), bodies('3', '4')],
      [read('s', 'tail_offset=5&count=1'), bodies('0')],
      [read('s', 'tail_offset=600&count=1'), bodies('0')],
      [read('s', 'tail_offset=0'), unwritten(5, 14)],
    ],
  },
  {
    name: 'without parameters the read starts at the tail, where nothing is',
    shows: ['3.1-start-default', '3.2-default-unary', '3.2-empty-stream', '1.5-unwritten', '3.4-follows-if-wait'],
    streams: S,
    steps: [
      [get('/streams/s/records'), unwritten(0, 0)],
      [read('s', 'seq_num=0'), unwritten(0, 0)],
      [FIVE, { status: 200 }],
      [get('/streams/s/records'), unwritten(5, 14)],
      [read('s', 'count=1'), unwritten(5, 14)],
    ],
  },
  {
    name: 'a start beyond the tail is refused with the tail; so is one at the tail that does not wait',
    shows: ['3.2-beyond-seq-num', '3.2-beyond-timestamp', '3.2-at-tail', '1.5-unwritten'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      [read('s', 'seq_num=6'), unwritten(5, 14)],
      [read('s', 'seq_num=6&wait=5'), unwritten(5, 14)],
      [read('s', 'timestamp=15'), unwritten(5, 14)],
      [read('s', 'timestamp=15&wait=5'), unwritten(5, 14)],
      [read('s', 'seq_num=5'), unwritten(5, 14)],
      [read('s', 'seq_num=5&wait=0'), unwritten(5, 14)],
      [read('s', 'seq_num=4'), bodies('4')],
    ],
  },
  {
    name: 'clamp takes the tail for a start beyond it, which helps only who waits',
    shows: ['3.1-clamp', '3.2-clamped', '3.2-clamp-no-rescue', '3.2-clamp-long-poll'],
    streams: S,
    run: async (client) => {
      await client.expect(FIVE, { status: 200 });
      await client.expect(read('s', 'seq_num=99&clamp=true'), unwritten(5, 14));
      await client.expect(read('s', 'seq_num=99&clamp=false&wait=5'), unwritten(5, 14));
      await client.expect(read('s', 'timestamp=99&clamp=true'), unwritten(5, 14));
      await client.expect(read('s', 'seq_num=4&clamp=true'), bodies('4'));
      for (const start of ['seq_num=99', 'timestamp=99']) {
        const waiting = client.call(read('s', `${start}&clamp=true&wait=10`));
        await client.sleep(100);
        await client.expect(append('s', [{ timestamp: 14, body: start }]), { status: 200 });
        assert.deepEqual(
          recordsIn(await waiting).map((record) => record.body),
          [start],
        );
      }
    },
  },
  {
    name: 'timestamp=0 of an empty stream is no error',
    shows: ['3.2-timestamp-empty-stream'],
    streams: S,
    steps: [
      [read('s', 'timestamp=0'), EMPTY],
      [read('s', 'timestamp=1'), unwritten(0, 0)],
    ],
  },
  {
    name: 'count, bytes and until give whole records within them',
    shows: ['3.1-count', '3.1-bytes', '3.1-until', '3.3-whole-records', '3.3-zero', '3.3-bytes-below-first'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      [read('s', 'seq_num=1&count=2'), bodies('1', '2')],
      [read('s', 'seq_num=1&bytes=18'), bodies('1', '2')],
      [read('s', 'seq_num=1&bytes=26'), bodies('1', '2')],
      [read('s', 'seq_num=1&until=13'), bodies('1', '2')],
      [read('s', 'seq_num=1&until=99'), bodies('1', '2', '3', '4')],
      [read('s', 'seq_num=1&until=11'), EMPTY],
      [read('s', 'seq_num=1&count=3&bytes=18&until=12'), bodies('1')],
      [read('s', 'seq_num=1&count=0'), EMPTY],
      [read('s', 'seq_num=1&bytes=0'), EMPTY],
      [read('s', 'seq_num=1&bytes=8'), EMPTY],
      [read('s', 'timestamp=11&until=12'), bodies('1')],
    ],
  },
  {
    name: 'one answer has at most 1000 records and 1 MiB',
    shows: ['3.3-batch-max', '3.4-bounded'],
    streams: { many: {}, large: {} },
    run: async (client) => {
      await client.expect(append('many', recordsOf(1_000)), { status: 200 });
      await client.expect(append('many', recordsOf(1_000)), { status: 200 });
      for (const query of ['seq_num=0', 'seq_num=0&count=5000', 'seq_num=0&count=1001&wait=1']) {
        assert.equal(recordsIn(await client.call(read('many', query))).length, 1_000);
      }
      const quarter = { body: x(MIB / 4 - 8) };
      for (let at = 0; at < 2; at += 1) await client.expect(append('large', [quarter, quarter, quarter, quarter]), { status: 200 });
      for (const query of ['seq_num=0', `seq_num=0&bytes=${4 * MIB}`]) {
        assert.equal(recordsIn(await client.call(read('large', query))).length, 4);
      }
      assert.equal(recordsIn(await client.call(read('large', `seq_num=0&bytes=${MIB - 1}`))).length, 3);
    },
  },
  {
    name: 'a long poll gets the first batch that comes, within the limits',
    shows: ['3.4-long-poll', '3.1-wait', '3.1-follow-wait'],
    streams: S,
    run: async (client) => {
      const waiting = client.call(read('s', 'seq_num=0&wait=10&count=2'));
      const [wide, until] = [client.call(read('s', 'tail_offset=0&wait=10')), client.call(read('s', 'seq_num=0&until=11&wait=10'))];
      await client.sleep(200);
      await client.expect(FIVE, { status: 200 });
      assert.deepEqual(
        (await Promise.all([waiting, wide, until])).map((answer) => recordsIn(answer).map((record) => record.body)),
        [['0', '1'], ['0', '1', '2', '3', '4'], ['0']],
      );
    },
  },
  {
    name: 'a wait that is over gives 200 without records',
    shows: ['3.4-wait-expires', '3.1-wait'],
    streams: S,
    run: async (client) => {
      const ms = await timed(client.expect(read('s', 'seq_num=0&wait=2'), EMPTY));
      assert.ok(ms > 1_900 && ms < 4_000, `waited ${ms} ms`);
    },
  },
  {
    name: 'a long poll waits at most 60 s',
    shows: ['3.4-wait-capped'],
    slow: { file: 'test/core/reader/read.test.ts', title: 'waits at most 60 s, then the answer is empty' },
    streams: S,
    timeoutMs: 75_000,
    run: async (client) => {
      const ms = await timed(client.expect(read('s', 'seq_num=0&wait=3600'), EMPTY));
      assert.ok(ms > 30_000 && ms < 66_000, `waited ${ms} ms`);
    },
  },
  {
    name: 'two starts are refused, and a timestamp that is not below until',
    shows: ['3.1-two-starts', '3.1-start-not-below-until', '1.5-invalid-two-starts', '1.5-invalid-start-until'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      [read('s', 'seq_num=0&timestamp=0'), refusal(422, 'invalid')],
      [read('s', 'seq_num=0&tail_offset=1'), refusal(422, 'invalid')],
      [read('s', 'timestamp=0&tail_offset=1'), refusal(422, 'invalid')],
      [read('s', 'timestamp=11&until=11'), refusal(422, 'invalid')],
      [read('s', 'timestamp=12&until=11'), refusal(422, 'invalid')],
    ],
  },
  {
    name: 'a parameter of the wrong type is refused',
    shows: ['3.1-booleans', '3.1-numbers', '1.5-code-bad-query'],
    streams: S,
    steps: [
      [FIVE, { status: 200 }],
      ...[
        'clamp=yes',
        'clamp=1',
        'clamp=TRUE',
        'seq_num=-1',
        'seq_num=first',
        'seq_num=1.5',
        'seq_num=18446744073709551616',
        'timestamp=now',
        'tail_offset=-1',
        'seq_num=0&count=many',
        'seq_num=0&bytes=-1',
        'seq_num=0&until=x',
        'seq_num=0&wait=-1',
        'seq_num=0&wait=4294967296',
        'seq_num=0&wait=1.5',
      ].map((query) => [read('s', query), refusal(400, 'bad_query')] as const),
      [read('s', 'seq_num=4&wait=4294967295&until=18446744073709551615&clamp=true'), bodies('4')],
    ],
  },
  {
    name: 'the form of a read is checked before its stream is looked for, and creates nothing',
    shows: ['1.5-form-before-existence', '1.5-form-before-creation'],
    basin: ON_DEMAND,
    steps: [
      [read('new', 'timestamp=5&until=5'), refusal(422, 'invalid')],
      [read('new', 'seq_num=x'), refusal(400, 'bad_query')],
      [read('new', 'seq_num=0', { headers: { 's2-format': 'hex' } }), refusal(400, 'bad_header')],
      [read('none', 'timestamp=5&until=5', { basin: '{basin}-none' }), refusal(422, 'invalid')],
      [get('/streams'), ok({ streams: [], has_more: false })],
    ],
  },
  {
    name: 'the answer is JSON or protobuf, by accept',
    shows: ['3.4-accept', '1.3-accept-proto', '4.3-messages'],
    streams: S,
    run: async (client) => {
      await client.expect(FIVE, { status: 200 });
      const { bytes } = await client.expect(read('s', 'seq_num=3', { headers: { accept: 'application/protobuf' } }), {
        status: 200,
        headers: { 'content-type': 'application/protobuf' },
      });
      assert.deepEqual(
        decodeBatch(bytes).records.map((record) => [record.seqNum, record.timestamp, record.body.toString()]),
        [
          [3n, 13n, '3'],
          [4n, 14n, '4'],
        ],
      );
    },
  },
  {
    name: 'raw gives bytes that are no UTF-8 as replacement characters, base64 as they are',
    shows: ['3.4-raw-lossy', '3.4-base64-exact'],
    streams: S,
    run: async (client) => {
      const body = encodeAppend({
        records: [
          { headers: [{ name: Buffer.from('80', 'hex'), value: Buffer.from('61ff62', 'hex') }], body: Buffer.from('ff00c3', 'hex') },
        ],
      });
      await client.expect(
        { method: 'POST', path: '/streams/s/records', body, headers: { 'content-type': 'application/protobuf' } },
        { status: 200 },
      );
      const [raw] = recordsIn(await client.call(read('s', 'seq_num=0')));
      const [exact] = recordsIn(await client.call(read('s', 'seq_num=0', { headers: { 's2-format': 'base64' } })));
      assert.deepEqual([raw?.headers, raw?.body], [[['\ufffd', 'a\ufffdb']], '\ufffd\0\ufffd']);
      assert.deepEqual([exact?.headers, exact?.body], [[['gA==', 'Yf9i']], '/wDD']);
    },
  },
];
