import { describe, expect, test } from 'vitest';
import { CAMPAIGN_SEEDS_MIN, isCampaign, neverReached, type Sums, shortfalls } from './goals.ts';
import { SITUATIONS, type Situation } from './situations.ts';

const REACHED: Sums = { seeds: 10, operations: 3_000, takeovers: 30, nonEmptyWindows: 10, overlapping: 1, unknown: 0.5 };

describe('figures', () => {
  test('are met by what just reaches them', () => {
    expect(shortfalls(REACHED)).toEqual([]);
  });

  test.each([
    ['operations', 2_999],
    ['takeovers', 29],
    ['nonEmptyWindows', 9],
    ['overlapping', 0.99],
    ['unknown', 0.499],
  ] as const)('%s that fall short by a little are told', (name, value) => {
    expect(shortfalls({ ...REACHED, [name]: value })).toHaveLength(1);
  });

  test('of runs without any takeover are told, and not passed over as no number', () => {
    expect(shortfalls({ ...REACHED, takeovers: 0, nonEmptyWindows: 0 })).toHaveLength(2);
  });
});

describe('situations', () => {
  test('that were never reached are named', () => {
    const all = new Map<Situation, number>(SITUATIONS.map((situation) => [situation, 1]));
    expect(neverReached(all)).toEqual([]);
    all.delete('torn write');
    expect(neverReached(all)).toEqual(['torn write']);
  });

  test('must all be reached by a campaign, and not by a few runs or by runs that leave something out', () => {
    expect(isCampaign(CAMPAIGN_SEEDS_MIN, {})).toBe(true);
    expect(isCampaign(CAMPAIGN_SEEDS_MIN - 1, {})).toBe(false);
    expect(isCampaign(CAMPAIGN_SEEDS_MIN, { without: ['kill'] })).toBe(false);
    expect(isCampaign(CAMPAIGN_SEEDS_MIN, { operationsMax: 10 })).toBe(false);
  });
});
