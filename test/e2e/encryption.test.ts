// Streams with a cipher in the real process: by the official SDK, and by whoever looks at the disk and at what the process prints.

import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { AppendInput, AppendRecord, BatchTransform, Producer, S2, type S2Stream, type SessionTransports } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, connect, readAll } from '#bench/session.ts';
import { STREAM_CIPHERS } from '#core/model/stream-config.ts';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const TRANSPORTS: readonly SessionTransports[] = ['s2s', 'fetch'];

let server: Server;
let s2: S2;

beforeAll(async () => {
  server = await startServer();
  s2 = new S2({ accessToken: 'any', endpoints: { account: server.url, basin: server.url }, retry: { maxAttempts: 3 } });
  for (const cipher of STREAM_CIPHERS) await s2.basins.create({ basin: `sdk-${cipher}`, config: { streamCipher: cipher } });
});
afterAll(async () => {
  await server?.dispose();
});

function strings(...bodies: string[]): AppendInput {
  return AppendInput.create(bodies.map((body) => AppendRecord.string({ body })));
}

async function bodiesOf(stream: S2Stream): Promise<string[]> {
  const { records } = await stream.read({ start: { from: { seqNum: 0 } } });
  return records.map(({ body }) => body);
}

describe.each(STREAM_CIPHERS)('the SDK and %s', (cipher) => {
  const key = new Uint8Array(randomBytes(32));
  const other = randomBytes(32).toString('base64');
  const basin = () => s2.basin(`sdk-${cipher}`);

  test('the cipher is told, for the basin and for its streams', async () => {
    expect((await s2.basins.getConfig({ basin: `sdk-${cipher}` })).streamCipher).toBe(cipher);
    expect((await basin().streams.create({ stream: 'told' })).cipher).toBe(cipher);
    expect((await basin().streams.list({ prefix: 'told' })).streams.map((stream) => stream.cipher)).toEqual([cipher]);
  });

  test('single calls: text and bytes come back; without the key, or with another one, they do not', async () => {
    await basin().streams.create({ stream: 'unary' });
    const stream = basin().stream('unary', { encryptionKey: key });
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    await stream.append(strings('one', ''));
    await stream.append(AppendInput.create([AppendRecord.bytes({ body: bytes, headers: [[bytes.slice(1), bytes]] })]));
    expect((await bodiesOf(stream)).slice(0, 2)).toEqual(['one', '']);
    const raw = await stream.read({ start: { from: { seqNum: 2 } } }, { as: 'bytes' });
    expect(raw.records[0]).toMatchObject({ body: bytes, headers: [[bytes.slice(1), bytes]] });

    const bare = basin().stream('unary');
    expect((await bare.checkTail()).tail.seqNum).toBe(3);
    await expect(bare.append(strings('x'))).rejects.toMatchObject({
      status: 400,
      code: 'bad_header',
      message: expect.stringContaining(cipher),
    });
    await expect(bodiesOf(bare)).rejects.toMatchObject({ status: 400, code: 'bad_header', message: expect.stringContaining(cipher) });
    await expect(bodiesOf(bare.withEncryptionKey(other))).rejects.toMatchObject({ status: 400, code: 'decryption_failed' });
    expect((await bodiesOf(bare.withEncryptionKey(Buffer.from(key).toString('base64')))).slice(0, 1)).toEqual(['one']);
  });

  test.each(TRANSPORTS)(
    'sessions over %s: a producer writes, a reader follows, another key is told what is wrong',
    async (forceTransport) => {
      const name = `sessions ${forceTransport}`;
      await basin().streams.create({ stream: name });
      const stream = basin().stream(name, { encryptionKey: key, forceTransport });
      const reading = await stream.readSession({ start: { from: { seqNum: 0 } } });
      const producer = new Producer(new BatchTransform({ lingerDurationMillis: 2, maxBatchRecords: 7 }), await stream.appendSession());
      const tickets = [];
      for (let at = 0; at < 300; at += 1) tickets.push(await producer.submit(AppendRecord.string({ body: `record ${at}` })));
      await Promise.all(tickets.map((ticket) => ticket.ack()));
      await producer.close();
      const bodies: string[] = [];
      for await (const record of reading) if (bodies.push(record.body) === tickets.length) break;
      expect(bodies).toEqual(tickets.map((_, at) => `record ${at}`));

      const bare = basin().stream(name, { forceTransport });
      const refused = async (from: S2Stream): Promise<unknown> => {
        for await (const record of await from.readSession({ start: { from: { seqNum: 0 } } })) return record;
        return 'nothing';
      };
      const notMine = { message: expect.stringMatching(/record 0 was not encrypted with this key/) };
      await expect(refused(bare.withEncryptionKey(other))).rejects.toMatchObject(notMine);
      await expect(refused(bare)).rejects.toMatchObject({ message: expect.stringContaining(cipher) });
    },
  );

  test('what was written survives kill -9, and opens with the key that the server never kept', async () => {
    await basin().streams.create({ stream: 'restarted' });
    const stream = basin().stream('restarted', { encryptionKey: key });
    await stream.append(strings('before'));
    await server.kill();
    await server.start();
    await stream.append(strings('after'));
    expect(await bodiesOf(stream)).toEqual(['before', 'after']);
    await expect(bodiesOf(stream.withEncryptionKey(other))).rejects.toMatchObject({ code: 'decryption_failed' });
  });
});

/** Everything below the folder, as one text of bytes a file. */
async function files(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(name)] as const)));
}

test('E5: neither a key nor a plain record is ever on disk or in what the process prints, whatever becomes of requests', async () => {
  const own = await startServer();
  try {
    const marker = randomBytes(12).toString('hex');
    const clear = `clear-${marker}`;
    const secret = `secret-${marker}`;
    const keys = [randomBytes(32), randomBytes(32)] as const;
    const wrong = [randomBytes(31), randomBytes(33)];
    const connection = await connect(own.url);
    for (const [at, cipher] of [...STREAM_CIPHERS, undefined].entries()) {
      const api = new Api(own.url, `watched-${at}`);
      await api.createBasin({ create_stream_on_append: true, ...(cipher === undefined ? {} : { stream_cipher: cipher }) });
      const word = cipher === undefined ? clear : secret;
      for (const [stream, config] of Object.entries({ fast: {}, slow: { storage_class: 'standard' } })) {
        await api.createStream(stream, config);
        for (const key of keys) {
          const headers = { 's2-encryption-key': key.toString('base64') };
          const record = { body: `${word}-body`, headers: [[`${word}-name`, `${word}-value`]] };
          expect((await api.append(stream, { records: [record, {}] }, headers)).status).toBe(200);
          const session = new AppendSession(connection, api.basin, stream, headers);
          await session.append(frameOf(encodeAppendInput([{ body: Buffer.from(`${word}-session`) }])));
          expect(await session.finish()).toBeUndefined();
        }
        // Half of the records are under another key, so that with a cipher both of these fail.
        const headers = { 's2-encryption-key': keys[0].toString('base64') };
        expect((await api.read(stream, '?seq_num=0', headers)).status).toBe(cipher === undefined ? 200 : 400);
        await readAll(connection, api.basin, stream, '?seq_num=0&count=6', headers).catch(() => undefined);
        await api.read(stream, '?seq_num=0&count=6', { ...headers, accept: 'text/event-stream' });
        for (const bad of wrong) await api.append(stream, { records: [{}] }, { 's2-encryption-key': bad.toString('base64') });
      }
    }
    connection.destroy();
    const segments = path.join(own.dataDir, 'segments/objects');
    const holds = async (folder: string, word: string): Promise<boolean> =>
      [...(await files(folder)).values()].some((bytes) => bytes.includes(word));
    // Chunks, segments and metadata: everything has been everywhere by then.
    await expect.poll(() => holds(segments, `${clear}-session`).catch(() => false), { timeout: 20_000, interval: 200 }).toBe(true);
    const before = await files(own.dataDir);
    expect(await own.stop()).toMatchObject({ code: 0 });
    const after = await files(own.dataDir);

    const texts = [...keys, ...wrong].flatMap((key) => [key, key.toString('base64').slice(0, 40), key.toString('hex').slice(0, 60)]);
    const found: string[] = [];
    for (const [name, bytes] of [...before, ...after, ['what it printed', Buffer.from(own.output)] as const]) {
      for (const text of [secret, ...texts]) if (bytes.includes(text)) found.push(name);
    }
    expect(found).toEqual([]);
    // The search finds what is there: the same records of a stream without a cipher, in chunks and in segments.
    const places = [...before].filter(([, bytes]) => bytes.includes(`${clear}-body`)).map(([name]) => path.relative(own.dataDir, name));
    expect(new Set(places.map((name) => name.split(path.sep)[0]))).toEqual(new Set(['chunks', 'segments', 'zones']));
  } finally {
    await own.dispose();
  }
}, 60_000);
