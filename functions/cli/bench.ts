// `millrace bench`: how fast a server is, as this client sees it, on a stream made for it and deleted afterwards.

import { randomUUID } from 'node:crypto';
import type { RecordableHistogram } from 'node:perf_hooks';
import type { S2Stream } from '@s2-dev/streamstore';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type AppendFigures, appendLoad, follow, type Load, readAll } from './bench-load.ts';
import { type Context, jsonOption } from './context.ts';
import { CliError, usageError } from './exit-code.ts';
import { reasonOf } from './failure.ts';
import { note, write, writeLine } from './output.ts';
import { parsePlace } from './place.ts';
import { count, mib, prose } from './printable.ts';
import { showProgress } from './progress.ts';
import { positiveNumber, seconds } from './values.ts';

const DURATION_SECONDS_MAX = 600;
/** Room for the time at which it was sent. */
const RECORD_BYTES_MIN = 8;
const BATCH_BYTES_MAX = 1024 * 1024;
const RECORD_OVERHEAD_BYTES = 8;
const PERCENTILES = [50, 90, 99, 99.9] as const;

interface BenchOptions {
  readonly duration: number;
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly inFlight: number;
  readonly rate?: number;
  readonly storageClass: 'express' | 'standard';
  readonly json?: true;
}

interface Report {
  readonly load: Load;
  readonly append: AppendFigures;
  readonly deliveryUs: RecordableHistogram;
  readonly read: { readonly elapsedMs: number; readonly records: number; readonly bytes: number };
}

export function addBench(program: Command, context: Context): void {
  program
    .command('bench')
    .summary('measure a server')
    .description(
      prose(`
        Append to a new stream of a basin while following it, then read it from its start; print rates and latencies,
        and delete the stream. Without --rate a fixed number of batches is in flight. With --rate batches leave on
        time, whatever became of the earlier ones, and latency counts from when they were due.
      `),
    )
    .argument('<basin>')
    .addOption(
      new Option('--duration <duration>', `how long to append, ${DURATION_SECONDS_MAX}s at most`).argParser(duration).default(10, '10s'),
    )
    .addOption(new Option('--record-bytes <n>', `bytes of a body, from ${RECORD_BYTES_MIN} up`).argParser(positiveNumber).default(1_024))
    .addOption(new Option('--batch-records <n>', 'records of a batch, 1,000 at most').argParser(positiveNumber).default(10))
    .addOption(new Option('--in-flight <n>', 'batches in flight').argParser(positiveNumber).default(8).conflicts('rate'))
    .addOption(new Option('--rate <n>', 'batches a second').argParser(positiveNumber))
    .addOption(new Option('--storage-class <class>', 'of the stream').choices(['express', 'standard']).default('express'))
    .addOption(jsonOption())
    .action(async (argument: string, options: BenchOptions, command: Command) => {
      await bench(context, command, argument, options);
    });
}

async function bench(context: Context, command: Command, argument: string, options: BenchOptions): Promise<void> {
  const { basin, stream: given } = parsePlace(argument);
  if (given !== undefined) throw usageError('bench takes a basin; it makes a stream of its own');
  const load = loadOf(options);
  const s2 = context.connect(command).s2();
  const name = `millrace-bench/${randomUUID()}`;
  const { streams } = s2.basin(basin);
  const report = await context.interrupt.hold(async (signal) => {
    await streams.create({ stream: name, config: { storageClass: options.storageClass } });
    try {
      return await measure(s2.basin(basin).stream(name), load, signal);
    } finally {
      await streams
        .delete({ stream: name })
        .catch((error: unknown) => note(`millrace: ${basin}/${name} is left behind: ${reasonOf(error)}`));
    }
  });
  const { exitCode } = context.interrupt;
  if (report === undefined || exitCode !== undefined) throw new CliError('interrupted; the stream is deleted', exitCode);
  if (options.json === true) await writeLine(JSON.stringify(reportJson(report)));
  else await write(reportText(report));
}

/** @returns undefined when it was interrupted */
async function measure(stream: S2Stream, load: Load, signal: AbortSignal): Promise<Report | undefined> {
  let done = 0;
  const hideProgress = showProgress(() => ({ records: done, bytes: done * load.recordBytes }));
  try {
    const follower = await follow(stream);
    const append = await appendLoad(stream, load, signal, (records) => {
      done = records;
    });
    if (signal.aborted) return undefined;
    await follower.stop(append.records);
    const read = await readAll(stream);
    if (read.records !== append.records) throw new CliError(`${append.records} records were appended, and ${read.records} are there`);
    return { load, append, deliveryUs: follower.deliveryUs, read };
  } finally {
    hideProgress();
  }
}

function loadOf({ duration: seconds_, recordBytes, batchRecords, inFlight, rate }: BenchOptions): Load {
  if (recordBytes < RECORD_BYTES_MIN) throw usageError(`--record-bytes must be at least ${RECORD_BYTES_MIN}`);
  if (batchRecords > 1_000 || batchRecords * (recordBytes + RECORD_OVERHEAD_BYTES) > BATCH_BYTES_MAX) {
    throw usageError('a batch holds 1,000 records and 1 MiB at most: lower --batch-records or --record-bytes');
  }
  return { durationMs: seconds_ * 1_000, recordBytes, batchRecords, inFlight, rate };
}

function reportText({ load, append, deliveryUs, read }: Report): string {
  const shape = `${count(load.recordBytes)} B a record, ${count(load.batchRecords)} records a batch`;
  const loop = load.rate === undefined ? `${load.inFlight} batches in flight` : `${count(load.rate)} batches a second`;
  return `append   ${rateText(append)}; ${shape}, ${loop}
  answer   ${latencyText(append.ackUs)}
  delivery ${latencyText(deliveryUs)}
read     ${rateText(read)}
`;
}

function rateText({ elapsedMs, records, bytes }: Report['read']): string {
  const perSecond = 1_000 / elapsedMs;
  return `${count(records * perSecond)} records/s, ${mib(bytes * perSecond)}/s (${count(records)} records in ${(elapsedMs / 1_000).toFixed(1)} s)`;
}

function latencyText(us: RecordableHistogram): string {
  const at = PERCENTILES.map((one) => `p${one} ${ms(us.percentile(one))}`);
  return [...at, `max ${ms(us.max)}`].join('  ');
}

function ms(us: number): string {
  return `${(us / 1_000).toFixed(2)} ms`;
}

function reportJson({ load, append, deliveryUs, read }: Report): object {
  return {
    record_bytes: load.recordBytes,
    batch_records: load.batchRecords,
    rate_batches: load.rate ?? null,
    in_flight: load.rate === undefined ? load.inFlight : null,
    append: { records: append.records, bytes: append.bytes, elapsed_ms: Math.round(append.elapsedMs) },
    answer_us: latencyJson(append.ackUs),
    delivery_us: latencyJson(deliveryUs),
    read: { records: read.records, bytes: read.bytes, elapsed_ms: Math.round(read.elapsedMs) },
  };
}

function latencyJson(us: RecordableHistogram): object {
  return Object.fromEntries([...PERCENTILES.map((one) => [`p${one}`, us.percentile(one)]), ['max', us.max]]);
}

function duration(text: string): number {
  const value = seconds(text);
  if (value < 1 || value > DURATION_SECONDS_MAX) throw new InvalidArgumentError(`It must be from 1s to ${DURATION_SECONDS_MAX}s.`);
  return value;
}
