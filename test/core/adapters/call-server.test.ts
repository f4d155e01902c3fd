// The bounds of a server of stores, whatever its clients send.

import { connect } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { CallClient } from '#core/adapters/node/calls/call-client.ts';
import { CallMac } from '#core/adapters/node/calls/call-mac.ts';
import type { CallService } from '#core/adapters/node/calls/call-server.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeAnswerHead } from '#core/wire/call-failure.ts';
import { FrameReader } from '#core/wire/call-frame.ts';
import { type RunningCalls, SECRET, type ServeOptions, serveCalls } from '../../support/call-server.ts';

const KIB = 1024;
const bodyBytesMax = 100 * KIB;
const HEAD = Uint8Array.of(1);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A service that holds every call until a test lets it go, and answers with the body. */
class Held implements CallService {
  readonly bodyBytesMax = bodyBytesMax;
  calls: (() => void)[] = [];

  async serve(_: Uint8Array, body: Uint8Array): Promise<{ given: Uint8Array; body: Uint8Array }> {
    await new Promise<void>((resolve) => this.calls.push(resolve));
    return { given: HEAD, body };
  }

  letGo(): void {
    for (const call of this.calls.splice(0)) call();
  }
}

async function serve(options: Omit<ServeOptions, 'service'> & { service?: CallService }): Promise<{ server: RunningCalls; held: Held }> {
  const held = new Held();
  const server = await serveCalls({ service: held, ...options });
  closing.push(() => server.close());
  return { server, held };
}

function clientOf({ url }: RunningCalls): CallClient {
  const client = new CallClient({ url, secret: SECRET, checksum, callMsMax: 3_000, answerBytesMax: bodyBytesMax });
  closing.push(() => client.close());
  return client;
}

const body = (bytes: number): Uint8Array[] => [new Uint8Array(bytes).fill(7)];

/** The start of a request, as far as `bytes` goes; resolves with how the stream ended. */
async function begin({ url }: RunningCalls, parts: readonly Uint8Array[]): Promise<{ ended: Promise<string>; close(): void }> {
  const session = connect(url);
  closing.push(() => session.destroy());
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': '/call' });
  const ended = new Promise<string>((resolve) => {
    stream.on('error', () => undefined);
    stream.on('close', () => resolve(`closed with ${stream.rstCode}`));
  });
  stream.resume();
  for (const part of parts) stream.write(part);
  await new Promise((resolve) => stream.once('ready', resolve));
  return { ended, close: () => stream.close() };
}

function read(answer: Uint8Array): { head: Uint8Array } {
  const reader = new FrameReader({ kind: 'answer', bodyBytesMax, checksum });
  reader.push(answer);
  return reader.finish();
}

describe('a server of stores', () => {
  test('Z20: bytes in flight are bounded: what does not fit is refused without effect, and taken once there is room', async () => {
    const { server, held } = await serve({ limits: { bytesMax: 150 * KIB } });
    const client = clientOf(server);
    const first = client.call({ head: HEAD, body: body(100 * KIB), mayRepeat: false });
    await expect.poll(() => held.calls.length).toBe(1);
    const second = client.call({ head: HEAD, body: body(60 * KIB), mayRepeat: false });
    await expect(second).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
    const small = client.call({ head: HEAD, body: body(40 * KIB), mayRepeat: false });
    await expect.poll(() => held.calls.length).toBe(2);
    expect(server.calls.bytesCount).toBe(140 * KIB);
    held.letGo();
    expect((await first).body.length).toBe(100 * KIB);
    expect((await small).body.length).toBe(40 * KIB);
    await expect.poll(() => server.calls.bytesCount).toBe(0);
  });

  test('Z20: calls at once are bounded', async () => {
    const { server, held } = await serve({ limits: { callsMax: 2 } });
    const client = clientOf(server);
    const two = [1, 2].map(() => client.call({ head: HEAD, mayRepeat: false }));
    await expect.poll(() => held.calls.length).toBe(2);
    await expect(client.call({ head: HEAD, mayRepeat: false })).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
    held.letGo();
    await Promise.all(two);
    const again = client.call({ head: HEAD, mayRepeat: false });
    await expect.poll(() => held.calls.length).toBe(1);
    held.letGo();
    await again;
  });

  test('Z20: a body that does not come is given up, and what was held for it', async () => {
    const { server } = await serve({ limits: { exchangeMsMax: 100 } });
    const signed = new CallMac(SECRET).sign(HEAD, 50 * KIB, 0, checksum);
    const slow = await begin(server, [signed, new Uint8Array(10)]);
    await expect.poll(() => server.calls.bytesCount).toBe(50 * KIB);
    expect(await slow.ended).toBe('closed with 8');
    expect([server.calls.callsCount, server.calls.bytesCount]).toEqual([0, 0]);
  });

  test('Z20: whoever has not the secret holds no memory, and no long body is announced', async () => {
    const { server, held } = await serve({});
    const unsigned = new CallMac('not the secret of this server, no').sign(HEAD, 50 * KIB, 0, checksum);
    const stranger = await begin(server, [unsigned, new Uint8Array(10)]);
    const long = await begin(server, [new CallMac(SECRET).sign(HEAD, bodyBytesMax + 1, 0, checksum)]);
    await expect.poll(() => server.calls.callsCount).toBe(2);
    expect(server.calls.bytesCount).toBe(0);
    for (const call of [stranger, long]) call.close();
    await expect.poll(() => server.calls.callsCount).toBe(0);
    expect(held.calls).toEqual([]);
  });

  test('Z20: what a client no longer waits for counts until it is served', async () => {
    const { server, held } = await serve({});
    const signed = new CallMac(SECRET).sign(HEAD, 1_000, checksum.crc32(new Uint8Array(1_000)), checksum);
    const session = connect(server.url);
    session.on('error', () => undefined);
    const stream = session.request({ ':method': 'POST', ':path': '/call' });
    stream.on('error', () => undefined);
    stream.write(signed);
    stream.end(new Uint8Array(1_000));
    await expect.poll(() => held.calls.length).toBe(1);
    session.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([server.calls.callsCount, server.calls.bytesCount]).toEqual([1, 1_000]);
    held.letGo();
    await expect.poll(() => [server.calls.callsCount, server.calls.bytesCount]).toEqual([0, 0]);
  });

  test('Z17: a request that somebody changed is not served, and one whose mac is another one neither', async () => {
    const { server, held } = await serve({});
    const client = clientOf(server);
    for (const at of [5, 20]) {
      const signed = new CallMac(SECRET).sign(HEAD, 0, 0, checksum);
      signed[at] = (signed[at] ?? 0) ^ 1;
      const changed = await begin(server, [signed]);
      changed.close();
    }
    const own = client.call({ head: HEAD, mayRepeat: false });
    await expect.poll(() => held.calls.length).toBe(1);
    held.letGo();
    await own;
  });

  test('Z17: whatever bytes come, nothing is served, the answer is a frame, and the server lives', async () => {
    const { server, held } = await serve({});
    const frame = Buffer.concat([new CallMac(SECRET).sign(HEAD, 300, 0, checksum), new Uint8Array(300)]);
    for (let round = 0; round < 200; round += 1) {
      const bytes = Buffer.from(frame.subarray(0, (round * 7) % (frame.length + 1)));
      if (round % 2 === 0 && bytes.length > 0) bytes[round % bytes.length] = (bytes[round % bytes.length] ?? 0) ^ (1 << (round % 8));
      const answer = await fetch(`${server.url}/call`, { method: 'POST', body: bytes });
      const { head } = read(new Uint8Array(await answer.arrayBuffer()));
      expect(decodeAnswerHead(head)).toMatchObject({ failure: { effect: 'none' } });
    }
    expect(held.calls).toEqual([]);
    expect(server.faults).toEqual([]);
    expect([server.calls.callsCount, server.calls.bytesCount]).toEqual([0, 0]);
  });

  test('while it is not ready, and from the start of its drain, calls are refused without effect', async () => {
    let isReady = false;
    const { server, held } = await serve({ isReady: () => isReady });
    const client = clientOf(server);
    await expect(client.call({ head: HEAD, mayRepeat: false })).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect((await fetch(`${server.url}/health`)).status).toBe(503);
    isReady = true;
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const call = client.call({ head: HEAD, mayRepeat: false });
    await expect.poll(() => held.calls.length).toBe(1);
    const drained = server.calls.drain(2_000);
    await expect(client.call({ head: HEAD, mayRepeat: false })).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect((await fetch(`${server.url}/health`)).status).toBe(503);
    held.letGo();
    await call;
    await drained;
  });
});
