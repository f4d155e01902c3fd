// Finds how far a log is known to be committed, from the headers in its zones.
//
//   C8  The commit point of a log is the greatest that R zones know of from any chunk header. It is frozen with the R-th answer:
//       what a slower zone knows must not move it.
//
// Commit points never fall from chunk to chunk (C2), so that a zone knows what its last valid data chunk says. At most P − 1
// positions beyond that chunk's commit point were ever written, hence no committed chunk lies P or more beyond what is found.

import type { LogId, Position, ZoneId } from '../model/ids.ts';
import type { LogDescription } from '../ports/chunk-log.ts';
import { firstAnswers } from './answers.ts';
import { type ChunkLogOptions, sealQuorum } from './options.ts';
import { getHeader, listPositions } from './stored-chunk.ts';

const HEADERS_AT_ONCE = 8;

/** The greatest commit point that a zone knows of, at least `floor`. A listing has no order, so it is read to its end. */
export async function commitPointIn(options: ChunkLogOptions, log: LogId, zone: ZoneId, floor: Position): Promise<Position> {
  const positions = await listPositions(options, log, zone);
  const descending = positions.filter((at) => at >= floor).sort((a, b) => b - a);
  for (let i = 0; i < descending.length; i += HEADERS_AT_ONCE) {
    const some = descending.slice(i, i + HEADERS_AT_ONCE);
    const headers = await Promise.all(some.map((at) => getHeader(options, log, zone, at)));
    for (const header of headers) {
      if (typeof header !== 'string' && header.kind === 'data') return greatest([header.commitPoint, floor]);
    }
  }
  return floor;
}

/** @throws StoreError `unavailable` when fewer than R zones answer. */
export async function findCommitPoint(options: ChunkLogOptions, description: LogDescription, floor: Position): Promise<Position> {
  const { log, zones } = description;
  const quorum = sealQuorum(zones.length, options.writeQuorum);
  const known = await firstAnswers(options, zones, quorum, 'how far the log is committed', (zone) =>
    commitPointIn(options, log, zone, floor),
  );
  return greatest([floor, ...known]);
}

export function greatest(positions: readonly Position[]): Position {
  return Math.max(0, ...positions) as Position;
}
