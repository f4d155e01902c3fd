// PUT /streams/{stream}. (Sections 1.6 and 1.9.)

import { type Case, created, get, ok, patch, post, put, refusal } from '../case.ts';
import { including } from '../expect.ts';
import { deletedStream, expectFailure, OTHER_CONFIG, SYSTEM_CONFIG, streamInfo, whilePending } from '../helpers.ts';

const result = (outcome: string, cipher: string | null = null) => ({
  status: 200,
  headers: { 's2-provision-result': outcome },
  json: streamInfo('s', cipher),
});

export const STREAMS_ENSURE: readonly Case[] = [
  {
    name: 'what is absent is created, with a config that is not wrapped',
    shows: ['1.6-ensure-stream', '1.6-put-created', '1.9-put-created', '1.9-put-no-token', '1.3-provision-result-created'],
    steps: [
      [put('/streams/s', OTHER_CONFIG), created(streamInfo('s'))],
      [get('/streams/s'), ok(OTHER_CONFIG)],
      [put('/streams/t', { config: OTHER_CONFIG }), created(streamInfo('t'))],
      [get('/streams/t'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'what is there as asked for, with the defaults of basin and system, stays as it is',
    shows: ['1.9-put-noop', '1.9-put-compares-stream', '1.3-provision-result-noop'],
    basin: { default_stream_config: { storage_class: 'standard' } },
    streams: { s: {} },
    steps: [
      [put('/streams/s', {}), result('noop')],
      [put('/streams/s', { storage_class: 'standard', retention_policy: { age: 604_800 } }), result('noop')],
      [patch('/basins/{basin}', { default_stream_config: { storage_class: 'express' } }), { status: 200 }],
      [put('/streams/s', {}), result('updated')],
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'what is there otherwise is replaced: what is left out is resolved, not kept',
    shows: ['1.9-put-updated', '1.3-provision-result-updated'],
    streams: { s: OTHER_CONFIG },
    steps: [
      [put('/streams/s', { retention_policy: { infinite: {} } }), result('updated')],
      [get('/streams/s'), ok({ ...SYSTEM_CONFIG, retention_policy: { infinite: {} } })],
      [put('/streams/s', { retention_policy: { infinite: {} } }), result('noop')],
    ],
  },
  {
    name: 'numbers of a config have 64 bits, and are told as they were given',
    shows: ['1.4-u64-parsed', '1.4-u64-printed'],
    steps: [18_446_744_073_709_551_615n, 18_446_744_073_709_551_614n, 9_007_199_254_740_993n].flatMap((secs, at) => {
      const config = { retention_policy: { age: secs }, delete_on_empty: { min_age_secs: secs } };
      return [
        [put('/streams/s', config), at === 0 ? created(streamInfo('s')) : result('updated')] as const,
        [get('/streams/s'), ok({ ...SYSTEM_CONFIG, ...config })] as const,
      ];
    }),
  },
  {
    name: 'the body may be left out or empty, and null is as good as absent',
    shows: ['1.4-optional-body', '1.6-ensure-stream', '1.4-null-is-absent'],
    steps: [
      [put('/streams/s'), created()],
      [{ method: 'PUT', path: '/streams/s', body: '' }, result('noop')],
      [put('/streams/s', { storage_class: null, timestamping: { mode: null }, colour: 'red' }), result('noop')],
    ],
  },
  {
    name: 'the cipher of a stream stays, whatever its basin has by now',
    shows: ['1.9-put-keeps-cipher', '1.1-stream-cipher-captured', '5.4-copied'],
    needs: ['encryption'],
    basin: { stream_cipher: 'aes-256-gcm' },
    steps: [
      [put('/streams/s'), created(streamInfo('s', 'aes-256-gcm'))],
      [patch('/basins/{basin}', { stream_cipher: null }), { status: 200 }],
      [put('/streams/s', { storage_class: 'standard' }), result('updated', 'aes-256-gcm')],
      [patch('/basins/{basin}', { stream_cipher: 'aegis-256' }), { status: 200 }],
      [put('/streams/s', { storage_class: 'standard' }), result('noop', 'aes-256-gcm')],
    ],
  },
  {
    name: 'in an unknown basin nothing is created, and a bad config creates nothing',
    shows: ['1.6-ensure-stream-no-basin', '1.5-form-before-existence'],
    steps: [
      [put('/streams/s', {}, { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
      [put('/streams/s', { storage_class: 'cold' }, { basin: '{basin}-none' }), refusal(400, 'bad_json')],
      [put('/streams/s', { retention_policy: { age: 0 } }), refusal(422, 'invalid')],
      [get('/streams/s'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'a stream that is being deleted is not brought back',
    shows: ['1.6-ensure-stream-deleting', '5.6-pending-refused'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => put(`/streams/${name}`),
      );
      expectFailure(answer, 409, 'stream_deletion_pending');
    },
  },
  {
    name: 'a stream made by POST and one made by PUT are the same',
    shows: ['1.9-put-noop', '1.6-create-stream'],
    steps: [
      [post('/streams', { stream: 's', config: OTHER_CONFIG }), { status: 201 }],
      [put('/streams/s', OTHER_CONFIG), result('noop')],
      [get('/streams'), ok(including({ streams: [streamInfo('s')] }))],
    ],
  },
];
