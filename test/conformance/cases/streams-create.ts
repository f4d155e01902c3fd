// POST /streams. (Sections 1.6, 1.7, 1.9 and 5.2.)

import { strict as assert } from 'node:assert';
import { type Case, checkTail, created, get, ok, patch, post, refusal } from '../case.ts';
import { including } from '../expect.ts';
import { deletedStream, expectFailure, OTHER_CONFIG, SYSTEM_CONFIG, streamInfo, whilePending, x } from '../helpers.ts';

const withToken = (token: string) => ({ headers: { 's2-request-token': token } });
const NOOP = { status: [200, 201], headers: { 's2-provision-result': 'noop' } };

export const STREAMS_CREATE: readonly Case[] = [
  {
    name: 'a new stream is answered whole, and has never been written',
    shows: ['1.6-create-stream', '1.7-stream-info', '1.3-provision-result-created', '1.1-tail-unwritten'],
    steps: [
      [post('/streams', { stream: 's' }), created(streamInfo('s'))],
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
    ],
  },
  {
    name: 'without any config the system decides',
    shows: [
      '5.1-storage-class-default',
      '5.1-retention-default',
      '5.1-mode-default',
      '5.1-uncapped-default',
      '5.1-delete-on-empty-default',
      '1.7-delete-on-empty',
      '5.2-field-by-field',
    ],
    streams: { s: {} },
    steps: [
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
      [post('/streams', { stream: 'empty', config: { timestamping: {}, delete_on_empty: {} } }), { status: 201 }],
      [get('/streams/empty'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'every value of a config is taken',
    shows: ['1.7-storage-class', '5.1-storage-class', '1.7-retention', '5.1-retention-shapes', '1.7-timestamping', '1.7-delete-on-empty'],
    streams: {
      a: OTHER_CONFIG,
      b: {
        storage_class: 'express',
        retention_policy: { infinite: {} },
        timestamping: { mode: 'arrival' },
        delete_on_empty: { min_age_secs: 1 },
      },
      c: { retention_policy: { age: 1 }, timestamping: { mode: 'client-prefer', uncapped: true } },
    },
    steps: [
      [get('/streams/a'), ok(OTHER_CONFIG)],
      [
        get('/streams/b'),
        ok({
          storage_class: 'express',
          retention_policy: { infinite: {} },
          timestamping: { mode: 'arrival', uncapped: false },
          delete_on_empty: { min_age_secs: 1 },
        }),
      ],
      [get('/streams/c'), ok(including({ retention_policy: { age: 1 }, timestamping: { mode: 'client-prefer', uncapped: true } }))],
    ],
  },
  {
    name: 'each field is that of the request, else of the basin, inside of objects too; and later changes of the basin do not touch it',
    shows: ['5.2-field-by-field', '5.2-nested', '5.2-later-basin-changes', '1.1-stream-config-resolved'],
    basin: { default_stream_config: OTHER_CONFIG },
    streams: { all: {}, some: { storage_class: 'express', timestamping: { mode: 'arrival' } } },
    steps: [
      [get('/streams/all'), ok(OTHER_CONFIG)],
      [get('/streams/some'), ok({ ...OTHER_CONFIG, storage_class: 'express', timestamping: { mode: 'arrival', uncapped: true } })],
      [patch('/basins/{basin}', { default_stream_config: null }), { status: 200 }],
      [get('/streams/all'), ok(OTHER_CONFIG)],
      [post('/streams', { stream: 'later' }), { status: 201 }],
      [get('/streams/later'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'a name is taken once',
    shows: ['1.6-create-stream-exists', '1.1-stream-name-once', '1.9-other-token', '1.5-code-resource-already-exists'],
    streams: { s: {} },
    steps: [
      [post('/streams', { stream: 's' }), refusal(409, 'resource_already_exists')],
      [post('/streams', { stream: 't' }, withToken('one')), created()],
      [post('/streams', { stream: 't' }, withToken('two')), refusal(409, 'resource_already_exists')],
      [post('/streams', { stream: 't' }), refusal(409, 'resource_already_exists')],
      [post('/streams', { stream: 's' }, withToken('one')), refusal(409, 'resource_already_exists')],
    ],
  },
  {
    name: 'the same creation with the same token changes nothing; with another config it is another one',
    shows: ['1.9-same-token-same-config', '1.9-other-config', '1.6-repeated-post', '1.3-provision-result-noop'],
    steps: [
      [post('/streams', { stream: 's', config: { storage_class: 'standard' } }, withToken('t')), created()],
      [post('/streams', { stream: 's', config: { storage_class: 'standard' } }, withToken('t')), { ...NOOP, json: streamInfo('s') }],
      [post('/streams', { stream: 's', config: { storage_class: 'express' } }, withToken('t')), refusal(409, 'resource_already_exists')],
    ],
  },
  {
    name: 'the config that counts for a repeat is the requested one, before the defaults of the basin',
    shows: ['1.9-key-is-requested-config'],
    steps: [
      [post('/streams', { stream: 's' }, withToken('t')), created()],
      [patch('/basins/{basin}', { default_stream_config: { storage_class: 'standard' } }), { status: 200 }],
      [post('/streams', { stream: 's' }, withToken('t')), NOOP],
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'a request token has at most 36 bytes',
    shows: ['1.3-request-token-max', '1.3-request-token-long', '1.7-request-token'],
    steps: [
      [post('/streams', { stream: 's' }, withToken(x(37))), refusal(400, 'bad_header')],
      [get('/streams/s'), refusal(404, 'stream_not_found')],
      [post('/streams', { stream: 's' }, withToken(x(36))), created()],
      [post('/streams', { stream: 's' }, withToken(x(36))), NOOP],
    ],
  },
  {
    name: 'a name has 1 to 512 bytes of UTF-8, and is neither `.` nor `..`, nor holds NUL',
    shows: ['1.7-stream-name-length', '1.7-stream-name-characters', '1.5-json-stream-name-empty', '1.5-code-bad-json'],
    steps: [
      ...['', '.', '..', 'a\u0000b', x(513), `${x(511)}é`].map(
        (stream) => [post('/streams', { stream }), refusal(400, 'bad_json')] as const,
      ),
      [get('/streams'), ok({ streams: [], has_more: false })],
      ...['...', '.a', 'a\nb', '😀/ \t"\\%2F', `${x(510)}é`].map(
        (stream) => [post('/streams', { stream }), created(streamInfo(stream))] as const,
      ),
    ],
  },
  {
    name: 'a body that does not fit is refused',
    shows: ['1.7-config-fields-checked', '1.5-code-bad-json', '1.7-retention', '1.7-timestamping'],
    steps: [
      [post('/streams', {}), refusal(400, 'bad_json')],
      [post('/streams', { stream: null }), refusal(400, 'bad_json')],
      ...[
        { storage_class: 'cold' },
        { retention_policy: { age: -1 } },
        { retention_policy: { age: 'long' } },
        { retention_policy: 'infinite' },
        { timestamping: { mode: 'server' } },
        { timestamping: { uncapped: 1 } },
        { delete_on_empty: { min_age_secs: -1 } },
        'none',
      ].map((config) => [post('/streams', { stream: 's', config }), refusal(400, 'bad_json')] as const),
      [get('/streams/s'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'a retention age of 0 is not valid',
    shows: ['1.5-invalid-age', '1.7-retention'],
    steps: [
      [post('/streams', { stream: 's', config: { retention_policy: { age: 0 } } }), refusal(422, 'invalid')],
      [get('/streams/s'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'in an unknown basin nothing is created',
    shows: ['1.6-create-stream-no-basin', '1.5-code-basin-not-found'],
    steps: [[post('/streams', { stream: 's' }, { basin: '{basin}-none' }), refusal(404, 'basin_not_found')]],
  },
  {
    name: 'a stream that is being deleted keeps its name, whatever token asks for it',
    shows: ['1.6-create-stream-deleting', '1.9-deleting', '5.6-pending-refused', '1.5-code-stream-deletion-pending'],
    run: async (client) => {
      const plain = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => post('/streams', { stream: name }),
      );
      expectFailure(plain, 409, 'stream_deletion_pending');
      const same = await whilePending(
        client,
        async (name) => {
          await client.expect(post('/streams', { stream: `t-${name}` }, withToken('same')), { status: 201 });
          await client.expect({ method: 'DELETE', path: `/streams/t-${name}` }, { status: 202 });
        },
        (name) => post('/streams', { stream: `t-${name}` }, withToken('same')),
      );
      expectFailure(same, 409, 'stream_deletion_pending');
    },
  },
  {
    name: 'a token is known as long as its stream lives, after a restart too',
    shows: ['1.9-key-durable', '1.9-exists-is-durable'],
    needs: ['restart'],
    basin: null,
    timeoutMs: 40_000,
    run: async (client) => {
      const { server, client: other } = await client.startAnother();
      await other.expect(post('/basins', { basin: '{basin}' }), created());
      await other.expect(post('/streams', { stream: 's' }, withToken('t')), created());
      // Of two at once one is told that it exists, perhaps before the other is told that it made it.
      const racing = await Promise.all([1, 2].map(() => other.call(post('/streams', { stream: 'raced' }))));
      assert.deepEqual(racing.map(({ status }) => status).toSorted(), [201, 409]);
      await server.kill();
      await server.start();
      await other.expect(post('/streams', { stream: 's' }, withToken('t')), NOOP);
      await other.expect(post('/streams', { stream: 's' }, withToken('u')), refusal(409, 'resource_already_exists'));
      await other.expect(get('/streams/raced'), { status: 200 });
    },
  },
];
