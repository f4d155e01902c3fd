// What the edge Worker adds, in workerd: to a unary append and to a record on its way to a reader, each against the same store without it.
//
// Direct and through take turns, request by request, so that whatever else the machine does meets both alike.

import http from 'node:http';
import { startEdge } from '#functions/edge/workerd.ts';
import { BASIN, createStream, UnaryClient } from './load.ts';
import type { Report } from './report.ts';

const RECORD_BYTES = 1_024;
const APPENDS = 1_500;
const WARM_UP = 200;
const EVENTS = 400;
const EVENT_EVERY_MS = 5;
const HISTORY_READS = 1_000;
/** The median that it may add to a unary append. */
const ADDED_MS_MAX = 1;

const body = Buffer.from(JSON.stringify({ records: [{ body: 'x'.repeat(RECORD_BYTES) }] }));

export async function benchEdge(origin: string, report: Report): Promise<void> {
  const edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: origin, MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' } });
  const clients = { direct: new UnaryClient(origin), through: new UnaryClient(edge.url) };
  try {
    await createStream(clients.direct, 'edge');
    await benchAppends(clients, report);
    await benchEvents(origin, edge.url, clients.direct, report);
    await benchHistory(clients, report);
  } finally {
    clients.direct.close();
    clients.through.close();
    await edge.close();
  }
}

type Clients = Readonly<Record<'direct' | 'through', UnaryClient>>;

async function timed(client: UnaryClient, method: string, path: string, sent?: Buffer): Promise<number> {
  const before = performance.now();
  await client.call(method, path, sent);
  return performance.now() - before;
}

async function benchAppends({ direct, through }: Clients, report: Report): Promise<void> {
  const latencies = { direct: [] as number[], through: [] as number[] };
  for (let turn = 0; turn < WARM_UP + APPENDS; turn += 1) {
    const one = await timed(direct, 'POST', '/streams/edge/records', body);
    const other = await timed(through, 'POST', '/streams/edge/records', body);
    if (turn < WARM_UP) continue;
    latencies.direct.push(one);
    latencies.through.push(other);
  }
  report.addLatencies('unary append, direct,', latencies.direct);
  report.addLatencies('unary append, through the edge,', latencies.through);
  const added = median(latencies.through) - median(latencies.direct);
  report.add('unary append: the edge adds', added, 'ms');
  if (added > ADDED_MS_MAX) report.note(`the edge adds more than ${ADDED_MS_MAX} ms to the median append`);
}

/** From an append, sent directly, to the event that has its record: one reader direct, one through the edge. */
async function benchEvents(origin: string, edge: string, direct: UnaryClient, report: Report): Promise<void> {
  const sentAt: number[] = [];
  const readers = await Promise.all([origin, edge].map((url) => follow(url, sentAt)));
  for (let turn = 0; turn < EVENTS; turn += 1) {
    sentAt.push(performance.now());
    await direct.call('POST', '/streams/edge/records', body);
    await new Promise((resolve) => setTimeout(resolve, EVENT_EVERY_MS));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  const [one, other] = readers.map(({ latencies }) => latencies.slice(EVENTS / 10));
  for (const { close } of readers) close();
  if (one === undefined || other === undefined || one.length !== other.length) throw new Error('a reader missed events');
  report.addLatencies('event, direct,', one);
  report.addLatencies('event, through the edge,', other);
  report.add('event: the edge adds', median(other) - median(one), 'ms');
}

interface Following {
  readonly latencies: number[];
  close(): void;
}

/** Resolves once the reader is at the tail. */
function follow(url: string, sentAt: readonly number[]): Promise<Following> {
  const latencies: number[] = [];
  return new Promise((resolve, reject) => {
    const headers = { 's2-basin': BASIN, authorization: 'Bearer none', accept: 'text/event-stream' };
    const request = http.get(`${url}/v1/streams/edge/records?tail_offset=0`, { agent: false, headers }, (response) => {
      let text = '';
      response.on('error', () => undefined);
      response.setEncoding('utf8').on('data', (part: string) => {
        const now = performance.now();
        text += part;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const event = text.slice(0, end);
          text = text.slice(end + 2);
          if (event.includes('event: ping')) resolve({ latencies, close: () => request.destroy() });
          if (event.includes('event: batch')) latencies.push(now - (sentAt[latencies.length] ?? Number.NaN));
        }
      });
    });
    request.on('error', reject);
  });
}

/** A page of history, as the cell gives it and as the edge gives it again. */
async function benchHistory({ direct, through }: Clients, report: Report): Promise<void> {
  // Offloaded, and dropped from the cell's memory.
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const latencies = { direct: [] as number[], through: [] as number[] };
  for (let turn = 0; turn < HISTORY_READS; turn += 1) {
    latencies.direct.push(await timed(direct, 'GET', '/streams/edge/records?seq_num=0&count=100'));
    latencies.through.push(await timed(through, 'GET', '/streams/edge/records?seq_num=0&count=100'));
  }
  report.addLatencies('100 KiB of history, direct,', latencies.direct);
  report.addLatencies('100 KiB of history, kept at the edge,', latencies.through);
}

function median(latencies: readonly number[]): number {
  return Float64Array.from(latencies).sort()[Math.floor(latencies.length / 2)] ?? Number.NaN;
}
