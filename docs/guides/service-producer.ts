// A service that takes orders over HTTP and answers each once it is durable: one append session for all requests, drained at SIGTERM.
// ecs-service.md beside it says how it runs on ECS.
//
//   MILLRACE_URL=http://localhost:8080 MILLRACE_BASIN=my-first-basin PORT=3000 node docs/guides/service-producer.ts
//   curl -i localhost:3000/orders -d '{"cart":[1,2]}'

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { AppendRecord, BatchTransform, Producer, S2 } from '@s2-dev/streamstore';

const { MILLRACE_URL: url = 'http://localhost:8080', MILLRACE_BASIN: basin = '', MILLRACE_TOKEN = 'none', PORT = '3000' } = process.env;
if (basin === '') throw new Error('MILLRACE_BASIN is not set');
const ORDER_BYTES_MAX = 64 * 1024;
/** How long a batch waits for more. What is under way shares a session, so more requests do not mean more appends. */
const LINGER_MS = 5;

const client = new S2({ accessToken: MILLRACE_TOKEN, endpoints: { account: url, basin: url } });
const orders = client.basin(basin).stream('orders');
let producer: Promise<Producer> | undefined;
let isDraining = false;

async function open(): Promise<Producer> {
  return new Producer(new BatchTransform({ lingerDurationMillis: LINGER_MS }), await orders.appendSession());
}

/** @returns the sequence number of the record, once it is durable */
async function append(body: string, id: string | undefined): Promise<number> {
  producer ??= open();
  const mine = producer;
  try {
    const ticket = await (await mine).submit(AppendRecord.string({ body, headers: id === undefined ? [] : [['id', id]] }));
    return (await ticket.ack()).seqNum();
  } catch (error) {
    // The SDK has tried again by itself. A producer that failed stays so; the next request begins another one.
    if (producer === mine) producer = undefined;
    throw error;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > ORDER_BYTES_MAX) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const say = (status: number, body: object): void => {
    // While it drains, no connection is kept for another request.
    response.writeHead(status, { 'content-type': 'application/json', ...(isDraining ? { connection: 'close' } : {}) });
    response.end(`${JSON.stringify(body)}\n`);
  };
  if (request.url === '/health') return say(isDraining ? 503 : 200, { draining: isDraining });
  if (request.method !== 'POST' || request.url !== '/orders') return say(404, { error: 'POST /orders is all there is' });
  const body = await bodyOf(request);
  if (body === undefined) return say(413, { error: `an order has at most ${ORDER_BYTES_MAX} bytes` });
  const [id] = [request.headers['idempotency-key']].flat();
  try {
    say(201, { seqNum: await append(body, id) });
  } catch (error) {
    console.error(`order not acknowledged: ${String(error)}`);
    // It may be durable all the same. Whoever tries again with the same key leaves a repeat that readers can tell.
    say(503, { error: 'not acknowledged; try again with the same idempotency-key' });
  }
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(String(error));
    response.destroy();
  });
});
server.listen(Number(PORT));
await once(server, 'listening');
const address = server.address();
console.log(`orders are taken on port ${typeof address === 'object' ? address?.port : address}`);

await once(process, 'SIGTERM');
isDraining = true;
// Takes no more connections; resolves when every request was answered, which is when its record is durable.
const closed = once(server, 'close');
server.close();
server.closeIdleConnections();
await closed;
await (await producer)?.close();
console.log('drained');
process.exit(0);
