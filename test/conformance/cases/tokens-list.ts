// GET /access-tokens. (Sections 1.6 to 1.8 and 6.1.)

import { type Case, eventually, get, ok, post, refusal } from '../case.ts';
import { boolean, including, listOf, listOfLength, oneOf, someText, time } from '../expect.ts';
import { x } from '../helpers.ts';
import type { Json } from '../json.ts';

const READER = { basins: { prefix: '' }, streams: { prefix: '' }, ops: ['read'] };
const issue = (id: string, scope: Json = READER, more: { readonly [key: string]: Json } = {}) =>
  [post('/access-tokens', { id, scope, ...more }), { status: 201 }] as const;
const page = (ids: readonly string[], hasMore = false) => ok({ access_tokens: ids.map((id) => including({ id })), has_more: hasMore });
const RIGHTS = { read: boolean, write: boolean };
const SET = oneOf(null, { exact: someText }, { prefix: oneOf('', someText) });
const INFO = {
  id: someText,
  expires_at: oneOf(null, time),
  auto_prefix_streams: boolean,
  scope: {
    basins: SET,
    streams: SET,
    access_tokens: SET,
    op_groups: { account: RIGHTS, basin: RIGHTS, stream: RIGHTS },
    ops: listOf(someText),
  },
};

export const TOKENS_LIST: readonly Case[] = [
  {
    name: 'a token is listed with its scope spelled out',
    shows: ['1.6-list-tokens', '6.1-info', '6.1-scope-answered', '1.7-times', '6.1-issue'],
    needs: ['auth'],
    basin: null,
    steps: [
      issue(
        '{basin}/t',
        { basins: { exact: 'my-basin' }, streams: { prefix: 'p/' }, op_groups: { stream: { read: true }, account: {} }, ops: ['append'] },
        { expires_at: '2100-01-01T00:00:00Z', auto_prefix_streams: true },
      ),
      [get('/access-tokens?prefix={basin}'), ok({ access_tokens: [INFO], has_more: false })],
      [
        get('/access-tokens?prefix={basin}'),
        ok(
          including({
            access_tokens: [
              including({
                id: '{basin}/t',
                expires_at: time,
                auto_prefix_streams: true,
                scope: {
                  basins: { exact: 'my-basin' },
                  streams: { prefix: 'p/' },
                  access_tokens: null,
                  op_groups: {
                    account: { read: false, write: false },
                    basin: { read: false, write: false },
                    stream: { read: true, write: false },
                  },
                  ops: ['append'],
                },
              }),
            ],
          }),
        ),
      ],
    ],
  },
  {
    name: 'a set that is left out, null or exactly nothing is nothing; an empty prefix is everything',
    shows: ['6.1-set-nothing', '6.1-set-everything'],
    needs: ['auth'],
    basin: null,
    steps: [
      issue('{basin}/a', { basins: null, streams: { exact: '' }, ops: ['list-basins'] }),
      issue('{basin}/b', { basins: { prefix: '' }, streams: { prefix: '' }, access_tokens: { prefix: '' }, ops: ['list-basins'] }),
      [
        get('/access-tokens?prefix={basin}/a'),
        ok(including({ access_tokens: [including({ scope: including({ basins: null, streams: null, access_tokens: null }) })] })),
      ],
      [
        get('/access-tokens?prefix={basin}/b'),
        ok(
          including({
            access_tokens: [
              including({ scope: including({ basins: { prefix: '' }, streams: { prefix: '' }, access_tokens: { prefix: '' } }) }),
            ],
          }),
        ),
      ],
    ],
  },
  {
    name: 'prefix, start_after and limit select a page, in the order of bytes',
    shows: [
      '1.8-prefix',
      '1.8-start-after',
      '1.8-limit',
      '1.8-has-more',
      '1.8-order',
      '1.8-start-after-above-prefix',
      '1.8-start-after-below-prefix',
      '1.6-list-tokens',
    ],
    needs: ['auth'],
    basin: null,
    steps: [
      ...['b', 'a', 'é', 'Z'].map((end) => issue(`{basin}/${end}`)),
      [get('/access-tokens?prefix={basin}/'), page(['{basin}/Z', '{basin}/a', '{basin}/b', '{basin}/é'])],
      [get('/access-tokens?prefix={basin}/&limit=2'), page(['{basin}/Z', '{basin}/a'], true)],
      [get('/access-tokens?prefix={basin}/&limit=2&start_after={basin}/a'), page(['{basin}/b', '{basin}/é'])],
      [get('/access-tokens?prefix={basin}/&start_after=a'), page(['{basin}/Z', '{basin}/a', '{basin}/b', '{basin}/é'])],
      [get('/access-tokens?prefix={basin}/&start_after=z'), page([])],
    ],
  },
  {
    name: 'a query that is wrong is refused, and a limit of 0 is none',
    shows: ['1.8-limit-not-a-number', '1.8-limit-default'],
    needs: ['auth'],
    basin: null,
    steps: [
      issue('{basin}/a'),
      [get('/access-tokens?limit=many'), refusal(400, 'bad_query')],
      [get(`/access-tokens?prefix=${x(97)}`), refusal(400, 'bad_query')],
      [get('/access-tokens?prefix={basin}&limit=0'), ok({ access_tokens: listOfLength(1), has_more: false })],
      [get('/access-tokens?prefix={basin}&limit=1000000'), ok({ access_tokens: listOfLength(1), has_more: false })],
    ],
  },
  {
    name: 'tokens that have expired are not listed, and take no place in a page from those that have not',
    shows: ['1.8-limit', '1.8-has-more', '1.8-empty-page', '1.6-list-tokens'],
    needs: ['auth'],
    basin: null,
    timeoutMs: 20_000,
    run: async (client) => {
      const soon = { expires_at: new Date(Date.now() + 3_000).toISOString() };
      for (const end of ['a', 'b', 'd', 'f']) await client.expect(...issue(`{basin}/${end}`, READER, soon));
      for (const end of ['c', 'e']) await client.expect(...issue(`{basin}/${end}`));
      await client.expect(get('/access-tokens?prefix={basin}/'), eventually(page(['{basin}/c', '{basin}/e']), 10_000));
      await client.expect(get('/access-tokens?prefix={basin}/&limit=1'), page(['{basin}/c'], true));
      await client.expect(get('/access-tokens?prefix={basin}/&limit=1&start_after={basin}/c'), page(['{basin}/e']));
      await client.expect(get('/access-tokens?prefix={basin}/&limit=1&start_after={basin}/e'), page([]));
    },
  },
  {
    name: 'a list tells what was issued and revoked before it',
    shows: ['1.8-after-create', '1.8-after-delete', '1.8-empty-page'],
    needs: ['auth'],
    basin: null,
    run: async (client) => {
      for (let at = 0; at < 5; at += 1) {
        await client.expect(...issue(`{basin}/${at}`));
        await client.expect(get(`/access-tokens?prefix={basin}/${at}`), page([`{basin}/${at}`]));
        await client.expect({ method: 'DELETE', path: `/access-tokens/{basin}%2F${at}` }, { status: 204 });
        await client.expect(get(`/access-tokens?prefix={basin}/${at}`), page([]));
      }
    },
  },
];
