// POST /streams/{stream}/records as a session, over HTTP/1.1 and HTTP/2. (Sections 4.1 and 4.4.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, checkTail, post, read, tailAt } from '../case.ts';
import { encodeAppend } from '../client/proto.ts';
import { frame } from '../client/session.ts';
import { savedAs, someText } from '../expect.ts';
import { deletedStream, expectTerminal, MIB, PROTOCOLS, recordsIn, UNCAPPED, whilePending, x } from '../helpers.ts';

const BOTH = { h1: UNCAPPED, h2: UNCAPPED };
const one = (body: string) => ({ records: [{ body }] });

export const APPEND_SESSION_CASES: readonly Case[] = [
  {
    name: 'the head comes at once; each input gets one acknowledgement; after a half-close the answer ends',
    shows: [
      '4.1-append',
      '4.1-head-at-once',
      '4.4-one-ack-each',
      '4.4-half-close',
      '4.7-h1-full-duplex',
      '4.7-sessions-h2c',
      '1.3-content-type-session',
    ],
    streams: BOTH,
    run: async (client) => {
      for (const over of PROTOCOLS) {
        const startedAt = performance.now();
        const session = await client.appendSession(over, over);
        assert.ok(performance.now() - startedAt < 2_000);
        assert.deepEqual([session.status, session.headers['content-type']], [200, 's2s/proto']);
        session.append({ records: [{ timestamp: 5, body: 'a' }, { timestamp: 6 }] });
        const at = (seqNum: bigint, timestamp: bigint) => ({ seqNum, timestamp });
        assert.deepEqual(await session.ack(), { start: at(0n, 5n), end: at(2n, 6n), tail: at(2n, 6n) });
        session.append({ records: [{ timestamp: 7 }] });
        session.append({ records: [{ timestamp: 8 }] });
        session.halfClose();
        assert.deepEqual((await session.ack()).start, at(2n, 7n));
        assert.deepEqual((await session.ack()).end, at(4n, 8n));
        await session.ended();
        await client.expect(checkTail(over), tailAt(4));
      }
    },
  },
  {
    name: 'inputs that are sent without waiting are sequenced in their order, and acknowledged in it',
    shows: ['4.4-pipelined', '4.4-one-ack-each', '2.5-ends-grow', '2.5-end-minus-start'],
    streams: BOTH,
    run: async (client) => {
      for (const over of PROTOCOLS) {
        const session = await client.appendSession(over, over);
        const frames = Array.from({ length: 300 }, (_, at) => frame(encodeAppend(one(String(at)))));
        session.send(Buffer.concat(frames));
        session.halfClose();
        for (let at = 0; at < 300; at += 1) {
          const { start, end, tail } = await session.ack();
          assert.deepEqual([start.seqNum, end.seqNum], [BigInt(at), BigInt(at + 1)]);
          assert.ok(tail.seqNum >= end.seqNum);
        }
        await session.ended();
        const found = recordsIn(await client.call(read(over, 'seq_num=0')));
        assert.deepEqual(
          found.map(({ body }) => body),
          frames.map((_, at) => String(at)),
        );
      }
    },
  },
  {
    name: 'frames may come in pieces of any size',
    shows: ['4.2-length', '4.4-pipelined'],
    streams: BOTH,
    run: async (client) => {
      for (const over of PROTOCOLS) {
        const session = await client.appendSession(over, over);
        for (const byte of Buffer.concat([frame(encodeAppend(one('a'))), frame(encodeAppend(one('b')))])) {
          session.send(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
        session.halfClose();
        assert.deepEqual([(await session.ack()).end.seqNum, (await session.ack()).end.seqNum], [1n, 2n]);
        await session.ended();
      }
    },
  },
  {
    name: 'an input that fails is told behind the acknowledgements before it, and none behind it has an effect',
    shows: ['4.4-failure', '4.4-poisoned', '4.2-terminal', '2.3-match', '1.5-seq-num-mismatch'],
    streams: BOTH,
    run: async (client) => {
      for (const over of PROTOCOLS) {
        const session = await client.appendSession(over, over);
        const inputs = [one('a'), one('b'), { ...one('refused'), matchSeqNum: 7 }, one('behind'), { ...one('behind'), matchSeqNum: 2 }];
        session.send(Buffer.concat(inputs.map((input) => frame(encodeAppend(input)))));
        assert.deepEqual([(await session.ack()).end.seqNum, (await session.ack()).end.seqNum], [1n, 2n]);
        assert.deepEqual(await session.terminal(), { status: 412, body: { seq_num_mismatch: 2 } });
        await client.expect(read(over, 'seq_num=0'), bodies('a', 'b'));
      }
    },
  },
  {
    name: 'a fencing token that fails ends the session with the token of the stream',
    shows: ['4.4-failure', '2.3-fencing', '1.5-fencing-token-mismatch', '4.3-token-empty'],
    streams: { s: {} },
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ headers: [{ name: '', value: 'fence' }], body: 'mine' }], fencingToken: '' });
      session.append({ ...one('a'), fencingToken: 'mine' });
      session.append({ ...one('no token is no refusal') });
      session.append({ ...one('b'), fencingToken: '' });
      for (let at = 0; at < 3; at += 1) await session.ack();
      assert.deepEqual(await session.terminal(), { status: 412, body: { fencing_token_mismatch: 'mine' } });
    },
  },
  {
    name: 'an input that is not valid: what was acknowledged first, then a terminal frame',
    shows: ['4.4-input-errors', '2.1-records-range', '1.5-code-bad-frame', '4.2-terminal', '1.5-proto-fencing-token-long'],
    streams: BOTH,
    run: async (client) => {
      const bad: [input: Buffer, status: number, code: string][] = [
        [frame(Buffer.from('0aff', 'hex')), 400, 'bad_frame'],
        [frame(Buffer.alloc(0)), 422, 'invalid'],
        [frame(encodeAppend({ records: Array.from({ length: 1_001 }, () => ({})) })), 422, 'invalid'],
        [frame(encodeAppend(one(x(MIB)))), 422, 'invalid'],
        [frame(encodeAppend({ records: [{ headers: [{ name: '', value: 'jump' }] }] })), 422, 'invalid'],
        [frame(encodeAppend({ ...one('x'), fencingToken: x(37) })), 422, 'invalid'],
      ];
      for (const over of PROTOCOLS) {
        for (const [at, [input, status, code]] of bad.entries()) {
          const session = await client.appendSession(over, over);
          session.send(Buffer.concat([frame(encodeAppend(one('good'))), input, frame(encodeAppend(one('behind')))]));
          assert.equal((await session.ack()).start.seqNum, BigInt(at));
          await expectTerminal(session, status, code);
        }
        await client.expect(checkTail(over), tailAt(bad.length));
      }
    },
  },
  {
    name: 'an input that the token does not allow: acknowledgements of those before it first, on a stream that nobody used yet, too',
    shows: ['4.4-failure', '4.4-poisoned', '1.5-code-permission-denied'],
    needs: ['auth'],
    streams: { 'new-h1': {}, 'new-h2': {} },
    run: async (client) => {
      const scope = { basins: { prefix: '' }, streams: { prefix: '' }, ops: ['append'] };
      const secret = { status: 201, json: { access_token: savedAs('appender', someText) } };
      await client.expect(post('/access-tokens', { id: '{basin}/appender', scope }), secret);
      const fence = { records: [{ headers: [{ name: '', value: 'fence' }], body: 'mine' }] };
      for (const over of PROTOCOLS) {
        const session = await client.session(`new-${over}`, { method: 'POST', over, as: 'appender' });
        session.send(Buffer.concat([one('a'), one('b'), fence, one('behind')].map((input) => frame(encodeAppend(input)))));
        assert.deepEqual([(await session.ack()).end.seqNum, (await session.ack()).end.seqNum], [1n, 2n]);
        await expectTerminal(session, 403, 'permission_denied');
        await client.expect(read(`new-${over}`, 'seq_num=0'), bodies('a', 'b'));
      }
    },
  },
  {
    name: 'a client that sends more than is taken at once is slowed, and everything is acknowledged',
    shows: ['4.4-back-pressure'],
    streams: { s: {} },
    timeoutMs: 40_000,
    run: async (client) => {
      const session = await client.appendSession('s');
      const input = frame(encodeAppend(one(x(MIB - 8))));
      for (let at = 0; at < 32; at += 1) session.send(input);
      session.halfClose();
      for (let at = 0; at < 32; at += 1) assert.equal((await session.ack()).start.seqNum, BigInt(at));
      await session.ended();
    },
  },
  {
    name: 'a session without input stays open, and nothing is sent on it',
    shows: ['4.4-idle', '4.4-one-ack-each'],
    streams: BOTH,
    timeoutMs: 30_000,
    run: async (client) => {
      const sessions = await Promise.all(PROTOCOLS.map((over) => client.appendSession(over, over)));
      for (const session of sessions) {
        session.append(one('a'));
        await session.ack();
      }
      let heard = 0;
      const listening = sessions.map(async (session) => {
        const next = await session.frame();
        heard += 1;
        return next;
      });
      await client.sleep(12_000);
      assert.equal(heard, 0, 'something was sent on an idle session');
      for (const session of sessions) session.append(one('b'));
      for (const next of await Promise.all(listening)) assert.equal(next?.flags, 0);
    },
  },
  {
    name: 'what is wrong beforehand is an ordinary answer, before any input',
    shows: ['4.1-preflight', '1.5-json-on-every-error'],
    streams: { s: {} },
    run: async (client) => {
      const openOn = async (stream: string, over: 'h1' | 'h2', headers: Readonly<Record<string, string>> = {}) => {
        const session = await client.appendSession(stream, over, headers);
        session.halfClose();
        return [session.status, (JSON.parse(await session.text()) as { code: string }).code];
      };
      for (const over of PROTOCOLS) {
        assert.deepEqual(await openOn('none', over), [404, 'stream_not_found']);
        assert.deepEqual(await openOn('s', over, { 's2-basin': `${client.basin}-none` }), [404, 'basin_not_found']);
        assert.deepEqual(await openOn('s', over, { 's2-basin': 'No' }), [400, 'bad_header']);
        assert.deepEqual(await openOn('s', over, { 's2-encryption-key': x(45) }), [400, 'bad_header']);
      }
      const pending = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => ({ method: 'POST', path: `/streams/${name}/records`, body: '', headers: { 'content-type': 's2s/proto' } }),
        ({ status }) => status === 404,
      );
      assert.equal(pending.status, 409);
    },
  },
  {
    name: 'a session and unary appends to the same stream share its sequence',
    shows: ['4.4-one-ack-each', '1.1-seq-nums-dense', '2.5-tail'],
    streams: { s: UNCAPPED },
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ timestamp: 1 }] });
      await session.ack();
      await client.expect(append('s', [{ timestamp: 2 }, { timestamp: 3 }]), { status: 200 });
      session.append({ records: [{ timestamp: 2 }] });
      assert.deepEqual((await session.ack()).end, { seqNum: 4n, timestamp: 3n });
      await client.expect(post('/streams/s/records', { records: [{}], match_seq_num: 3 }), { status: 412, json: { seq_num_mismatch: 4 } });
      await client.expect(read('s', 'seq_num=9'), { status: 416, json: { tail: { seq_num: 4, timestamp: 3 } } });
    },
  },
];
