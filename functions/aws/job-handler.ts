// A job as a Lambda function: what all of them share. Settings are read when the process begins, storage is opened by the first
// invocation and kept for those that follow, and a job gets what is left of the time of its invocation, less a margin.
//
// Between invocations the process is frozen. What it keeps survives that: connections that died meanwhile are made anew by the next
// attempt, whatever waits goes by deadlines that have passed when it wakes up (J6).

import type { Context } from 'aws-lambda';
import { createLog, logEvent } from '#core/adapters/node/event-log.ts';
import { createThawingClock } from '#core/adapters/node/thawing-clock.ts';
import { DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { type Remaining, Upkeep } from '#core/cell/upkeep.ts';
import { readStorageEnv } from './env.ts';
import { openAwsStorage } from './storage.ts';

/** For what a job has begun when its time is over, and for the end of the invocation; of a short one, a quarter. */
const MARGIN_MS_MAX = 10_000;
const MARGIN_SHARE_MAX = 0.25;

export interface JobInvocation {
  readonly upkeep: Upkeep;
  readonly remainingMs: Remaining;
  /** A failure that the invocation outlives. */
  report(what: string, error: unknown): void;
}

/** @throws SettingError at once: then the function does not start, and says what is wrong */
export function createJobHandler<Event, Answer>(
  run: (event: Event, invocation: JobInvocation) => Promise<Answer>,
): (event: Event, context: Pick<Context, 'getRemainingTimeInMillis'>) => Promise<Answer> {
  const env = readStorageEnv(process.env);
  const log = createLog();
  const trace = { event: (name: string, fields?: Readonly<Record<string, unknown>>) => logEvent(log, name, fields) };
  let opening: Promise<Upkeep> | undefined;
  const open = async (): Promise<Upkeep> => {
    try {
      const { channelsPerClass } = env;
      return new Upkeep((await openAwsStorage(env, trace, createThawingClock())).ports, { ...DEFAULT_CELL_CONFIG, channelsPerClass });
    } catch (error) {
      // The next invocation tries again.
      opening = undefined;
      throw error;
    }
  };
  return async (event, context) => {
    const begun = performance.now();
    const marginMs = Math.min(MARGIN_MS_MAX, MARGIN_SHARE_MAX * context.getRemainingTimeInMillis());
    opening ??= open();
    const upkeep = await opening;
    const remainingMs = () => context.getRemainingTimeInMillis() - marginMs;
    const report = (what: string, error: unknown): void => log.error({ event: 'server.error', what, err: error });
    const answer = await run(event, { upkeep, remainingMs, report });
    log.info({ event: 'job.ended', ms: Math.round(performance.now() - begun), answer });
    return answer;
  };
}
