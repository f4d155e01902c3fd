// Frames and messages byte by byte, with the golden ones. (Sections 4.2 and 4.3.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, checkTail, ok, read, tailAt } from '../case.ts';
import { decodeBatch, encodeAppend } from '../client/proto.ts';
import { FLAG_GZIP, FLAG_RECONNECT, FLAG_ZSTD, frame, packedFrame, unpacked } from '../client/session.ts';
import { including, u64 } from '../expect.ts';
import { expectTerminal, UNCAPPED, x } from '../helpers.ts';

const S = { s: UNCAPPED };
const golden = (hex: string): Buffer => Buffer.from(hex, 'hex');
const GOOD = frame(encodeAppend({ records: [{ body: 'good' }] }));
/** Of a payload, flag byte not counted. */
const PAYLOAD_BYTES_MAX = 2_097_151;
/** A message of exactly so many bytes that decodes: one record that is too large to be appended. */
function messageOf(length: number): Buffer {
  // Two tags, and two lengths of 3 bytes each.
  const message = encodeAppend({ records: [{ body: x(length - 8) }] });
  assert.equal(message.length, length);
  return message;
}

export const FRAME_CASES: readonly Case[] = [
  {
    name: 'golden: one record, and its acknowledgement, batch and heartbeat',
    shows: [
      '4.3-golden-one-record',
      '4.3-golden-ack',
      '4.3-golden-batch',
      '4.3-golden-heartbeat',
      '4.2-length',
      '4.2-payloads',
      '4.2-reserved-bits',
      '4.3-messages',
    ],
    streams: { s: UNCAPPED, t: UNCAPPED },
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ timestamp: 1_000, body: 'hi' }] });
      assert.equal((await session.regular()).hex, '000014000a0310e8071205080110e8071a05080110e807');
      const reading = await client.readSession('s', 'seq_num=0');
      assert.equal((await reading.regular()).hex, '00000a000a0710e80722026869');
      assert.equal((await reading.regular()).hex, '000008001205080110e807');
      const plain = await client.appendSession('t');
      plain.send(golden('000007000a041a026869'));
      await plain.ack();
      await client.expect(read('t', 'seq_num=0'), ok(including({ records: [{ seq_num: 0, timestamp: u64, body: 'hi' }] })));
    },
  },
  {
    name: 'golden: a heartbeat of an empty stream has a tail of (0, 0)',
    shows: ['4.3-golden-heartbeat-empty', '4.3-tail-zero'],
    streams: S,
    run: async (client) => {
      const session = await client.readSession('s', 'seq_num=0');
      assert.equal((await session.regular()).hex, '000003001200');
    },
  },
  {
    name: 'golden: a record with timestamp, header, match_seq_num 0 and an empty token',
    shows: ['4.3-golden-conditions', '4.3-match-zero', '4.3-token-empty'],
    streams: S,
    run: async (client) => {
      const input = golden('000011000a0a080512060a016b12017610001a00');
      const first = await client.appendSession('s');
      first.send(input);
      assert.deepEqual((await first.ack()).end, { seqNum: 1n, timestamp: 5n });
      await client.expect(read('s', 'seq_num=0'), ok(including({ records: [{ seq_num: 0, timestamp: 5, headers: [['k', 'v']] }] })));
      first.send(input);
      assert.deepEqual(await first.terminal(), { status: 412, body: { seq_num_mismatch: 1 } });
      const second = await client.appendSession('s');
      second.append({ records: [{ headers: [{ name: '', value: 'fence' }], body: 'mine' }] });
      await second.ack();
      second.append({ records: [{}] });
      await second.ack();
      second.send(input);
      assert.deepEqual(await second.terminal(), { status: 412, body: { fencing_token_mismatch: 'mine' } });
    },
  },
  {
    name: 'golden: a fence and a trim',
    shows: ['4.3-golden-fence', '4.3-golden-trim'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      session.send(golden('000012000a0f1207120566656e63651a04746f6b31'));
      session.send(golden('000015000a12120612047472696d1a08000000000000012c'));
      await session.ack();
      await session.ack();
      await client.expect(append('s', [{}], { with: { fencing_token: 'x' } }), { status: 412, json: { fencing_token_mismatch: 'tok1' } });
      await client.trimmedTo('s', 2, 12_000);
      await client.expect(checkTail('s'), tailAt(2));
    },
  },
  {
    name: 'golden: a terminal 412',
    shows: ['4.3-golden-terminal', '4.2-terminal'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ body: 'a' }] });
      session.append({ records: [{ body: 'b' }], matchSeqNum: 0 });
      await session.ack();
      assert.equal((await session.frame())?.hex, '00001980019c7b227365715f6e756d5f6d69736d61746368223a317d');
      await session.ended();
    },
  },
  {
    name: 'conditions count when they are there, also as 0 and empty, and not when they are absent',
    shows: ['4.3-match-zero', '4.3-token-empty'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ headers: [{ name: '', value: 'fence' }], body: 'mine' }], matchSeqNum: 0, fencingToken: '' });
      session.append({ records: [{ body: 'a' }] });
      session.append({ records: [{ body: 'b' }], matchSeqNum: 0 });
      assert.equal((await session.ack()).end.seqNum, 1n);
      assert.equal((await session.ack()).end.seqNum, 2n);
      assert.deepEqual(await session.terminal(), { status: 412, body: { seq_num_mismatch: 2 } });
    },
  },
  {
    name: 'a frame that is none ends the session with bad_frame',
    shows: ['4.2-length-zero', '4.2-codec-invalid', '4.2-terminal-from-client', '1.5-code-bad-frame', '4.4-input-errors'],
    streams: S,
    run: async (client) => {
      const bad = [
        golden('000000'),
        frame(GOOD.subarray(4), FLAG_GZIP | FLAG_ZSTD),
        golden('000003800190'),
        frame(Buffer.from('nope'), FLAG_GZIP),
      ];
      for (const [at, bytes] of bad.entries()) {
        const session = await client.appendSession('s');
        session.send(Buffer.concat([GOOD, bytes, GOOD]));
        assert.equal((await session.ack()).start.seqNum, BigInt(at));
        await expectTerminal(session, 400, 'bad_frame');
      }
      await client.expect(checkTail('s'), tailAt(bad.length));
    },
  },
  {
    name: 'a frame that the end of the request cuts is an error',
    shows: ['4.2-incomplete'],
    streams: S,
    run: async (client) => {
      for (const length of [1, 3, GOOD.length - 1]) {
        const session = await client.appendSession('s');
        session.send(GOOD.subarray(0, length));
        session.halfClose();
        await expectTerminal(session, 400, 'bad_frame');
      }
      await client.expect(checkTail('s'), tailAt(0));
    },
  },
  {
    name: 'a frame has at most 2 MiB, as it comes and unpacked',
    shows: ['4.2-length-max', '4.2-unpacked-max'],
    streams: S,
    run: async (client) => {
      // What fits decodes, and is then too large for a batch: 422 and not bad_frame.
      const cases: [Buffer, number, string][] = [
        [frame(messageOf(PAYLOAD_BYTES_MAX)), 422, 'invalid'],
        [frame(messageOf(PAYLOAD_BYTES_MAX + 1)), 400, 'bad_frame'],
        [packedFrame(messageOf(PAYLOAD_BYTES_MAX), 'gzip'), 422, 'invalid'],
        [packedFrame(messageOf(PAYLOAD_BYTES_MAX + 1), 'gzip'), 400, 'bad_frame'],
        [packedFrame(messageOf(PAYLOAD_BYTES_MAX), 'zstd'), 422, 'invalid'],
        [packedFrame(messageOf(PAYLOAD_BYTES_MAX + 1), 'zstd'), 400, 'bad_frame'],
      ];
      for (const [bytes, status, code] of cases) {
        const session = await client.appendSession('s');
        session.send(bytes);
        await expectTerminal(session, status, code);
      }
    },
  },
  {
    name: 'compressed input is taken, announced or not, and reserved bits do not matter',
    shows: ['4.2-input-compressed', '4.2-reserved-bits'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      for (const codec of ['gzip', 'zstd'] as const) session.send(packedFrame(encodeAppend({ records: [{ body: codec }] }), codec));
      session.send(packedFrame(encodeAppend({ records: [{ body: x(5_000) }] }), 'zstd'));
      session.send(frame(encodeAppend({ records: [{ body: 'reserved' }] }), 0x0f));
      for (let at = 0; at < 4; at += 1) await session.ack();
      await client.expect(read('s', 'seq_num=0'), bodies('gzip', 'zstd', x(5_000), 'reserved'));
    },
  },
  {
    name: 'output is compressed by what the client accepts, from left to right, and never unasked',
    shows: ['4.2-output-codec', '4.2-output-unasked', '4.1-headers-apply'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', [{ body: x(5_000) }]), { status: 200 });
      for (const [accepted, flags] of [
        [undefined, 0],
        ['identity', 0],
        ['br, deflate', 0],
        ['gzip', FLAG_GZIP],
        ['zstd', FLAG_ZSTD],
        ['gzip, zstd', FLAG_ZSTD],
        ['zstd, gzip', FLAG_ZSTD],
        ['gzip;q=1.0, zstd;q=0.1', FLAG_ZSTD],
        ['br, gzip', FLAG_GZIP],
      ] as const) {
        const headers: Record<string, string> = accepted === undefined ? {} : { 'accept-encoding': accepted };
        const session = await client.readSession('s', 'seq_num=0&count=1', 'h2', headers);
        const batch = await session.regular();
        assert.equal(batch.flags, flags, `accept-encoding: ${accepted}`);
        assert.equal(decodeBatch(unpacked(batch)).records[0]?.body.toString(), x(5_000));
        assert.equal(session.headers['content-encoding'], undefined);
        await session.ended();
      }
    },
  },
  {
    name: 'small output is not compressed',
    shows: ['4.2-output-min'],
    streams: S,
    run: async (client) => {
      await client.expect(append('s', [{ body: x(900) }]), { status: 200 });
      await client.expect(append('s', [{ body: x(1_100) }]), { status: 200 });
      const headers = { 'accept-encoding': 'zstd' };
      const small = await client.readSession('s', 'seq_num=0&count=1', 'h2', headers);
      assert.equal((await small.regular()).flags, 0);
      const large = await client.readSession('s', 'seq_num=1&count=1', 'h2', headers);
      assert.equal((await large.regular()).flags, FLAG_ZSTD);
      const appending = await client.appendSession('s', 'h2', headers);
      appending.append({ records: [{}] });
      assert.equal((await appending.regular()).flags, 0);
    },
  },
  {
    name: 'a terminal frame is never compressed',
    shows: ['4.2-terminal'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s', 'h2', { 'accept-encoding': 'zstd, gzip' });
      session.append({ records: [] });
      await expectTerminal(session, 422, 'invalid');
    },
  },
  {
    name: 'reconnect advice is no business of clients: the bit is ignored where it comes, and not set while the server stays',
    shows: ['4.2-reconnect-bit'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      session.send(frame(encodeAppend({ records: [{ body: 'a' }] }), FLAG_RECONNECT));
      assert.equal((await session.regular()).flags & FLAG_RECONNECT, 0);
      await client.expect(read('s', 'seq_num=0'), bodies('a'));
    },
  },
];
