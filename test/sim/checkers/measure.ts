// What a history is worth as evidence: calls that never met, or that all went well, prove little.

import type { History } from '../history.ts';
import { byStream, isUnknown } from './stream-calls.ts';

export interface Measure {
  readonly operations: number;
  /** Share of operations that ran at the same time as another one on the same stream. */
  readonly overlapping: number;
  /** Share of operations that never ended, or ended without a clear answer. */
  readonly unknown: number;
}

/** A call that never ended counts as overlapping with what it met when it began, no more. */
export function measure(history: History): Measure {
  const operations = history.length;
  if (operations === 0) return { operations, overlapping: 0, unknown: 0 };
  let overlapping = 0;
  for (const { calls } of byStream(history)) {
    let latestEnd = Number.NEGATIVE_INFINITY;
    calls.forEach((call, i) => {
      const end = call.ended ?? call.began;
      const next = calls[i + 1];
      if (latestEnd >= call.began || (next !== undefined && next.began <= end)) overlapping += 1;
      latestEnd = Math.max(latestEnd, end);
    });
  }
  return { operations, overlapping: overlapping / operations, unknown: history.filter(isUnknown).length / operations };
}
