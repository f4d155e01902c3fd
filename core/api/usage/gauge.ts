// What was stored at each of some moments, given when it changed. Pure.

import type { MetricPoint, TimeRange } from '../../model/metrics.ts';
import type { StorageSample } from '../../model/usage.ts';

/**
 * The value at each full step in the range, and at its last moment: that of the last sample until then. Moments before the first
 * sample are left out, and so are those that are still to come.
 *
 * @param samples in the order of time.
 * @param now seconds since 1970.
 */
export function gaugePoints(
  samples: readonly StorageSample[],
  { start, end }: TimeRange,
  stepSecs: number,
  now: number,
): readonly MetricPoint[] {
  const points: MetricPoint[] = [];
  const last = Math.min(end, now);
  let next = 0;
  let bytes: number | undefined;
  for (let step = Math.ceil(start / stepSecs) * stepSecs; start <= last; step += stepSecs) {
    const at = Math.min(step, last);
    for (let sample = samples[next]; sample !== undefined && sample.second <= at; sample = samples[next]) {
      bytes = sample.bytes;
      next += 1;
    }
    if (bytes !== undefined) points.push([at, bytes]);
    if (at === last) break;
  }
  return points;
}
