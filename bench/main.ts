// npm run bench -- append|read|latency|encryption|passing|native|edge|idle|all [--json] [--streams N] [--dir FOLDER]: the real process, measured from outside.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from '#test/support/server.ts';
import { benchAppend } from './append.ts';
import { CEILING_BLOCKS_IN_FLIGHT, DEEP_BLOCKS_IN_FLIGHT, measureCeiling } from './ceiling.ts';
import { benchEdge } from './edge.ts';
import { benchEncryption } from './encryption.ts';
import { benchIdle } from './idle.ts';
import { benchLatency } from './latency.ts';
import { createBenchBasin, UnaryClient } from './load.ts';
import { benchNative } from './native.ts';
import { benchPassing } from './passing.ts';
import { benchRead } from './read.ts';
import { Report } from './report.ts';

const USAGE = `usage: npm run bench -- append|read|latency|encryption|passing|native|edge|idle|all [--json] [--streams N] [--dir FOLDER]

  append      one session at 128 B, 1 KiB and 8 KiB records
  read        catch-up read after a restart, from segments
  latency     unary and session appends, 1 and 64 clients, 1 and 1,000 streams; tailing end to end
  encryption  appends and reads of one session, plain and with each cipher
  passing     what it adds to an append that another task owns its stream
  native      appends through three chunk servers, beside the embedded zones
  edge        what the edge Worker adds to appends and events, in workerd
  idle        resident memory a stream, --streams of them (default 300,000)
  all         append, read, latency, encryption and passing
  --dir       where data folders go (default .millrace: measure the disk that you will use)`;

const BENCHES = ['append', 'read', 'latency', 'encryption', 'passing', 'native', 'edge', 'idle', 'all'] as const;
type Bench = (typeof BENCHES)[number];

interface Options {
  readonly bench: Bench;
  readonly isJson: boolean;
  readonly streams: number;
  readonly dir: string;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      streams: { type: 'string', default: '300000' },
      dir: { type: 'string', default: '.millrace' },
    },
  });
  const [name, ...rest] = positionals;
  const bench = BENCHES.find((one) => one === name);
  if (bench === undefined || rest.length > 0) throw new Error('say which bench');
  const streams = Number(values.streams);
  if (!Number.isSafeInteger(streams) || streams < 3)
    throw new Error(`--streams is "${values.streams}"; it must be a whole number from 3 up`);
  return { bench, isJson: values.json, streams, dir: path.resolve(values.dir) };
}

async function run(options: Options): Promise<void> {
  const report = new Report(options.isJson);
  await mkdir(options.dir, { recursive: true });
  const folder = await mkdtemp(path.join(options.dir, 'bench-'));
  const wants = (bench: Bench): boolean => options.bench === bench || (options.bench === 'all' && bench !== 'idle' && bench !== 'native');
  try {
    if (wants('idle')) await benchIdle(path.join(folder, 'data'), options.streams, report);
    if (wants('native')) await benchNative(folder, report);
    if (wants('passing')) await benchPassing(report);
    if (options.bench === 'idle' || options.bench === 'native' || options.bench === 'passing') return;

    let ceiling = Number.NaN;
    if (wants('append') || wants('read')) {
      ceiling = await measureCeiling(folder, CEILING_BLOCKS_IN_FLIGHT);
      report.add(`ceiling: one HTTP/2 stream to 3 files, ${CEILING_BLOCKS_IN_FLIGHT} writes in flight`, ceiling, 'MiB/s');
      const deep = await measureCeiling(folder, DEEP_BLOCKS_IN_FLIGHT);
      report.add(`the same, ${DEEP_BLOCKS_IN_FLIGHT} writes in flight`, deep, 'MiB/s');
    }
    const server = await startServer({ dataDir: path.join(folder, 'data') });
    try {
      const client = new UnaryClient(server.url);
      await createBenchBasin(client);
      client.close();
      if (wants('latency')) await benchLatency(server.url, report);
      if (wants('append')) await benchAppend(server.url, report, ceiling);
      if (wants('encryption')) await benchEncryption(server.url, report);
      if (wants('edge')) await benchEdge(server.url, report);
      if (wants('read')) await benchRead(server, report, ceiling);
    } catch (error) {
      report.note(`the server, ${server.state}, said last:\n${server.output.slice(-2_000)}`);
      throw error;
    } finally {
      await server.dispose();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  await run(options);
  return 0;
}

process.exitCode = await main();
