// Bodies of requests and answers: their types, sizes, compression and fields. (Sections 1.3 and 1.4.)

import { strict as assert } from 'node:assert';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { acked, append, bodies, type Case, checkTail, get, ok, post, read, refusal, tailAt } from '../case.ts';
import { encodeAppend } from '../client/proto.ts';
import { FLAG_ZSTD, frame } from '../client/session.ts';
import { absent } from '../expect.ts';
import { MIB, recordsIn, UNCAPPED, x } from '../helpers.ts';
import { printJson } from '../json.ts';

const S = { s: UNCAPPED };
const HI = printJson({ records: [{ body: 'hi' }] });
const sent = (body: string | Uint8Array, headers: Readonly<Record<string, string>>) => ({
  method: 'POST',
  path: '/streams/s/records',
  body,
  headers,
});

export const BODY_CASES: readonly Case[] = [
  {
    name: 'a request body may be compressed, with gzip or zstd',
    shows: ['1.4-request-gzip', '1.4-request-zstd'],
    streams: S,
    run: async (client) => {
      const json = { 'content-type': 'application/json' };
      await client.expect(sent(gzipSync(HI), { ...json, 'content-encoding': 'gzip' }), acked(0, 1));
      await client.expect(sent(zstdCompressSync(HI), { ...json, 'content-encoding': 'zstd' }), acked(1, 2));
      await client.expect(sent(HI, { ...json, 'content-encoding': 'identity' }), acked(2, 3));
      const basin = gzipSync(printJson({ basin: `${client.basin}-2` }));
      await client.expect(
        { method: 'POST', path: '/basins', body: basin, headers: { ...json, 'content-encoding': 'gzip' } },
        { status: 201 },
      );
    },
  },
  {
    name: 'a body of several zstd frames, also with some that are to be skipped, is what all of them hold',
    shows: ['1.4-request-zstd', '4.2-input-compressed'],
    streams: S,
    run: async (client) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'zstd' };
      const skippable = Buffer.from('502a4d1803000000616263', 'hex');
      const pieces = (text: string | Uint8Array, count: number): Buffer[] => {
        const bytes = Buffer.from(text);
        const size = Math.ceil(bytes.length / count);
        return Array.from({ length: count }, (_, at) => zstdCompressSync(bytes.subarray(at * size, (at + 1) * size)));
      };
      const text = printJson({ records: [{ body: 'first' }, { body: x(5_000) }] });
      await client.expect(sent(Buffer.concat(pieces(text, 2)), headers), acked(0, 2));
      await client.expect(sent(Buffer.concat(pieces(text, 5)), headers), acked(2, 4));
      await client.expect(sent(Buffer.concat(pieces(text, 2).flatMap((piece) => [skippable, piece])), headers), acked(4, 6));
      await client.expect(sent(Buffer.concat([...pieces(text, 2), Buffer.from('more')]), headers), refusal(400, 'bad_header'));
      const session = await client.appendSession('s');
      session.send(frame(Buffer.concat(pieces(encodeAppend({ records: [{ body: 'framed' }] }), 3)), FLAG_ZSTD));
      await session.ack();
      const batch = ['first', x(5_000)];
      await client.expect(read('s', 'seq_num=0'), bodies(...batch, ...batch, ...batch, 'framed'));
    },
  },
  {
    name: 'a compressed body that does not unpack is refused, and nothing happens',
    shows: ['1.4-request-gzip', '1.4-request-zstd', '1.5-refused-means-nothing-happened'],
    streams: S,
    run: async (client) => {
      for (const encoding of ['gzip', 'zstd', 'rot13']) {
        const answer = await client.call(sent(HI, { 'content-type': 'application/json', 'content-encoding': encoding }));
        assert.ok(answer.status >= 400 && answer.status < 500, `got ${answer.status} ${answer.text}`);
      }
      await client.expect(checkTail('s'), tailAt(0));
    },
  },
  {
    name: 'an answer of more than 1024 bytes is compressed as the client accepts, and no other is',
    shows: ['1.4-response-gzip', '1.4-response-zstd', '1.4-response-small', '1.4-response-unasked'],
    streams: { large: {}, small: {}, edge: {}, over: {} },
    run: async (client) => {
      await client.expect(append('large', [{ body: x(3_000) }]), { status: 200 });
      await client.expect(append('small', [{ body: x(700) }]), { status: 200 });
      for (const [encoding, unpack] of [
        ['gzip', gunzipSync],
        ['zstd', zstdDecompressSync],
      ] as const) {
        const headers = { 'accept-encoding': encoding };
        const packed = await client.expect(read('large', 'seq_num=0', { headers }), {
          status: 200,
          headers: { 'content-encoding': encoding },
        });
        assert.equal(JSON.parse(unpack(packed.bytes).toString()).records[0].body, x(3_000));
        await client.expect(read('small', 'seq_num=0', { headers }), { status: 200, headers: { 'content-encoding': absent } });
      }
      // One with as many bytes as are not worth it, and one with a byte more: times have as many digits in either.
      const smallest = await client.expect(read('small', 'seq_num=0'), { status: 200, headers: { 'content-encoding': absent } });
      const others = smallest.bytes.length - 700;
      for (const [stream, bytes] of [
        ['edge', 1_024],
        ['over', 1_025],
      ] as const) {
        await client.expect(append(stream, [{ body: x(bytes - others) }]), { status: 200 });
        const plain = await client.expect(read(stream, 'seq_num=0'), { status: 200 });
        assert.equal(plain.bytes.length, bytes);
        for (const encoding of ['gzip', 'zstd']) {
          const packed = await client.expect(read(stream, 'seq_num=0', { headers: { 'accept-encoding': encoding } }), { status: 200 });
          assert.equal(packed.headers['content-encoding'], bytes > 1_024 ? encoding : undefined, `${bytes} bytes as ${encoding}`);
        }
      }
      for (const headers of [{}, { 'accept-encoding': 'identity' }, { 'accept-encoding': 'br' }]) {
        await client.expect(read('large', 'seq_num=0', { headers: headers as Record<string, string> }), {
          status: 200,
          headers: { 'content-encoding': absent },
        });
      }
    },
  },
  {
    name: 'events and sessions carry no content-encoding, whatever is accepted',
    shows: ['1.4-response-not-streams'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', [{ body: x(3_000) }]), { status: 200 });
      const headers = { 'accept-encoding': 'gzip, zstd' };
      const events = await client.events('s', 'seq_num=0&count=1', headers);
      assert.equal(events.head.headers['content-encoding'], undefined);
      assert.equal(JSON.parse((await events.named('batch')).data).records[0].body, x(3_000));
      assert.equal((await client.readSession('s', 'seq_num=0&count=1', 'h1', headers)).headers['content-encoding'], undefined);
      assert.equal((await client.appendSession('s', 'h1', headers)).headers['content-encoding'], undefined);
    },
  },
  {
    name: 'a full batch is taken as base64, and as raw JSON in which every byte is escaped',
    shows: ['1.4-body-max', '1.4-full-batch-base64'],
    streams: S,
    run: async (client) => {
      const bytes = Buffer.alloc(MIB - 8, 1);
      await client.expect(append('s', [{ body: bytes.toString('base64') }], { headers: { 's2-format': 'base64' } }), acked(0, 1));
      const raw = bytes.toString('latin1');
      assert.ok(printJson(raw).length > 5.9 * MIB);
      await client.expect(append('s', [{ body: raw }]), acked(1, 2));
      const found = recordsIn(await client.call(read('s', 'seq_num=1')));
      assert.ok(found[0]?.body === raw);
    },
  },
  {
    name: 'a body of exactly 8 MiB is taken, as it comes and unpacked',
    shows: ['1.4-body-max'],
    streams: S,
    run: async (client) => {
      const [head, tail] = ['{"records":[{"body":"hi"}]', '}'];
      const full = Buffer.from(`${head}${' '.repeat(8 * MIB - head.length - tail.length)}${tail}`);
      assert.equal(full.length, 8 * MIB);
      const json = { 'content-type': 'application/json' };
      await client.expect(sent(full, json), acked(0, 1));
      await client.expect(sent(gzipSync(full), { ...json, 'content-encoding': 'gzip' }), acked(1, 2));
      await client.expect(sent(zstdCompressSync(full), { ...json, 'content-encoding': 'zstd' }), acked(2, 3));
      await client.expect(read('s', 'seq_num=0'), bodies('hi', 'hi', 'hi'));
    },
  },
  {
    name: 'a body beyond what is taken is refused in JSON',
    shows: ['1.5-json-on-every-error'],
    streams: S,
    run: async (client) => {
      const answer = await client.call(sent(Buffer.alloc(20 * MIB, 0x20), { 'content-type': 'application/json' }));
      assert.equal(answer.status, 413, answer.text);
      await client.expect(checkTail('s'), tailAt(0));
    },
  },
  {
    name: 'JSON without a content-type or under another one is refused, and the message says which is asked for',
    shows: ['1.4-json-type-missing', '1.4-json-type-other', '1.5-code-bad-json'],
    streams: S,
    steps: [
      [sent(HI, {}), refusal(400, 'bad_json', /application\/json/i)],
      [sent(HI, { 'content-type': 'text/plain' }), refusal(400, 'bad_json', /application\/json/i)],
      [{ method: 'POST', path: '/basins', body: '{"basin":"{basin}-2"}' }, refusal(400, 'bad_json', /application\/json/i)],
      [
        { method: 'POST', path: '/streams', body: '{"stream":"t"}', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        refusal(400, 'bad_json', /application\/json/i),
      ],
      [{ method: 'PATCH', path: '/streams/s', body: '{}' }, refusal(400, 'bad_json', /application\/json/i)],
      [checkTail('s'), tailAt(0)],
    ],
  },
  {
    name: 'every JSON type is JSON, with parameters too',
    shows: ['1.3-content-type-json'],
    streams: S,
    steps: [
      [sent(HI, { 'content-type': 'application/json; charset=utf-8' }), acked(0, 1)],
      [sent(HI, { 'content-type': 'application/vnd.example+json' }), acked(1, 2)],
      [sent(HI, { 'content-type': 'Application/JSON' }), acked(2, 3)],
    ],
  },
  {
    name: 'what is not JSON is refused',
    shows: ['1.5-code-bad-json'],
    streams: S,
    steps: [
      ...[
        '',
        '{',
        '{"records":[{"body":"hi"}]',
        '{"records":[{"body":"hi"}]}x',
        "{'records':[]}",
        '{"records":[{"body":"\u0001"}]}',
        '{"records":[{"timestamp":007}]}',
        '{"records":[{}],"match_seq_num":00}',
        'null',
        '[]',
      ].map((body) => [sent(body, { 'content-type': 'application/json' }), refusal(400, 'bad_json')] as const),
      [
        sent(Buffer.from('7b227265636f726473223a5b7b22626f6479223a22ff227d5d7d', 'hex'), { 'content-type': 'application/json' }),
        refusal(400, 'bad_json'),
      ],
      [checkTail('s'), tailAt(0)],
    ],
  },
  {
    name: 'unknown fields do not matter, and null is as good as absent',
    shows: ['1.4-unknown-fields', '1.4-null-is-absent'],
    streams: S,
    steps: [
      [
        post('/streams/s/records', {
          records: [{ body: 'hi', colour: 'red', timestamp: null, headers: null }],
          deep: { er: [{}, null, 1.5] },
          match_seq_num: null,
          fencing_token: null,
        }),
        acked(0, 1),
      ],
      [post('/streams', { stream: 't', config: null, colour: ['red'] }), { status: 201 }],
      [get('/streams?colour=red'), { status: 200 }],
      [read('s', 'seq_num=0&colour=red'), ok()],
    ],
  },
];
