// GET /streams. (Sections 1.6 to 1.8.)

import { strict as assert } from 'node:assert';
import { type Case, created, del, get, ok, post, refusal } from '../case.ts';
import { including, listOfLength } from '../expect.ts';
import { deletedStream, streamInfo, whilePending, x } from '../helpers.ts';

const page = (names: readonly string[], hasMore = false) => ok({ streams: names.map((name) => including({ name })), has_more: hasMore });
const TWO = { a: {}, b: {} };

export const STREAMS_LIST: readonly Case[] = [
  {
    name: 'a page has streams, and says whether there are more',
    shows: ['1.6-list-streams', '1.7-stream-info', '1.8-empty-page'],
    steps: [
      [get('/streams'), ok({ streams: [], has_more: false })],
      [post('/streams', { stream: 's' }), { status: 201 }],
      [get('/streams'), ok({ streams: [streamInfo('s')], has_more: false })],
    ],
  },
  {
    name: 'prefix, start_after and limit select a page',
    shows: ['1.6-list-streams', '1.8-prefix', '1.8-start-after', '1.8-limit', '1.8-has-more'],
    streams: { 'x/1': {}, 'x/2': {}, 'x/3': {}, y: {} },
    steps: [
      [get('/streams'), page(['x/1', 'x/2', 'x/3', 'y'])],
      [get('/streams?prefix=x%2F'), page(['x/1', 'x/2', 'x/3'])],
      [get('/streams?prefix=x/&limit=2'), page(['x/1', 'x/2'], true)],
      [get('/streams?prefix=x/&limit=3'), page(['x/1', 'x/2', 'x/3'])],
      [get('/streams?prefix=x/&limit=2&start_after=x/1'), page(['x/2', 'x/3'])],
      [get('/streams?start_after=x/3'), page(['y'])],
      [get('/streams?start_after=x/25&limit=1'), page(['x/3'], true)],
      [get('/streams?prefix=&start_after=&limit=1'), page(['x/1'], true)],
    ],
  },
  {
    name: 'names come in the order of their bytes',
    shows: ['1.8-order', '1.7-stream-prefix'],
    run: async (client) => {
      // U+FF5E comes before U+1F600 in bytes, and behind it in UTF-16.
      const names = ['Z', 'a', 'a ', 'a/b', 'ab', 'é', '～', '😀'];
      for (const stream of names.toReversed()) await client.expect(post('/streams', { stream }), created());
      await client.expect(get('/streams'), page(names));
      await client.expect(get(`/streams?start_after=${encodeURIComponent('～')}`), page(['😀']));
      await client.expect(get(`/streams?prefix=${encodeURIComponent('é')}`), page(['é']));
    },
  },
  {
    name: 'a start_after outside of the range of the prefix: below it has no effect, above it nothing is left',
    shows: ['1.8-start-after-below-prefix', '1.8-start-after-above-prefix', '1.8-empty-page'],
    streams: { 'm/1': {}, 'm/2': {}, z: {} },
    steps: [
      [get('/streams?prefix=m/&start_after=a'), page(['m/1', 'm/2'])],
      [get('/streams?prefix=m/&start_after=m'), page(['m/1', 'm/2'])],
      [get('/streams?prefix=m/&start_after=n'), page([])],
      [get('/streams?prefix=m/&start_after=zz'), page([])],
    ],
  },
  {
    name: 'a limit that is absent, 0 or too large means 1000',
    shows: ['1.8-limit-default', '1.8-has-more'],
    timeoutMs: 60_000,
    run: async (client) => {
      const names = Array.from({ length: 1_001 }, (_, at) => `s-${String(at).padStart(4, '0')}`);
      const queue = [...names];
      const work = async (): Promise<void> => {
        for (let stream = queue.pop(); stream !== undefined; stream = queue.pop()) {
          await client.expect(post('/streams', { stream }), { status: 201 });
        }
      };
      await Promise.all(Array.from({ length: 32 }, work));
      for (const query of ['', '?limit=0', '?limit=1000', '?limit=1001', '?limit=4000000000']) {
        await client.expect(get(`/streams${query}`), ok({ streams: listOfLength(1_000), has_more: true }));
      }
      await client.expect(get('/streams?start_after=s-0000'), ok({ streams: listOfLength(1_000), has_more: false }));
    },
  },
  {
    name: 'a query that is wrong is refused',
    shows: ['1.6-list-streams-bad-query', '1.7-stream-prefix', '1.8-limit-not-a-number', '1.5-code-bad-query'],
    steps: [
      [get('/streams?limit=many'), refusal(400, 'bad_query')],
      [get('/streams?limit=1.5'), refusal(400, 'bad_query')],
      [get(`/streams?prefix=${x(513)}`), refusal(400, 'bad_query')],
      [get(`/streams?start_after=${x(513)}`), refusal(400, 'bad_query')],
      [get(`/streams?prefix=${x(512)}`), page([])],
    ],
  },
  {
    name: 'of an unknown basin nothing is listed: it is not found',
    shows: ['1.6-list-streams-no-basin', '1.8-unknown-basin'],
    steps: [[get('/streams', { basin: '{basin}-none' }), refusal(404, 'basin_not_found')]],
  },
  {
    name: 'a list tells what was done before it',
    shows: ['1.8-after-create', '1.8-after-delete'],
    streams: TWO,
    run: async (client) => {
      for (let at = 0; at < 10; at += 1) {
        await client.expect(post('/streams', { stream: `c-${at}` }), { status: 201 });
        await client.expect(get(`/streams?prefix=c-${at}`), ok({ streams: [streamInfo(`c-${at}`)], has_more: false }));
        await client.expect(del(`/streams/c-${at}`), { status: 202 });
        const { json } = await client.expect(get(`/streams?prefix=c-${at}`), { status: 200 });
        const [found] = (json as { streams: { deleted_at: string | null }[] }).streams;
        assert.notEqual(found?.deleted_at, null, 'a deleted stream is listed as if it were not');
      }
    },
  },
  {
    name: 'a stream that is being deleted is listed with the time of its deletion',
    shows: ['1.8-deleted-included', '5.6-pending-listed', '1.7-stream-info', '1.7-times'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => get(`/streams?prefix=${name}`),
        ({ json }) => (json as { streams: unknown[] }).streams.length === 0,
      );
      const [found] = (answer.json as { streams: { created_at: string; deleted_at: string | null }[] }).streams;
      const [createdAt, deletedAt] = [Date.parse(found?.created_at ?? ''), Date.parse(found?.deleted_at ?? '')];
      assert.ok(deletedAt >= createdAt, `created at ${found?.created_at}, deleted at ${found?.deleted_at}`);
    },
  },
];
