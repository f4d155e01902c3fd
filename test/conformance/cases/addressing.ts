// Which basin and which stream a request means. (Section 1.2.)

import { type Case, created, get, ok, post, refusal } from '../case.ts';
import { streamInfo } from '../helpers.ts';

export const ADDRESSING_CASES: readonly Case[] = [
  {
    name: 'routes lie below /v1',
    shows: ['1.2-base-path'],
    steps: [
      [get('/basins?limit=1'), { status: 200 }],
      [get('//basins?limit=1'), { status: 404 }],
      [get('//v2/basins?limit=1'), { status: 404 }],
    ],
  },
  {
    name: 'one origin serves the routes of the account and those of basins',
    shows: ['1.2-one-origin'],
    steps: [
      [get('/basins/{basin}'), { status: 200 }],
      [get('/streams'), { status: 200 }],
    ],
  },
  {
    name: 'the header selects the basin, so that a name may be that of two streams',
    shows: ['1.2-basin-by-header', '1.1-stream-name-once'],
    streams: { s: { storage_class: 'standard' } },
    steps: [
      [post('/basins', { basin: '{basin}-2' }), { status: 201 }],
      [post('/streams', { stream: 's' }, { basin: '{basin}-2' }), { status: 201 }],
      [post('/streams', { stream: 's' }), refusal(409, 'resource_already_exists')],
      [post('/streams/s/records', { records: [{ body: 'first' }] }), { status: 200 }],
      [get('/streams/s/records/tail', { basin: '{basin}-2' }), ok({ tail: { seq_num: 0, timestamp: 0 } })],
    ],
  },
  {
    name: 'a request for streams without a basin is refused, and the header named',
    shows: ['1.2-basin-missing'],
    steps: [
      [get('/streams', { basin: null }), refusal(400, 'bad_header', /s2-basin/)],
      [post('/streams', { stream: 's' }, { basin: null }), refusal(400, 'bad_header', /s2-basin/)],
      [get('/streams/s/records?seq_num=0', { basin: null }), refusal(400, 'bad_header', /s2-basin/)],
    ],
  },
  {
    name: 'the host selects the basin, on HTTP/1.1 and HTTP/2, and may agree with the header',
    shows: ['1.2-basin-by-host', '1.2-basin-header-and-host-agree'],
    needs: ['host-basins'],
    streams: { s: {} },
    run: async (client) => {
      const host = `${client.basin}.${client.target.basinSuffix}`;
      for (const over of ['h1', 'h2'] as const) {
        await client.expect(get('/streams/s', { basin: null, headers: { host }, over }), { status: 200 });
        await client.expect(get('/streams/s', { headers: { host }, over }), { status: 200 });
      }
      const { port } = new URL(client.target.url);
      await client.expect(get('/streams/s', { basin: null, headers: { host: `${host}:${port}` } }), { status: 200 });
    },
  },
  {
    name: 'a header and a host that name different basins are refused',
    shows: ['1.2-basin-header-and-host-differ'],
    needs: ['host-basins'],
    streams: { s: {} },
    run: async (client) => {
      const headers = { host: `${client.basin}-2.${client.target.basinSuffix}` };
      await client.expect(get('/streams/s', { headers }), refusal(400, 'bad_header'));
    },
  },
  {
    name: 'the header counts under any host that is not of the suffix',
    shows: ['1.2-basin-header-beats-other-hosts'],
    streams: { s: {} },
    steps: [[get('/streams/s', { headers: { host: 'another-basin.example.com' } }), { status: 200 }]],
  },
  {
    name: 'a stream name is one segment, decoded after the path is split',
    shows: ['1.2-stream-one-segment'],
    steps: [
      [post('/streams', { stream: 'a/b é' }), created(streamInfo('a/b é'))],
      [get('/streams/a%2Fb%20%C3%A9'), { status: 200 }],
      [get('/streams/a%2Fb%20%C3%A9/records/tail'), { status: 200 }],
      [get('/streams/a/b%20%C3%A9'), { status: 404 }],
      [post('/streams', { stream: 'x/records/tail' }), { status: 201 }],
      [get('/streams/x%2Frecords%2Ftail'), { status: 200 }],
    ],
  },
  {
    name: 'broken percent-encoding is a bad path',
    shows: ['1.2-bad-percent', '1.5-code-bad-path'],
    steps: [
      [get('/streams/%'), refusal(400, 'bad_path')],
      [get('/streams/a%2'), refusal(400, 'bad_path')],
      [get('/streams/a%zz/records/tail'), refusal(400, 'bad_path')],
    ],
  },
  {
    name: 'bytes that are no UTF-8 are a bad path',
    shows: ['1.2-bad-utf8'],
    steps: [
      [get('/streams/a%FF'), refusal(400, 'bad_path')],
      [get('/streams/a%C3/records/tail'), refusal(400, 'bad_path')],
    ],
  },
  {
    name: 'what is no name is a bad path',
    shows: ['1.2-bad-name-in-path'],
    steps: [
      [get('/streams/%2E%2E'), refusal(400, 'bad_path')],
      [get(`/streams/${'n'.repeat(513)}`), refusal(400, 'bad_path')],
      [get('/basins/Capitals-Are-None'), refusal(400, 'bad_path')],
      [get('/basins/short'), refusal(400, 'bad_path')],
    ],
  },
];
