// Clients that owe something and do not give it: bytes that they promised, or reading what they asked for.

import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bodies, withBody } from '#core/api/http/body.ts';
import { Draining } from '#core/api/http/draining.ts';
import type { Exchange } from '#core/api/http/exchange.ts';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { startServer, type TestServer } from './server.ts';

const PATIENCE = { bodyMs: 1_500, bodySilenceMs: 300, frameMs: 600, readMs: 500 };
const BATCH_BYTES = 900_000;

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startServer({ idleMsMax: 1_000 }, PATIENCE);
  api = new Api(server.origin, 'patient-basin');
  await api.createBasin();
  for (const stream of ['a', 'large']) await api.createStream(stream);
  for (let i = 0; i < 12; i += 1) await api.appendBodies('large', 'x'.repeat(BATCH_BYTES));
});
afterAll(() => server.close());

function head(method: string, stream: string, ...headers: string[]): string {
  const lines = [`${method} /v1/streams/${stream}/records?seq_num=0 HTTP/1.1`, 'host: x', `s2-basin: ${api.basin}`, ...headers];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

async function opened(text: string): Promise<RawConnection> {
  const raw = await RawConnection.open(server.origin);
  raw.send(text);
  return raw;
}

const JSON_BODY = ['content-type: application/json', 'content-length: 100'];

describe('a unary body', () => {
  test('that stalls gets 408, and so does one that trickles for too long; nothing is written', async () => {
    const silent = await opened(head('POST', 'a', ...JSON_BODY));
    silent.send('{"records":[{"body":"half');
    const trickling = await opened(head('POST', 'a', ...JSON_BODY));
    const drip = setInterval(() => trickling.send(' '), 100);
    await expect.poll(() => silent.status, { timeout: 2_000 }).toBe(408);
    expect(silent.text).toContain('"code":"request_timeout"');
    expect(trickling.status).toBe(0);
    await expect.poll(() => trickling.status, { timeout: 4_000 }).toBe(408);
    clearInterval(drip);
    for (const raw of [silent, trickling]) raw.reset();
    expect(await api.tail('a')).toBe(0);
    await expect.poll(() => server.handler.openCount).toBe(0);
  });

  test('whose client is gone before anybody reads it ends at once', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const body = new Readable({ read: () => undefined }).once('close', resolve).destroy();
    await closed;
    const exchange = { headers: {}, body, gone: new AbortController().signal } as unknown as Exchange;
    const reading = withBody(exchange, new Bodies(PATIENCE, new Draining()), async () => 'read');
    await expect(Promise.race([reading, sleep(100, 'late')])).rejects.toMatchObject({ code: 'client_hangup' });
  });
});

describe('an append session', () => {
  const SESSION = ['content-type: s2s/proto', 'transfer-encoding: chunked'];
  const HI = 'a\r\n\x00\x00\x07\x00\x0a\x04\x1a\x02hi\r\n';
  const chunk = (bytes: string): string => `${bytes.length.toString(16)}\r\n${bytes}\r\n`;

  test('A18: that does not finish a frame ends with request_timeout, also if it trickles; a silent one without half a frame stays', async () => {
    const quiet = await opened(head('POST', 'a', ...SESSION));
    const half = await opened(head('POST', 'a', ...SESSION));
    half.send(Buffer.from(chunk('\x00\x10\x00\x00'), 'latin1'));
    const drip = setInterval(() => half.send(Buffer.from(chunk('.'), 'latin1')), 50);
    await expect.poll(() => half.text, { timeout: 3_000 }).toContain('request_timeout');
    clearInterval(drip);
    await sleep(PATIENCE.frameMs);
    expect(quiet.isClosed).toBe(false);
    quiet.send(Buffer.from(HI, 'latin1'));
    await expect.poll(() => api.tail('a')).toBe(1);
    expect(quiet.text).not.toContain('request_timeout');
    for (const raw of [quiet, half]) raw.reset();
    await expect.poll(() => server.handler.openCount).toBe(0);
  });

  test('A18: what all sessions hold of unfinished frames has a bound, beyond which they are refused', async () => {
    const piece = Buffer.concat([Buffer.from('1e8480\r\n'), Buffer.from([0x1f, 0xff, 0xff, 0]), Buffer.alloc(1_999_996)]);
    const patient = await startServer();
    const own = new Api(patient.origin, api.basin);
    await own.createBasin();
    await own.createStream('a');
    const all = await Promise.all(Array.from({ length: 140 }, () => RawConnection.open(patient.origin)));
    for (const raw of all) raw.send(head('POST', 'a', ...SESSION));
    for (const raw of all) raw.send(piece);
    // 256 MiB hold 134 of them.
    await expect.poll(() => all.filter((raw) => raw.text.includes('rate_limited')).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(1);
    expect(all.filter((raw) => raw.text.includes('rate_limited')).length).toBeLessThan(20);
    for (const raw of all) raw.reset();
    await expect.poll(() => patient.handler.openCount).toBe(0);
    expect((await own.append('a', { records: [{ body: 'goes on' }] })).status).toBe(200);
    await patient.close();
  });
});

describe('a client that stops reading', () => {
  const ask: [string, string[]][] = [
    ['server-sent events', ['accept: text/event-stream']],
    ['a read session', ['content-type: s2s/proto']],
  ];

  test.each(ask)('A17: %s over HTTP/1.1 is cut, and its read closed', async (_, headers) => {
    const raw = await opened(head('GET', 'large', ...headers));
    raw.socket.pause();
    await expect.poll(() => server.store.openReads, { timeout: 2_000 }).toBe(1);
    await expect.poll(() => server.store.openReads, { timeout: 5_000 }).toBe(0);
    await expect.poll(() => server.handler.openCount).toBe(0);
    raw.reset();
  });

  test('A17: a unary answer that is not taken is cut; one that was taken leaves its connection to the next request', async () => {
    const raw = await opened(head('GET', 'large', 'accept-encoding: identity').repeat(12));
    raw.socket.pause();
    await expect.poll(() => server.server.connectionsCount, { timeout: 2_000 }).toBeGreaterThan(0);
    const connections = server.server.connectionsCount;
    await expect.poll(() => server.server.connectionsCount, { timeout: 5_000 }).toBeLessThan(connections);
    raw.reset();
    const reader = await opened(head('GET', 'large'));
    await expect.poll(() => reader.text.length, { timeout: 5_000 }).toBeGreaterThan(BATCH_BYTES);
    await sleep(PATIENCE.readMs + 200);
    reader.send('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(() => reader.text.endsWith('OK')).toBe(true);
    // A15: and between requests it is closed in the time that it has for that.
    await expect.poll(() => reader.isClosed, { timeout: 5_000 }).toBe(true);
  });

  test('A17: one of the streams of an HTTP/2 connection is cut, and the others go on', async () => {
    const client = connect(server.origin, { settings: { initialWindowSize: 64 * 1024 } });
    const path = '/v1/streams/large/records?seq_num=0';
    const stalled = client.request({ ':path': path, 's2-basin': api.basin, 'content-type': 's2s/proto' });
    stalled.on('error', () => undefined);
    let isClosed = false;
    stalled.once('close', () => {
      isClosed = true;
    });
    stalled.pause();
    await expect.poll(() => server.store.openReads, { timeout: 2_000 }).toBe(1);
    await expect.poll(() => server.store.openReads, { timeout: 5_000 }).toBe(0);
    const health = client.request({ ':path': '/health' });
    const text = await new Promise<string>((resolve) => health.once('data', (bytes) => resolve(String(bytes))));
    expect(text).toBe('OK');
    stalled.resume();
    await expect.poll(() => isClosed).toBe(true);
    client.destroy();
    await expect.poll(() => server.handler.openCount).toBe(0);
  });

  test('A17: one that reads slowly is not cut', async () => {
    const raw = await opened(head('GET', 'large', 'content-type: s2s/proto'));
    raw.socket.pause();
    let taken = 0;
    raw.socket.on('data', (bytes: Buffer) => {
      taken += bytes.length;
      raw.socket.pause();
    });
    const sips = setInterval(() => raw.socket.resume(), 20);
    await expect.poll(() => taken, { timeout: 10_000 }).toBeGreaterThan(4 * BATCH_BYTES);
    expect(raw.isClosed).toBe(false);
    clearInterval(sips);
    raw.reset();
    await expect.poll(() => server.store.openReads).toBe(0);
  });
});
