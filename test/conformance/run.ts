// Runs cases against a target: some at a time, each in bounded time, and each with basins of its own.

import { randomBytes } from 'node:crypto';
import type { Case, CaseFile } from './case.ts';
import { CaseClient } from './case-client.ts';
import type { Missing, Target } from './target.ts';

export type Outcome = 'passed' | 'failed' | 'skipped' | 'pending';

export interface Result {
  readonly file: string;
  readonly case: Case;
  readonly outcome: Outcome;
  /** Why it failed or did not run. */
  readonly reason?: string;
  readonly ms: number;
}

export interface RunOptions {
  /** Cases under way at once. */
  readonly concurrency: number;
  readonly onResult?: (result: Result) => void;
}

const CASE_MS_MAX = 15_000;
const CLEAN_UP_MS_MAX = 5_000;

interface Job {
  readonly file: string;
  readonly case: Case;
  readonly result: PromiseWithResolvers<Result>;
}

/** Starts the run. @returns the result of every case, each as soon as it is there */
export function runCases(
  files: readonly CaseFile[],
  target: Target,
  missing: Missing,
  options: RunOptions,
): ReadonlyMap<Case, Promise<Result>> {
  const jobs: Job[] = files.flatMap(({ file, cases }) =>
    cases.map((one) => ({ file, case: one, result: Promise.withResolvers<Result>() })),
  );
  // Those that may take long first, so that nothing is left to wait for at the end.
  const queue = jobs.toSorted((a, b) => timeoutMs(b.case) - timeoutMs(a.case));
  const work = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const result = await runCase(job, target, missing);
      options.onResult?.(result);
      job.result.resolve(result);
    }
  };
  for (let worker = 0; worker < options.concurrency; worker += 1) void work();
  return new Map(jobs.map((job) => [job.case, job.result.promise]));
}

function timeoutMs(one: Case): number {
  return one.timeoutMs ?? CASE_MS_MAX;
}

/** Never rejects. */
async function runCase({ file, case: one }: Job, target: Target, missing: Missing): Promise<Result> {
  const startedAt = performance.now();
  const result = (outcome: Outcome, reason?: string): Result => ({
    file,
    case: one,
    outcome,
    ms: Math.round(performance.now() - startedAt),
    ...(reason === undefined ? {} : { reason }),
  });
  if (one.pending !== undefined) return result('pending', one.pending);
  const lack = one.needs?.find((feature) => missing.has(feature));
  if (lack !== undefined) return result('skipped', `${lack}: ${missing.get(lack)}`);
  const over = new AbortController();
  const client = new CaseClient(target, `conf-${randomBytes(6).toString('hex')}`, over.signal);
  try {
    await within(timeoutMs(one), perform(one, client), over);
    return result('passed');
  } catch (error) {
    return result('failed', describe(error));
  } finally {
    over.abort();
    await client.cleanUp(AbortSignal.timeout(CLEAN_UP_MS_MAX)).catch(() => undefined);
  }
}

async function perform(one: Case, client: CaseClient): Promise<void> {
  await client.setUp(one);
  for (const [request, expectation] of one.steps ?? []) await client.expect(request, expectation);
  await one.run?.(client);
}

async function within(ms: number, work: Promise<void>, over: AbortController): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not done after ${ms} ms`));
      over.abort();
    }, ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'CaseFailure') return error.message;
  const where = /(cases\/[\w-]+\.ts:\d+)/.exec(error.stack ?? '')?.[1];
  return where === undefined ? error.message : `${error.message} (${where})`;
}
