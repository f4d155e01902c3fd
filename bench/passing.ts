// What it costs that a request comes to a task which does not own its stream: unary appends of 1 KiB, sent to the owner and to another
// task by turns, over kept connections. Both tasks run in this process, over memory: the rest is the same for both.

import { MemoryTasks, until } from '#test/support/memory-tasks.ts';
import { createBenchBasin, createStream, UnaryClient } from './load.ts';
import type { Report } from './report.ts';

const RECORD_BYTES = 1_024;
const APPENDS = 20_000;
const WARM_UP_APPENDS = 2_000;
/** By turns in blocks: what the one leaves behind must not be counted with the other. */
const BLOCK_APPENDS = 100;

export async function benchPassing(report: Report): Promise<void> {
  const tasks = new MemoryTasks();
  const owner = await tasks.start();
  await until(() => owner.cell.channels[0]?.channel.isReady === true);
  const other = await tasks.start();
  const direct = new UnaryClient(owner.origin);
  const passed = new UnaryClient(other.origin);
  await createBenchBasin(direct);
  await createStream(direct, 'passing');
  const body = Buffer.from(JSON.stringify({ records: [{ body: 'x'.repeat(RECORD_BYTES) }] }));
  const latencies = { direct: [] as number[], passed: [] as number[] };
  for (let at = 0; at < APPENDS; at += 1) {
    const way = Math.floor(at / BLOCK_APPENDS) % 2 === 0 ? 'direct' : 'passed';
    const before = performance.now();
    await (way === 'direct' ? direct : passed).call('POST', '/streams/passing/records', body);
    if (at >= WARM_UP_APPENDS) latencies[way].push(performance.now() - before);
  }
  report.addLatencies('unary append to the owner,', latencies.direct);
  report.addLatencies('unary append passed on,', latencies.passed);
  report.add('passing on adds, at the median,', median(latencies.passed) - median(latencies.direct), 'ms');
  for (const client of [direct, passed]) client.close();
  await other.stop();
  await owner.stop();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
