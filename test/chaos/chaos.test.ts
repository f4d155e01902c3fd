// The real process under faults, for a short while; by hand: npm run chaos -- --minutes 5.

import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { runChaos } from './run.ts';

const SEED = Number(process.env['MILLRACE_CHAOS_SEED'] ?? Date.now() % 1_000_000);

describe('chaos', () => {
  test('whatever befalls the process, what its clients saw can be explained by one order of their calls', async () => {
    console.log(`MILLRACE_CHAOS_SEED=${SEED}`);
    const report = await runChaos({
      ms: 9_000,
      seed: SEED,
      faultEveryMs: 900,
      longFreezes: false,
      print: (line) => console.log(line),
    });
    expect(report.failure).toBeUndefined();
    expect(report.operations).toBeGreaterThan(300);
    expect(report.overlapping / report.operations).toBeGreaterThan(0.1);
    expect(report.faults.kills).toBeGreaterThan(0);
  }, 150_000);

  // What this would not notice, no run would ever show.
  test('a data folder that goes back to an earlier copy is noticed, and everything about it is kept', async () => {
    const report = await runChaos({ ms: 4_000, seed: SEED, smallDisks: false, goesBack: true, print: () => undefined });
    const kept = report.failure?.kept ?? '';
    try {
      expect(report.failure?.message).toMatch(
        /lost-append|stale-answer|two-records-at-one-place|record-at-two-places|trimmed-record-returns|not-linearizable/,
      );
      expect(JSON.parse(await readFile(path.join(kept, 'history.json'), 'utf8')).length).toBeGreaterThan(10);
      expect(await readFile(path.join(kept, 'failure.txt'), 'utf8')).toContain(`seed ${SEED}`);
    } finally {
      if (kept !== '') await rm(path.dirname(kept), { recursive: true, force: true });
    }
  }, 150_000);
});
