// S2S append and read sessions and server-sent events, over HTTP/1.1 and prior-knowledge HTTP/2 on one port.

import { request as http1Request } from 'node:http';
import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { FRAME_HEAD_BYTES, sealFrame } from '#core/wire/session-frame.ts';
import { Api } from '#test/support/api.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let count = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
afterEach(async () => {
  await expect.poll(() => server.handler.openCount).toBe(0);
  expect(server.faults).toEqual([]);
  expect(server.store.openReads).toBe(0);
});

async function withStream(config: object = {}): Promise<Api> {
  count += 1;
  const api = new Api(server.origin, `sessions-${String(count).padStart(4, '0')}`);
  await api.createBasin();
  await api.createStream('a', config);
  return api;
}

/** What a session answers: its head, then frames as (flags, payload). */
interface Session {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  send(bytes: Uint8Array): void;
  /** The client has nothing more to send. */
  halfClose(): void;
  /** Goes away without a word. */
  abandon(): void;
  /** Everything that came, once there are `frames`, or the answer ended. */
  frames(count: number): Promise<string[]>;
  readonly text: () => string;
  readonly ended: Promise<void>;
}

type Open = (api: Api, method: string, path: string, headers?: Record<string, string>) => Promise<Session>;

function sessionOf(
  status: number,
  headers: Readonly<Record<string, unknown>>,
  input: NodeJS.ReadableStream,
  abandon: () => void,
  output: NodeJS.WritableStream,
): Session {
  let received = Buffer.alloc(0);
  let isEnded = false;
  input.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece]);
  });
  const ended = new Promise<void>((resolve) => {
    const done = (): void => {
      isEnded = true;
      resolve();
    };
    input.once('end', done);
    input.once('close', done);
    input.once('error', done);
  });
  return {
    status,
    headers,
    send: (bytes) => void output.write(bytes),
    halfClose: () => void output.end(),
    abandon,
    frames: async (wanted) => {
      await expect.poll(() => isEnded || splitFrames(received).length >= wanted, { timeout: 5_000 }).toBe(true);
      return splitFrames(received);
    },
    text: () => received.toString(),
    ended,
  };
}

function splitFrames(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 3 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    found.push(bytes.subarray(at + 3, end).toString('hex'));
    at = end;
  }
  return found;
}

const overHttp2: Open = (api, method, path, headers = {}) =>
  new Promise((resolve, reject) => {
    const client = connect(api.origin);
    client.once('error', reject);
    const stream: Duplex & { close(): void } = client.request(
      { ':method': method, ':path': `/v1${path}`, 's2-basin': api.basin, 'content-type': 's2s/proto', ...headers },
      { endStream: method === 'GET' },
    );
    stream.on('error', () => undefined);
    stream.once('response' as never, (head: Record<string, unknown>) => {
      resolve(sessionOf(Number(head[':status']), head, stream, () => client.destroy(), stream));
    });
    stream.once('close', () => client.close());
  });

const overHttp1: Open = (api, method, path, headers = {}) =>
  new Promise((resolve, reject) => {
    const request = http1Request(`${api.origin}/v1${path}`, {
      method,
      agent: false,
      headers: { 's2-basin': api.basin, 'content-type': 's2s/proto', ...headers },
    });
    request.on('error', reject);
    request.once('response', (response) => {
      response.on('error', () => undefined);
      resolve(sessionOf(response.statusCode ?? 0, response.headers, response, () => request.destroy(), request));
    });
    if (method === 'GET') request.end();
    else request.flushHeaders();
  });

const RECORDS = '/streams/a/records';
/** An AppendInput with one record whose body is `hi`, and with a condition behind it. */
const HI = Buffer.from('000007000a041a026869', 'hex');
const hiAt = (matchSeqNum: number): Buffer => Buffer.concat([Buffer.from('000009000a041a02686910', 'hex'), Buffer.from([matchSeqNum])]);

/** The sequence numbers of an AppendAck: start and end. */
function ackSpan(frame: string): [number, number] {
  const bytes = Buffer.from(frame, 'hex');
  expect(bytes[0]).toBe(0);
  const seqNumOf = (tag: number): number => {
    for (let at = 1; at < bytes.length; at += 2 + (bytes[at + 1] ?? 0)) {
      if (bytes[at] === tag) return bytes[at + 2] === 0x08 ? (bytes[at + 3] ?? 0) : 0;
    }
    throw new Error('the ack lacks a position');
  };
  return [seqNumOf(0x0a), seqNumOf(0x12)];
}

function terminal(frame: string | undefined): { status: number; body: unknown } {
  const bytes = Buffer.from(frame ?? '', 'hex');
  expect(bytes[0]).toBe(0x80);
  return { status: bytes.readUInt16BE(1), body: JSON.parse(bytes.subarray(3).toString()) };
}

describe.each([
  ['HTTP/2', overHttp2],
  ['HTTP/1.1', overHttp1],
] as const)('an append session over %s', (_version, open) => {
  test('answers its head before any input, acknowledges in order, and ends after a half-close', async () => {
    const api = await withStream();
    const session = await open(api, 'POST', RECORDS);
    expect([session.status, session.headers['content-type']]).toEqual([200, 's2s/proto']);
    session.send(HI);
    expect((await session.frames(1)).map(ackSpan)).toEqual([[0, 1]]);
    session.send(Buffer.concat([HI, HI]));
    session.halfClose();
    await session.ended;
    expect((await session.frames(3)).map(ackSpan)).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  test('A7, A11: the input that fails is told after those before it, and none behind it takes effect', async () => {
    const api = await withStream();
    let commit: () => void = () => undefined;
    server.store.gate = new Promise((resolve) => {
      commit = resolve;
    });
    const before = server.store.appended;
    const session = await open(api, 'POST', RECORDS);
    session.send(Buffer.concat([hiAt(0), hiAt(1), hiAt(7), hiAt(2), HI]));
    await expect.poll(() => server.store.appended).toBe(before + 2);
    expect(await session.frames(0)).toEqual([]);
    server.store.gate = undefined;
    commit();
    await session.ended;
    const frames = await session.frames(3);
    expect(frames.slice(0, 2).map(ackSpan)).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(terminal(frames[2])).toEqual({ status: 412, body: { seq_num_mismatch: 2 } });
    expect(frames).toHaveLength(3);
    expect((await api.call('GET', `${RECORDS}/tail`)).json).toMatchObject({ tail: { seq_num: 2 } });
  });

  test.each([
    ['an undecodable message', '000003000aff', 400, 'bad_frame'],
    ['a frame of length 0', '000000', 400, 'bad_frame'],
    ['an oversized frame', 'ffffff00', 400, 'bad_frame'],
    ['a terminal frame', '000003800190', 400, 'bad_frame'],
    ['an empty batch', '00000100', 422, 'invalid'],
  ])('ends with a terminal frame after %s, and the acks before it', async (_what, hex, status, code) => {
    const api = await withStream();
    const session = await open(api, 'POST', RECORDS);
    session.send(Buffer.concat([HI, Buffer.from(hex, 'hex'), HI]));
    await session.ended;
    const frames = await session.frames(2);
    expect(ackSpan(frames[0] ?? '')).toEqual([0, 1]);
    expect(terminal(frames[1])).toMatchObject({ status, body: { code } });
  });

  test('an end inside a frame is a bad frame', async () => {
    const session = await open(await withStream(), 'POST', RECORDS);
    session.send(HI.subarray(0, 6));
    session.halfClose();
    await session.ended;
    expect(terminal((await session.frames(1))[0])).toMatchObject({ status: 400, body: { code: 'bad_frame' } });
  });

  test('a failed commit is told as one that may have happened', async () => {
    const session = await open(await withStream(), 'POST', RECORDS);
    server.store.failCommitIn = 2;
    session.send(Buffer.concat([HI, HI, HI]));
    await session.ended;
    const frames = await session.frames(2);
    expect(terminal(frames[1])).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  });

  test('takes compressed frames, also from clients that did not announce them', async () => {
    const api = await withStream();
    const session = await open(api, 'POST', RECORDS);
    const body = Buffer.alloc(4_000, 0x61);
    const message = Buffer.concat([Buffer.from('0aa31f1aa01f', 'hex'), body]);
    for (const encoding of ['gzip', 'zstd'] as const) {
      const frame = Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), message]);
      session.send(sealFrame(frame, false, zlibCodec, encoding));
    }
    session.halfClose();
    await session.ended;
    expect((await session.frames(2)).map(ackSpan)).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  test('A12: without room it stops reading, and goes on once there is room', async () => {
    const api = await withStream();
    let makeRoom: () => void = () => undefined;
    server.store.noRoom = new Promise((resolve) => {
      makeRoom = resolve;
    });
    const before = server.store.appended;
    const session = await open(api, 'POST', RECORDS);
    session.send(Buffer.concat(Array.from({ length: 50 }, () => HI)));
    session.halfClose();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.store.appended).toBe(before);
    server.store.noRoom = undefined;
    makeRoom();
    await session.ended;
    expect(await session.frames(50)).toHaveLength(50);
  });

  test('A8: a client that goes away in the middle leaves nothing behind', async () => {
    const session = await open(await withStream(), 'POST', RECORDS);
    session.send(Buffer.concat([HI, HI.subarray(0, 5)]));
    await session.frames(1);
    session.abandon();
    await expect.poll(() => server.handler.openCount).toBe(0);
  });

  test('A9: what is wrong beforehand is an ordinary answer, though the request never ends', async () => {
    const api = await withStream();
    for (const [path, headers, status] of [
      ['/streams/missing/records', {}, 404],
      [RECORDS, { 's2-basin': 'X' }, 400],
    ] as const) {
      const session = await open(api, 'POST', path, headers);
      expect(session.status).toBe(status);
      await expect.poll(() => session.text()).toContain('"code"');
      session.abandon();
    }
  });
});

describe.each([
  ['HTTP/2', overHttp2],
  ['HTTP/1.1', overHttp1],
] as const)('a read session over %s', (_version, open) => {
  test('catches up, beats with the tail, follows, and ends at its count', async () => {
    const api = await withStream({ timestamping: { uncapped: true } });
    await api.append('a', { records: [{ timestamp: 1000, body: 'hi' }] });
    const session = await open(api, 'GET', `${RECORDS}?seq_num=0&count=2&wait=60`);
    expect([session.status, session.headers['content-type']]).toEqual([200, 's2s/proto']);
    expect((await session.frames(2)).slice(0, 2)).toEqual(['000a0710e80722026869', '001205080110e807']);
    await api.append('a', { records: [{ timestamp: 1000, body: 'hi' }] });
    await session.ended;
    expect((await session.frames(3)).at(-1)).toBe('000a09080110e80722026869');
  });

  test('a start that is not written is an ordinary 416', async () => {
    const session = await open(await withStream(), 'GET', `${RECORDS}?seq_num=1`);
    expect(session.status).toBe(416);
    await session.ended;
    expect(session.text()).toBe('{"tail":{"seq_num":0,"timestamp":0}}');
  });

  test('A13: a client that goes away closes its read', async () => {
    const session = await open(await withStream(), 'GET', `${RECORDS}?seq_num=0`);
    await session.frames(1);
    expect(server.store.openReads).toBe(1);
    session.abandon();
    await expect.poll(() => server.store.openReads).toBe(0);
  });

  test('compresses large batches for a client that asked', async () => {
    const api = await withStream();
    await api.append('a', { records: [{ body: 'x'.repeat(5_000) }] });
    const plain = await open(api, 'GET', `${RECORDS}?seq_num=0&count=1`);
    expect((await plain.frames(1))[0]?.slice(0, 2)).toBe('00');
    const packed = await open(api, 'GET', `${RECORDS}?seq_num=0&count=1`, { 'accept-encoding': 'gzip, zstd' });
    expect((await packed.frames(1))[0]?.slice(0, 2)).toBe('20');
  });
});

describe('server-sent events', () => {
  const events = (api: Api, query: string, headers: Record<string, string> = {}) =>
    overHttp1(api, 'GET', `${RECORDS}${query}`, { 'content-type': 'text/plain', accept: 'text/event-stream', ...headers });

  test('carry batches with ids, pings with the tail, and an end', async () => {
    const api = await withStream({ timestamping: { uncapped: true } });
    await api.append('a', { records: [{ timestamp: 5, body: 'a\nb' }, { timestamp: 6 }] });
    const session = await events(api, '?seq_num=0&count=3&wait=60');
    expect(session.headers['content-type']).toBe('text/event-stream');
    await expect.poll(() => session.text()).toContain('event: ping');
    await api.append('a', { records: [{ timestamp: 7 }] });
    await session.ended;
    const [first, second, third, last, ...rest] = session.text().split('\n\n');
    expect(first).toMatch(
      /^event: batch\nid: 1,2,[0-9]+\ndata: \{"records":\[\{"seq_num":0,"timestamp":5,"body":"a\\nb"\},\{"seq_num":1,"timestamp":6\}\]\}$/,
    );
    expect(second).toMatch(/^event: ping\ndata: \{"timestamp":[0-9]+,"tail":\{"seq_num":2,"timestamp":6\}\}$/);
    expect(third).toMatch(/^event: batch\nid: 2,3,[0-9]+\n/);
    expect([last, rest]).toEqual(['data: [DONE]', ['']]);
  });

  test('go on behind the last event, and count on from it', async () => {
    const api = await withStream();
    await api.append('a', { records: [{ body: '0' }, { body: '1' }, { body: '2' }, { body: '3' }] });
    const session = await events(api, '?seq_num=0&count=3', { 'last-event-id': '0,1,9', 's2-format': 'base64' });
    await session.ended;
    expect(session.text()).toMatch(
      /^event: batch\nid: 2,3,[0-9]+\ndata: \{"records":\[\{"seq_num":1,.*"body":"MQ=="\},\{"seq_num":2,.*\]\}\n\ndata: \[DONE\]\n\n$/,
    );
  });
});
