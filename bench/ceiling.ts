// The ceiling that throughput is compared with: see ceiling-sink.ts. Measured in the same run, on the same disk, by the same client.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from './session.ts';

const MIB = 1024 * 1024;
const WRITE_BYTES = MIB;
const RUN_MS = 2_000;
const RUNS = 3;

/** Writes in flight a file at which the ceiling is about 480 MiB/s, the figure that the floors are stated against. */
export const CEILING_BLOCKS_IN_FLIGHT = 4;
/** What the disk gives beyond: printed beside, so that nobody takes the ceiling for the machine's limit. */
export const DEEP_BLOCKS_IN_FLIGHT = 16;

/** MiB/s: the best of a few runs, as a ceiling is. */
export async function measureCeiling(folder: string, blocksInFlight: number): Promise<number> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'ceiling-sink.ts'), folder, String(blocksInFlight)], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const origin = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('close', (code) => reject(new Error(`the sink of the ceiling ended with ${code}`)));
    });
    let best = 0;
    for (let run = 0; run < RUNS; run++) best = Math.max(best, await measureOnce(origin));
    return best;
  } finally {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }
}

async function measureOnce(origin: string): Promise<number> {
  const connection = await connect(origin);
  const stream = connection.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
  const chunk = Buffer.alloc(WRITE_BYTES, 0x61);
  let sent = 0;
  let acknowledged = 0;
  let finished: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const begin = performance.now();
  let lastMs = begin;
  let isSending = true;
  stream.on('data', (bytes: Buffer) => {
    for (let at = 0; at + 4 <= bytes.length; at += 4) acknowledged += bytes.readUInt32BE(at);
    lastMs = performance.now();
    if (!isSending && acknowledged === sent) finished();
  });
  while (performance.now() - begin < RUN_MS) {
    sent += WRITE_BYTES;
    if (!stream.write(chunk)) await once(stream, 'drain');
  }
  isSending = false;
  if (acknowledged < sent) await done;
  stream.end();
  connection.destroy();
  return sent / MIB / ((lastMs - begin) / 1_000);
}
