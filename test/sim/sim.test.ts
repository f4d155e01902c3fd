// Fifty seeds on every change, and the same seed twice. More of them: npm run sim -- --seeds 1000

import { describe, expect, test } from 'vitest';
import { OVERLAPPING_SHARE_MIN, shortfalls } from './goals.ts';
import { run } from './run.ts';

const SEEDS = Array.from({ length: 50 }, (_, i) => 1 + i);

describe('the whole store in virtual time', () => {
  const sums = { seeds: 0, operations: 0, takeovers: 0, nonEmptyWindows: 0, overlapping: 0, unknown: 0 };

  test.each(SEEDS)('seed %i: the history is linearizable, nothing is lost, and everything comes to rest', async (seed) => {
    const { failures, figures } = await run(seed);
    const [first] = failures;
    if (first !== undefined) expect.fail(`${first.check}: ${first.message}\nthe same again: npm run sim -- --seed ${seed}`);
    sums.seeds += 1;
    for (const name of ['operations', 'takeovers', 'nonEmptyWindows', 'overlapping', 'unknown'] as const) sums[name] += figures[name];
    expect(figures.overlapping, 'operations that overlap').toBeGreaterThanOrEqual(OVERLAPPING_SHARE_MIN);
  });

  test('the seeds are worth something: operations, takeovers, windows of uncertainty, calls that overlap and that end unknown', () => {
    expect(sums.seeds).toBe(SEEDS.length);
    expect(shortfalls(sums)).toEqual([]);
  });
});

describe('determinism', () => {
  test.each([3, 14, 29])('seed %i twice: the same trace, and the same next random number', async (seed) => {
    const first = await run(seed, { isUnjudged: true });
    const second = await run(seed, { isUnjudged: true });
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(second.history).toEqual(first.history);
  });

  test('another seed, another trace', async () => {
    const [one, other] = [await run(5, { isUnjudged: true }), await run(6, { isUnjudged: true })];
    expect(one.fingerprint).not.toBe(other.fingerprint);
  });
});
