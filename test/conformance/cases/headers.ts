// Headers that mean the same on many routes. (Section 1.3.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, checkTail, type Expectation, get, ok, post, read, refusal } from '../case.ts';
import { including, matching } from '../expect.ts';
import { ON_DEMAND, OTHER_CONFIG, SYSTEM_CONFIG } from '../helpers.ts';

const HI = { records: [{ body: 'hi' }] };
const GARBAGE_KEY = '*'.repeat(44);

export const HEADER_CASES: readonly Case[] = [
  {
    name: 'every route asks for a bearer token',
    shows: ['1.3-authorization-everywhere', '1.3-authorization-missing', '1.5-code-authn'],
    needs: ['auth'],
    streams: { s: {} },
    run: async (client) => {
      const routes = [
        ['GET', '/basins'],
        ['POST', '/basins'],
        ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, `/basins/${client.basin}`]),
        ['GET', '/streams'],
        ['POST', '/streams'],
        ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, '/streams/s']),
        ...['GET', 'POST'].map((method) => [method, '/streams/s/records']),
        ['GET', '/streams/s/records/tail'],
        ['GET', '/access-tokens'],
        ['POST', '/access-tokens'],
        ['DELETE', '/access-tokens/t'],
        ['GET', '/locations'],
        ['GET', '/locations/default'],
        ['PUT', '/locations/default'],
        ['GET', '/metrics'],
        ['GET', `/metrics/${client.basin}`],
        ['GET', `/metrics/${client.basin}/s`],
      ] as const;
      for (const [method = '', path = ''] of routes) await client.expect({ method, path, as: null }, refusal(401, 'authn'));
    },
  },
  {
    name: 'a token that is not valid is refused, however it is written',
    shows: ['1.3-authorization-invalid'],
    needs: ['auth'],
    steps: [
      [get('/basins', { headers: { authorization: 'Bearer not-a-token' } }), refusal(401, 'authn')],
      [get('/basins', { headers: { authorization: 'Basic dXNlcjpwYXNz' } }), refusal(401, 'authn')],
      [get('/basins', { headers: { authorization: 'Bearer' } }), refusal(401, 'authn')],
    ],
  },
  {
    name: 'account routes take no account of s2-basin',
    shows: ['1.3-basin-header-streams-only'],
    steps: [
      [get('/basins/{basin}', { headers: { 's2-basin': 'No Basin At All' } }), { status: 200 }],
      [get('/basins?limit=1', { headers: { 's2-basin': 'no-such-basin' } }), { status: 200 }],
    ],
  },
  {
    name: 'a header whose bytes are no text is refused',
    shows: ['1.3-bad-header-bytes'],
    streams: { s: {} },
    steps: [
      [get('/streams', { headers: { 's2-basin': 'abcdefgh\xff' } }), refusal(400, 'bad_header')],
      [append('s', HI.records, { headers: { 's2-format': 'raw\xff' } }), refusal(400, 'bad_header')],
    ],
  },
  {
    name: 'a key that is too long or empty is refused for any stream',
    shows: ['1.3-key-length'],
    streams: { s: {} },
    steps: [
      [append('s', HI.records, { headers: { 's2-encryption-key': 'k'.repeat(45) } }), refusal(400, 'bad_header')],
      [append('s', HI.records, { headers: { 's2-encryption-key': '' } }), refusal(400, 'bad_header')],
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
      [append('s', HI.records, { headers: { 's2-encryption-key': 'k' } }), { status: 200 }],
      [read('s', 'seq_num=0', { headers: { 's2-encryption-key': 'k'.repeat(45) } }), refusal(400, 'bad_header')],
    ],
  },
  {
    name: 'a key is not decoded for a stream without a cipher, and blanks around it do not count',
    shows: ['1.3-key-decoded-if-cipher', '1.3-key-trimmed', '5.4-key-without-cipher'],
    streams: { s: {} },
    steps: [
      [append('s', HI.records, { headers: { 's2-encryption-key': GARBAGE_KEY } }), { status: 200 }],
      [append('s', HI.records, { headers: { 's2-encryption-key': `  ${GARBAGE_KEY}\t` } }), { status: 200 }],
      [read('s', 'seq_num=0', { headers: { 's2-encryption-key': GARBAGE_KEY } }), bodies('hi', 'hi')],
    ],
  },
  {
    name: 's2-stream-config goes over the defaults of the basin when an append creates the stream',
    shows: ['1.3-stream-config-created', '2.7-stream-config'],
    basin: { ...ON_DEMAND, default_stream_config: OTHER_CONFIG },
    steps: [
      [
        append('new', [{ body: 'hi', timestamp: 1 }], {
          headers: { 's2-stream-config': '{"retention_policy":{"infinite":{}},"timestamping":{"mode":"client-prefer"}}' },
        }),
        { status: 200 },
      ],
      [
        get('/streams/new'),
        ok({ ...OTHER_CONFIG, retention_policy: { infinite: {} }, timestamping: { mode: 'client-prefer', uncapped: true } }),
      ],
    ],
  },
  {
    name: 's2-stream-config does not touch a stream that exists',
    shows: ['1.3-stream-config-exists'],
    basin: ON_DEMAND,
    streams: { s: {} },
    steps: [
      [append('s', HI.records, { headers: { 's2-stream-config': '{"storage_class":"standard"}' } }), { status: 200 }],
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 's2-stream-config works on reads, events and sessions too',
    shows: ['1.3-stream-config-where', '4.1-headers-apply'],
    basin: ON_DEMAND,
    run: async (client) => {
      const headers = { 's2-stream-config': '{"storage_class":"standard"}' };
      await client.expect(read('by-read', 'seq_num=0&wait=1', { headers }), { status: 200 });
      const events = await client.events('by-events', 'seq_num=0', headers);
      assert.equal(events.head.status, 200);
      const reading = await client.readSession('by-read-session', 'seq_num=0', 'h2', headers);
      assert.equal(reading.status, 200);
      const appending = await client.appendSession('by-append-session', 'h2', headers);
      appending.append({ records: [{ body: 'hi' }] });
      await appending.ack();
      for (const stream of ['by-read', 'by-events', 'by-read-session', 'by-append-session']) {
        await client.expect(get(`/streams/${stream}`), ok(including({ storage_class: 'standard' })));
      }
    },
  },
  {
    name: 'an s2-stream-config that is none is refused, and creates nothing',
    shows: ['1.3-stream-config-malformed'],
    basin: ON_DEMAND,
    steps: [
      [append('new', HI.records, { headers: { 's2-stream-config': '{"storage_class":' } }), refusal(400, 'bad_header')],
      [append('new', HI.records, { headers: { 's2-stream-config': '{"storage_class":"cold"}' } }), refusal(400, 'bad_header')],
      [read('new', 'seq_num=0&wait=1', { headers: { 's2-stream-config': '[]' } }), refusal(400, 'bad_header')],
      [get('/streams/new'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'an s2-stream-config with a retention age of 0 is not valid',
    shows: ['1.3-stream-config-invalid'],
    basin: ON_DEMAND,
    steps: [
      [append('new', HI.records, { headers: { 's2-stream-config': '{"retention_policy":{"age":0}}' } }), refusal(422, 'invalid')],
      [get('/streams/new'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'of several accepted types only the first counts',
    shows: ['1.3-accept-first', '1.3-accept-else-json'],
    streams: { s: {} },
    steps: [
      [post('/streams/s/records', HI, { headers: { accept: 'application/json, application/protobuf' } }), typed('application/json')],
      [read('s', 'seq_num=0', { headers: { accept: '*/*, text/event-stream' } }), typed('application/json')],
      [read('s', 'seq_num=0', { headers: { accept: 'text/html' } }), typed('application/json')],
      [read('s', 'seq_num=0'), typed('application/json')],
      [read('s', 'seq_num=0', { headers: { accept: 'application/protobuf, application/json' } }), typed('application/protobuf')],
    ],
  },
  {
    name: 'answers say of what type they are',
    shows: ['1.3-content-type-answers', '1.3-accept-events', '1.3-accept-proto'],
    streams: { s: {} },
    steps: [
      [get('/basins?limit=1'), typed('application/json')],
      [post('/streams/s/records', HI, { headers: { accept: 'application/protobuf' } }), typed('application/protobuf')],
      [read('s', 'seq_num=0', { headers: { accept: 'application/protobuf' } }), typed('application/protobuf')],
      [read('s', 'seq_num=0&count=1', { headers: { accept: 'text/event-stream' } }), typed('text/event-stream')],
      [read('s', 'seq_num=0&count=1', { headers: { 'content-type': 's2s/proto' } }), typed('s2s/proto')],
    ],
  },
  {
    name: 'events and sessions ask proxies to leave them alone',
    shows: ['1.3-streaming-no-cache'],
    streams: { s: {} },
    run: async (client) => {
      const heads = [
        (await client.events('s', 'seq_num=0')).head.headers,
        (await client.readSession('s', 'seq_num=0')).headers,
        (await client.appendSession('s')).headers,
      ];
      for (const headers of heads) {
        assert.deepEqual([headers['cache-control'], headers['x-accel-buffering']], ['no-cache, no-transform', 'no']);
      }
    },
  },
];

function typed(type: string): Expectation {
  return { status: 200, headers: { 'content-type': matching(new RegExp(`^${type}(;|$)`)) } };
}
