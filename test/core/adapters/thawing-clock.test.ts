import { describe, expect, test } from 'vitest';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { createThawingClock } from '#core/adapters/node/thawing-clock.ts';

function host() {
  let wall = 1_700_000_000_000;
  let steady = 5_000;
  return {
    now: () => wall,
    monotonic: () => steady,
    pass(wallMs: number, steadyMs: number) {
      wall += wallMs;
      steady += steadyMs;
    },
  };
}

describe('the clock of a process that is frozen', () => {
  test('J6: counts the time for which the steady clock stood still', () => {
    const time = host();
    const clock = createThawingClock(time);
    const begun = clock.monotonic();
    time.pass(1_000, 1_000);
    expect(clock.monotonic() - begun).toBe(1_000);
    time.pass(600_000, 0);
    expect(clock.monotonic() - begun).toBe(601_000);
    time.pass(600_000, 600_000);
    expect(clock.monotonic() - begun).toBe(1_201_000);
  });

  test('J6: counts it also where it was asked last long before', () => {
    const time = host();
    const clock = createThawingClock(time);
    const begun = clock.monotonic();
    time.pass(3_600_000, 10);
    time.pass(10, 10);
    expect(clock.monotonic() - begun).toBe(3_600_010);
  });

  test('never goes back, and takes no notice of a wall clock that does, or that is slewed', () => {
    const time = host();
    const clock = createThawingClock(time);
    let last = clock.monotonic();
    for (const [wallMs, steadyMs] of [
      [-86_400_000, 5],
      [10, 5],
      [0, 5],
      [45, 5],
    ] as const) {
      time.pass(wallMs, steadyMs);
      const now = clock.monotonic();
      expect(now - last).toBe(5);
      last = now;
    }
  });

  test('is the clock of the host otherwise', async () => {
    const clock = createThawingClock();
    const begun = clock.monotonic();
    await clock.sleep(20);
    expect(clock.monotonic() - begun).toBeGreaterThanOrEqual(19);
    expect(Math.abs(clock.now() - systemClock.now())).toBeLessThan(50);
  });
});
