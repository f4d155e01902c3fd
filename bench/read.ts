// Catch-up read: one session reads a stream from its start, after a restart, with everything in segments.
//
// That the bytes came from the object store, and not from memory, shows in how many the process read meanwhile.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '#test/support/server.ts';
import { BASIN, createStream, fullBatch, pump, UnaryClient } from './load.ts';
import { folderBytes, readBytes } from './process.ts';
import { countRecords } from './protocol.ts';
import type { Report } from './report.ts';
import { connect, openRawRead } from './session.ts';

const MIB = 1024 * 1024;
const STREAM = 'catch-up';
const STREAM_BYTES = 768 * MIB;
const RECORD_BYTES = 8_192;
const IN_FLIGHT_BYTES_MAX = 8 * MIB;
const OFFLOAD_TIMEOUT_MS = 120_000;
/** Deletion of offloaded chunks follows on a timer of the server. */
const GC_MS = 4_000;
const RUNS = 3;

export async function benchRead(server: Server, report: Report, ceiling: number): Promise<void> {
  const segments = path.join(server.dataDir, 'segments');
  const before = await folderBytes(segments);
  const client = new UnaryClient(server.url);
  await createStream(client, STREAM);
  client.close();
  const writing = await connect(server.url);
  const { records } = await pump(writing, STREAM, fullBatch(RECORD_BYTES), IN_FLIGHT_BYTES_MAX, (sent) => sent >= STREAM_BYTES);
  writing.destroy();
  await waitForOffload(segments, before + records * RECORD_BYTES, report);
  await server.stop();
  await server.start();

  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    const readBefore = await readBytes(server.pid);
    const connection = await connect(server.url);
    const begin = performance.now();
    const count = await readRecords(connection, records);
    const seconds = (performance.now() - begin) / 1_000;
    connection.destroy();
    if (count !== records) throw new Error(`${records} records were appended, and ${count} were read`);
    const fromStore = (await readBytes(server.pid)) - readBefore;
    report.add(`catch-up read, run ${run + 1}, read by the server`, fromStore / (records * RECORD_BYTES), 'bytes/byte');
    best = Math.max(best, (records * RECORD_BYTES) / MIB / seconds);
  }
  report.add(`catch-up read, one session, 8 KiB records`, best, 'MiB/s', ceiling);
}

async function waitForOffload(segments: string, bytes: number, report: Report): Promise<void> {
  const deadline = Date.now() + OFFLOAD_TIMEOUT_MS;
  while ((await folderBytes(segments)) < bytes) {
    if (Date.now() > deadline) {
      report.note('warning: not everything was offloaded in time; some of the read will come from memory');
      break;
    }
    await sleep(200);
  }
  await sleep(GC_MS);
}

async function readRecords(connection: Awaited<ReturnType<typeof connect>>, count: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    let seen = 0;
    openRawRead(connection, BASIN, STREAM, `?seq_num=0&count=${count}`, {
      onOpen: () => undefined,
      onFrame: (payload) => {
        seen += countRecords(payload);
      },
      onEnd: (error) => (error === undefined ? resolve(seen) : reject(error)),
    });
  });
}
