// DELETE /basins/{basin}, and what becomes of the basin. (Sections 1.6 and 5.7.)

import {
  accepted,
  acked,
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
import { absent } from '../expect.ts';
import { BACKGROUND_MS_MAX, deletedBasin, expectFailure, ON_DEMAND, whilePending } from '../helpers.ts';

const EMPTY = { ...accepted, headers: { 'content-length': '0', 'content-type': absent } };

export const BASINS_DELETE: readonly Case[] = [
  {
    name: 'a deletion is accepted with nothing, and may be repeated',
    shows: ['1.6-delete-basin', '1.4-accepted-is-empty', '5.7-accepted'],
    streams: { s: {} },
    run: async (client) => {
      await client.expect(del('/basins/{basin}'), EMPTY);
      const again = await whilePending(
        client,
        (name) => deletedBasin(client, name),
        (name) => del(`/basins/${name}`),
        ({ status }) => status === 404,
      );
      if (again.status !== 202) throw new Error(`got ${again.status} ${again.text}`);
    },
  },
  {
    name: 'an unknown basin is not found',
    shows: ['1.6-delete-basin-missing'],
    steps: [[del('/basins/{basin}-none'), refusal(404, 'basin_not_found')]],
  },
  {
    name: 'the name is free once the streams are gone: what is made anew has none of them, and loses nothing to their deletion',
    shows: ['5.7-streams-first', '5.7-pending-refused'],
    basin: null,
    timeoutMs: BACKGROUND_MS_MAX + 15_000,
    run: async (client) => {
      const made = { basin: client.basin, config: ON_DEMAND };
      const streams = Array.from({ length: 40 }, (_, at) => `stream-${String(at).padStart(2, '0')}`);
      await client.expect(post('/basins', made), created());
      for (const stream of streams) await client.expect(append(stream, [{ body: 'old' }, { body: 'old' }]), acked(0, 2));
      await client.expect(del('/basins/{basin}'), EMPTY);
      const until = performance.now() + BACKGROUND_MS_MAX;
      for (;;) {
        const answer = await client.call(post('/basins', made));
        if (answer.status === 201) break;
        expectFailure(answer, 409, 'basin_deletion_pending');
        if (performance.now() > until) throw new Error('the name is still not free');
      }
      await client.expect(get('/streams'), ok({ streams: [], has_more: false }));
      for (const stream of streams) await client.expect(append(stream, [{ body: 'new' }]), acked(0, 1));
      // Whatever were left of the old streams would go now.
      await client.sleep(2_000);
      for (const stream of streams) await client.expect(read(stream, 'seq_num=0'), bodies('new'));
    },
  },
  {
    name: 'what is made anew under the name knows nothing of before, nor of the token that made it',
    shows: ['1.9-key-lives-with-resource'],
    basin: null,
    timeoutMs: BACKGROUND_MS_MAX + 15_000,
    steps: [
      [post('/basins', { basin: '{basin}', config: ON_DEMAND }, { headers: { 's2-request-token': 'first' } }), created()],
      [append('a', [{ body: 'old' }]), { status: 200 }],
      [append('b', [{ body: 'old' }]), { status: 200 }],
      [del('/basins/{basin}'), EMPTY],
      [get('/basins?prefix={basin}'), eventually(ok({ basins: [], has_more: false }), BACKGROUND_MS_MAX)],
      [del('/basins/{basin}'), refusal(404, 'basin_not_found')],
      [get('/basins/{basin}'), refusal(404, 'basin_not_found')],
      [checkTail('a'), refusal(404, 'basin_not_found')],
      [post('/basins', { basin: '{basin}', config: ON_DEMAND }, { headers: { 's2-request-token': 'first' } }), created()],
      [get('/streams'), ok({ streams: [], has_more: false })],
      [checkTail('a'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
    ],
  },
  {
    name: 'while a basin is being deleted nothing is made or changed in it',
    shows: [
      '5.7-pending-refused',
      '5.7-pending-auto-create',
      '1.6-create-stream-basin-deleting',
      '2.7-basin-deleting',
      '1.6-tail-deleting',
      '1.6-ensure-stream-deleting',
    ],
    timeoutMs: 60_000,
    run: async (client) => {
      const requests = [
        (basin: string) => post('/streams', { stream: 'new' }, { basin }),
        (basin: string) => put('/streams/new', {}, { basin }),
        (basin: string) => patch('/streams/s', { storage_class: 'standard' }, { basin }),
        (basin: string) => append('new', [{ body: 'x' }], { basin }),
        (basin: string) => read('new', 'seq_num=0&wait=1', { basin }),
        (basin: string) => checkTail('new', { basin }),
        (basin: string) => append('s', [{ body: 'x' }], { basin }),
        (basin: string) => read('s', 'seq_num=0&wait=1', { basin }),
        (basin: string) => checkTail('s', { basin }),
        (basin: string) => get('/streams/s', { basin }),
      ];
      for (const [at, request] of requests.entries()) {
        const answer = await whilePending(
          client,
          (name) => deletedBasin(client, `${name}-${at}`, ON_DEMAND),
          (name) => request(`${name}-${at}`),
          ({ status }) => status === 404,
        );
        if (at === 2 && (answer.json as { code?: string }).code === 'stream_deletion_pending') continue;
        expectFailure(answer, 409, 'basin_deletion_pending');
      }
    },
  },
];
