// Deletes chunks that nobody needs any more.
//
//   C13 The seal at `sealedAt` is never deleted. Put-if-absent forgets what was deleted: an old writer that slept long enough would
//       store that position after all, and acknowledge it.
//   C14 Nothing in [base, end) is deleted: what is committed goes only once it is offloaded.

import { InvariantError, invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import { logName, type Position, type ZoneId } from '../model/ids.ts';
import type { LogDescription } from '../ports/chunk-log.ts';
import { ask, type ChunkLogOptions } from './options.ts';

/** What of `range` may go, around the seal that stays. */
export function deletable(description: LogDescription, range: Range<Position>): Range<Position>[] {
  const { base, end, sealedAt } = description;
  invariant(range.start <= range.end, 'C14: a range does not end before it starts');
  const isBelow = range.end <= base;
  const isBeyond = end !== undefined && (range.start >= end || base >= end);
  invariant(isBelow || isBeyond, 'C14: what is not offloaded is not deleted');
  invariant((end === undefined) === (sealedAt === undefined), 'C13: a closed log says where its seal stands');
  const ranges =
    sealedAt === undefined
      ? [range]
      : [
          { start: range.start, end: Math.min(range.end, sealedAt) as Position },
          { start: Math.max(range.start, sealedAt + 1) as Position, end: range.end },
        ];
  const kept = ranges.filter((some) => some.start < some.end);
  invariant(!kept.some((some) => sealedAt !== undefined && sealedAt >= some.start && sealedAt < some.end), 'C13: the seal stays');
  return kept;
}

/** Deletes in every zone of the log that answers; the others are left to a later run. */
export async function deleteChunks(options: ChunkLogOptions, description: LogDescription, range: Range<Position>): Promise<void> {
  const { log, zones } = description;
  const ranges = deletable(description, range);
  const deleteIn = async (zone: ZoneId): Promise<void> => {
    for (const some of ranges) await ask(options, zone, (store) => store.delete(log, some));
  };
  const outcomes = await Promise.allSettled(zones.map(deleteIn));
  outcomes.forEach((outcome, i) => {
    if (outcome.status === 'fulfilled') return;
    if (outcome.reason instanceof InvariantError) throw outcome.reason;
    options.trace.event('chunk.delete.unanswered', { log: logName(log), zone: zones[i] });
  });
}
