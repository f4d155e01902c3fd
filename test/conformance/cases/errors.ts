// What every failure looks like. (Section 1.5.) Codes are shown by the cases of their routes; every answer of every case is compared
// with the table of codes besides.

import { strict as assert } from 'node:assert';
import { append, type Case, checkTail, del, get, ok, patch, post, put, read, refusal, tailAt } from '../case.ts';
import { someText } from '../expect.ts';
import { expectFailure, PROTOCOLS, SYSTEM_CONFIG } from '../helpers.ts';

const JSON_FAILURE = { code: someText, message: someText };

export const ERROR_CASES: readonly Case[] = [
  {
    name: 'a failure is JSON with a code and a message',
    shows: ['1.5-shape', '1.7-error-info'],
    steps: [
      [
        get('/streams/none'),
        { status: 404, json: { code: 'stream_not_found', message: someText }, headers: { 'content-type': 'application/json' } },
      ],
      [
        post('/streams', {}),
        { status: 400, json: { code: 'bad_json', message: someText }, headers: { 'content-type': 'application/json' } },
      ],
    ],
  },
  {
    name: 'unknown routes and wrong methods are answered in JSON too',
    shows: ['1.5-json-on-every-error'],
    streams: { s: {} },
    run: async (client) => {
      for (const over of PROTOCOLS) {
        for (const path of ['/nothing', '/basins/{basin}/streams', '/streams/s/records/0', '/']) {
          await client.expect(get(path, { over, basin: client.basin }), { status: 404, json: JSON_FAILURE });
        }
        await client.expect(del('/basins', { over }), { status: 405, json: JSON_FAILURE });
        await client.expect(patch('/streams/s/records', {}, { over }), { status: 405, json: JSON_FAILURE });
        await client.expect({ method: 'PUT', path: '/streams', over }, { status: 405, json: JSON_FAILURE });
      }
    },
  },
  {
    name: 'the body of a failure comes in one piece',
    shows: ['1.5-one-chunk'],
    streams: { s: {} },
    run: async (client) => {
      for (const request of [
        get('/streams/none', { over: 'h2' }),
        read('s', 'seq_num=1', { over: 'h2' }),
        read('s', 'seq_num=1', { over: 'h2', headers: { 'content-type': 's2s/proto' } }),
        append('s', [], { over: 'h2' }),
      ]) {
        const answer = await client.call(request);
        assert.ok(answer.status >= 400);
        assert.equal(answer.pieces, 1);
      }
    },
  },
  {
    name: 'header, path, query and body are checked before anything is looked up',
    shows: ['1.5-form-before-existence'],
    steps: [
      [get('/streams?limit=x', { basin: '{basin}-none' }), refusal(400, 'bad_query')],
      [get('/streams/%FF', { basin: '{basin}-none' }), refusal(400, 'bad_path')],
      [post('/streams', { stream: '' }, { basin: '{basin}-none' }), refusal(400, 'bad_json')],
      [
        post('/streams', { stream: 's' }, { basin: '{basin}-none', headers: { 's2-request-token': 't'.repeat(37) } }),
        refusal(400, 'bad_header'),
      ],
      [append('none', [], { basin: '{basin}-none' }), refusal(422, 'invalid')],
      [append('none', [{ body: '?' }], { basin: '{basin}-none', headers: { 's2-format': 'base64' } }), refusal(422, 'invalid')],
      [read('none', 'seq_num=0', { basin: '{basin}-none', headers: { 's2-encryption-key': 'k'.repeat(45) } }), refusal(400, 'bad_header')],
      [patch('/basins/{basin}-none', { stream_cipher: 7 }), refusal(400, 'bad_json')],
    ],
  },
  {
    name: 'after a refusal nothing has changed',
    shows: ['1.5-refused-means-nothing-happened'],
    streams: { s: {} },
    steps: [
      [append('s', [{ body: 'x' }], { with: { match_seq_num: 4 } }), { status: 412 }],
      [append('s', [{ body: 'x' }, { headers: [['', 'x']] }]), { status: 422 }],
      [patch('/streams/s', { storage_class: 'standard', retention_policy: { age: 0 } }), { status: 422 }],
      [put('/streams/s', { storage_class: 'standard', timestamping: { mode: 'none' } }), { status: 400 }],
      [post('/streams', { stream: 's', config: { storage_class: 'standard' } }), { status: 409 }],
      [checkTail('s'), tailAt(0)],
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'failures do not depend on how the stream is asked for',
    shows: ['1.5-json-on-every-error'],
    run: async (client) => {
      for (const headers of [{}, { accept: 'text/event-stream' }, { accept: 'application/protobuf' }, { 'content-type': 's2s/proto' }]) {
        expectFailure(
          await client.call(read('none', 'seq_num=0', { headers: headers as Record<string, string> })),
          404,
          'stream_not_found',
        );
      }
    },
  },
];
