// Append throughput: one S2S session on one HTTP/2 stream, full batches, at three record sizes.

import { createStream, fullBatch, pump, UnaryClient } from './load.ts';
import type { Report } from './report.ts';
import { connect } from './session.ts';

const SIZES = [
  { name: '128 B', bytes: 128 },
  { name: '1 KiB', bytes: 1_024 },
  { name: '8 KiB', bytes: 8_192 },
];
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
const WARM_UP_MS = 1_000;
const RUN_MS = 5_000;

export async function benchAppend(origin: string, report: Report, ceiling: number): Promise<void> {
  const client = new UnaryClient(origin);
  const connection = await connect(origin);
  for (const size of SIZES) {
    const stream = `append ${size.name}`;
    await createStream(client, stream);
    const batch = fullBatch(size.bytes);
    await pump(connection, stream, batch, IN_FLIGHT_BYTES_MAX, (_, ms) => ms > WARM_UP_MS);
    const pumped = await pump(connection, stream, batch, IN_FLIGHT_BYTES_MAX, (_, ms) => ms > RUN_MS);
    report.add(`append, one session, ${size.name} records`, pumped.mibPerSecond, 'MiB/s', ceiling);
    report.add(`append, one session, ${size.name} records, rate`, pumped.recordsPerSecond, 'records/s');
  }
  connection.destroy();
  client.close();
}
