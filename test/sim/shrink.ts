// Makes a failing run small: fewer kinds of faults, then fewer operations, as long as it fails in the same way.
//
// Kinds of faults and clients draw from branches of their own, so that what is left out hardly moves the rest.

import type { FaultKind } from './faults.ts';
import { OPERATIONS_DEFAULT, type RunOptions, type RunReport, run } from './run.ts';

const OPERATIONS_MIN = 4;

export interface Shrunk {
  readonly report: RunReport;
  readonly operationsMax: number;
  readonly without: readonly FaultKind[];
  readonly runs: number;
}

export async function shrink(failed: RunReport, options: RunOptions, runsMax: number): Promise<Shrunk> {
  const wanted = failed.failures[0]?.check;
  let best: Shrunk = {
    report: failed,
    operationsMax: options.operationsMax ?? OPERATIONS_DEFAULT,
    without: options.without ?? [],
    runs: 0,
  };
  let runs = 0;
  const attempt = async (operationsMax: number, without: readonly FaultKind[]): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    const report = await run(failed.seed, { ...options, operationsMax, without });
    if (!report.failures.some(({ check }) => check === wanted)) return false;
    best = { report, operationsMax, without, runs };
    return true;
  };
  for (const kind of failed.drawn.faults.kinds) await attempt(best.operationsMax, [...best.without, kind]);
  for (let step = Math.floor(best.operationsMax / 2); step >= 1; ) {
    const fewer = best.operationsMax - step;
    if (fewer >= OPERATIONS_MIN && (await attempt(fewer, best.without))) step = Math.min(step, Math.floor(best.operationsMax / 2));
    else step = Math.floor(step / 2);
  }
  return { ...best, runs };
}
