// Which range of time, and which steps of it, a request for metrics means. (S2 v1 API, section 6.3.)

import { refused } from '../../model/errors.ts';
import type { AccountSet, BasinSet, Interval, MetricsRequest, TimeRange } from '../../model/metrics.ts';
import { DAY_SECS, METRICS_RANGE_SECS_MAX } from '../../model/usage.ts';

/** Clocks of clients may be ahead by this much. */
const AHEAD_SECS_MAX = 60;

/** Without an interval, these are told in finer steps; over a longer range in coarser ones, whatever they are. */
const BY_MINUTE: ReadonlySet<AccountSet | BasinSet> = new Set(['append-ops', 'append-throughput', 'read-ops', 'read-throughput'] as const);
const MINUTES_RANGE_SECS_MAX = DAY_SECS;
const HOURS_RANGE_SECS_MAX = 14 * DAY_SECS;

/** @param now seconds since 1970. @throws StoreError `invalid` */
export function rangeOf({ start, end }: MetricsRequest, now: number): TimeRange {
  if (start === undefined || end === undefined) throw refused('invalid', 'start and end params required');
  if (start > end) throw refused('invalid', 'start must not be after end');
  if (end > now + AHEAD_SECS_MAX) throw refused('invalid', 'end must not lie in the future');
  if (end - start > METRICS_RANGE_SECS_MAX) throw refused('invalid', 'metrics are told for at most 30 days at once');
  return { start, end };
}

/** Whether a range reaches up to now. */
export function isUpToNow({ end }: TimeRange, now: number): boolean {
  return end >= now;
}

export function intervalOf(set: AccountSet | BasinSet, { interval }: MetricsRequest, { start, end }: TimeRange): Interval {
  if (interval !== undefined) return interval;
  if (end - start > HOURS_RANGE_SECS_MAX) return 'day';
  return BY_MINUTE.has(set) && end - start <= MINUTES_RANGE_SECS_MAX ? 'minute' : 'hour';
}

/** @throws StoreError `invalid` where `only` is not what was asked for. */
export function checkInterval({ interval }: MetricsRequest, only: Interval): void {
  if (interval !== undefined && interval !== only) throw refused('invalid', `this set is told by the ${only} only`);
}
