// Memory of idle streams: each is created by one append and never touched again. Compared at a third of them and at all, so that what
// the process needs anyway drops out. Resident memory is taken after a full garbage collection, asked for through the inspector.

import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '#test/support/server.ts';
import { createBenchBasin, inParallel, UnaryClient } from './load.ts';
import { residentBytes } from './process.ts';
import type { Report } from './report.ts';

const CLIENTS = 64;
/** Long enough for offload, and for tails to age out of memory. */
const SETTLE_MS_MIN = 20_000;
const SETTLE_MS_MAX = 120_000;
const STABLE_BYTES = 2 * 1024 * 1024;

export async function benchIdle(dataDir: string, streams: number, report: Report): Promise<void> {
  const server = await startServer({
    dataDir,
    command: [process.execPath, '--inspect=127.0.0.1:0', 'functions/local/main.ts'],
  });
  try {
    const inspector = /ws:\/\/[\w.:/-]+/.exec(server.output)?.[0];
    if (inspector === undefined) throw new Error('the server printed no inspector address');
    const client = new UnaryClient(server.url);
    await createBenchBasin(client);
    const body = Buffer.from(JSON.stringify({ records: [{ body: 'x' }] }));
    const third = Math.floor(streams / 3);

    async function fill(from: number, to: number): Promise<number> {
      report.note(`appending to streams ${from} to ${to}`);
      await inParallel(to - from, CLIENTS, async (at) => {
        await client.call('POST', `/streams/idle-${from + at}/records`, body);
      });
      return await settledBytes(server.pid, inspector ?? '', report);
    }

    const few = await fill(0, third);
    const many = await fill(third, streams);
    client.close();
    report.add(`resident memory, ${third} idle streams`, few / 2 ** 20, 'MiB');
    report.add(`resident memory, ${streams} idle streams`, many / 2 ** 20, 'MiB');
    report.add('resident memory an idle stream', (many - few) / (streams - third), 'bytes');
  } finally {
    await server.dispose();
  }
}

/** Resident memory once it no longer falls. */
async function settledBytes(pid: number, inspector: string, report: Report): Promise<number> {
  const begin = Date.now();
  await sleep(SETTLE_MS_MIN);
  let least = Number.POSITIVE_INFINITY;
  for (;;) {
    await collectGarbage(inspector);
    const bytes = await residentBytes(pid);
    report.note(`resident: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
    if (bytes > least - STABLE_BYTES || Date.now() - begin > SETTLE_MS_MAX) return Math.min(least, bytes);
    least = bytes;
    await sleep(5_000);
  }
}

async function collectGarbage(inspector: string): Promise<void> {
  const socket = new WebSocket(inspector);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    socket.onmessage = (message) => {
      if ((JSON.parse(String(message.data)) as { id?: number }).id === 1) resolve();
    };
    socket.onerror = () => reject(new Error('the inspector cannot be reached'));
  });
  socket.close();
}
