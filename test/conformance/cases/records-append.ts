// POST /streams/{stream}/records as one request: form, limits, metering, acknowledgement. (Sections 2.1, 2.2 and 2.5.)

import { strict as assert } from 'node:assert';
import { acked, append, bodies, type Case, checkTail, ok, post, read, refusal } from '../case.ts';
import { decodeAck, decodeBatch, encodeAppend, type ProtoAppend } from '../client/proto.ts';
import { including, u64 } from '../expect.ts';
import { ackIn, MIB, numbered, recordsIn, recordsOf, UNCAPPED, x } from '../helpers.ts';

const S = { s: {} };
const EMPTY_TAIL = ok({ tail: { seq_num: 0, timestamp: 0 } });
const proto = (input: ProtoAppend, headers: Readonly<Record<string, string>> = {}) => ({
  method: 'POST',
  path: '/streams/s/records',
  body: encodeAppend(input),
  headers: { 'content-type': 'application/protobuf', ...headers },
});
const BASE64 = { 's2-format': 'base64' };

export const RECORDS_APPEND: readonly Case[] = [
  {
    name: 'an acknowledgement has start, end and tail, from 0 on and without gaps',
    shows: ['1.6-append', '2.2-json', '2.5-start', '2.5-end', '2.5-tail', '1.7-append-ack', '1.7-stream-position', '1.1-seq-nums-dense'],
    streams: { s: UNCAPPED },
    steps: [
      [
        append('s', [
          { timestamp: 5, body: 'a' },
          { timestamp: 7, body: 'b' },
        ]),
        ok({ start: { seq_num: 0, timestamp: 5 }, end: { seq_num: 2, timestamp: 7 }, tail: { seq_num: 2, timestamp: 7 } }),
      ],
      [
        append('s', [{ timestamp: 9, body: 'c' }]),
        ok({ start: { seq_num: 2, timestamp: 9 }, end: { seq_num: 3, timestamp: 9 }, tail: { seq_num: 3, timestamp: 9 } }),
      ],
      [checkTail('s'), ok({ tail: { seq_num: 3, timestamp: 9 } })],
    ],
  },
  {
    name: 'appends at the same time get spans that fit together, each as long as its batch',
    shows: ['2.5-end-minus-start', '2.5-ends-grow', '2.5-tail', '1.1-seq-nums-dense', '1.1-timestamps-never-fall'],
    streams: S,
    run: async (client) => {
      const lengths = Array.from({ length: 40 }, (_, at) => 1 + (at % 7));
      const acks = await Promise.all(lengths.map(async (length) => ackIn(await client.call(append('s', numbered(length))))));
      for (const [at, ack] of acks.entries()) {
        assert.equal(ack.end.seq_num - ack.start.seq_num, lengths[at]);
        assert.ok(ack.tail.seq_num >= ack.end.seq_num && ack.tail.timestamp >= ack.end.timestamp);
      }
      const inOrder = acks.toSorted((a, b) => a.start.seq_num - b.start.seq_num);
      let next = 0;
      for (const { start, end } of inOrder) {
        assert.equal(start.seq_num, next);
        next = end.seq_num;
      }
      const records = recordsIn(await client.call(read('s', 'seq_num=0')));
      assert.deepEqual(
        records.map((record) => record.seq_num),
        Array.from({ length: next }, (_, at) => at),
      );
      assert.ok(records.every((record, at) => at === 0 || record.timestamp >= (records[at - 1]?.timestamp ?? 0)));
    },
  },
  {
    name: 'a record keeps its headers in order, repeated names too, and its body',
    shows: ['1.1-record-parts', '2.1-headers-repeat', '1.7-header', '1.7-sequenced-record', '1.7-append-record', '2.2-raw'],
    streams: { s: UNCAPPED },
    steps: [
      [
        append('s', [
          {
            timestamp: 1,
            headers: [
              ['b', '1'],
              ['a', '2'],
              ['b', '3'],
              ['é', ''],
            ],
            body: 'β\n"\u0001',
          },
          { timestamp: 2, headers: [['only', 'headers']] },
          { timestamp: 3 },
        ]),
        acked(0, 3),
      ],
      [
        read('s', 'seq_num=0'),
        ok({
          records: [
            {
              seq_num: 0,
              timestamp: 1,
              headers: [
                ['b', '1'],
                ['a', '2'],
                ['b', '3'],
                ['é', ''],
              ],
              body: 'β\n"\u0001',
            },
            { seq_num: 1, timestamp: 2, headers: [['only', 'headers']] },
            { seq_num: 2, timestamp: 3 },
          ],
        }),
      ],
    ],
  },
  {
    name: 'a body may be empty, and a record too',
    shows: ['2.1-empty-body', '2.1-empty-record', '1.7-append-record', '1.4-null-is-absent'],
    streams: S,
    steps: [
      [append('s', [{ body: '' }, {}, { body: null, headers: null, timestamp: null }, { headers: [] }]), acked(0, 4)],
      [read('s', 'seq_num=0&bytes=32'), bodies('', '', '', '')],
      [read('s', 'seq_num=0&bytes=31'), bodies('', '', '')],
    ],
  },
  {
    name: 'a batch has 1 to 1000 records',
    shows: ['2.1-records-range', '1.5-invalid-empty-batch', '1.5-invalid-too-many-records', '1.5-code-invalid'],
    streams: S,
    steps: [
      [append('s', []), refusal(422, 'invalid')],
      [append('s', recordsOf(1_001)), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
      [append('s', recordsOf(1_000)), acked(0, 1_000)],
      [append('s', [{}]), acked(1_000, 1_001)],
    ],
  },
  {
    name: 'a batch and a record have at most 1 MiB, metered',
    shows: ['2.1-batch-bytes-max', '2.1-record-bytes-max', '1.5-invalid-too-large', '2.1-metering'],
    streams: S,
    steps: [
      [append('s', [{ body: x(MIB - 7) }]), refusal(422, 'invalid')],
      [append('s', [{ body: x(MIB - 8 - 8) }, { body: 'x' }]), refusal(422, 'invalid')],
      [append('s', [{ headers: [['n', 'v']], body: x(MIB - 8 - 4 + 1) }]), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
      [append('s', [{ body: x(MIB - 8) }]), acked(0, 1)],
      [append('s', [{ headers: [['n', 'v']], body: x(MIB - 8 - 4) }]), acked(1, 2)],
      [append('s', [{ body: x(MIB - 8 - 9) }, { body: 'x' }]), acked(2, 4)],
    ],
  },
  {
    name: 'a record is metered at 8 bytes, 2 a header, and its bytes; commands alike',
    shows: ['2.1-metering', '2.1-metering-commands', '3.1-bytes', '3.3-whole-records'],
    streams: S,
    steps: [
      // 8 + 2 + 2 + 2 + 5 = 19, then 18, then 22, then 8 + 2 + 2 + 3 = 15.
      [
        append('s', [
          { headers: [['ab', 'cd']], body: 'hello' },
          { headers: [['', 'fence']], body: 'tok' },
          { headers: [['', 'trim']], body: '\0\0\0\0\0\0\0\0' },
          { headers: [['é', '']], body: 'abc' },
        ]),
        acked(0, 4),
      ],
      ...[
        [18, 0],
        [19, 1],
        [36, 1],
        [37, 2],
        [58, 2],
        [59, 3],
        [73, 3],
        [74, 4],
      ].map(([bytes = 0, count = 0]) => [read('s', `seq_num=0&bytes=${bytes}`), countOf(count)] as const),
    ],
  },
  {
    name: 'a batch with one bad record is refused whole',
    shows: ['2.1-atomic', '1.5-refused-means-nothing-happened'],
    streams: S,
    steps: [
      [append('s', [{ body: 'good' }, { headers: [['', 'jump']], body: 'bad' }, { body: 'good' }]), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
      [append('s', [{ body: 'next' }]), acked(0, 1)],
    ],
  },
  {
    name: 'headers may be many and large, within the batch',
    shows: ['2.1-headers-many'],
    streams: S,
    run: async (client) => {
      const many = Array.from({ length: 100_000 }, (_, at) => ({ name: String.fromCharCode(97 + (at % 26)), value: '' }));
      const large = [{ name: x(300_000, 'n'), value: x(600_000, 'v') }];
      await client.expect(proto({ records: [{ headers: many }] }), { status: 200 });
      await client.expect(proto({ records: [{ headers: large }] }), { status: 200 });
      const headers = { accept: 'application/protobuf' };
      const [first] = decodeBatch((await client.call(read('s', 'seq_num=0&count=1', { headers }))).bytes).records;
      assert.equal(first?.headers.map(([name]) => name.toString()).join(''), many.map(({ name }) => name).join(''));
      const [second] = decodeBatch((await client.call(read('s', 'seq_num=1&count=1', { headers }))).bytes).records;
      assert.deepEqual(
        second?.headers.map(([name, value]) => [name.length, value.length]),
        [[300_000, 600_000]],
      );
    },
  },
  {
    name: 'a header name is empty only for a command that is one',
    shows: ['2.1-header-empty-name', '2.1-header-unknown-command', '1.5-invalid-command'],
    streams: S,
    steps: [
      [
        append('s', [
          {
            headers: [
              ['', 'fence'],
              ['a', 'b'],
            ],
          },
        ]),
        refusal(422, 'invalid'),
      ],
      [
        append('s', [
          {
            headers: [
              ['a', 'b'],
              ['', 'x'],
            ],
          },
        ]),
        refusal(422, 'invalid'),
      ],
      [append('s', [{ headers: [['', 'jump']] }]), refusal(422, 'invalid')],
      [append('s', [{ headers: [['', '']] }]), refusal(422, 'invalid')],
      [append('s', [{ headers: [['', 'Fence']] }]), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
    ],
  },
  {
    name: 'in base64, names, values and bodies are any bytes, in requests and in answers',
    shows: ['2.2-base64', '1.3-format-base64', '2.1-headers-bytes', '3.4-base64-exact'],
    streams: S,
    steps: [
      [append('s', [{ headers: [['/w==', '']], body: '/+8A' }, { body: '' }], { headers: BASE64 }), acked(0, 2)],
      [
        read('s', 'seq_num=0', { headers: BASE64 }),
        ok({
          records: [
            { seq_num: 0, timestamp: u64, headers: [['/w==', '']], body: '/+8A' },
            { seq_num: 1, timestamp: u64 },
          ],
        }),
      ],
    ],
  },
  {
    name: 'base64 that is not valid is refused',
    shows: ['2.2-base64-invalid', '1.5-invalid-base64'],
    streams: S,
    steps: [
      ...['a', 'YQ', 'YQ=', '*a==', 'YQ==YQ==', '_-8A'].map(
        (body) => [append('s', [{ body }], { headers: BASE64 }), refusal(422, 'invalid')] as const,
      ),
      [append('s', [{ headers: [['?', 'YQ==']] }], { headers: BASE64 }), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
    ],
  },
  {
    name: 'without s2-format text is text, and its other names mean the same',
    shows: ['1.3-format-raw-default', '1.3-format-aliases', '1.3-format-trimmed', '1.3-format-unknown'],
    streams: S,
    steps: [
      [append('s', [{ body: 'YQ==' }]), acked(0, 1)],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': 'json' } }), acked(1, 2)],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': 'json-binsafe' } }), acked(2, 3)],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': '  base64 ' } }), acked(3, 4)],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': 'raw' } }), acked(4, 5)],
      [read('s', 'seq_num=0'), bodies('YQ==', 'YQ==', 'a', 'a', 'YQ==')],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': 'hex' } }), refusal(400, 'bad_header')],
      [append('s', [{ body: 'YQ==' }], { headers: { 's2-format': 'BASE64' } }), refusal(400, 'bad_header')],
      [read('s', 'seq_num=0', { headers: { 's2-format': 'hex' } }), refusal(400, 'bad_header')],
    ],
  },
  {
    name: 'text is stored as its UTF-8 bytes',
    shows: ['2.2-raw', '2.1-headers-bytes'],
    streams: S,
    steps: [
      [append('s', [{ headers: [['ñ', '😀']], body: 'é\u0000' }]), acked(0, 1)],
      [
        read('s', 'seq_num=0', { headers: BASE64 }),
        ok({ records: [{ seq_num: 0, timestamp: u64, headers: [['w7E=', '8J+YgA==']], body: 'w6kA' }] }),
      ],
    ],
  },
  {
    name: 'protobuf is taken under both of its types, and the answer is chosen by accept',
    shows: [
      '2.2-proto',
      '1.3-content-type-proto',
      '2.2-accept-independent',
      '1.3-accept-proto',
      '4.3-messages',
      '1.3-format-not-for-proto',
    ],
    streams: { s: UNCAPPED },
    run: async (client) => {
      const records = [{ timestamp: 1, headers: [{ name: Buffer.from('ff', 'hex'), value: 'v' }], body: Buffer.from('00ff', 'hex') }];
      await client.expect(proto({ records }), acked(0, 1));
      await client.expect(proto({ records }, { 'content-type': 'application/x-protobuf', 's2-format': 'hex' }), acked(1, 2));
      const asProto = { accept: 'application/protobuf' };
      const third = await client.call(proto({ records }, asProto));
      assert.deepEqual(decodeAck(third.bytes), {
        start: { seqNum: 2n, timestamp: 1n },
        end: { seqNum: 3n, timestamp: 1n },
        tail: { seqNum: 3n, timestamp: 1n },
      });
      const fourth = await client.call(append('s', [{ body: 'json' }], { headers: asProto }));
      assert.deepEqual(decodeAck(fourth.bytes).end.seqNum, 4n);
      const { records: found } = decodeBatch(
        (await client.call(read('s', 'seq_num=0&count=1', { headers: { ...asProto, 's2-format': 'hex' } }))).bytes,
      );
      assert.deepEqual(found, [
        { seqNum: 0n, timestamp: 1n, headers: [[Buffer.from('ff', 'hex'), Buffer.from('v')]], body: Buffer.from('00ff', 'hex') },
      ]);
    },
  },
  {
    name: 'protobuf that does not decode is refused',
    shows: ['1.5-code-bad-proto'],
    streams: S,
    steps: [
      ...['0aff', '0a', 'ffffffffffffffffffffff', '0a021a05'].map(
        (hex) =>
          [
            {
              method: 'POST',
              path: '/streams/s/records',
              body: Buffer.from(hex, 'hex'),
              headers: { 'content-type': 'application/protobuf' },
            },
            refusal(400, 'bad_proto'),
          ] as const,
      ),
      [checkTail('s'), EMPTY_TAIL],
    ],
  },
  {
    name: 'a body that is no append is refused',
    shows: ['1.7-append-input', '1.5-code-bad-json', '1.5-json-match-negative', '1.5-json-fencing-token-long', '1.7-fencing-token'],
    streams: S,
    steps: [
      ...[
        {},
        { records: null },
        { records: 'x' },
        { records: [{ body: 7 }] },
        { records: [{ headers: [['one']] }] },
        { records: [{ headers: [['a', 'b', 'c']] }] },
        { records: [{ headers: { a: 'b' } }] },
        { records: [{ timestamp: -1 }] },
        { records: [{ timestamp: 'now' }] },
        { records: [{}], match_seq_num: -1 },
        { records: [{}], match_seq_num: 1.5 },
        { records: [{}], fencing_token: x(37) },
        { records: [{}], fencing_token: `${x(35)}é` },
      ].map((json) => [post('/streams/s/records', json as never), refusal(400, 'bad_json')] as const),
      [checkTail('s'), EMPTY_TAIL],
      [append('s', [{}], { with: { fencing_token: null as never, match_seq_num: null as never } }), acked(0, 1)],
    ],
  },
  {
    name: 'a fencing token that is too long in protobuf is not valid',
    shows: ['1.5-proto-fencing-token-long', '1.7-fencing-token'],
    streams: S,
    steps: [
      [proto({ records: [{}], fencingToken: x(37) }), refusal(422, 'invalid')],
      [proto({ records: [] }), refusal(422, 'invalid')],
      [checkTail('s'), EMPTY_TAIL],
    ],
  },
  {
    name: 'what is acknowledged survives a crash',
    shows: ['2.5-durable'],
    needs: ['restart'],
    basin: null,
    timeoutMs: 40_000,
    run: async (client) => {
      const { server, client: other } = await client.startAnother();
      await other.expect(post('/basins', { basin: '{basin}' }), { status: 201 });
      await other.expect(post('/streams', { stream: 's' }), { status: 201 });
      await other.expect(append('s', [{ body: 'kept' }, { headers: [['', 'fence']], body: 'mine' }]), acked(0, 2));
      await server.kill();
      await server.start();
      await other.expect(read('s', 'seq_num=0'), ok(including({ records: [including({ body: 'kept' }), including({ body: 'mine' })] })));
      await other.expect(append('s', [{}], { with: { fencing_token: 'yours' } }), {
        status: 412,
        json: { fencing_token_mismatch: 'mine' },
      });
    },
  },
];

function countOf(count: number) {
  return ok(including({ records: Array.from({ length: count }, () => including({ seq_num: u64 })) }));
}
