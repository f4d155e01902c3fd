// npm run sim -- --seed N [--for 10m | --seeds K]: runs the whole store in virtual time from seeds, and checks what its clients saw.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { explained } from './explain.ts';
import { FAULT_KINDS, type FaultKind } from './faults.ts';
import { isCampaign, neverReached, shortfalls } from './goals.ts';
import { wholeNumber } from './options.ts';
import { type HuntOptions, hunt, huntOptionsOf } from './planted/hunt.ts';
import { runSeeds, type Totals } from './pool.ts';
import { OPERATIONS_DEFAULT, type RunOptions, type RunReport, run } from './run.ts';
import { shrink } from './shrink.ts';
import { SITUATIONS, type Situation } from './situations.ts';

const USAGE =
  'usage: npm run sim -- [--seed N] [--seeds K | --for 10m] [--repeat] [--jobs J] [--operations M] [--without kind,kind] [--verbose]\n' +
  '       npm run sim -- --planted [--name BUG]… [--seeds K] [--first N] [--jobs J] [--save]';
const SHRINK_RUNS_MAX = 60;
const PROGRESS_EVERY_MS = 5_000;

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly forMs: number | undefined;
  readonly jobs: number;
  readonly isRepeated: boolean;
  readonly isVerbose: boolean;
  readonly run: RunOptions;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function duration(text: string): number {
  const [, count, unit] = /^(\d+)([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (!(ms > 0)) throw new Error(`--for is "${text}"; it must be like 30s, 10m or 2h`);
  return ms;
}

function faultKinds(text: string): FaultKind[] {
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const kind = FAULT_KINDS.find((candidate) => candidate === name);
      if (kind === undefined) throw new Error(`--without names "${name}"; there are ${FAULT_KINDS.join(', ')}`);
      return kind;
    });
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      for: { type: 'string' },
      jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      repeat: { type: 'boolean', default: false },
      operations: { type: 'string', default: String(OPERATIONS_DEFAULT) },
      without: { type: 'string', default: '' },
      verbose: { type: 'boolean', default: false },
    },
  });
  if (values.seeds !== undefined && values.for !== undefined) throw new Error('--seeds and --for exclude each other');
  const forMs = values.for === undefined ? undefined : duration(values.for);
  const isOne = values.seed !== undefined && values.seeds === undefined && forMs === undefined;
  return {
    seed: wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000_000), 0),
    seeds: isOne ? 1 : forMs === undefined ? wholeNumber('seeds', values.seeds ?? '100', 1) : Number.MAX_SAFE_INTEGER,
    forMs,
    jobs: wholeNumber('jobs', values.jobs, 1),
    isRepeated: values.repeat,
    isVerbose: values.verbose,
    run: { operationsMax: wholeNumber('operations', values.operations, 1), without: faultKinds(values.without) },
  };
}

function command(seed: number, operationsMax: number, without: readonly FaultKind[]): string {
  const operations = operationsMax === OPERATIONS_DEFAULT ? '' : ` --operations ${operationsMax}`;
  return `npm run sim -- --seed ${seed}${operations}${without.length === 0 ? '' : ` --without ${without.join(',')}`}`;
}

function printDrawn({ seed, drawn }: RunReport): void {
  const { faults, workload, config, kind, tasksCount } = drawn;
  console.log(`seed ${seed}: ${tasksCount} tasks, ${workload.clientsCount} clients and ${workload.followersCount} followers`);
  console.log(`  faults: ${[...faults.kinds].map((name) => `${name} (${faults.times[name]})`).join(', ')}`);
  console.log(`  chunk stores: ${JSON.stringify(kind)}`);
  console.log(`  channel: ${JSON.stringify(config.channel)}; offload: ${JSON.stringify(config.offload)}`);
}

function printFigures({ figures }: RunReport): void {
  console.log(
    `  ${figures.operations} operations (${percent(figures.overlapping)} overlapping, ${percent(figures.unknown)} ended unknown), ` +
      `${figures.takeovers} takeovers, ${figures.nonEmptyWindows} with a non-empty window, ${figures.adoptedChunks} chunks adopted, ` +
      `${figures.events} events in ${(figures.virtualMs / 1_000).toFixed(1)} s of virtual time`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Plays the seed again and shrinks it. A run that throws is told with its seed, too: nothing else would lead back to it. */
async function explain(seed: number, options: Options): Promise<void> {
  try {
    await shrinkAndTell(seed, options);
  } catch (error) {
    console.log(`  seed ${seed} throws: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    console.log(`  to see it: ${command(seed, options.run.operationsMax ?? OPERATIONS_DEFAULT, options.run.without ?? [])} --verbose`);
  }
}

async function shrinkAndTell(seed: number, options: Options): Promise<void> {
  const failed = await run(seed, options.run);
  printDrawn(failed);
  if (failed.failures.length === 0) {
    console.log(`  it passes when it runs again: it is not deterministic, or the fault lies in the repetition`);
    return;
  }
  const shrunk = await shrink(failed, options.run, SHRINK_RUNS_MAX);
  const kinds = [...shrunk.report.drawn.faults.kinds].join(', ');
  console.log(`  shrunk by ${shrunk.runs} runs to ${shrunk.operationsMax} operations and the faults ${kinds === '' ? '(none)' : kinds}:`);
  printFigures(shrunk.report);
  console.log(explained(shrunk.report));
  console.log(`  to see it: ${command(seed, shrunk.operationsMax, shrunk.without)} --verbose`);
}

function printTotals(totals: Totals, seconds: number): void {
  const { figures, seeds, situations } = totals;
  const average = (value: number): string => (value / seeds).toFixed(2);
  console.log(
    `${seeds} seeds in ${seconds.toFixed(0)} s (${((60 * seeds) / seconds).toFixed(0)} a minute), ${totals.failed.length} failed; on average ` +
      `${average(figures.operations)} operations (${percent(figures.overlapping / seeds)} overlapping, ${percent(figures.unknown / seeds)} unknown), ` +
      `${average(figures.takeovers)} takeovers, ${average(figures.nonEmptyWindows)} with a non-empty window, ` +
      `${average(figures.adoptedChunks)} chunks adopted`,
  );
  printSituations(situations);
}

function printSituations(reached: ReadonlyMap<Situation, number>): void {
  for (const situation of SITUATIONS) {
    const count = reached.get(situation);
    if (count !== undefined) console.log(`  ${String(count).padStart(8)} × ${situation}`);
  }
}

/** Says what was not reached. @returns whether that is a failure */
function isWanting({ seeds, figures, situations }: Totals, options: Options): boolean {
  const wanting = [
    ...shortfalls({ seeds, ...figures }).map((shortfall) => `TOO LITTLE: ${shortfall}`),
    ...neverReached(situations).map((situation) => `NEVER REACHED: ${situation}`),
  ];
  const isFailure = wanting.length > 0 && isCampaign(seeds, options.run);
  for (const line of wanting) console.log(`  ${line}`);
  if (wanting.length > 0) console.log(isFailure ? 'FAILED: what was not reached was not tested' : '  (no failure in so few or such runs)');
  return isFailure;
}

async function runMany(options: Options): Promise<number> {
  const startedAt = performance.now();
  let toldAt = startedAt;
  const upTo = options.forMs === undefined ? `${options.seeds} seeds` : `${options.forMs / 1_000} s`;
  console.log(`seeds from ${options.seed} on, ${upTo}, ${options.jobs} at a time, ${options.run.operationsMax} operations each`);
  const totals = await runSeeds({
    first: options.seed,
    goesOn: (begun) => begun < options.seeds && (options.forMs === undefined || performance.now() - startedAt < options.forMs),
    jobs: options.jobs,
    isRepeated: options.isRepeated,
    run: options.run,
    onDone: ({ seed, failures }, { seeds, failed }) => {
      const [first] = failures;
      if (first !== undefined) console.log(`FAILED seed ${seed}: ${first.check}: ${first.message.split('\n')[0]}`);
      const now = performance.now();
      if (now - toldAt < PROGRESS_EVERY_MS) return;
      toldAt = now;
      console.log(`  ${seeds} seeds, ${((1_000 * seeds) / (now - startedAt)).toFixed(1)} a second, ${failed.length} failed`);
    },
  });
  printTotals(totals, (performance.now() - startedAt) / 1_000);
  const wanting = isWanting(totals, options);
  const [worst] = totals.failed.toSorted((a, b) => a.seed - b.seed);
  if (worst === undefined) return wanting ? 1 : 0;
  await explain(worst.seed, options);
  console.log(`failed: ${totals.failed.map(({ seed }) => seed).join(' ')}`);
  return 1;
}

async function runOne(options: Options): Promise<number> {
  try {
    return await playOne(options);
  } catch (error) {
    console.log(`seed ${options.seed} throws: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return 1;
  }
}

async function playOne(options: Options): Promise<number> {
  const report = await run(options.seed, { ...options.run, ...(options.isVerbose ? { log: (line: string) => console.log(line) } : {}) });
  printDrawn(report);
  printFigures(report);
  printSituations(report.situations);
  for (const situation of neverReached(report.situations)) console.log(`  not reached: ${situation}`);
  console.log(`  fingerprint ${report.fingerprint}`);
  const again = options.isRepeated ? await run(options.seed, options.run) : report;
  if (again.fingerprint !== report.fingerprint) console.log(`  NOT DETERMINISTIC: then ${again.fingerprint}`);
  if (report.failures.length === 0) {
    console.log(`  passed`);
    return again.fingerprint === report.fingerprint ? 0 : 1;
  }
  console.log(explained(report));
  if (!options.isVerbose) await explain(options.seed, options);
  return 1;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  let options: { readonly hunt: HuntOptions } | { readonly runs: Options };
  try {
    options = args.includes('--planted') ? { hunt: huntOptionsOf(args) } : { runs: readOptions(args) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  if ('hunt' in options) return (await hunt(options.hunt)) ? 0 : 1;
  return options.runs.seeds === 1 ? await runOne(options.runs) : await runMany(options.runs);
}

process.exitCode = await main();
