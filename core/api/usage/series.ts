// Adds up what was counted into steps of time. Pure.
//
//   U4  A minute counts in a range that holds any part of it: whatever ranges a longer one is cut into at full minutes, their sums add
//       up to its own.
//
// Steps in which nothing was counted are left out.

import { refused } from '../../model/errors.ts';
import { INTERVAL_SECS, type Interval, type MetricPoint, type TimeRange } from '../../model/metrics.ts';
import { HOUR_SECS, MINUTE_SECS, type UsageHour } from '../../model/usage.ts';

/** Points that one answer holds, over all its series: about two MiB. */
export const POINTS_MAX = 100_000;

/** Hours (since 1970) that a range touches, half-open. */
export function hoursOf({ start, end }: TimeRange): TimeRange {
  return { start: Math.floor(start / HOUR_SECS), end: Math.ceil(end / HOUR_SECS) };
}

export class Series {
  readonly #range: TimeRange;
  readonly #stepSecs: number;
  readonly #sums = new Map<string, Map<number, number>>();
  #points = 0;

  constructor(range: TimeRange, interval: Interval) {
    this.#range = range;
    this.#stepSecs = INTERVAL_SECS[interval];
  }

  /** @throws StoreError `invalid` when the answer would become too long. */
  add({ hour, minutes, counts }: UsageHour, isWanted: (counter: string) => boolean): void {
    for (const [counter, values] of Object.entries(counts)) {
      if (!isWanted(counter)) continue;
      minutes.forEach((minute, i) => {
        const second = hour * HOUR_SECS + minute * MINUTE_SECS;
        const value = values[i] ?? 0;
        if (value > 0 && isIn(this.#range, second)) this.#count(counter, second - (second % this.#stepSecs), value);
      });
    }
  }

  /** Counters of which anything was counted, in the order of their names. */
  get counters(): readonly string[] {
    return [...this.#sums.keys()].sort();
  }

  points(counter: string): readonly MetricPoint[] {
    return [...(this.#sums.get(counter) ?? [])].sort(([a], [b]) => a - b);
  }

  #count(counter: string, step: number, value: number): void {
    const sums = this.#sums.get(counter) ?? new Map<number, number>();
    this.#sums.set(counter, sums);
    const before = sums.get(step);
    if (before === undefined) {
      this.#points += 1;
      if (this.#points > POINTS_MAX) {
        throw refused('invalid', `that is more than ${POINTS_MAX} points; ask for a longer interval or a shorter range`);
      }
    }
    sums.set(step, (before ?? 0) + value);
  }
}

/** Whether anything was counted in the range. */
export function isActiveIn({ hour, minutes, counts }: UsageHour, range: TimeRange): boolean {
  return minutes.some(
    (minute, i) => isIn(range, hour * HOUR_SECS + minute * MINUTE_SECS) && Object.values(counts).some((values) => (values[i] ?? 0) > 0),
  );
}

/** @param second at which a minute begins. A range without any length holds no part of one. */
function isIn({ start, end }: TimeRange, second: number): boolean {
  return start < end && second + MINUTE_SECS > start && second < end;
}
