// Runs spin and the checker that it makes of a model: one check, in a folder of its own that is removed again.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = import.meta.dirname;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Steps of a schedule; none is nearly as long. */
const DEPTH_MAX = 1_000_000;

export interface Model {
  readonly file: 'chunk-log.pml' | 'lease.pml';
  readonly defines: readonly string[];
}

export interface Outcome {
  /** The promise that a schedule breaks; absent when all schedules were tried and none does. */
  readonly broken?: string;
  readonly states: number;
  readonly depth: number;
  readonly memoryMib: number;
  readonly seconds: number;
  /** The schedule that breaks it, a step a line. */
  readonly schedule: readonly string[];
}

/** The first tool that is missing. */
export function missingTool(): string | undefined {
  return [
    { tool: 'spin', version: '-V' },
    { tool: 'gcc', version: '--version' },
  ].find(({ tool, version }) => spawnSync(tool, [version], { stdio: 'ignore' }).status !== 0)?.tool;
}

/** Of one check. */
const MEMORY_MIB_MAX = 4_000;
const SECONDS_MAX = 300;

export interface Effort {
  /** Worth a compilation that takes longer than most searches. */
  readonly isLong?: boolean;
  /** Once a schedule breaks a promise, look for a shorter one. Takes longer. */
  readonly isShortest?: boolean;
}

/** Tries all schedules of the model, up to the first that breaks a promise. */
export async function check(model: Model, { isLong = false, isShortest = false }: Effort = {}): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-model-'));
  try {
    await run('spin', ['-a', ...model.defines.map((define) => `-D${define}`), join(FOLDER, model.file)], folder);
    // Every state is kept, and no step is taken to be independent of others: the searches are exhaustive as they stand.
    const options = ['-DSAFETY', '-DCOLLAPSE', '-DNOREDUCE', `-DMEMLIM=${MEMORY_MIB_MAX}`, ...(isShortest ? ['-DREACH'] : [])];
    await run('gcc', [isLong ? '-O1' : '-O0', '-w', ...options, '-o', 'pan', 'pan.c'], folder);
    const since = performance.now();
    const depth = isShortest ? ['-i', '-m200'] : [`-m${DEPTH_MAX}`];
    const output = await run(join(folder, 'pan'), ['-E', '-n', ...depth], folder, SECONDS_MAX * 1000);
    const seconds = (performance.now() - since) / 1000;
    const outcome = { ...parse(output), seconds, schedule: [] };
    return outcome.broken === undefined ? outcome : { ...outcome, schedule: await scheduleIn(folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The steps of the trail, as the model tells them when it is followed. */
async function scheduleIn(folder: string): Promise<string[]> {
  const trail = (await readdir(folder)).find((name) => name.endsWith('.trail'));
  if (trail === undefined) return [];
  const output = await run(join(folder, 'pan'), ['-r', trail], folder);
  const steps = output.split('\n').filter((line) => /^(an?|owner|the|base|gc|position|chunk|it|time) /.test(line));
  return steps.map((step, i) => `${i + 1}. ${step}`);
}

export function parse(output: string): Omit<Outcome, 'seconds' | 'schedule'> {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const errors = number(/errors: (\d+)/);
  const states = number(/(\d+) states, stored/);
  const isWhole = !/max search depth too small|reached -DMEMLIM|out of memory|Search not completed/.test(output);
  const said = /assertion violated +(.*?) \(at depth/.exec(output)?.[1];
  // Where one promise alone is looked at, the assertion is that it is another one, or holds.
  const broken = said === undefined ? undefined : (/\|\|\s*(\w+)\)*$/.exec(said)?.[1] ?? said);
  if (Number.isNaN(errors) || Number.isNaN(states) || errors > 0 !== (broken !== undefined) || (errors === 0 && !isWhole)) {
    throw new Error(`the search came to no end:\n${output.slice(0, 4_000)}`);
  }
  const found = { states, depth: number(/depth reached (\d+)/), memoryMib: number(/([\d.]+)\s+total actual memory usage/) };
  return broken === undefined ? found : { ...found, broken };
}

function run(tool: string, args: readonly string[], folder: string, timeout = 120_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(tool, args, { cwd: folder, timeout, maxBuffer: OUTPUT_BYTES_MAX }, (error, stdout, stderr) => {
      // A checker that found something ends like one that did not; what it says decides.
      if (error === null || (child.exitCode !== null && tool.endsWith('pan'))) resolve(stdout);
      else reject(new Error(`${tool} ${args.join(' ')} failed: ${stdout.slice(-2_000)}${stderr.slice(-2_000)}`, { cause: error }));
    });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  });
}
