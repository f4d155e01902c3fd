// Both ways as it comes: events, long polls, bodies and sessions; and what happens when somebody leaves.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { decodeAck, decodeReadBatch, encodeAppendInput, FrameCutter, frameOf, type InFrame } from '#bench/protocol.ts';
import { startEdge } from '#functions/edge/workerd.ts';
import { openDuplex } from '#test/support/raw.ts';
import { BASIN, closeWorld, startWorld, type World } from './world.ts';

let at: World;

beforeAll(async () => {
  at = await startWorld();
  await at.direct.createBasin({ create_stream_on_append: true });
});
afterAll(() => closeWorld(at));

const headers = { 's2-basin': BASIN };
const path = (stream: string, query = ''): string => `/v1/streams/${stream}/records${query}`;

/** Cuts the frames of a session's answer. */
function framesOf(response: AsyncIterable<Buffer>): { next(): Promise<InFrame> } {
  const cutter = new FrameCutter();
  const waiting: InFrame[] = [];
  const pieces = response[Symbol.asyncIterator]();
  return {
    async next() {
      for (;;) {
        const frame = waiting.shift();
        if (frame !== undefined) return frame;
        const { done, value } = await pieces.next();
        if (done === true) throw new Error('the session has ended');
        waiting.push(...cutter.push(value));
      }
    },
  };
}

describe('down', () => {
  test('events arrive as they are made, with the basin of a header or of nothing else', async () => {
    await at.direct.appendBodies('events', 'a');
    const response = await fetch(at.edge.url + path('events', '?seq_num=0'), { headers: { ...headers, accept: 'text/event-stream' } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (part: string): Promise<void> => {
      while (!text.includes(part)) text += (await reader.read()).value ?? '';
    };
    await until('"body":"a"');
    for (const body of ['b', 'c']) {
      const before = performance.now();
      await at.direct.appendBodies('events', body);
      await until(`"body":"${body}"`);
      expect(performance.now() - before).toBeLessThan(1_000);
    }
    await reader.cancel();
  });

  test('a long poll is answered when a record comes', async () => {
    await at.direct.appendBodies('poll', 'a');
    const answer = at.api.read('poll', '?seq_num=1&wait=20');
    await sleep(200);
    await at.direct.appendBodies('poll', 'b');
    expect((await answer).json).toMatchObject({ records: [{ seq_num: 1, body: 'b' }] });
  });

  test.each(['gzip', 'zstd'])('an answer packed with %s comes as it was packed', async (encoding) => {
    await at.direct.appendBodies('packed', 'x'.repeat(5_000));
    // Without a client that unpacks by itself.
    const { request, response } = openDuplex(at.edge.url, 'GET', path('packed', '?tail_offset=1&count=1'), {
      ...headers,
      'accept-encoding': encoding,
    });
    request.end();
    const answer = await response;
    const pieces: Buffer[] = [];
    for await (const piece of answer) pieces.push(piece as Buffer);
    expect(answer.headers['content-encoding']).toBe(encoding);
    const bytes = Buffer.concat(pieces);
    expect(bytes.length).toBeLessThan(1_000);
    const unpacked = encoding === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes);
    expect(JSON.parse(unpacked.toString())).toMatchObject({ records: [{ body: 'x'.repeat(5_000) }] });
  });
});

describe('both ways', () => {
  test('an append session acknowledges each input while the next is not sent yet', async () => {
    const { request, response } = openDuplex(at.edge.url, 'POST', path('session'), { ...headers, 'content-type': 's2s/proto' });
    request.on('error', () => undefined);
    const answer = await response;
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 's2s/proto']);
    const frames = framesOf(answer as AsyncIterable<Buffer>);
    for (let i = 0; i < 20; i += 1) {
      request.write(frameOf(encodeAppendInput([{ body: Buffer.from(`${i}`) }])));
      expect(decodeAck((await frames.next()).payload).end.seqNum).toBe(i + 1);
    }
    request.end();
    await expect(frames.next()).rejects.toThrow('has ended');
    expect(await at.direct.tail('session')).toBe(20);
  });

  test('a read session follows the tail', async () => {
    await at.direct.appendBodies('followed', 'a');
    const { request, response } = openDuplex(at.edge.url, 'GET', path('followed', '?seq_num=0'), {
      ...headers,
      'content-type': 's2s/proto',
    });
    request.on('error', () => undefined);
    request.end();
    const frames = framesOf((await response) as AsyncIterable<Buffer>);
    expect(decodeReadBatch((await frames.next()).payload).records.map(({ seqNum }) => seqNum)).toEqual([0]);
    await at.direct.appendBodies('followed', 'b');
    for (;;) {
      const { records } = decodeReadBatch((await frames.next()).payload);
      if (records.length === 0) continue;
      expect(records.map(({ seqNum }) => seqNum)).toEqual([1]);
      break;
    }
    request.destroy();
  });

  test('a session whose client breaks off appends nothing of the frame that it had begun', async () => {
    const { request, response } = openDuplex(at.edge.url, 'POST', path('broken'), { ...headers, 'content-type': 's2s/proto' });
    request.on('error', () => undefined);
    const frames = framesOf((await response) as AsyncIterable<Buffer>);
    request.write(frameOf(encodeAppendInput([{ body: Buffer.from('whole') }])));
    await frames.next();
    request.write(frameOf(encodeAppendInput([{ body: Buffer.from('x'.repeat(200_000)) }])).subarray(0, 150_000));
    await sleep(100);
    request.destroy();
    await sleep(300);
    expect(await at.direct.tail('broken')).toBe(1);
  });

  test('an append whose client breaks off in its body is not taken', async () => {
    const body = JSON.stringify({ records: [{ body: 'y'.repeat(100_000) }] });
    const { request } = openDuplex(at.edge.url, 'POST', path('half'), {
      ...headers,
      'content-type': 'application/json',
      'content-length': String(body.length),
    });
    request.on('error', () => undefined);
    request.write(body.slice(0, 90_000));
    await sleep(200);
    request.destroy();
    await at.direct.appendBodies('half', 'z');
    await sleep(200);
    expect(await at.direct.readBodies('half')).toEqual(['z']);
  });
});

describe('X6: what breaks off', () => {
  interface Got {
    bytes: number;
    isWhole: boolean;
    isOver: boolean;
  }

  /** An origin that reads bodies, or breaks off its answer. */
  async function origin(breaksOff: boolean) {
    const got: Got = { bytes: 0, isWhole: false, isOver: false };
    const server = createServer((request, response) => {
      request.on('data', (part: Buffer) => {
        got.bytes += part.length;
      });
      request.on('end', () => {
        got.isWhole = true;
      });
      request.on('error', () => undefined);
      request.on('close', () => {
        got.isOver = true;
      });
      if (!breaksOff) return;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      setTimeout(() => response.destroy(), 100);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: url, MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' } });
    onTestFinished(async () => {
      await edge.close();
      server.closeAllConnections();
      server.close();
    });
    return { edge, got };
  }

  test.each([
    ['a chunked body that its client closes', {}, false],
    ['a chunked body whose connection breaks', {}, true],
    ['a body shorter than it says, closed', { 'content-length': '300000' }, false],
    ['a body shorter than it says, broken', { 'content-length': '300000' }, true],
    ['a session that its client closes', { 'content-type': 's2s/proto' }, false],
  ])('%s never looks whole to the origin', async (_, more, isBroken) => {
    const { edge, got } = await origin(false);
    const { request } = openDuplex(edge.url, 'POST', path('any'), { ...headers, ...more });
    request.on('error', () => undefined);
    request.write(Buffer.alloc(100_000, 65));
    await expect.poll(() => got.bytes).toBe(100_000);
    if (isBroken) request.socket?.resetAndDestroy();
    else request.destroy();
    await expect.poll(() => got.isOver, { timeout: 3_000 }).toBe(true);
    expect(got.isWhole).toBe(false);
  });

  test('an answer that the origin breaks off never looks whole to the client', async () => {
    const { edge } = await origin(true);
    const answer = await fetch(edge.url + path('any', '?seq_num=0'), { headers });
    await expect(answer.text()).rejects.toThrow();
  });
});

// workerd notices a client that closed its connection when it writes to it next (a session's heartbeat comes every 5 to 15 s), and one
// whose connection broke at once. Cloudflare's network tells of either.
describe('a client that leaves', () => {
  /** An origin that never ends an answer, and counts clients that have gone. */
  async function endless(isTold: boolean) {
    const state = { open: 0, gone: 0 };
    const server = createServer((request, response) => {
      state.open += 1;
      request.resume();
      if (isTold) response.writeHead(200, { 'content-type': 'text/event-stream' });
      const telling = isTold ? setInterval(() => response.write('data: 1\n\n'), 100) : undefined;
      response.on('close', () => {
        clearInterval(telling);
        state.gone += 1;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: origin, MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' } });
    onTestFinished(async () => {
      await edge.close();
      server.closeAllConnections();
      server.close();
    });
    return { edge, state };
  }

  test.each([
    ['closes while it is told events', true, 'GET', false],
    ['closes in an append session', true, 'POST', false],
    ['breaks off while it waits for an answer', false, 'GET', true],
  ] as const)('%s: the origin sees it go', async (_, isTold, method, isBroken) => {
    const { edge, state } = await endless(isTold);
    const session = method === 'POST' ? { 'content-type': 's2s/proto' } : {};
    const { request, response } = openDuplex(edge.url, method, path('any', '?seq_num=0'), { ...headers, ...session });
    request.on('error', () => undefined);
    void response.then(
      (answer) => answer.on('error', () => undefined).resume(),
      () => undefined,
    );
    if (method === 'GET') request.end();
    await expect.poll(() => state.open).toBe(1);
    await sleep(250);
    expect(state.gone).toBe(0);
    if (isBroken) request.socket?.resetAndDestroy();
    else request.destroy();
    await expect.poll(() => state.gone, { timeout: 3_000 }).toBe(1);
  });
});
