// Streams that are made by whoever appends to them or reads them. (Section 2.7.)

import { strict as assert } from 'node:assert';
import { acked, append, bodies, type Case, checkTail, get, ok, read, refusal } from '../case.ts';
import { including } from '../expect.ts';
import { ON_DEMAND, OTHER_CONFIG, recordsIn, streamInfo, UNCAPPED } from '../helpers.ts';

const HI = [{ body: 'hi', timestamp: 1 }];

export const AUTO_CREATE_CASES: readonly Case[] = [
  {
    name: 'an append creates the stream where the basin says so, with its defaults',
    shows: ['2.7-append', '2.7-defaults'],
    basin: { create_stream_on_append: true, default_stream_config: OTHER_CONFIG },
    steps: [
      [append('new', HI), acked(0, 1)],
      [get('/streams'), ok({ streams: [streamInfo('new')], has_more: false })],
      [get('/streams/new'), ok(OTHER_CONFIG)],
      [read('other', 'seq_num=0'), refusal(404, 'stream_not_found')],
      [checkTail('other'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'so does an append session',
    shows: ['2.7-append', '4.1-append'],
    basin: { create_stream_on_append: true },
    run: async (client) => {
      const session = await client.appendSession('new');
      session.append({ records: [{ body: 'hi' }] });
      assert.equal((await session.ack()).end.seqNum, 1n);
      await client.expect(read('new', 'seq_num=0'), bodies('hi'));
    },
  },
  {
    name: 'a read creates the stream where the basin says so, and so does a check of the tail',
    shows: ['2.7-read', '2.7-check-tail', '2.7-defaults'],
    basin: { create_stream_on_read: true, default_stream_config: OTHER_CONFIG },
    steps: [
      [checkTail('by-tail'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
      [read('by-read', 'seq_num=0'), { status: 416, json: { tail: { seq_num: 0, timestamp: 0 } } }],
      [read('by-wait', 'seq_num=0&wait=1'), ok(including({ records: [] }))],
      [get('/streams'), ok({ streams: ['by-read', 'by-tail', 'by-wait'].map((name) => streamInfo(name)), has_more: false })],
      [get('/streams/by-tail'), ok(OTHER_CONFIG)],
      [append('other', HI), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'otherwise a stream that does not exist is not found, nor a basin',
    shows: ['2.7-off', '2.7-no-basin', '1.6-tail-missing', '1.5-code-stream-not-found', '1.5-code-basin-not-found'],
    steps: [
      [append('none', HI), refusal(404, 'stream_not_found')],
      [read('none', 'seq_num=0'), refusal(404, 'stream_not_found')],
      [checkTail('none'), refusal(404, 'stream_not_found')],
      [append('none', HI, { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
      [read('none', 'seq_num=0', { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
      [checkTail('none', { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
      [get('/streams'), ok({ streams: [], has_more: false })],
    ],
  },
  {
    name: 'first appends and reads at the same time all succeed',
    shows: ['2.7-race'],
    basin: { ...ON_DEMAND, default_stream_config: UNCAPPED },
    run: async (client) => {
      for (const stream of ['a', 'b', 'c']) {
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, at) => client.call(at % 3 === 0 ? checkTail(stream) : append(stream, [{ body: String(at) }]))),
        );
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], answers.map(({ text }) => text).join('\n'));
        assert.equal(recordsIn(await client.call(read(stream, 'seq_num=0'))).length, 8);
      }
    },
  },
  {
    name: 'a key that is missing or not valid is told before a stream is created',
    shows: ['2.7-key-before-create', '5.4-key-before-create', '5.4-key-missing', '5.4-key-not-base64', '5.4-key-wrong-length'],
    needs: ['encryption'],
    basin: { ...ON_DEMAND, stream_cipher: 'aegis-256' },
    steps: [
      [append('new', HI), refusal(400, 'bad_header', /aegis-256/)],
      [append('new', HI, { headers: { 's2-encryption-key': '*'.repeat(44) } }), refusal(400, 'bad_header')],
      [append('new', HI, { headers: { 's2-encryption-key': 'c2hvcnQ=' } }), refusal(400, 'bad_header')],
      [read('new', 'seq_num=0&wait=1'), refusal(400, 'bad_header', /aegis-256/)],
      [get('/streams'), ok({ streams: [], has_more: false })],
      [append('new', HI, { headers: { 's2-encryption-key': Buffer.alloc(32, 1).toString('base64') } }), acked(0, 1)],
      [get('/streams'), ok({ streams: [streamInfo('new', 'aegis-256')], has_more: false })],
    ],
  },
];
