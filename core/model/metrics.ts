// What the metrics API can be asked for, and what it tells. (S2 v1 API, section 6.3.)

import { DAY_SECS, HOUR_SECS, MINUTE_SECS } from './usage.ts';

export const ACCOUNT_SETS = ['active-basins', 'account-ops'] as const;
export const BASIN_SETS = ['storage', 'append-ops', 'read-ops', 'read-throughput', 'append-throughput', 'basin-ops'] as const;
export const STREAM_SETS = ['storage'] as const;
export const INTERVALS = ['minute', 'hour', 'day'] as const;

export type AccountSet = (typeof ACCOUNT_SETS)[number];
export type BasinSet = (typeof BASIN_SETS)[number];
export type StreamSet = (typeof STREAM_SETS)[number];
export type Interval = (typeof INTERVALS)[number];

export const INTERVAL_SECS: { readonly [Name in Interval]: number } = { minute: MINUTE_SECS, hour: HOUR_SECS, day: DAY_SECS };

export type MetricUnit = 'bytes' | 'operations';
/** Seconds since 1970, and the value then, or in the interval that begins then. */
export type MetricPoint = readonly [second: number, value: number];

export type Metric =
  | { readonly kind: 'label'; readonly name: string; readonly values: readonly string[] }
  | { readonly kind: 'gauge'; readonly name: string; readonly unit: MetricUnit; readonly values: readonly MetricPoint[] }
  | {
      readonly kind: 'accumulation';
      readonly name: string;
      readonly unit: MetricUnit;
      readonly interval: Interval;
      readonly values: readonly MetricPoint[];
    };

/** Seconds since 1970. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
}

export interface MetricsRequest {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly interval?: Interval | undefined;
}
