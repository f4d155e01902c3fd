// Records that are encrypted with a key of the client. (Section 5.4.)

import { strict as assert } from 'node:assert';
import { acked, append, bodies, type Case, checkTail, created, ok, patch, post, put, read, refusal, tailAt } from '../case.ts';
import { including } from '../expect.ts';
import { recordsIn, streamInfo, UNCAPPED, x } from '../helpers.ts';

const key = (byte: number) => ({ headers: { 's2-encryption-key': Buffer.alloc(32, byte).toString('base64') } });
const S = { s: UNCAPPED };
const GCM = { stream_cipher: 'aes-256-gcm' };
const AEGIS = { stream_cipher: 'aegis-256' };
const RECORDS = [{ headers: [['name', 'värde']], body: 'secret', timestamp: 5 }, { timestamp: 6 }, { body: x(50_000), timestamp: 7 }];
const WITHOUT_KEY = 's2-encryption-key';

const roundTrip = (cipher: 'aegis-256' | 'aes-256-gcm'): Pick<Case, 'needs' | 'basin' | 'streams' | 'run'> => ({
  needs: ['encryption'],
  basin: { stream_cipher: cipher },
  streams: S,
  run: async (client) => {
    await client.expect(append('s', RECORDS, key(1)), acked(0, 3));
    const expected = [
      { seq_num: 0, timestamp: 5, headers: [['name', 'värde']], body: 'secret' },
      { seq_num: 1, timestamp: 6 },
      { seq_num: 2, timestamp: 7, body: x(50_000) },
    ];
    await client.expect(read('s', 'seq_num=0', key(1)), ok(including({ records: expected })));
    const appending = await client.appendSession('s', 'h2', key(1).headers);
    appending.append({ records: [{ timestamp: 8, headers: [{ name: 'n', value: 'v' }], body: Buffer.from('00ff', 'hex') }] });
    assert.equal((await appending.ack()).end.seqNum, 4n);
    const reading = await client.readSession('s', 'seq_num=3&count=1', 'h2', key(1).headers);
    const { records } = await reading.batch();
    assert.deepEqual([records[0]?.body.toString('hex'), records[0]?.headers[0]?.[1].toString()], ['00ff', 'v']);
    const events = await client.events('s', 'seq_num=0&count=1', key(1).headers);
    assert.equal(JSON.parse((await events.named('batch')).data).records[0].body, 'secret');
  },
});

export const ENCRYPTION_CASES: readonly Case[] = [
  {
    name: 'records under aegis-256 are read back, in each transport',
    shows: ['5.4-aegis-round-trip', '5.4-key-each-time', '5.4-ciphers', '4.1-headers-apply'],
    ...roundTrip('aegis-256'),
  },
  {
    name: 'records under aes-256-gcm are read back, in each transport',
    shows: ['5.4-aes-round-trip', '5.4-key-each-time', '5.4-ciphers'],
    ...roundTrip('aes-256-gcm'),
  },
  {
    name: 'the cipher of the basin is that of each new stream, and stays',
    shows: ['5.4-copied', '1.1-stream-cipher-captured', '1.7-stream-info', '5.4-ciphers'],
    needs: ['encryption'],
    basin: GCM,
    steps: [
      [post('/streams', { stream: 'a' }), created(streamInfo('a', 'aes-256-gcm'))],
      [put('/streams/b'), created(streamInfo('b', 'aes-256-gcm'))],
      [patch('/basins/{basin}', AEGIS), { status: 200 }],
      [post('/streams', { stream: 'c' }), created(streamInfo('c', 'aegis-256'))],
      [patch('/basins/{basin}', { stream_cipher: null }), { status: 200 }],
      [append('a', RECORDS), refusal(400, 'bad_header', /aes-256-gcm/)],
      [append('a', RECORDS, key(1)), acked(0, 3)],
      [put('/streams/a', {}), { status: 200, json: streamInfo('a', 'aes-256-gcm') }],
    ],
  },
  {
    name: 'a key that is missing, or is none, is refused; for a missing one the message names the cipher',
    shows: ['5.4-key-missing', '5.4-key-not-base64', '5.4-key-wrong-length', '1.5-code-bad-header', '1.3-key-decoded-if-cipher'],
    needs: ['encryption'],
    basin: AEGIS,
    streams: S,
    run: async (client) => {
      await client.expect(append('s', RECORDS, key(1)), { status: 200 });
      const bad = [
        '*'.repeat(44),
        'not base64',
        Buffer.alloc(31).toString('base64'),
        Buffer.alloc(33).toString('base64').slice(0, 44),
        'YQ==',
      ];
      for (const request of [
        append('s', RECORDS),
        read('s', 'seq_num=0'),
        read('s', 'seq_num=0', { headers: { accept: 'text/event-stream' } }),
      ]) {
        await client.expect(request, refusal(400, 'bad_header', /aegis-256/));
        for (const value of bad) {
          await client.expect({ ...request, headers: { ...request.headers, [WITHOUT_KEY]: value } }, refusal(400, 'bad_header'));
        }
      }
      for (const method of ['GET', 'POST'] as const) {
        const session = await client.session('s', { method, query: method === 'GET' ? 'seq_num=0' : '', over: 'h2' });
        session.halfClose();
        assert.equal(session.status, 400);
        assert.match(await session.text(), /bad_header.*aegis-256|aegis-256.*bad_header/);
      }
      await client.expect(checkTail('s'), tailAt(3));
    },
  },
  {
    name: 'a check of the tail needs no key',
    shows: ['5.4-tail-without-key'],
    needs: ['encryption'],
    basin: GCM,
    streams: S,
    steps: [
      [append('s', RECORDS, key(1)), acked(0, 3)],
      [checkTail('s'), ok({ tail: { seq_num: 3, timestamp: 7 } })],
      [checkTail('s', key(2)), tailAt(3)],
    ],
  },
  {
    name: 'a stream may hold records under several keys; each is read under its own, and another one fails',
    shows: ['5.4-wrong-key-append', '5.4-wrong-key-unary', '1.5-code-decryption-failed'],
    needs: ['encryption'],
    basin: AEGIS,
    streams: S,
    steps: [
      [append('s', [{ body: 'one' }], key(1)), acked(0, 1)],
      [append('s', [{ body: 'two' }], key(2)), acked(1, 2)],
      [read('s', 'seq_num=0&count=1', key(1)), bodies('one')],
      [read('s', 'seq_num=1&count=1', key(2)), bodies('two')],
      [read('s', 'seq_num=0&count=1', key(2)), refusal(400, 'decryption_failed')],
      [read('s', 'seq_num=1', key(1)), refusal(400, 'decryption_failed')],
      [read('s', 'seq_num=0', key(3)), refusal(400, 'decryption_failed')],
    ],
  },
  {
    name: 'the same holds for aes-256-gcm',
    shows: ['5.4-wrong-key-unary', '5.4-wrong-key-append'],
    needs: ['encryption'],
    basin: GCM,
    streams: S,
    steps: [
      [append('s', [{ body: 'one' }], key(1)), acked(0, 1)],
      [read('s', 'seq_num=0', key(2)), refusal(400, 'decryption_failed')],
      [read('s', 'seq_num=0', { headers: { ...key(2).headers, accept: 'application/protobuf' } }), refusal(400, 'decryption_failed')],
      [read('s', 'seq_num=0', key(1)), bodies('one')],
    ],
  },
  {
    name: 'command records are not encrypted: they take effect, and are read under any key',
    shows: ['5.4-commands-plain', '2.6-plaintext'],
    needs: ['encryption'],
    basin: GCM,
    streams: S,
    steps: [
      [append('s', [{ headers: [['', 'fence']], body: 'mine' }], key(1)), acked(0, 1)],
      [read('s', 'seq_num=0', key(2)), bodies('mine')],
      [
        append('s', [{ body: 'x' }], { ...key(1), with: { fencing_token: 'yours' } }),
        { status: 412, json: { fencing_token_mismatch: 'mine' } },
      ],
      [append('s', [{ headers: [['', 'trim']], body: '\0\0\0\0\0\0\0\0' }], key(3)), acked(1, 2)],
      [read('s', 'seq_num=0', key(4)), bodies('mine', '\0\0\0\0\0\0\0\0')],
      [append('s', [{ headers: [['', 'fence']], body: '' }]), refusal(400, 'bad_header')],
    ],
  },
  {
    name: 'metered is what was sent, not what is stored',
    shows: ['5.4-metered-plain', '2.1-metering'],
    needs: ['encryption'],
    basin: AEGIS,
    streams: S,
    run: async (client) => {
      await client.expect(append('s', [{ headers: [['ab', 'cd']], body: 'hello' }, { body: 'x' }], key(1)), acked(0, 2));
      await client.expect(read('s', 'seq_num=0&bytes=19', key(1)), bodies('hello'));
      await client.expect(read('s', 'seq_num=0&bytes=28', key(1)), bodies('hello', 'x'));
      await client.expect(append('s', [{ body: x(1_048_568) }], key(1)), acked(2, 3));
      await client.expect(append('s', [{ body: x(1_048_569) }], key(1)), refusal(422, 'invalid'));
      const [first] = recordsIn(await client.call(read('s', 'seq_num=2', key(1))));
      assert.equal(first?.body?.length, 1_048_568);
    },
  },
];
