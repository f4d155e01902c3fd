import { describe, expect, test } from 'vitest';
import type { PlantedBug } from './support/cluster.ts';
import { runSchedule } from './support/schedule.ts';

/** To run other schedules, or more: CHUNK_SEED=100000 CHUNK_SCHEDULES=50000. */
const SEED = Number(process.env['CHUNK_SEED'] ?? 1);
const SCHEDULES = Number(process.env['CHUNK_SCHEDULES'] ?? 2_000);
const MINUTE_MS = 60_000;

/** What the schedules must come upon, or they try less than they seem to. */
const SITUATIONS = [
  'chunk.recovered.adopted',
  'chunk.recovered.raised',
  'chunk.torn.sealed',
  'chunk.read.elsewhere',
  'chunk.zone.lagging',
  'deposed',
  'stalled',
  'wiped',
];

describe('a channel with several owners, zombies, lost and late answers, torn writes and a lost zone', () => {
  test('C1–C16: has what was acknowledged once and in order, whatever the schedule', { timeout: 60 * MINUTE_MS }, async () => {
    const met = new Set<string>();
    let acknowledged = 0;
    for (let seed = SEED; seed < SEED + SCHEDULES; seed += 1) {
      const result = await runSchedule(seed);
      const again = `CHUNK_SEED=${seed} CHUNK_SCHEDULES=1 npx vitest run test/core/chunk/schedules.test.ts`;
      expect(result.violations, again).toEqual([]);
      acknowledged += result.acknowledged;
      for (const situation of result.met) met.add(situation);
    }
    if (SCHEDULES < 1_000) return;
    expect(acknowledged).toBeGreaterThan(10 * SCHEDULES);
    expect([...met]).toEqual(expect.arrayContaining(SITUATIONS));
  });

  const bugs: PlantedBug[] = ['R = 1', 'W = 1', 'torn taken for absent', 'last seal deleted', 'wiped zone counts'];
  test.each(bugs)('is caught losing records when a bug is planted: %s', { timeout: MINUTE_MS }, async (bug) => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const { violations } = await runSchedule(seed, bug);
      if (violations.some((violation) => /lost|damaged|twice/.test(violation))) return;
    }
    expect.fail(`no schedule caught: ${bug}`);
  });

  test('plays the same schedule again from the same seed', async () => {
    expect(await runSchedule(42)).toEqual(await runSchedule(42));
  });
});
