// What is counted of the use of the store, and in which steps of time it is kept and told. (S2 v1 API, section 6.3.)
//
// Only what succeeded counts, in the minute in which it did. Names of counters are on record: they never change their meaning.

import { OPERATION_NAMES, OPERATIONS, type Operation } from './operations.ts';
import type { StorageClass } from './stream-config.ts';

export type ReadKind = 'unary' | 'streaming';

/** Operations by their names; each acknowledged batch as one append of its class; a read session once. Bytes are metered. */
export type Counter = Operation | `append-ops/${StorageClass}` | `append-bytes/${StorageClass}` | `read-ops/${ReadKind}` | 'read-bytes';

const CLASSES: readonly StorageClass[] = ['standard', 'express', 'native'];

export const COUNTERS: readonly Counter[] = [
  ...OPERATION_NAMES,
  ...CLASSES.flatMap((name): Counter[] => [`append-ops/${name}`, `append-bytes/${name}`]),
  'read-ops/unary',
  'read-ops/streaming',
  'read-bytes',
];

const INDICES = new Map(COUNTERS.map((name, index) => [name, index]));

/** Where a counter stands among COUNTERS: looked up once, before anything is counted. */
export function counterIndex(counter: Counter): number {
  return INDICES.get(counter) ?? 0;
}

/** Whether an operation counts for the account; others count for the basin that they name. */
export function isOfAccount(operation: Operation): boolean {
  return OPERATIONS[operation].level === 'account' || operation === 'basin-metrics' || operation === 'stream-metrics';
}

export const MINUTE_SECS = 60;
export const HOUR_SECS = 3_600;
export const DAY_SECS = 86_400;

/** Metrics reach back this far at most. */
export const METRICS_RANGE_SECS_MAX = 30 * DAY_SECS;

/** Whose use it is: the account's own operations, or those in one basin. */
export type UsageOwner = { readonly kind: 'account' } | { readonly kind: 'basin'; readonly basin: string };

/** What one writer counted of one owner in one hour. Of each (writer, hour, owner) there may be several. */
export interface UsageHour {
  /** Hours since 1970. */
  readonly hour: number;
  /** Of the owner's items of the hour, this one. */
  readonly id: string;
  /** Minutes of the hour, each once. */
  readonly minutes: readonly number[];
  /** By counter, how much in each of the minutes. */
  readonly counts: { readonly [counter: string]: readonly number[] };
}

/** How much was stored, and when that was looked at: seconds since 1970. */
export interface StorageSample {
  readonly second: number;
  readonly bytes: number;
}

/** Since 1970. */
export function minuteOfSample({ second }: StorageSample): number {
  return Math.floor(second / MINUTE_SECS);
}

/**
 * Adds the latest sample to those of an hour. Of a minute the first and the last are kept: were it the last alone, what changed a
 * minute before would be told another minute later.
 *
 * @param samples in the order of time; changed in place.
 */
export function addSample(samples: StorageSample[], sample: StorageSample): void {
  const minute = minuteOfSample(sample);
  // A clock that was set back begins anew from there.
  while (samples.some((other) => minuteOfSample(other) > minute)) samples.pop();
  const ofMinute = samples.filter((other) => minuteOfSample(other) === minute);
  if (ofMinute.length > 1) samples.pop();
  samples.push(sample);
}
