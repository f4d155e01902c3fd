// A thousand readers follow one stream through one Worker, on the real process: each gets every record, once and in order.

import http from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningEdge, startEdge } from '#functions/edge/workerd.ts';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const READERS = 1_000;
const RECORDS = 50;
const BASIN = 'tailing-basin';

let server: Server;
let edge: RunningEdge;
let api: Api;

beforeAll(async () => {
  server = await startServer();
  edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: server.url, MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' } });
  api = new Api(server.url, BASIN);
  await api.createBasin();
  await api.createStream('news');
});
afterAll(async () => {
  await edge?.close();
  await server?.dispose();
});

interface Reader {
  readonly bodies: string[];
  /** It has reached the tail. */
  isLive: boolean;
  readonly request: http.ClientRequest;
}

function follow(): Reader {
  const request = http.get(`${edge.url}/v1/streams/news/records?seq_num=0&clamp=true`, {
    agent: false,
    headers: { 's2-basin': BASIN, accept: 'text/event-stream' },
  });
  const reader: Reader = { bodies: [], isLive: false, request };
  request.on('error', () => undefined);
  request.on('response', (response) => {
    let text = '';
    response.on('error', () => undefined);
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        if (event.includes('event: ping')) reader.isLive = true;
        if (!event.includes('event: batch')) continue;
        const data = /^data: (.*)$/m.exec(event)?.[1] ?? '';
        reader.bodies.push(...(JSON.parse(data) as { records: { body: string }[] }).records.map(({ body }) => body));
      }
    });
  });
  return reader;
}

async function openRequests(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^millrace_open_requests (\d+)/m.exec(text)?.[1]);
}

test(`${READERS} tailing readers`, async () => {
  const readers = Array.from({ length: READERS }, follow);
  await expect.poll(() => readers.filter(({ isLive }) => isLive).length, { timeout: 60_000, interval: 100 }).toBe(READERS);
  expect(await openRequests()).toBe(READERS);
  const expected = Array.from({ length: RECORDS }, (_, i) => `${i}`);
  const latencies: number[] = [];
  for (const body of expected) {
    const sentAt = performance.now();
    await api.appendBodies('news', body);
    await expect.poll(() => readers.every(({ bodies }) => bodies.at(-1) === body), { timeout: 20_000, interval: 2 }).toBe(true);
    latencies.push(performance.now() - sentAt);
  }
  for (const { bodies } of readers) expect(bodies).toEqual(expected);
  const middle = latencies.sort((a, b) => a - b)[RECORDS / 2] ?? Number.NaN;
  console.log(`from an append to the last of ${READERS} readers: ${middle.toFixed(0)} ms at the median of ${RECORDS}`);

  // Those that leave let go of the origin.
  for (const { request } of readers) request.destroy();
  await api.appendBodies('news', 'bye');
  await api.appendBodies('news', 'bye');
  await expect.poll(openRequests, { timeout: 30_000, interval: 200 }).toBe(0);
});
