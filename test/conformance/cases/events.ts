// GET /streams/{stream}/records as server-sent events. (Section 3.6.)

import { strict as assert } from 'node:assert';
import { append, type Case, read, refusal } from '../case.ts';
import type { ServerEvent } from '../client/events.ts';
import { type JsonRecord, numbered, UNCAPPED } from '../helpers.ts';
import { parseJson } from '../json.ts';

const S = { s: UNCAPPED };
const stamped = (...timestamps: number[]) => timestamps.map((timestamp) => ({ timestamp, body: String(timestamp) }));
const recordsOf = ({ data }: ServerEvent) => (parseJson(data) as { records: JsonRecord[] }).records;
const bodiesOf = (events: readonly ServerEvent[]) =>
  events.filter(({ event }) => event === 'batch').flatMap((event) => recordsOf(event).map(({ body }) => body));
const DONE: ServerEvent = { event: undefined, id: undefined, data: '[DONE]' };

export const EVENT_CASES: readonly Case[] = [
  {
    name: 'events are batches, a ping with the tail once there is nothing more, and batches as they are written',
    shows: [
      '3.6-request',
      '3.6-batch',
      '3.6-batch-id',
      '3.6-ping',
      '3.6-ping-no-id',
      '3.5-heartbeat-at-tail',
      '3.5-live',
      '1.6-read',
      '1.3-accept-events',
    ],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(5, 6)), { status: 200 });
      const events = await client.events('s', 'seq_num=0');
      assert.deepEqual([events.head.status, events.head.headers['content-type']?.split(';')[0]], [200, 'text/event-stream']);
      const first = await events.next();
      assert.deepEqual([first?.event, first?.id], ['batch', '1,2,18']);
      assert.deepEqual(parseJson(first?.data ?? ''), {
        records: [
          { seq_num: 0, timestamp: 5, body: '5' },
          { seq_num: 1, timestamp: 6, body: '6' },
        ],
      });
      const ping = await events.next();
      assert.deepEqual([ping?.event, ping?.id], ['ping', undefined]);
      const { timestamp, tail } = parseJson(ping?.data ?? '') as { timestamp: number; tail: unknown };
      assert.ok(Math.abs(timestamp - Date.now()) < 3_600_000, `the time of the server is ${timestamp}`);
      assert.deepEqual(tail, { seq_num: 2, timestamp: 6 });
      await client.expect(append('s', [{ timestamp: 7, headers: [['k', 'v']], body: 'abc' }]), { status: 200 });
      const live = await events.next();
      assert.deepEqual([live?.event, live?.id], ['batch', `2,3,${18 + 15}`]);
      assert.deepEqual(parseJson(live?.data ?? ''), {
        records: [{ seq_num: 2, timestamp: 7, headers: [['k', 'v']], body: 'abc' }],
        tail: { seq_num: 3, timestamp: 7 },
      });
    },
  },
  {
    name: 'records come in the format that was asked for',
    shows: ['3.6-batch', '1.3-format-base64', '1.3-format-aliases'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', [{ timestamp: 1, headers: [['k', 'v']], body: 'a\nb' }]), { status: 200 });
      for (const [format, body] of [
        ['raw', 'a\nb'],
        ['base64', 'YQpi'],
        ['json-binsafe', 'YQpi'],
      ] as const) {
        const events = await (await client.events('s', 'seq_num=0&count=1', { 's2-format': format })).all();
        assert.deepEqual(bodiesOf(events), [body]);
      }
    },
  },
  {
    name: 'a read that is over ends with [DONE]',
    shows: ['3.6-done', '3.5-limit-ends', '3.5-ends-at-tail', '3.5-bounded-no-wait'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(1, 2, 3)), { status: 200 });
      for (const [query, expected] of [
        ['seq_num=0&count=2', ['1', '2']],
        ['seq_num=1&count=9', ['2', '3']],
        ['seq_num=0&wait=0', ['1', '2', '3']],
        ['seq_num=0&until=3', ['1', '2']],
        ['seq_num=0&bytes=9', ['1']],
        ['seq_num=0&count=0', []],
      ] as const) {
        const events = await (await client.events('s', query)).all();
        assert.deepEqual([bodiesOf(events), events.at(-1)], [expected, DONE], query);
      }
    },
  },
  {
    name: 'what is wrong at the start is an ordinary answer',
    shows: ['3.5-preflight'],
    streams: S,
    steps: [
      [read('none', 'seq_num=0', { headers: { accept: 'text/event-stream' } }), refusal(404, 'stream_not_found')],
      [read('s', 'seq_num=9', { headers: { accept: 'text/event-stream' } }), { status: 416, json: { tail: { seq_num: 0, timestamp: 0 } } }],
      [read('s', 'seq_num=0&count=1', { headers: { accept: 'text/event-stream' } }), { status: 416 }],
      [read('s', 'seq_num=0&tail_offset=1', { headers: { accept: 'text/event-stream' } }), refusal(422, 'invalid')],
    ],
  },
  {
    name: 'last-event-id goes on behind it, whatever the query says, and takes what came off the limits',
    shows: ['3.6-resume', '3.6-resume-limits', '3.6-resume-seeded', '3.6-batch-id'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', stamped(1, 2, 3, 4, 5, 6)), { status: 200 });
      const from = async (id: string, query: string) => await (await client.events('s', query, { 'last-event-id': id })).all();
      const first = await from('1,2,18', 'seq_num=0&count=4');
      assert.deepEqual([bodiesOf(first), first[0]?.id], [['3', '4'], '3,4,36']);
      assert.deepEqual(bodiesOf(await from('3,4,36', 'seq_num=0&count=4')), []);
      assert.deepEqual(bodiesOf(await from('0,1,9', 'seq_num=5&bytes=27')), ['2', '3']);
      assert.deepEqual(bodiesOf(await from('0,1,9', 'timestamp=6&wait=0')), ['2', '3', '4', '5', '6']);
      assert.deepEqual(bodiesOf(await from('0,99,9', 'seq_num=0&count=4')), []);
      assert.deepEqual(bodiesOf(await from('0,1,999', 'seq_num=0&bytes=27')), []);
    },
  },
  {
    name: 'a client that resumes twice gets as many records as it asked for, not more',
    shows: ['3.6-resume-seeded', '3.6-resume-limits'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', numbered(9)), { status: 200 });
      const first = await client.events('s', 'seq_num=0&count=5&bytes=1000');
      const id = (await first.named('batch')).id ?? '';
      assert.match(id, /^4,5,45$/);
      const second = await (await client.events('s', 'seq_num=0&count=7', { 'last-event-id': id })).all();
      assert.deepEqual([bodiesOf(second), second[0]?.id], [['5', '6'], '6,7,63']);
      const third = await (await client.events('s', 'seq_num=0&count=7', { 'last-event-id': second[0]?.id ?? '' })).all();
      assert.deepEqual(bodiesOf(third), []);
    },
  },
  {
    name: 'a last-event-id that is not three numbers is refused',
    shows: ['1.3-last-event-id-malformed'],
    streams: S,
    steps: ['', '1', '1,2', '1,2,3,4', 'a,b,c', '-1,2,3', '1.5,2,3', '1,,3'].map(
      (id) =>
        [read('s', 'seq_num=0', { headers: { accept: 'text/event-stream', 'last-event-id': id } }), refusal(400, 'bad_header')] as const,
    ),
  },
  {
    name: 'while idle a ping comes every 5 to 15 s',
    shows: ['3.5-heartbeat-idle', '3.6-ping'],
    streams: S,
    timeoutMs: 25_000,
    run: async (client) => {
      const events = await client.events('s', 'seq_num=0');
      await events.named('ping');
      const startedAt = performance.now();
      const ping = await events.named('ping');
      const ms = performance.now() - startedAt;
      assert.ok(ms > 4_500 && ms < 16_000, `a ping after ${ms} ms`);
      assert.deepEqual((parseJson(ping.data) as { tail: unknown }).tail, { seq_num: 0, timestamp: 0 });
    },
  },
  {
    name: 'an error is an event with the JSON of the failure, and the last one',
    shows: ['3.6-error', '5.4-wrong-key-events'],
    needs: ['encryption'],
    basin: { stream_cipher: 'aegis-256' },
    streams: S,
    run: async (client) => {
      const key = (byte: number) => ({ 's2-encryption-key': Buffer.alloc(32, byte).toString('base64') });
      await client.expect(append('s', stamped(1), { headers: key(1) }), { status: 200 });
      await client.expect(append('s', stamped(2), { headers: key(2) }), { status: 200 });
      const events = await (await client.events('s', 'seq_num=0', key(1))).all();
      assert.deepEqual(bodiesOf(events).slice(0, 1), ['1']);
      const last = events.at(-1);
      assert.equal(last?.event, 'error');
      assert.equal((JSON.parse(last.data) as { code: string }).code, 'decryption_failed');
    },
  },
];
