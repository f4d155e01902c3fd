// A service that follows one stream and writes what it makes of each record to another, exactly once and in order, whatever crashes.
// ecs-service.md beside it says how it runs on ECS.
//
//   MILLRACE_URL=http://localhost:8080 MILLRACE_BASIN=my-first-basin node docs/guides/service-relay.ts
//
// 1. It keeps its place in what it writes: each record names the order that it was made from. There is no other state.
// 2. Every append says at which sequence number it must land. A repeat, after an answer that was lost, or by another task that does
//    the same, is refused; the relay then looks for its place again.
// 3. At SIGTERM it reads no more, waits for the acknowledgements of what it has sent, and ends.

import { setTimeout as sleep } from 'node:timers/promises';
import { AppendRecord, BatchTransform, Producer, type ReadRecord, S2, SeqNumMismatchError } from '@s2-dev/streamstore';

const { MILLRACE_URL: url = 'http://localhost:8080', MILLRACE_BASIN: basin = '', MILLRACE_TOKEN = 'none' } = process.env;
if (basin === '') throw new Error('MILLRACE_BASIN is not set');
const FROM = 'from';
const PAUSE_MS = 500;

const client = new S2({ accessToken: MILLRACE_TOKEN, endpoints: { account: url, basin: url } });
const orders = client.basin(basin).stream('orders');
const invoices = client.basin(basin).stream('invoices');
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

function invoiceOf({ seqNum, body }: ReadRecord): AppendRecord {
  return AppendRecord.string({ body: `invoice for ${body}`, headers: [[FROM, String(seqNum)]] });
}

/** Where the next invoice lands, and the order that it is made from. */
async function place(): Promise<{ readonly target: number; readonly source: number }> {
  const { tail } = await invoices.checkTail();
  if (tail.seqNum === 0) return { target: 0, source: 0 };
  const { records } = await invoices.read({ start: { from: { seqNum: tail.seqNum - 1 } }, stop: { limits: { count: 1 } } });
  const from = records[0]?.headers.find(([name]) => name === FROM)?.[1];
  if (from === undefined) throw new Error('the last record of invoices was not written by this relay');
  return { target: tail.seqNum, source: Number(from) + 1 };
}

/** Until it is told to stop. */
async function relay(): Promise<void> {
  const { target, source } = await place();
  console.log(`goes on at order ${source}`);
  // An append that fails ends the reading too, also where no order comes that would find out.
  const failed = new AbortController();
  const session = await orders.readSession(
    { start: { from: { seqNum: source } } },
    { signal: AbortSignal.any([stop.signal, failed.signal]) },
  );
  const producer = new Producer(new BatchTransform({ matchSeqNum: target }), await invoices.appendSession());
  try {
    for await (const order of session) {
      if (stop.signal.aborted) break;
      // Waits while too much is under way.
      const ticket = await producer.submit(invoiceOf(order));
      ticket.ack().catch((error: unknown) => failed.abort(error));
    }
  } catch (error) {
    // What ends the session at SIGTERM is the signal.
    if (!stop.signal.aborted) throw error;
  } finally {
    // Resolves once all that was submitted is durable; else throws what it failed for.
    await producer.close();
  }
}

while (!stop.signal.aborted) {
  try {
    await relay();
  } catch (error) {
    if (error instanceof SeqNumMismatchError) console.log('an invoice is there already; looks for its place');
    else console.error(`the relay failed, and begins again: ${String(error)}`);
    await sleep(PAUSE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}
console.log('drained');
process.exit(0);
