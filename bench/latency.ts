// Latency of appends of one 1 KiB record: unary and on sessions, 1 and 64 clients, over 1 and 1,000 streams; and from a writer to a reader.

import { BASIN, createStream, inParallel, openSessions, UnaryClient } from './load.ts';
import { encodeAppendInput, frameOf } from './protocol.ts';
import type { Report } from './report.ts';
import { connect, openRead } from './session.ts';

const RECORD_BYTES = 1_024;
const RUN_MS = 3_000;
const WARM_UP_MS = 500;
const CLIENTS = [1, 64];
const STREAMS = [1, 1_000];
const streamName = (at: number): string => `latency-${at}`;

interface Load {
  readonly latencies: number[];
  readonly perSecond: number;
}

/** `clients` loops, each one request at a time; client c uses streams c, c + clients, c + 2 × clients, … */
export async function closedLoop(
  clients: number,
  streams: number,
  append: (client: number, stream: number) => Promise<unknown>,
): Promise<Load> {
  const latencies: number[] = [];
  const begin = performance.now();
  const measureFrom = begin + WARM_UP_MS;
  const end = measureFrom + RUN_MS;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let turn = 0; performance.now() < end; turn++) {
        const before = performance.now();
        await append(client, (client + turn * clients) % streams);
        if (before >= measureFrom) latencies.push(performance.now() - before);
      }
    }),
  );
  return { latencies, perSecond: latencies.length / (RUN_MS / 1_000) };
}

export function addLoad(report: Report, name: string, load: Load): void {
  report.addLatencies(name, load.latencies);
  report.add(`${name} rate`, load.perSecond, 'appends/s');
}

export async function benchLatency(origin: string, report: Report): Promise<void> {
  const client = new UnaryClient(origin);
  await inParallel(Math.max(...STREAMS), 16, (at) => createStream(client, streamName(at)));
  const unaryBody = Buffer.from(JSON.stringify({ records: [{ body: 'x'.repeat(RECORD_BYTES) }] }));
  const frame = frameOf(encodeAppendInput([{ body: Buffer.alloc(RECORD_BYTES, 0x78) }]));
  for (const streams of STREAMS) {
    for (const clients of CLIENTS) {
      const over = `${clients} ${clients === 1 ? 'client' : 'clients'}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`;
      const unary = await closedLoop(clients, streams, (_, stream) =>
        client.call('POST', `/streams/${streamName(stream)}/records`, unaryBody),
      );
      addLoad(report, `unary append, ${over},`, unary);

      // A session a client where they share a stream; else one a stream, each used by one client at a time.
      const targets = Array.from({ length: Math.max(clients, streams) }, (_, at) => streamName(at % streams));
      const { sessions, close } = await openSessions(origin, targets);
      const session = await closedLoop(clients, streams, (at, stream) => {
        const chosen = sessions[streams === 1 ? at : stream];
        if (chosen === undefined) throw new Error('no such session');
        return chosen.append(frame);
      });
      close();
      addLoad(report, `session append, ${over},`, session);
    }
  }
  client.close();
  await benchTailing(origin, report);
}

/** From the moment a writer sends a record until a tailing reader has it, at a steady rate. */
async function benchTailing(origin: string, report: Report): Promise<void> {
  const client = new UnaryClient(origin);
  await createStream(client, 'tailing');
  client.close();
  const reading = await connect(origin);
  const { sessions, close } = await openSessions(origin, ['tailing']);
  const sentAt: number[] = [];
  const latencies: number[] = [];
  let caughtUp: () => void = () => undefined;
  let failed: (error: Error) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    caughtUp = resolve;
    failed = reject;
  });
  const read = openRead(reading, BASIN, 'tailing', '?seq_num=0', {
    onBatch: (batch) => {
      caughtUp();
      for (const record of batch.records) latencies.push(performance.now() - (sentAt[record.seqNum] ?? Number.NaN));
    },
    onEnd: (error) => failed(error ?? new Error('the reader was ended')),
  });
  await ready;
  const frame = frameOf(encodeAppendInput([{ body: Buffer.alloc(RECORD_BYTES, 0x78) }]));
  const everyMs = 5;
  const begin = performance.now();
  const acks: Promise<unknown>[] = [];
  for (let turn = 0; turn * everyMs < RUN_MS; turn++) {
    const waitMs = begin + turn * everyMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sentAt[turn] = performance.now();
    const ack = sessions[0]?.append(frame);
    if (ack !== undefined) acks.push(ack);
  }
  await Promise.all(acks);
  await new Promise((resolve) => setTimeout(resolve, 100));
  read.close();
  close();
  reading.destroy();
  report.addLatencies('tailing end to end, 200 appends/s,', latencies);
}
