// What a network between task and disk costs: appends of one 1 KiB record to streams of class native through three chunk servers on
// loopback, beside the same on the embedded cell's direct zones, in turns on one disk. Processor time is that of all processes of the
// store: on a machine with fewer cores than processes it is what latency is made of.

import path from 'node:path';
import { startCluster } from '#functions/cluster/cluster.ts';
import { startServer } from '#test/support/server.ts';
import { addLoad, closedLoop } from './latency.ts';
import { createBenchBasin, createStream, fullBatch, openSessions, pump, UnaryClient } from './load.ts';
import { processorMs } from './process.ts';
import { encodeAppendInput, frameOf } from './protocol.ts';
import type { Report } from './report.ts';
import { connect } from './session.ts';

const MIB = 1024 * 1024;
const RECORD_BYTES = 1_024;
const CLIENTS = [1, 64];
const ROUNDS = 2;
const PUMP_MS = 3_000;
const PUMP_BYTES_MAX = 16 * MIB;
const STREAM = 'native';

interface Subject {
  readonly name: string;
  readonly origin: string;
  readonly pids: readonly number[];
}

export async function benchNative(folder: string, report: Report): Promise<void> {
  const server = await startServer({ dataDir: path.join(folder, 'embedded') });
  const cluster = await startCluster({
    tasks: 1,
    port: 0,
    dir: path.join(folder, 'cluster'),
    rootToken: undefined,
    signingSecret: '',
    tell: () => undefined,
  });
  try {
    const subjects: Subject[] = [
      { name: 'embedded zones', origin: server.url, pids: [server.pid] },
      { name: 'chunk servers', origin: cluster.taskUrls[0] ?? '', pids: cluster.processes.map(({ pid }) => pid) },
    ];
    for (const { name, origin } of subjects) await prepare(origin, name === 'chunk servers' ? 'native' : 'express');
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const subject of subjects) await measure(subject, round, report);
    }
  } finally {
    await Promise.all([server.dispose(), cluster.stop()]);
  }
}

async function processorMsOf(pids: readonly number[]): Promise<number> {
  const all = await Promise.all(pids.map(processorMs));
  return all.reduce((sum, ms) => sum + ms, 0);
}

async function prepare(origin: string, storageClass: string): Promise<void> {
  const client = new UnaryClient(origin);
  await createBenchBasin(client);
  await createStream(client, STREAM, { storage_class: storageClass });
  client.close();
}

async function measure({ name, origin, pids }: Subject, round: number, report: Report): Promise<void> {
  const client = new UnaryClient(origin);
  const body = Buffer.from(JSON.stringify({ records: [{ body: 'x'.repeat(RECORD_BYTES) }] }));
  const frame = frameOf(encodeAppendInput([{ body: Buffer.alloc(RECORD_BYTES, 0x78) }]));
  for (const clients of CLIENTS) {
    const of = `${name}, round ${round}, ${clients} ${clients === 1 ? 'client' : 'clients'},`;
    addLoad(report, `unary append, ${of}`, await closedLoop(clients, 1, () => client.call('POST', `/streams/${STREAM}/records`, body)));
    const usedMs = await processorMsOf(pids);
    let count = 0;
    const { sessions, close } = await openSessions(
      origin,
      Array.from({ length: clients }, () => STREAM),
    );
    const load = await closedLoop(clients, 1, async (at) => {
      count += 1;
      return await sessions[at]?.append(frame);
    });
    close();
    addLoad(report, `session append, ${of}`, load);
    report.add(`session append, ${of} processor time`, (1_000 * ((await processorMsOf(pids)) - usedMs)) / count, 'µs');
  }
  const connection = await connect(origin);
  const pumped = await pump(connection, STREAM, fullBatch(8_192), PUMP_BYTES_MAX, (_, ms) => ms > PUMP_MS);
  report.add(`one session at full speed, 8 KiB records, ${name}, round ${round}`, pumped.mibPerSecond, 'MiB/s');
  connection.destroy();
  client.close();
}
