import { describe, expect, test } from 'vitest';
import { run } from './run.ts';
import { perform } from './worker.ts';

describe('a seed of a campaign', () => {
  test('whose run throws is a failure that names it', async () => {
    const task = { seed: 77, options: {}, isRepeated: false };
    const done = await perform(task, () => Promise.reject(new Error('the simulator itself')));
    expect(done.seed).toBe(77);
    expect(done.failures).toMatchObject([{ check: 'thrown' }]);
    expect(done.failures[0]?.message).toMatch(/^seed 77: .*the simulator itself/);
  });

  test('that is played twice fails where a generator stands elsewhere the second time', async () => {
    const task = { seed: 5, options: { operationsMax: 20, isUnjudged: true }, isRepeated: true };
    expect((await perform(task)).failures).toEqual([]);
    let plays = 0;
    const done = await perform(task, async (seed, options) => {
      plays += 1;
      const report = await run(seed, options);
      return plays === 1 ? report : { ...report, fingerprint: report.fingerprint.replace(/.$/, 'x') };
    });
    expect(done.failures).toMatchObject([{ check: 'determinism' }]);
  });
});
