// GET /basins. (Sections 1.6 to 1.8.)

import { strict as assert } from 'node:assert';
import { type Case, get, ok, post, refusal } from '../case.ts';
import { including, listOf, text } from '../expect.ts';
import { basinInfo, deletedBasin, whilePending, x } from '../helpers.ts';

const page = (names: readonly string[], hasMore = false) => ok({ basins: names.map((name) => including({ name })), has_more: hasMore });

export const BASINS_LIST: readonly Case[] = [
  {
    name: 'a page has basins, and says whether there are more',
    shows: ['1.6-list-basins', '1.7-basin-info', '1.8-after-create', '1.7-times'],
    steps: [[get('/basins?prefix={basin}'), ok({ basins: [basinInfo()], has_more: false })]],
  },
  {
    name: 'prefix, start_after and limit select a page',
    shows: ['1.6-list-basins', '1.8-prefix', '1.8-start-after', '1.8-limit', '1.8-has-more', '1.8-order'],
    steps: [
      ...['b', 'a', '0', 'c'].map((end) => [post('/basins', { basin: `{basin}-${end}` }), { status: 201 }] as const),
      [get('/basins?prefix={basin}-'), page(['{basin}-0', '{basin}-a', '{basin}-b', '{basin}-c'])],
      [get('/basins?prefix={basin}-&limit=2'), page(['{basin}-0', '{basin}-a'], true)],
      [get('/basins?prefix={basin}-&limit=2&start_after={basin}-a'), page(['{basin}-b', '{basin}-c'])],
      [get('/basins?prefix={basin}-&limit=1&start_after={basin}-b'), page(['{basin}-c'])],
      [get('/basins?prefix={basin}-&start_after={basin}-c'), page([])],
    ],
  },
  {
    name: 'without parameters a page starts at the first basin',
    shows: ['1.8-prefix', '1.8-start-after', '1.8-limit-default'],
    steps: [
      [get('/basins'), ok(including({ basins: listOf(including({ name: text })) }))],
      [get('/basins?limit=0'), ok(including({ basins: listOf(including({ name: text })) }))],
      [get('/basins?prefix=&start_after=&limit=1'), ok(including({ basins: [including({ name: text })] }))],
    ],
  },
  {
    name: 'a query that is wrong is refused',
    shows: ['1.6-list-basins-bad-query', '1.7-basin-prefix', '1.8-limit-not-a-number', '1.5-code-bad-query'],
    basin: null,
    steps: [
      [get('/basins?limit=ten'), refusal(400, 'bad_query')],
      [get('/basins?limit=-1'), refusal(400, 'bad_query')],
      [get('/basins?prefix=Capital'), refusal(400, 'bad_query')],
      [get('/basins?prefix=-a'), refusal(400, 'bad_query')],
      [get(`/basins?prefix=${x(49)}`), refusal(400, 'bad_query')],
      [get(`/basins?start_after=${x(49)}`), refusal(400, 'bad_query')],
      [get('/basins?start_after=a_b'), refusal(400, 'bad_query')],
      [get(`/basins?prefix=${x(48)}`), page([])],
      [get(`/basins?prefix=${x(8)}&start_after=y-`), page([])],
    ],
  },
  {
    name: 'a basin that is being deleted is listed with the time of its deletion',
    shows: ['1.8-deleted-included', '5.7-pending-listed', '1.7-basin-info', '1.8-after-delete'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedBasin(client, name),
        (name) => get(`/basins?prefix=${name}`),
        ({ json }) => (json as { basins: unknown[] }).basins.length === 0,
      );
      const [found] = (answer.json as { basins: { state: string; deleted_at: string | null }[] }).basins;
      assert.equal(found?.state, 'deleting');
      assert.ok(Date.parse(found.deleted_at ?? '') > 0, `deleted_at is ${found.deleted_at}`);
    },
  },
];
