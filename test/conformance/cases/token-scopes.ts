// Which basins and streams a token reaches, and what auto_prefix_streams does. (Section 6.1.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, checkTail, created, del, get, ok, patch, post, put, read, refusal } from '../case.ts';
import type { FullAnswer } from '../case-client.ts';
import { including, savedAs, someText } from '../expect.ts';
import { ON_DEMAND, seconds, streamInfo, x } from '../helpers.ts';
import type { Json } from '../json.ts';

const ALL = { basins: { prefix: '' }, streams: { prefix: '' } };
const token = (name: string, scope: Json, more: { readonly [key: string]: Json } = {}) =>
  [
    post('/access-tokens', { id: `{basin}/${name}`, scope, ...more }),
    { status: 201, json: { access_token: savedAs(name, someText) } },
  ] as const;
const DENIED = refusal(403, 'permission_denied');
const as = (name: string) => ({ as: name });
const PREFIXED = {
  scope: {
    basins: { prefix: '' },
    streams: { prefix: 'p/' },
    op_groups: { basin: { read: true, write: true }, stream: { read: true, write: true } },
  },
  more: { auto_prefix_streams: true },
};

export const TOKEN_SCOPES: readonly Case[] = [
  {
    name: 'a token that nobody issued is refused',
    shows: ['6.1-unknown-token', '1.5-code-authn'],
    needs: ['auth'],
    steps: [
      token('t', { ...ALL, ops: ['list-streams'] }),
      [get('/streams', { headers: { authorization: 'Bearer {t}' } }), { status: 200 }],
      [get('/streams', { headers: { authorization: 'Bearer {t}x' } }), refusal(401, 'authn')],
      [get('/streams', { headers: { authorization: 'Bearer x{t}' } }), refusal(401, 'authn')],
    ],
  },
  {
    name: 'exact is that basin, prefix is what starts with it, and nothing is none',
    shows: ['6.1-set-exact', '6.1-set-prefix', '6.1-set-nothing', '6.1-basin-out-of-scope', '1.5-code-permission-denied'],
    needs: ['auth'],
    basin: null,
    steps: [
      token('exact', { basins: { exact: '{basin}-1' }, ops: ['create-basin', 'get-basin-config'] }),
      token('prefix', { basins: { prefix: '{basin}-p' }, ops: ['create-basin', 'delete-basin'] }),
      token('none', { ops: ['create-basin'] }),
      token('empty', { basins: { exact: '' }, ops: ['create-basin'] }),
      [post('/basins', { basin: '{basin}-2' }, as('exact')), DENIED],
      [post('/basins', { basin: '{basin}-11' }, as('exact')), DENIED],
      [post('/basins', { basin: '{basin}-1' }, as('exact')), created()],
      [get('/basins/{basin}-1', as('exact')), { status: 200 }],
      [post('/basins', { basin: '{basin}-q' }, as('prefix')), DENIED],
      [post('/basins', { basin: '{basin}-p' }, as('prefix')), created()],
      [post('/basins', { basin: '{basin}-p-2' }, as('prefix')), created()],
      [del('/basins/{basin}-1', as('prefix')), DENIED],
      [post('/basins', { basin: '{basin}-3' }, as('none')), DENIED],
      [post('/basins', { basin: '{basin}-3' }, as('empty')), DENIED],
    ],
  },
  {
    name: 'in a basin out of scope nothing is done',
    shows: ['6.1-stream-in-basin-out-of-scope', '6.1-op-denied'],
    needs: ['auth'],
    streams: { s: {} },
    steps: [
      token('t', {
        basins: { exact: '{basin}-other' },
        streams: { prefix: '' },
        op_groups: { basin: { write: true, read: true }, stream: { read: true, write: true } },
      }),
      [post('/streams', { stream: 'new' }, as('t')), DENIED],
      [get('/streams', as('t')), DENIED],
      [append('s', [{ body: 'x' }], as('t')), DENIED],
      [read('s', 'seq_num=0', as('t')), DENIED],
      [checkTail('s', as('t')), DENIED],
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
    ],
  },
  {
    name: 'a stream out of scope is refused, on every route',
    shows: ['6.1-stream-out-of-scope', '6.1-set-exact', '6.1-set-prefix'],
    needs: ['auth'],
    streams: { 'mine/a': {}, yours: {} },
    run: async (client) => {
      const rights = { basin: { read: true, write: true }, stream: { read: true, write: true } };
      await client.expect(...token('prefix', { basins: { prefix: '' }, streams: { prefix: 'mine/' }, op_groups: rights }));
      await client.expect(...token('exact', { basins: { prefix: '' }, streams: { exact: 'mine/a' }, op_groups: rights }));
      for (const name of ['prefix', 'exact']) {
        await client.expect(append('mine/a', [{ body: 'x' }], as(name)), { status: 200 });
        for (const request of [
          append('yours', [{ body: 'x' }], as(name)),
          read('yours', 'seq_num=0', as(name)),
          checkTail('yours', as(name)),
          get('/streams/yours', as(name)),
          patch('/streams/yours', {}, as(name)),
          put('/streams/yours', {}, as(name)),
          del('/streams/yours', as(name)),
          post('/streams', { stream: 'mine' }, as(name)),
        ]) {
          await client.expect(request, DENIED);
        }
        for (const method of ['GET', 'POST'] as const) {
          const session = await client.session('yours', { method, query: method === 'GET' ? 'seq_num=0' : '', as: name, over: 'h2' });
          session.halfClose();
          assert.equal(session.status, 403);
        }
      }
      await client.expect(post('/streams', { stream: 'mine/b' }, as('prefix')), created());
      await client.expect(post('/streams', { stream: 'mine/c' }, as('exact')), DENIED);
    },
  },
  {
    name: 'metrics of a basin or a stream out of scope are refused',
    shows: ['6.1-stream-out-of-scope', '6.1-basin-out-of-scope', '6.1-stream-in-basin-out-of-scope'],
    needs: ['auth', 'metrics'],
    streams: { 'mine/a': {}, yours: {} },
    run: async (client) => {
      const ops = ['basin-metrics', 'stream-metrics'];
      const range = `start=${seconds() - 600}&end=${seconds()}`;
      const ofStream = (name: string, basin: string, stream: string) =>
        get(`/metrics/${basin}/${encodeURIComponent(stream)}?set=storage&${range}`, as(name));
      const ofBasin = (name: string, basin: string) => get(`/metrics/${basin}?set=storage&${range}`, as(name));
      await client.expect(...token('prefix', { basins: { exact: '{basin}' }, streams: { prefix: 'mine/' }, ops }));
      await client.expect(...token('exact', { basins: { exact: '{basin}' }, streams: { exact: 'mine/a' }, ops }));
      await client.expect(...token('none', { basins: { exact: '{basin}' }, ops }));
      for (const name of ['prefix', 'exact']) {
        await client.expect(ofStream(name, '{basin}', 'mine/a'), { status: 200 });
        await client.expect(ofStream(name, '{basin}', 'yours'), DENIED);
        await client.expect(ofStream(name, '{basin}', 'mine'), DENIED);
        await client.expect(ofStream(name, '{basin}-2', 'mine/a'), DENIED);
        await client.expect(ofBasin(name, '{basin}'), { status: 200 });
        await client.expect(ofBasin(name, '{basin}-2'), DENIED);
      }
      await client.expect(ofStream('exact', '{basin}', 'mine/ab'), DENIED);
      await client.expect(ofStream('none', '{basin}', 'mine/a'), DENIED);
    },
  },
  {
    name: 'an operation that is not in the list is refused, before the resource is looked up',
    shows: ['6.1-op-denied', '1.5-code-permission-denied'],
    needs: ['auth'],
    streams: { s: {} },
    steps: [
      token('reader', { ...ALL, ops: ['read'] }),
      [append('s', [{ body: 'x' }], as('reader')), DENIED],
      [get('/access-tokens', as('reader')), DENIED],
      [get('/basins', as('reader')), DENIED],
      [del('/streams/s', as('reader')), DENIED],
      [checkTail('s', as('reader')), DENIED],
      [append('none', [{ body: 'x' }], as('reader')), DENIED],
      [read('s', 'seq_num=0&clamp=true&wait=1', as('reader')), { status: 200 }],
    ],
  },
  {
    name: 'lists need no scope, and show what is in it',
    shows: ['6.1-list-without-scope', '6.1-list-filtered'],
    needs: ['auth'],
    streams: { 'mine/a': {}, 'mine/b': {}, yours: {} },
    steps: [
      token('none', { ops: ['list-basins'] }),
      token('one', {
        basins: { exact: '{basin}' },
        streams: { prefix: 'mine/' },
        access_tokens: { prefix: '{basin}/o' },
        ops: ['list-basins', 'list-streams', 'list-access-tokens'],
      }),
      [get('/basins', as('none')), ok({ basins: [], has_more: false })],
      [post('/basins', { basin: '{basin}-2' }), { status: 201 }],
      [get('/basins', as('one')), ok({ basins: [including({ name: '{basin}' })], has_more: false })],
      [get('/streams', as('one')), ok({ streams: [streamInfo('mine/a'), streamInfo('mine/b')], has_more: false })],
      [get('/streams?limit=1', as('one')), ok({ streams: [streamInfo('mine/a')], has_more: true })],
      [get('/streams?start_after=mine/a', as('one')), ok({ streams: [streamInfo('mine/b')], has_more: false })],
      [get('/streams?prefix=y', as('one')), ok({ streams: [], has_more: false })],
      [get('/access-tokens', as('one')), ok({ access_tokens: [including({ id: '{basin}/one' })], has_more: false })],
    ],
  },
  {
    name: 'PUT needs the operation to create, and the one to reconfigure where it would change something',
    shows: ['6.1-put-ops'],
    needs: ['auth'],
    streams: { s: {} },
    steps: [
      token('creator', { ...ALL, ops: ['create-stream', 'create-basin'] }),
      token('changer', { ...ALL, ops: ['reconfigure-stream', 'reconfigure-basin'] }),
      token('both', { ...ALL, ops: ['create-stream', 'reconfigure-stream', 'create-basin', 'reconfigure-basin'] }),
      [put('/streams/s', {}, as('creator')), { status: 200 }],
      [put('/streams/new', {}, as('creator')), created()],
      [put('/streams/s', { storage_class: 'standard' }, as('creator')), DENIED],
      [put('/streams/other', {}, as('changer')), DENIED],
      [put('/streams/s', { storage_class: 'standard' }, as('both')), { status: 200, headers: { 's2-provision-result': 'updated' } }],
      [put('/basins/{basin}-2', {}, as('changer')), DENIED],
      [put('/basins/{basin}-2', {}, as('creator')), created()],
      [put('/basins/{basin}-2', { config: { create_stream_on_read: true } }, as('creator')), DENIED],
      [put('/basins/{basin}-2', { config: { create_stream_on_read: true } }, as('both')), { status: 200 }],
    ],
  },
  {
    name: 'an append that creates a stream needs append only, and a read needs read',
    shows: ['6.1-auto-create-ops'],
    needs: ['auth'],
    basin: ON_DEMAND,
    steps: [
      token('appender', { ...ALL, ops: ['append'] }),
      token('reader', { ...ALL, ops: ['read'] }),
      [append('a', [{ body: 'x' }], as('appender')), { status: 200 }],
      [read('b', 'seq_num=0&wait=1', as('reader')), { status: 200 }],
      [get('/streams'), ok({ streams: [streamInfo('a'), streamInfo('b')], has_more: false })],
      [post('/streams', { stream: 'c' }, as('appender')), DENIED],
    ],
  },
  {
    name: 'with auto_prefix_streams the prefix goes before every name in a request, and off every name in an answer',
    shows: ['6.1-auto-prefix-requests', '6.1-auto-prefix-answers'],
    needs: ['auth'],
    streams: { b: {}, 'p/z': {} },
    run: async (client) => {
      await client.expect(...token('t', PREFIXED.scope, PREFIXED.more));
      await client.expect(post('/streams', { stream: 'a' }, as('t')), created(streamInfo('a')));
      await client.expect(put('/streams/b', {}, as('t')), created(streamInfo('b')));
      await client.expect(append('a', [{ body: 'prefixed' }], as('t')), { status: 200 });
      await client.expect(read('a', 'seq_num=0', as('t')), bodies('prefixed'));
      await client.expect(read('p/a', 'seq_num=0'), bodies('prefixed'));
      await client.expect(checkTail('a', as('t')), ok({ tail: including({ seq_num: 1 }) }));
      await client.expect(patch('/streams/b', { storage_class: 'standard' }, as('t')), { status: 200 });
      await client.expect(get('/streams/b'), ok(including({ storage_class: 'express' })));
      await client.expect(get('/streams/p%2Fb'), ok(including({ storage_class: 'standard' })));
      // Nor is the prefix told by a failure.
      const unprefixed = (answer: FullAnswer) => assert.ok(!answer.text.includes('p/'), answer.text);
      unprefixed(await client.expect(get('/streams/absent', as('t')), refusal(404, 'stream_not_found')));
      unprefixed(await client.expect(post('/streams', { stream: 'a' }, as('t')), refusal(409, 'resource_already_exists')));
      const session = await client.session('a', { method: 'POST', as: 't', over: 'h2' });
      session.append({ records: [{ body: 'in a session' }] });
      await session.ack();
      const infos = (...names: string[]) => names.map((name) => streamInfo(name));
      await client.expect(get('/streams', as('t')), ok({ streams: infos('a', 'b', 'z'), has_more: false }));
      await client.expect(get('/streams?prefix=b', as('t')), ok({ streams: infos('b'), has_more: false }));
      await client.expect(get('/streams?start_after=a', as('t')), ok({ streams: infos('b', 'z'), has_more: false }));
      await client.expect(get('/streams?limit=1&start_after=a', as('t')), ok({ streams: infos('b'), has_more: true }));
      await client.expect(get('/streams'), ok({ streams: infos('b', 'p/a', 'p/b', 'p/z'), has_more: false }));
      await client.expect(del('/streams/b', as('t')), { status: 202 });
      await client.expect(get('/streams/b'), { status: 200 });
    },
  },
  {
    name: 'the name with its prefix has at most 512 bytes',
    shows: ['6.1-auto-prefix-length', '1.7-stream-name-length'],
    needs: ['auth'],
    steps: [
      token('t', PREFIXED.scope, PREFIXED.more),
      [post('/streams', { stream: x(511) }, as('t')), { status: [400, 422] }],
      [get(`/streams/${x(511)}`, as('t')), { status: [400, 422] }],
      [post('/streams', { stream: x(510) }, as('t')), created(streamInfo(x(510)))],
    ],
  },
];
