// What encryption costs: one session appends, then one reads what was appended, on a plain stream and one of each cipher, in turns.

import { BASIN, createStream, fullBatch, pump, UnaryClient } from './load.ts';
import { countRecords } from './protocol.ts';
import type { Report } from './report.ts';
import { connect, type MoreHeaders, openRawRead } from './session.ts';

const MIB = 1024 * 1024;
const CIPHERS = [undefined, 'aes-256-gcm', 'aegis-256'] as const;
const SIZES = [
  { name: '128 B', bytes: 128 },
  { name: '1 KiB', bytes: 1_024 },
  { name: '8 KiB', bytes: 8_192 },
  { name: '1 MiB', bytes: MIB - 8 },
];
const KEY: MoreHeaders = { 's2-encryption-key': Buffer.alloc(32, 7).toString('base64') };
const IN_FLIGHT_BYTES_MAX = 16 * MIB;
const WARM_UP_MS = 500;
const RUN_MS = 3_000;
const READ_BYTES_MAX = 48 * MIB;

export async function benchEncryption(origin: string, report: Report): Promise<void> {
  const client = new UnaryClient(origin);
  const connection = await connect(origin);
  for (const size of SIZES) {
    const batch = fullBatch(size.bytes);
    for (const cipher of CIPHERS) {
      const name = `${cipher ?? 'plain'}, ${size.name} records`;
      await client.call('PATCH', `/basins/${BASIN}`, Buffer.from(JSON.stringify({ stream_cipher: cipher ?? null })));
      await createStream(client, name);
      await pump(connection, name, batch, IN_FLIGHT_BYTES_MAX, (_, ms) => ms > WARM_UP_MS, KEY);
      const pumped = await pump(connection, name, batch, IN_FLIGHT_BYTES_MAX, (_, ms) => ms > RUN_MS, KEY);
      report.add(`append, ${name}`, pumped.mibPerSecond, 'MiB/s');
      const records = Math.min(pumped.records, Math.floor(READ_BYTES_MAX / size.bytes));
      report.add(`read, ${name}`, (records * size.bytes) / MIB / (await readSeconds(connection, name, records)), 'MiB/s');
    }
  }
  await client.call('PATCH', `/basins/${BASIN}`, Buffer.from('{"stream_cipher":null}'));
  connection.destroy();
  client.close();
}

async function readSeconds(connection: Awaited<ReturnType<typeof connect>>, stream: string, count: number): Promise<number> {
  const begin = performance.now();
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    const onFrame = (payload: Buffer): void => {
      seen += countRecords(payload);
    };
    const onEnd = (error?: Error): void => (error === undefined ? resolve() : reject(error));
    openRawRead(connection, BASIN, stream, `?seq_num=0&count=${count}`, { onOpen: () => undefined, onFrame, onEnd }, KEY);
  });
  if (seen !== count) throw new Error(`${count} records were asked for, and ${seen} were read`);
  return (performance.now() - begin) / 1_000;
}
