// Command records: fence and trim. (Section 2.6.)

import { strict as assert } from 'node:assert';
import { acked, append, bodies, type Case, checkTail, ok, read, refusal, tailAt } from '../case.ts';
import { encodeAppend } from '../client/proto.ts';
import { including, u64 } from '../expect.ts';
import { BACKGROUND_MS_MAX, numbered, recordsIn, x } from '../helpers.ts';

const S = { s: {} };
const BASE64 = { 's2-format': 'base64' };
const fence = (token: string) => ({ headers: [['', 'fence']], body: token });
/** Small trim points are text: 7 zero bytes and one. */
const trim = (seqNum: number) => ({ headers: [['', 'trim']], body: `${'\0'.repeat(7)}${String.fromCharCode(seqNum)}` });
const TRIMMED_MS = BACKGROUND_MS_MAX + 10_000;

export const APPEND_COMMANDS: readonly Case[] = [
  {
    name: 'commands get sequence numbers, and are read like any record',
    shows: ['2.6-command-form', '2.6-numbered', '2.6-fence-read', '2.6-trim-read-raw', '2.6-mixed', '3.7-no-parameter'],
    streams: S,
    steps: [
      [append('s', [{ body: 'data' }, fence('tok'), fence(''), trim(0), { body: 'more' }]), acked(0, 5)],
      [
        read('s', 'seq_num=0'),
        ok({
          records: [
            { seq_num: 0, timestamp: u64, body: 'data' },
            { seq_num: 1, timestamp: u64, headers: [['', 'fence']], body: 'tok' },
            { seq_num: 2, timestamp: u64, headers: [['', 'fence']] },
            { seq_num: 3, timestamp: u64, headers: [['', 'trim']], body: '\0\0\0\0\0\0\0\0' },
            { seq_num: 4, timestamp: u64, body: 'more' },
          ],
        }),
      ],
      [
        read('s', 'seq_num=0&ignore_command_records=true'),
        ok(including({ records: [1, 2, 3, 4, 5].map(() => including({ seq_num: u64 })) })),
      ],
    ],
  },
  {
    name: 'in base64 commands have these names',
    shows: ['2.6-base64'],
    streams: S,
    steps: [
      [
        append(
          's',
          [
            { headers: [['', 'ZmVuY2U=']], body: 'dG9r' },
            { headers: [['', 'dHJpbQ==']], body: 'AAAAAAAAAAA=' },
          ],
          { headers: BASE64 },
        ),
        acked(0, 2),
      ],
      [
        read('s', 'seq_num=0', { headers: BASE64 }),
        ok({
          records: [
            { seq_num: 0, timestamp: u64, headers: [['', 'ZmVuY2U=']], body: 'dG9r' },
            { seq_num: 1, timestamp: u64, headers: [['', 'dHJpbQ==']], body: 'AAAAAAAAAAA=' },
          ],
        }),
      ],
      [append('s', [{}], { with: { fencing_token: 'x' } }), { status: 412, json: { fencing_token_mismatch: 'tok' } }],
    ],
  },
  {
    name: 'a trim whose body has not 8 bytes is refused',
    shows: ['2.6-trim-length', '1.5-invalid-command'],
    streams: S,
    steps: [
      ...['', '\0\0\0\0\0\0\0', '\0\0\0\0\0\0\0\0\0'].map(
        (body) => [append('s', [{ headers: [['', 'trim']], body }]), refusal(422, 'invalid')] as const,
      ),
      [checkTail('s'), tailAt(0)],
    ],
  },
  {
    name: 'a fence takes up to 36 bytes of UTF-8',
    shows: ['2.6-fence-length', '2.6-fence-utf8', '1.7-fencing-token'],
    streams: S,
    steps: [
      [append('s', [fence(x(37))]), refusal(422, 'invalid')],
      [append('s', [fence(`${x(35)}é`)]), refusal(422, 'invalid')],
      [append('s', [{ headers: [['', 'ZmVuY2U=']], body: '/w==' }], { headers: BASE64 }), refusal(422, 'invalid')],
      [
        {
          method: 'POST',
          path: '/streams/s/records',
          body: encodeAppend({ records: [{ headers: [{ name: '', value: 'fence' }], body: Buffer.from('c328', 'hex') }] }),
          headers: { 'content-type': 'application/protobuf' },
        },
        refusal(422, 'invalid'),
      ],
      [checkTail('s'), tailAt(0)],
      [append('s', [fence(`${x(34)}é`)]), acked(0, 1)],
      [append('s', [{}], { with: { fencing_token: `${x(34)}é` } }), acked(1, 2)],
    ],
  },
  {
    name: 'conditions are checked before the batch, and its commands apply behind that, in order',
    shows: ['2.6-conditions-once', '2.6-mixed', '2.6-fence'],
    streams: S,
    steps: [
      [append('s', [fence('one'), { body: 'a' }, fence('two')], { with: { fencing_token: '' } }), acked(0, 3)],
      [append('s', [{}], { with: { fencing_token: 'one' } }), { status: 412, json: { fencing_token_mismatch: 'two' } }],
      [append('s', [fence('three'), fence('')], { with: { fencing_token: 'two' } }), acked(3, 5)],
      [append('s', [{}], { with: { fencing_token: '' } }), acked(5, 6)],
    ],
  },
  {
    name: 'once trimmed, a read from before begins at the first record that is left',
    shows: ['2.6-trim', '2.6-trimmed-start', '3.2-trimmed-start'],
    streams: S,
    timeoutMs: TRIMMED_MS,
    run: async (client) => {
      await client.expect(append('s', [...numbered(6), trim(4)]), acked(0, 7));
      await client.trimmedTo('s', 4, BACKGROUND_MS_MAX);
      for (const start of [0, 3, 4]) {
        const found = recordsIn(await client.call(read('s', `seq_num=${start}`)));
        assert.deepEqual(
          found.map((record) => record.seq_num),
          [4, 5, 6],
        );
      }
      await client.expect(read('s', 'seq_num=5&count=1'), bodies('5'));
      await client.expect(checkTail('s'), tailAt(7));
    },
  },
  {
    name: 'the trim point is a big-endian number, and never moves back',
    shows: ['2.6-trim', '2.6-trim-never-back'],
    streams: S,
    timeoutMs: TRIMMED_MS,
    run: async (client) => {
      await client.expect(append('s', numbered(300)), acked(0, 300));
      // 256 is [0, …, 1, 0]; read the other way round it is far beyond the tail.
      await client.expect(append('s', [{ headers: [['', 'dHJpbQ==']], body: 'AAAAAAAAAQA=' }], { headers: BASE64 }), acked(300, 301));
      await client.trimmedTo('s', 256, BACKGROUND_MS_MAX);
      assert.equal(recordsIn(await client.call(read('s', 'seq_num=0&count=1')))[0]?.seq_num, 256);
      await client.expect(append('s', [trim(3)]), acked(301, 302));
      await client.sleep(6_000);
      assert.equal(recordsIn(await client.call(read('s', 'seq_num=0&count=1')))[0]?.seq_num, 256);
    },
  },
  {
    name: 'a trim beyond its own record takes that one too, and nothing behind it',
    shows: ['2.6-trim-capped', '3.2-all-trimmed'],
    streams: S,
    timeoutMs: TRIMMED_MS,
    run: async (client) => {
      await client.expect(append('s', [{ body: 'a' }, trim(100)]), acked(0, 2));
      await client.trimmedTo('s', 2, BACKGROUND_MS_MAX);
      await client.expect(read('s', 'seq_num=0'), ok(including({ records: [] })));
      await client.expect(read('s', 'seq_num=1&wait=0'), ok(including({ records: [] })));
      await client.expect(read('s', 'seq_num=2'), { status: 416 });
      const following = client.call(read('s', 'seq_num=0&wait=10'));
      await client.expect(append('s', [{ body: 'behind' }]), acked(2, 3));
      assert.deepEqual(
        recordsIn(await following).map((record) => record.body),
        ['behind'],
      );
      await client.expect(read('s', 'seq_num=0'), bodies('behind'));
    },
  },
  {
    name: 'a fence or trim needs its own operation besides append',
    shows: ['2.6-ops', '6.1-op-fence', '6.1-op-trim', '6.1-op-append'],
    needs: ['auth'],
    streams: S,
    run: async (client) => {
      const scope = { basins: { prefix: '' }, streams: { prefix: '' } };
      for (const ops of [['append'], ['append', 'fence'], ['append', 'trim'], ['fence', 'trim']]) {
        const id = `${client.basin}/${ops.join('-')}`;
        const { json } = await client.expect(
          { method: 'POST', path: '/access-tokens', json: { id, scope: { ...scope, ops } } },
          { status: 201 },
        );
        client.scope.set(ops.join('-'), (json as { access_token: string }).access_token);
      }
      const as = (name: string, record: object) => append('s', [{ body: 'data' }, record as never], { as: name });
      await client.expect(as('append', fence('t')), refusal(403, 'permission_denied'));
      await client.expect(as('append', trim(0)), refusal(403, 'permission_denied'));
      await client.expect(as('append-fence', trim(0)), refusal(403, 'permission_denied'));
      await client.expect(as('append-trim', fence('t')), refusal(403, 'permission_denied'));
      await client.expect(as('fence-trim', fence('t')), refusal(403, 'permission_denied'));
      await client.expect(checkTail('s'), tailAt(0));
      await client.expect(as('append', { body: 'more' }), acked(0, 2));
      await client.expect(as('append-fence', fence('t')), acked(2, 4));
      await client.expect(as('append-trim', trim(0)), acked(4, 6));
    },
  },
];
