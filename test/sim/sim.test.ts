// Fifty seeds on every change, and the same seed twice. More of them: npm run sim -- --seeds 1000

import { describe, expect, test } from 'vitest';
import { run } from './run.ts';

const SEEDS = Array.from({ length: 50 }, (_, i) => 1 + i);

describe('the whole store in virtual time', () => {
  let operations = 0;
  let takeovers = 0;
  let nonEmptyWindows = 0;

  test.each(SEEDS)('seed %i: the history is linearizable, nothing is lost, and everything comes to rest', async (seed) => {
    const { failures, figures } = await run(seed);
    const [first] = failures;
    if (first !== undefined) expect.fail(`${first.check}: ${first.message}\nthe same again: npm run sim -- --seed ${seed}`);
    operations += figures.operations;
    takeovers += figures.takeovers;
    nonEmptyWindows += figures.nonEmptyWindows;
  });

  test('the seeds are worth something: operations, takeovers, windows of uncertainty', () => {
    expect(operations / SEEDS.length).toBeGreaterThanOrEqual(300);
    expect(takeovers / SEEDS.length).toBeGreaterThanOrEqual(3);
    expect(nonEmptyWindows / takeovers).toBeGreaterThanOrEqual(1 / 3);
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
