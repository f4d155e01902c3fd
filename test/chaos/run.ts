// A run is a sequence of lives, each with its own data folder and its own draw of faults; half of them on small disks.

import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Prng } from '#test/crash/prng.ts';
import { whyNoDisks } from '#test/support/small-disks.ts';
import { type FaultCounts, noFaults } from './faults.ts';
import { ChaosFailure, Life, type LifeReport } from './life.ts';

const LIFE_MS_MAX = 75_000;

export interface ChaosOptions {
  readonly ms: number;
  readonly seed: number;
  /** Where data folders go, and what is kept of a failure. Default: a temporary folder, removed after a run without one. */
  readonly dir?: string;
  /** Mean time between two faults. Default 1,800. */
  readonly faultEveryMs?: number;
  /** Whether freezes may outlast a lease. Default true. */
  readonly longFreezes?: boolean;
  /** Default: in every second life, where the machine has them. */
  readonly smallDisks?: boolean;
  /** See faults.ts: a life that must fail. */
  readonly goesBack?: boolean;
  readonly print: (line: string) => void;
}

export interface ChaosReport extends LifeReport {
  readonly lives: number;
  readonly ms: number;
  readonly failure?: { readonly message: string; readonly kept: string };
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const prng = new Prng(options.seed);
  const begun = performance.now();
  const print = (line: string): void => options.print(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'millrace-chaos-')));
  const obstacle = whyNoDisks();
  if (obstacle !== undefined && options.smallDisks !== false) print(`no disk is filled: ${obstacle}`);
  let total: LifeReport = {
    faults: noFaults(),
    streams: 0,
    operations: 0,
    overlapping: 0,
    unknown: 0,
    records: 0,
    checkMs: 0,
    warnings: new Map(),
  };
  let lives = 0;
  const count = Math.max(1, Math.round(options.ms / LIFE_MS_MAX));
  for (; lives < count; lives += 1) {
    const lifeDir = path.join(dir, `life-${lives + 1}`);
    await mkdir(lifeDir, { recursive: true });
    const smallDisks = obstacle === undefined && (options.smallDisks ?? lives % 2 === 1);
    const life = await Life.begin(
      {
        dir: lifeDir,
        ms: options.ms / count,
        hasSmallDisks: smallDisks,
        faultEveryMs: options.faultEveryMs ?? 1_800,
        longFreezes: options.longFreezes ?? true,
        goesBack: options.goesBack ?? false,
        print,
      },
      prng.fork(`life ${lives}`),
    );
    try {
      total = sum(total, await life.run());
      await life.end();
    } catch (error) {
      await keep(life, lifeDir, error, options.seed);
      const message = error instanceof ChaosFailure ? error.message : String((error as Error).stack ?? error);
      return { ...total, lives: lives + 1, ms: performance.now() - begun, failure: { message, kept: lifeDir } };
    }
    await rm(lifeDir, { recursive: true, force: true });
  }
  if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  return { ...total, lives, ms: performance.now() - begun };
}

function sum(a: LifeReport, b: LifeReport): LifeReport {
  const faults = Object.fromEntries(
    Object.entries(a.faults).map(([kind, times]) => [kind, times + b.faults[kind as keyof FaultCounts]]),
  ) as unknown as FaultCounts;
  return {
    faults,
    streams: a.streams + b.streams,
    operations: a.operations + b.operations,
    overlapping: a.overlapping + b.overlapping,
    unknown: a.unknown + b.unknown,
    records: a.records + b.records,
    checkMs: a.checkMs + b.checkMs,
    warnings: new Map(
      [...new Set([...a.warnings.keys(), ...b.warnings.keys()])].map((event) => [
        event,
        (a.warnings.get(event) ?? 0) + (b.warnings.get(event) ?? 0),
      ]),
    ),
  };
}

/** The data folder as the failure found it, the history, what the server said last. */
async function keep(life: Life, dir: string, error: unknown, seed: number): Promise<void> {
  const { machine } = life;
  machine.thaw();
  await machine.kill();
  await writeFile(path.join(dir, 'server-said.txt'), machine.output);
  await writeFile(path.join(dir, 'failure.txt'), `seed ${seed}\n${String((error as Error).stack ?? error)}\n`);
  const stream = error instanceof ChaosFailure ? error.stream : undefined;
  if (stream !== undefined) await writeFile(path.join(dir, 'history.json'), JSON.stringify(stream.history.calls));
  // Small disks go with their process.
  if (machine.hasSmallDisks) await cp(machine.dataDir, path.join(dir, 'kept'), { recursive: true });
  await life.end();
}
