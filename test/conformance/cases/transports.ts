// HTTP/1.1 and HTTP/2 on one port, TLS, and the official client. (Sections 4.7 and 4.8.)

import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { AppendInput, AppendRecord, S2 } from '@s2-dev/streamstore';
import { append, bodies, type Case, created, get, post, read } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { connectHttp2 } from '../client/exchange.ts';
import { streamInfo, x } from '../helpers.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const MIB = 1_048_576;

async function connectRaw(client: CaseClient): Promise<net.Socket> {
  const { hostname, port } = new URL(client.target.url);
  const socket = net.connect({ host: hostname, port: Number(port || 80), noDelay: true });
  socket.on('error', () => undefined);
  client.signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await once(socket, 'connect');
  return socket;
}

async function firstBytes(socket: net.Socket, count: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < count) bytes = Buffer.concat([bytes, (await once(socket, 'data'))[0] as Buffer]);
  return bytes;
}

async function negotiated(client: CaseClient, protocols: string[]): Promise<string> {
  const { hostname, port } = new URL(client.target.tlsUrl ?? '');
  const socket = tls.connect({ host: hostname, port: Number(port || 443), ALPNProtocols: protocols, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { alpnProtocol } = socket;
  socket.destroy();
  return String(alpnProtocol);
}

export const TRANSPORT_CASES: readonly Case[] = [
  {
    name: 'one plaintext port speaks HTTP/1.1 and HTTP/2 with prior knowledge, and every call works over both',
    shows: ['4.7-h1-and-h2c', '4.7-unary-h2c'],
    needs: ['plaintext'],
    run: async (client) => {
      for (const over of ['h1', 'h2'] as const) {
        await client.expect(post('/streams', { stream: over }, { over }), created(streamInfo(over)));
        await client.expect(append(over, [{ body: over }], { over }), { status: 200 });
        await client.expect(read(over, 'seq_num=0', { over }), bodies(over));
        await client.expect(get(`/streams/${over}`, { over }), { status: 200 });
        await client.expect({ method: 'DELETE', path: `/streams/${over}`, over }, { status: 202, text: '' });
      }
    },
  },
  {
    name: 'SETTINGS come before any request, and allow 100 streams and large windows',
    shows: ['4.7-settings-first', '4.7-max-streams', '4.7-windows'],
    needs: ['plaintext'],
    run: async (client) => {
      const socket = await connectRaw(client);
      socket.write(Buffer.concat([PREFACE, SETTINGS]));
      const bytes = await firstBytes(socket, 9);
      assert.equal(bytes[3], 4, `the first frame is of type ${bytes[3]}`);
      socket.destroy();
      const session = await connectHttp2(client.target, client.signal);
      // Behind the answer to a ping the SETTINGS are known.
      await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
      const { initialWindowSize = 0, maxConcurrentStreams = 0 } = session.remoteSettings;
      assert.ok(initialWindowSize >= 3 * MIB, `the window of a stream has ${initialWindowSize} bytes`);
      assert.ok(maxConcurrentStreams >= 100, `${maxConcurrentStreams} streams may be open`);
      for (let tries = 0; (session.state.remoteWindowSize ?? 0) < 3 * MIB; tries += 1) {
        assert.ok(tries < 50, `the window of the connection has ${session.state.remoteWindowSize} bytes`);
        await client.sleep(20);
      }
      session.destroy();
    },
  },
  {
    name: '100 sessions are open at once on one connection',
    shows: ['4.7-max-streams', '4.7-sessions-h2c'],
    streams: { s: {} },
    run: async (client) => {
      const session = await connectHttp2(client.target, client.signal);
      const open = Array.from({ length: 100 }, () =>
        session.request({
          ':path': '/v1/streams/s/records?seq_num=0',
          authorization: `Bearer ${client.target.token}`,
          's2-basin': client.basin,
          'content-type': 's2s/proto',
        }),
      );
      const heartbeats = await Promise.all(open.map(async (stream) => ((await once(stream, 'data'))[0] as Buffer).toString('hex')));
      assert.deepEqual(new Set(heartbeats), new Set(['000003001200']));
      const live = Promise.all(open.map((stream) => once(stream, 'data')));
      await client.expect(append('s', [{ body: 'to all' }]), { status: 200 });
      await live;
      session.destroy();
    },
  },
  {
    name: 'a preface that comes in pieces is HTTP/2, and a request that does is HTTP/1.1',
    shows: ['4.7-preface-in-pieces', '4.7-h1-and-h2c'],
    needs: ['plaintext'],
    run: async (client) => {
      const slow = await connectRaw(client);
      for (const byte of PREFACE) {
        slow.write(Buffer.of(byte));
        await client.sleep(2);
      }
      slow.write(SETTINGS);
      assert.equal((await firstBytes(slow, 9))[3], 4);
      const other = await connectRaw(client);
      for (const byte of 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n') {
        other.write(byte);
        await client.sleep(1);
      }
      assert.match((await firstBytes(other, 12)).toString(), /^HTTP\/1\.1 200/);
    },
  },
  {
    name: '3 MiB are in flight at once on a stream',
    shows: ['4.7-windows'],
    streams: { s: {} },
    run: async (client) => {
      const session = await client.appendSession('s');
      for (let at = 0; at < 3; at += 1) session.append({ records: [{ body: x(MIB - 8) }] });
      for (let at = 0; at < 3; at += 1) await session.ack();
    },
  },
  {
    name: 'TLS offers h2, and http/1.1 to who does not speak it; sessions and calls work over both',
    shows: ['4.7-tls-h2', '4.7-tls-h1'],
    needs: ['tls'],
    basin: null,
    run: async (client) => {
      assert.equal(await negotiated(client, ['h2', 'http/1.1']), 'h2');
      assert.equal(await negotiated(client, ['http/1.1']), 'http/1.1');
      const secure = client.overTls();
      await secure.setUp({ streams: { h1: {}, h2: {} } });
      for (const over of ['h1', 'h2'] as const) {
        await secure.expect(append(over, [{ body: 'unary' }], { over }), { status: 200 });
        const appending = await secure.appendSession(over, over);
        appending.append({ records: [{ body: 'session' }] });
        assert.equal((await appending.ack()).end.seqNum, 2n);
        const reading = await secure.readSession(over, 'seq_num=0&count=2', over);
        const found = (await reading.batches()).flatMap(({ records }) => records.map(({ body }) => body.toString()));
        assert.deepEqual(found, ['unary', 'session']);
      }
    },
  },
  {
    name: 'the official client works with one origin for account and basins',
    shows: ['4.8-one-origin-for-clients'],
    needs: ['plaintext'],
    timeoutMs: 30_000,
    run: async (client) => {
      const { url, token } = client.target;
      const s2 = new S2({ accessToken: token, endpoints: { account: url, basin: url } });
      const basin = s2.basin(client.basin);
      const ensured = await basin.streams.ensure({ stream: 'by the client/é' });
      assert.equal(ensured.result, 'created');
      const stream = basin.stream('by the client/é');
      const session = await stream.appendSession();
      const ticket = await session.submit(AppendInput.create([AppendRecord.string({ body: 'one' })], { matchSeqNum: 0 }));
      assert.equal((await ticket.ack()).end.seqNum, 1);
      await session.close();
      await stream.append(AppendInput.create([AppendRecord.bytes({ body: Uint8Array.of(255), headers: [] })]));
      const reading = await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 2 } } }, { as: 'bytes' });
      const found: string[] = [];
      for await (const record of reading) found.push(Buffer.from(record.body).toString('hex'));
      assert.deepEqual(found, [Buffer.from('one').toString('hex'), 'ff']);
      assert.equal((await stream.checkTail()).tail.seqNum, 2);
      assert.ok((await s2.basins.list({ prefix: client.basin })).basins.length === 1);
    },
  },
];
