// The bounds of reads in a run: mostly far smaller than in the product, so that they are met.

import { READER_LIMITS, type ReaderLimits } from '#core/reader/reader-limits.ts';
import type { Dice } from './random.ts';

export function drawReader(dice: Dice): ReaderLimits {
  // Idle followers hear from a process often, or so rarely that a record which wakes nobody is told from one that does.
  const [heartbeatMsMin, heartbeatMsMax] = dice.pick([
    [40, 120],
    [600, 1_800],
    [5_000, 15_000],
    [5_000, 15_000],
  ] as const);
  return {
    ...READER_LIMITS,
    heartbeatMsMin,
    heartbeatMsMax,
    rangeBytes: dice.pick([512, 4_096]),
    firstRangeBytes: dice.pick([256, 2_048]),
    wholeSectionBytesMax: dice.pick([256, 2_048, READER_LIMITS.wholeSectionBytesMax]),
    rangesAhead: dice.pick([2, 4]),
    allReadsBytesMax: dice.pick([1_024, 8_192, READER_LIMITS.allReadsBytesMax]),
    roomWaitMs: dice.pick([200, 2_000]),
    rowsPage: dice.pick([3, READER_LIMITS.rowsPage]),
    tailBytes: dice.pick([200, READER_LIMITS.tailBytes]),
  };
}
