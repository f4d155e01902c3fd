// Runs one job where nothing but metadata remembers the run before: in slices, under the job's lease, with its cursor kept.
//
// Functions call it. A run may be cut off anywhere, be frozen for minutes and go on, or meet another one: a job is safe against all
// of that by itself, and this only keeps its work from being done twice, or from being begun anew each time.
//
//   J2  Where a walk stands is noted at least every two seconds of work. A cursor that nobody can read, or where three runs failed in
//       a row, is given up: the walk begins anew.

import { toHex } from '../base/bytes.ts';
import { StoreError } from '../model/errors.ts';
import type { Fields } from '../ports/metadata-store.ts';
import type { JobPorts } from './job-ports.ts';

/** What a slice of a job came to: whether there is more to do now, and where the next one goes on. */
export interface Slice {
  readonly isDone: boolean;
  readonly cursor?: Fields | undefined;
}

/** `more`: out of time. `busy`: another run has the job. `overtaken`: another run took it while this one slept. */
export type RunOutcome = 'done' | 'more' | 'busy' | 'overtaken';

export interface JobRunOptions {
  /** Names the item in metadata: `trim`, `gc/express-0`. */
  readonly job: string;
  /** What is left of the time of this run; asked again before each slice, as the process may have slept meanwhile. */
  readonly remainingMs: () => number;
  /** Default: all that is left, for jobs that find where they stand by themselves. A walk: `WALK_SLICE_MS`. */
  readonly sliceMsMax?: number;
  /** One part of the job, over soon after `budgetMs`. Each may come again, or be left out. */
  readonly slice: (cursor: Fields | undefined, budgetMs: number) => Promise<Slice>;
}

export const WALK_SLICE_MS = 2_000;
const FAILURES_MAX = 3;

type Ports = Pick<JobPorts, 'repository' | 'clock' | 'random' | 'trace'>;

/** @throws StoreError of a slice, once the job is given up */
export async function runJob(ports: Ports, options: JobRunOptions): Promise<RunOutcome> {
  const { job, remainingMs, slice, sliceMsMax = Number.POSITIVE_INFINITY } = options;
  const { clock, random, trace } = ports;
  const { jobRuns } = ports.repository;
  const leaseMs = remainingMs();
  if (leaseMs <= 0) return 'more';
  const run = await jobRuns.take(job, toHex(random.bytes(16)), clock.now(), leaseMs);
  if (run === undefined) return 'busy';
  const overtaken = (): RunOutcome => {
    trace.event('job.overtaken', { job });
    return 'overtaken';
  };
  let { cursor, failures } = run;
  for (let left = leaseMs; left > 0; left = remainingMs()) {
    let report: Slice;
    try {
      report = await slice(cursor, Math.min(left, sliceMsMax));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const isGivenUp = failures + 1 >= FAILURES_MAX;
      // Whether or not that can be noted: why the job failed is what counts, and the lease runs out by itself.
      await jobRuns.end(run, isGivenUp ? undefined : cursor, isGivenUp ? 0 : failures + 1).catch(() => false);
      throw error;
    }
    ({ cursor } = report);
    failures = 0;
    if (report.isDone) return (await jobRuns.end(run, cursor)) ? 'done' : overtaken();
    if (!(await jobRuns.note(run, cursor))) return overtaken();
  }
  return (await jobRuns.end(run, cursor)) ? 'more' : overtaken();
}
