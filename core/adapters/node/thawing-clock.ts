// The host's time for a process that is frozen between invocations. What measures time without sleeping may not see how long that
// was; the wall clock does.
//
//   J6  The time that a process was frozen counts: whatever is only good for a while, as a deadline, a cached name, or what is known
//       of revocations, is older by it.

import type { Clock } from '../../ports/clock.ts';
import { systemClock } from './system-clock.ts';

/** The clocks part by less than this while the process runs, also where the wall clock is being set right bit by bit. */
const APART_MS_MAX = 50;

export interface HostTime {
  now(): number;
  monotonic(): number;
}

export function createThawingClock(host: HostTime = systemClock): Clock {
  let wall = host.now();
  let steady = host.monotonic();
  let frozenMs = 0;
  return {
    ...systemClock,
    now: () => host.now(),
    monotonic() {
      const passed = { wall: host.now() - wall, steady: host.monotonic() - steady };
      // A wall clock that was set forward looks the same, and makes things older than they are: that is safe.
      if (passed.wall - passed.steady > APART_MS_MAX) frozenMs += passed.wall - passed.steady;
      wall += passed.wall;
      steady += passed.steady;
      return steady + frozenMs;
    },
  };
}
