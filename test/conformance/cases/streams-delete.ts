// DELETE /streams/{stream}, and what becomes of the stream, also by itself. (Sections 1.6, 5.1, 5.5 and 5.6.)

import { strict as assert } from 'node:assert';
import {
  accepted,
  append,
  bodies,
  type Case,
  checkTail,
  created,
  del,
  eventually,
  get,
  ok,
  patch,
  post,
  put,
  read,
  refusal,
} from '../case.ts';
import { FLAG_TERMINAL } from '../client/session.ts';
import { absent, including } from '../expect.ts';
import { BACKGROUND_MS_MAX, deletedStream, expectFailure, streamInfo, whilePending } from '../helpers.ts';

const EMPTY = { ...accepted, headers: { 'content-length': '0', 'content-type': absent } };
const FENCE = { headers: [['', 'fence']], body: 'mine' };
/** Servers look at empty streams from time to time, and allow for clocks that differ. */
const EMPTY_MS_MAX = 90_000;
const SOON_EMPTY = { retention_policy: { age: 1 }, delete_on_empty: { min_age_secs: 1 } };

export const STREAMS_DELETE: readonly Case[] = [
  {
    name: 'a deletion is accepted with nothing, and may be repeated while it lasts',
    shows: ['1.6-delete-stream', '1.4-accepted-is-empty', '5.6-accepted', '5.6-pending-delete'],
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', [{ body: 'x' }]), { status: 200 });
      await client.expect(del('/streams/s'), EMPTY);
      const again = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => del(`/streams/${name}`),
        ({ status }) => status === 404,
      );
      assert.equal(again.status, 202);
    },
  },
  {
    name: 'no append is acknowledged behind the deletion',
    shows: ['5.6-accepted', '2.3-pending', '2.7-stream-deleting'],
    basin: { create_stream_on_append: true },
    streams: { s: {} },
    run: async (client) => {
      let isDeleted = false;
      const late: number[] = [];
      const writers = Array.from({ length: 4 }, async () => {
        for (;;) {
          const startedDeleted = isDeleted;
          const { status } = await client.call(append('s', [{ body: 'x' }]));
          if (startedDeleted) {
            late.push(status);
            return;
          }
        }
      });
      await client.sleep(50);
      await client.expect(del('/streams/s'), { status: 202 });
      isDeleted = true;
      await Promise.all(writers);
      // The name may be free again by then, and an append that creates the stream starts it at 0.
      assert.ok(
        late.every((status) => status === 409 || status === 200),
        `got ${late}`,
      );
      if (late.includes(200)) assert.ok((await client.tail('s')) <= late.length, 'the deleted stream took an append');
    },
  },
  {
    name: 'an unknown stream is not found',
    shows: ['1.6-delete-stream-missing'],
    steps: [[del('/streams/none'), refusal(404, 'stream_not_found')]],
  },
  {
    name: 'while it is being deleted, records, tail and config are refused',
    shows: ['5.6-pending-refused', '1.6-tail-deleting', '2.3-pending', '2.7-stream-deleting', '1.5-code-stream-deletion-pending'],
    basin: { create_stream_on_append: true, create_stream_on_read: true },
    timeoutMs: 30_000,
    run: async (client) => {
      const requests = [
        (name: string) => get(`/streams/${name}`),
        (name: string) => patch(`/streams/${name}`, {}),
        (name: string) => append(name, [{ body: 'x' }]),
        (name: string) => read(name, 'seq_num=0&wait=1'),
        (name: string) => checkTail(name),
        (name: string) => post('/streams', { stream: name }),
        (name: string) => put(`/streams/${name}`),
      ];
      for (const [at, request] of requests.entries()) {
        const answer = await whilePending(
          client,
          (name) => deletedStream(client, `${name}-${at}`),
          (name) => request(`${name}-${at}`),
        );
        expectFailure(answer, 409, 'stream_deletion_pending');
      }
    },
  },
  {
    name: 'later everything of it is gone, and the name starts anew: at 0, without a token',
    shows: ['5.6-removed', '5.6-anew', '1.9-key-lives-with-resource'],
    timeoutMs: BACKGROUND_MS_MAX + 15_000,
    steps: [
      [post('/streams', { stream: 's' }, { headers: { 's2-request-token': 't' } }), created()],
      [append('s', [{ body: 'old' }, { body: 'old' }]), { status: 200 }],
      [append('s', [FENCE]), { status: 200 }],
      [del('/streams/s'), EMPTY],
      [get('/streams'), eventually(ok({ streams: [], has_more: false }), BACKGROUND_MS_MAX)],
      [del('/streams/s'), refusal(404, 'stream_not_found')],
      [get('/streams/s'), refusal(404, 'stream_not_found')],
      [read('s', 'seq_num=0'), refusal(404, 'stream_not_found')],
      [post('/streams', { stream: 's' }, { headers: { 's2-request-token': 't' } }), created(streamInfo('s'))],
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
      [append('s', [{ body: 'new' }], { with: { fencing_token: '' } }), ok(including({ start: including({ seq_num: 0 }) }))],
      [read('s', 'seq_num=0'), bodies('new')],
    ],
  },
  {
    name: 'read sessions that are open end with an error',
    shows: ['5.6-open-reads', '4.5-error', '3.6-error'],
    streams: { s: {} },
    timeoutMs: BACKGROUND_MS_MAX + 15_000,
    run: async (client) => {
      await client.expect(append('s', [{ body: 'x' }]), { status: 200 });
      const session = await client.readSession('s', 'seq_num=0');
      const events = await client.events('s', 'seq_num=0');
      await session.regular();
      await events.named('ping');
      await client.expect(del('/streams/s'), { status: 202 });
      let last = await session.frame();
      while (last !== undefined && (last.flags & FLAG_TERMINAL) === 0) last = await session.frame();
      assert.ok(last !== undefined, 'the session ended as if nothing had happened');
      assert.ok([404, 409, 503].includes(last.payload.readUInt16BE(0)), last.payload.toString());
      await session.ended();
      const failed = await events.named('error');
      assert.ok(['stream_not_found', 'stream_deletion_pending', 'unavailable'].includes(JSON.parse(failed.data).code), failed.data);
      assert.equal(await events.next(), undefined);
    },
  },
  {
    name: 'records older than the retention age go away, and the stream stays',
    shows: ['5.1-retention-trims'],
    streams: { s: { retention_policy: { age: 1 } } },
    timeoutMs: BACKGROUND_MS_MAX + 10_000,
    steps: [
      [append('s', [{ body: 'old', timestamp: 5 }]), { status: 200 }],
      [read('s', 'seq_num=0'), bodies('old')],
      [read('s', 'seq_num=0'), eventually(ok(including({ records: [] })), BACKGROUND_MS_MAX)],
      [checkTail('s'), ok({ tail: { seq_num: 1, timestamp: 5 } })],
      [append('s', [{ body: 'new' }]), { status: 200 }],
      [read('s', 'seq_num=0'), bodies('new')],
    ],
  },
  {
    name: 'a stream without records goes by itself where its config says so, and only there',
    shows: ['5.5-deletes', '5.5-off', '5.5-infinite', '5.5-not-empty', '5.1-delete-on-empty-default'],
    basin: null,
    timeoutMs: EMPTY_MS_MAX + BACKGROUND_MS_MAX + 10_000,
    run: async (client) => {
      const streams = {
        goes: SOON_EMPTY,
        'infinite-stays': { retention_policy: { infinite: {} }, delete_on_empty: { min_age_secs: 1 } },
        'off-stays': { retention_policy: { age: 1 } },
        'unwritten-goes': SOON_EMPTY,
        'written-stays': { retention_policy: { age: 86_400 }, delete_on_empty: { min_age_secs: 1 } },
      };
      const { client: at, pass } = await client.timeMachine({ streams });
      for (const stream of ['written-stays', 'goes']) await at.expect(append(stream, [{ body: 'x' }]), { status: 200 });
      const waitMs = await pass(EMPTY_MS_MAX);
      const staying = ['infinite-stays', 'off-stays', 'written-stays'].map((name) => streamInfo(name));
      await at.expect(get('/streams'), eventually(ok({ streams: staying, has_more: false }), waitMs + BACKGROUND_MS_MAX));
      await at.expect(get('/streams/goes'), refusal(404, 'stream_not_found'));
    },
  },
];
