// HTTP/2 as no library sends it: whatever a client repeats without end, the server goes on, answers others, and keeps nothing.
//
// Most floods are ended by the library under node. These tests say that the one that we run on does so.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpServer, type HttpServer } from '#core/adapters/node/http-server.ts';
import { FLAG, FRAME, H2_PREFACE, h2Frame, h2Request, h2Reset, h2Settings, h2WindowUpdate, hpack } from '#test/support/h2-frames.ts';

const FRAMES_A_PIECE = 200;
const SENT_BYTES_MAX = 4 * 1024 * 1024;
const FLOOD_MS_MAX = 5_000;

let server: HttpServer;
let port = 0;
let requests = 0;

beforeEach(async () => {
  requests = 0;
  server = createHttpServer({
    handle: (request, response) => {
      requests += 1;
      if (request.url === '/never') return;
      request.resume();
      (response as import('node:http').ServerResponse).end('OK');
    },
  });
  port = await server.listen(0, '127.0.0.1');
});
afterEach(() => server.close());

interface Flood {
  /** Frames before it. */
  readonly before?: Buffer;
  /** The n-th frame of it. */
  readonly frame: (at: number) => Buffer;
  /** The client takes what it is answered; default true. */
  readonly reads?: boolean;
}

/** Sends until the server cuts the connection, or enough was sent. */
async function flood({ before, frame, reads = true }: Flood): Promise<{ isCut: boolean; socket: Socket }> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let isCut = false;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isCut = true;
      resolve();
    });
  });
  if (reads) socket.resume();
  socket.write(Buffer.concat([H2_PREFACE, h2Settings(), before ?? Buffer.alloc(0)]));
  const until = performance.now() + FLOOD_MS_MAX;
  let sent = 0;
  while (!isCut && socket.bytesWritten < SENT_BYTES_MAX && performance.now() < until) {
    const piece = Buffer.concat(Array.from({ length: FRAMES_A_PIECE }, (_, at) => frame(sent + at)));
    sent += FRAMES_A_PIECE;
    if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed, sleep(500)]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sleep(50);
  return { isCut, socket };
}

/** Somebody else is served, soon. */
async function expectServed(): Promise<void> {
  const begin = performance.now();
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = client.request({ ':path': '/' });
  expect(String((await once(stream, 'data'))[0])).toBe('OK');
  client.destroy();
  expect(performance.now() - begin).toBeLessThan(1_000);
}

const post = h2Request(1, { method: 'POST', path: '/never', endStream: false });
const padded = Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]);
const headOfHeaders = h2Frame(
  FRAME.headers,
  0,
  1,
  hpack([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'x'],
    [':path', '/'],
  ]),
);

const CUT: readonly (readonly [name: string, flood: Flood])[] = [
  ['pings', { frame: () => h2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)) }],
  ['pings whose answers are not read', { frame: () => h2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)), reads: false }],
  ['settings', { frame: () => h2Settings([4, 65_535]) }],
  ['empty settings that are not read', { frame: () => h2Settings(), reads: false }],
  ['requests that are reset at once', { frame: (at) => Buffer.concat([h2Request(2 * at + 1, { path: '/never' }), h2Reset(2 * at + 1)]) }],
  ['resets of a stream that is over', { before: h2Request(1), frame: () => h2Reset(1) }],
  ['priorities', { frame: (at) => h2Frame(FRAME.priority, 0, 2 * (at % 1_000) + 1, Buffer.from([0, 0, 0, 0, 16])) }],
  ['frames of an unknown type', { frame: () => h2Frame(0xee, 0, 0, Buffer.alloc(8)) }],
  ['empty DATA', { before: post, frame: () => h2Frame(FRAME.data, 0, 1) }],
  ['CONTINUATION', { before: headOfHeaders, frame: () => h2Frame(FRAME.continuation, 0, 1, hpack([['x-a', 'b'.repeat(100)]])) }],
  ['empty CONTINUATION', { before: headOfHeaders, frame: () => h2Frame(FRAME.continuation, 0, 1) }],
  ['more streams than there may be', { frame: (at) => h2Request(2 * at + 1, { method: 'POST', path: '/never', endStream: false }) }],
  ['DATA beyond the window', { before: post, frame: () => h2Frame(FRAME.data, 0, 1, Buffer.alloc(16_384)) }],
  ['DATA of a stream that is over', { before: h2Request(1), frame: () => h2Frame(FRAME.data, 0, 1, Buffer.alloc(10)) }],
  ['DATA of a stream that never was', { frame: () => h2Frame(FRAME.data, 0, 7, Buffer.alloc(10)) }],
  ['GOAWAY', { frame: () => h2Frame(FRAME.goaway, 0, 0, Buffer.alloc(8)) }],
  ['PUSH_PROMISE', { before: h2Request(1), frame: () => h2Frame(FRAME.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(8)) }],
  ['streams of even numbers', { frame: (at) => h2Request(2 * at + 2) }],
  ['window updates of nothing', { frame: () => h2WindowUpdate(0, 0) }],
  ['windows beyond 2^31', { frame: () => h2WindowUpdate(0, 0x7fff_ffff) }],
  ['frames larger than allowed', { frame: () => h2Frame(FRAME.ping, 0, 0, Buffer.alloc(20_000)) }],
  ['settings of no whole pair', { frame: () => h2Frame(FRAME.settings, 0, 0, Buffer.alloc(5)) }],
  ['a window of settings beyond 2^31', { frame: () => h2Settings([4, 0xffff_ffff]) }],
  ['headers that cannot be unpacked', { frame: (at) => h2Frame(FRAME.headers, FLAG.endHeaders, 2 * at + 1, Buffer.alloc(40, 0xff)) }],
];

describe('a connection is cut that sends without end', () => {
  test.each(CUT)('%s', async (_, what) => {
    const { isCut, socket } = await flood(what);
    socket.destroy();
    expect(isCut).toBe(true);
    expect(requests).toBeLessThanOrEqual(3_000);
    await expectServed();
    await expect.poll(() => server.connectionsCount).toBeLessThanOrEqual(1);
  });
});

describe('a connection is not cut, and costs no more than its bytes, that sends without end', () => {
  test.each<[string, Flood]>([
    ['window updates', { frame: () => h2WindowUpdate(0, 1) }],
    ['padding', { before: post, frame: () => h2Frame(FRAME.data, FLAG.padded, 1, padded) }],
  ])('%s', async (_, what) => {
    const { isCut, socket } = await flood(what);
    expect(isCut).toBe(false);
    await expectServed();
    socket.destroy();
    await expect.poll(() => server.connectionsCount).toBeLessThanOrEqual(1);
  });
});

describe('a request is refused, and its connection goes on, that has', () => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x-${at}`, 'v']));
  const large = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`x-${at}`, 'v'.repeat(3_000)]));

  test('more headers than there may be', async () => {
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = client.request({ ':path': '/', ...many });
    await expect(once(stream, 'close')).rejects.toThrow('NGHTTP2_ENHANCE_YOUR_CALM');
    expect([client.closed, requests]).toEqual([false, 0]);
    client.destroy();
  });

  test('more bytes of headers than there may be, with 431', async () => {
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = client.request({ ':path': '/', ':method': 'POST', ...large }, { endStream: false });
    const [head] = await once(stream, 'response');
    expect([head[':status'], head['content-type'], JSON.parse(String((await once(stream, 'data'))[0]))]).toMatchObject([
      431,
      'application/json',
      { code: 'bad_header' },
    ]);
    await once(stream, 'close');
    expect([client.closed, requests]).toEqual([false, 0]);
    client.destroy();
  });
});
