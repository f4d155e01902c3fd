// What many runs must have come through to be worth something as evidence. A campaign that is long enough fails without it.

import { OPERATIONS_DEFAULT, type RunOptions } from './run.ts';
import { SITUATIONS, type Situation } from './situations.ts';

/** Sums over the runs. `overlapping` and `unknown`: of their shares. */
export interface Sums {
  readonly seeds: number;
  readonly operations: number;
  readonly takeovers: number;
  readonly nonEmptyWindows: number;
  readonly overlapping: number;
  readonly unknown: number;
}

/** A run, on average. */
export const OPERATIONS_MIN = 300;
export const TAKEOVERS_MIN = 3;
/** Of takeovers. */
export const NON_EMPTY_SHARE_MIN = 1 / 3;
/** Of operations. */
export const OVERLAPPING_SHARE_MIN = 0.1;
export const UNKNOWN_SHARE_MIN = 0.05;

/** Fewer runs may miss something by chance: then it is said, and no failure. */
export const CAMPAIGN_SEEDS_MIN = 200;

/** Whether runs with these options are meant to reach everything, and so many that they must. */
export function isCampaign(seeds: number, { operationsMax = OPERATIONS_DEFAULT, without = [] }: RunOptions): boolean {
  return seeds >= CAMPAIGN_SEEDS_MIN && operationsMax >= OPERATIONS_DEFAULT && without.length === 0;
}

/** Figures that were not reached, in words. */
export function shortfalls(sums: Sums): string[] {
  const { seeds, operations, takeovers, nonEmptyWindows, overlapping, unknown } = sums;
  const lacking = [
    short('operations a run', operations / seeds, OPERATIONS_MIN),
    short('takeovers a run', takeovers / seeds, TAKEOVERS_MIN),
    short('takeovers with a non-empty window, of all', nonEmptyWindows / takeovers, NON_EMPTY_SHARE_MIN),
    short('operations that overlap, of all', overlapping / seeds, OVERLAPPING_SHARE_MIN),
    short('operations that end unknown, of all', unknown / seeds, UNKNOWN_SHARE_MIN),
  ];
  return lacking.flat();
}

export function neverReached(reached: ReadonlyMap<Situation, number>): Situation[] {
  return SITUATIONS.filter((situation) => !reached.has(situation));
}

function short(what: string, value: number, min: number): string[] {
  return value >= min ? [] : [`${what}: ${value.toFixed(4)}, and at least ${min.toFixed(4)} were to be reached`];
}
