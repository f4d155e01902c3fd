// What was stored at each of some moments, given when it changed. Pure.

import type { MetricPoint, TimeRange } from '../../model/metrics.ts';
import type { StorageSample } from '../../model/usage.ts';

/**
 * The value at the start of the range, at each full step in it, and at its end: that of the last sample until then. Moments before
 * the first sample are left out.
 *
 * @param samples in the order of time.
 */
export function gaugePoints(samples: readonly StorageSample[], { start, end }: TimeRange, stepSecs: number): readonly MetricPoint[] {
  const points: MetricPoint[] = [];
  let next = 0;
  let bytes: number | undefined;
  for (let at = start; ; at = Math.min(end, at - (at % stepSecs) + stepSecs)) {
    for (let sample = samples[next]; sample !== undefined && sample.second <= at; sample = samples[next]) {
      bytes = sample.bytes;
      next += 1;
    }
    if (bytes !== undefined) points.push([at, bytes]);
    if (at >= end) return points;
  }
}
