// Metrics and locations as JSON, and how metrics are asked for. (S2 v1 API, sections 6.2 and 6.3.)

import { z } from 'zod';
import { ACCOUNT_SETS, BASIN_SETS, INTERVALS, type Metric, type MetricsRequest, STREAM_SETS } from '../../../model/metrics.ts';
import type { LocationInfo } from '../../locations.ts';
import { locationName as checkLocationName } from '../../names.ts';
import { textBy } from './parse.ts';
import { u32Query } from './query.ts';

function metricsQuery<const Sets extends readonly [string, ...string[]]>(sets: Sets) {
  return z.object({
    set: z.enum(sets).describe('What to tell'),
    // Needed always; that one is missing is told with a status of its own.
    start: u32Query.optional().describe('Seconds since 1970; needed'),
    end: u32Query.optional().describe('Seconds since 1970, at most 30 days behind the start; needed'),
    interval: z
      .enum(INTERVALS)
      .optional()
      .describe('The steps of a series; what is stored in a basin is told by the hour, in a stream by the minute'),
  });
}

export const accountMetricsQuery = metricsQuery(ACCOUNT_SETS);
export const basinMetricsQuery = metricsQuery(BASIN_SETS);
export const streamMetricsQuery = metricsQuery(STREAM_SETS);

export function metricsRequest({ start, end, interval }: z.output<typeof accountMetricsQuery | typeof basinMetricsQuery>): MetricsRequest {
  return {
    start: start === undefined ? undefined : Number(start),
    end: end === undefined ? undefined : Number(end),
    interval,
  };
}

const name = z.string();
const unit = z.enum(['bytes', 'operations']);
const points = z.array(z.tuple([z.number(), z.number()]));
const moments = points.describe('Pairs of seconds since 1970 and the value then: at each full step of the range, and at its end');
const sums = points.describe('Pairs of the seconds since 1970 at which an interval begins, and what was done in it');
const metric = z.union([
  z.object({ label: z.object({ name, values: z.array(z.string()) }) }),
  z.object({ gauge: z.object({ name, unit, values: moments }) }),
  z.object({ accumulation: z.object({ name, unit, interval: z.enum(INTERVALS), values: sums }) }),
]);
export const metricSet = z.object({ values: z.array(metric) });

export function metricSetJson(metrics: readonly Metric[]): object {
  return { values: metrics.map(({ kind, ...told }) => ({ [kind]: told })) };
}

export const locationName = textBy(checkLocationName).describe('The name of a location');
export const locationInfo = z.object({ name, is_private: z.boolean() });
export const locationList = z.array(locationInfo);

export function locationJson({ name, isPrivate }: LocationInfo): z.output<typeof locationInfo> {
  return { name, is_private: isPrivate };
}
