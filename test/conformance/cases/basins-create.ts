// POST /basins. (Sections 1.6, 1.7 and 1.9.)

import { type Case, created, get, ok, post, refusal } from '../case.ts';
import { including } from '../expect.ts';
import { basinInfo, expectFailure, whilePending, x } from '../helpers.ts';

const NEW = '{basin}-new';
const withToken = (token: string) => ({ headers: { 's2-request-token': token } });
/** An idempotent repeat: 201 or 200, with the header that tells. */
const NOOP = { status: [200, 201], headers: { 's2-provision-result': 'noop' } };

export const BASINS_CREATE: readonly Case[] = [
  {
    name: 'a new basin is answered whole, and serves at once',
    shows: ['1.6-create-basin', '1.7-basin-info', '1.3-provision-result-created', '5.7-ready-at-once'],
    steps: [
      [post('/basins', { basin: NEW, config: { stream_cipher: null, create_stream_on_append: true } }), created(basinInfo(NEW))],
      [post('/streams/s/records', { records: [{ body: 'at once' }] }, { basin: NEW }), { status: 200 }],
      [get(`/basins/${NEW}`), ok(including({ create_stream_on_append: true, create_stream_on_read: false, stream_cipher: null }))],
    ],
  },
  {
    name: 'config and location may be left out or null, and unknown fields do not matter',
    shows: ['1.6-create-basin', '1.4-null-is-absent', '1.4-unknown-fields'],
    steps: [
      [post('/basins', { basin: '{basin}-1' }), { status: 201 }],
      [post('/basins', { basin: '{basin}-2', config: null, location: null, colour: 'red', deep: { er: [1] } }), { status: 201 }],
      [
        post('/basins', {
          basin: '{basin}-3',
          config: {
            default_stream_config: { storage_class: null, retention_policy: null, timestamping: null, delete_on_empty: null, colour: 1 },
            create_stream_on_append: null,
            create_stream_on_read: null,
          },
        }),
        { status: 201 },
      ],
      [get('/basins/{basin}-3'), ok(including({ create_stream_on_append: false, create_stream_on_read: false }))],
    ],
  },
  {
    name: 'a name is taken once',
    shows: ['1.6-create-basin-exists', '1.1-basin-name-once', '1.5-code-resource-already-exists', '1.9-other-token'],
    steps: [
      [post('/basins', { basin: '{basin}' }), refusal(409, 'resource_already_exists')],
      [post('/basins', { basin: '{basin}' }, withToken('t1')), refusal(409, 'resource_already_exists')],
      [post('/basins', { basin: NEW }, withToken('t1')), { status: 201 }],
      [post('/basins', { basin: NEW }, withToken('t2')), refusal(409, 'resource_already_exists')],
      [post('/basins', { basin: NEW }), refusal(409, 'resource_already_exists')],
    ],
  },
  {
    name: 'the same creation with the same token changes nothing',
    shows: ['1.9-same-token-same-config', '1.6-repeated-post', '1.3-provision-result-noop'],
    steps: [
      [post('/basins', { basin: NEW, config: { create_stream_on_read: true } }, withToken('t')), created()],
      [post('/basins', { basin: NEW, config: { create_stream_on_read: true } }, withToken('t')), { ...NOOP, json: basinInfo(NEW) }],
      [get(`/basins/${NEW}`), ok(including({ create_stream_on_read: true }))],
    ],
  },
  {
    name: 'the same token with another config is another creation',
    shows: ['1.9-other-config'],
    steps: [
      [post('/basins', { basin: NEW, config: { create_stream_on_read: true } }, withToken('t')), created()],
      [post('/basins', { basin: NEW, config: {} }, withToken('t')), refusal(409, 'resource_already_exists')],
      [post('/basins', { basin: NEW }, withToken('t')), refusal(409, 'resource_already_exists')],
    ],
  },
  {
    name: 'a request token has at most 36 bytes',
    shows: ['1.3-request-token-max', '1.3-request-token-long', '1.7-request-token', '1.5-code-bad-header'],
    steps: [
      [post('/basins', { basin: NEW }, withToken(x(37))), refusal(400, 'bad_header')],
      [get(`/basins/${NEW}`), refusal(404, 'basin_not_found')],
      [post('/basins', { basin: NEW }, withToken(x(36))), created()],
      [post('/basins', { basin: NEW }, withToken(x(36))), NOOP],
    ],
  },
  {
    name: 'a name has 8 to 48 small letters, digits and inner hyphens',
    shows: ['1.7-basin-name-length', '1.7-basin-name-characters', '1.5-json-basin-name-capitals', '1.5-code-bad-json'],
    steps: [
      ...['short-7', `{basin}${x(32)}`, '{basin}-', '-{basin}', 'Capital-letters', 'under_score', 'a.b.c.d.e', ''].map(
        (basin) => [post('/basins', { basin }), refusal(400, 'bad_json')] as const,
      ),
      [post('/basins', { basin: `{basin}${x(31)}` }), created(basinInfo(`{basin}${x(31)}`))],
      [post('/basins', { basin: '{basin}--0' }), created()],
    ],
  },
  {
    name: 'a body that does not fit is refused',
    shows: ['1.7-config-fields-checked', '1.5-code-bad-json'],
    steps: [
      [post('/basins', {}), refusal(400, 'bad_json')],
      [post('/basins', []), refusal(400, 'bad_json')],
      [post('/basins', { basin: 7 }), refusal(400, 'bad_json')],
      [post('/basins', { basin: NEW, config: { stream_cipher: 'rot13' } }), refusal(400, 'bad_json')],
      [post('/basins', { basin: NEW, config: { create_stream_on_append: 'yes' } }), refusal(400, 'bad_json')],
      [post('/basins', { basin: NEW, config: { default_stream_config: { storage_class: 'cold' } } }), refusal(400, 'bad_json')],
      [get(`/basins/${NEW}`), refusal(404, 'basin_not_found')],
    ],
  },
  {
    name: 'a config that may not be is refused as invalid, and so is a location that does not exist',
    shows: ['1.6-create-basin-invalid', '1.5-code-invalid', '1.5-refused-means-nothing-happened'],
    steps: [
      [post('/basins', { basin: NEW, config: { default_stream_config: { retention_policy: { age: 0 } } } }), refusal(422, 'invalid')],
      [post('/basins', { basin: NEW, location: 'nowhere:at-all' }), refusal(422, 'invalid')],
      [get(`/basins/${NEW}`), refusal(404, 'basin_not_found')],
    ],
  },
  {
    name: 'a basin that is being deleted keeps its name, whatever token asks for it',
    shows: ['1.6-create-basin-deleting', '1.5-code-basin-deletion-pending', '1.9-deleting', '5.7-pending-refused'],
    run: async (client) => {
      for (const [at, headers] of [{}, { 's2-request-token': 'same' }].entries()) {
        const answer = await whilePending(
          client,
          async (name) => {
            const basin = `${name}-${at}`;
            await client.expect(post('/basins', { basin }, { headers }), { status: 201 });
            await client.expect(post('/streams', { stream: 's' }, { basin }), { status: 201 });
            await client.expect({ method: 'DELETE', path: `/basins/${basin}` }, { status: 202 });
          },
          (basin) => post('/basins', { basin: `${basin}-${at}` }, { headers }),
        );
        expectFailure(answer, 409, 'basin_deletion_pending');
      }
    },
  },
];
