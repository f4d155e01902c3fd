// Steps 2 and 3 of a takeover: find the commit point of a log, seal it, and bring home the window of uncertainty.
//
// Safe to run again, by anyone, at any time after a claim: seals stay, and a position that is decided stays decided.
//
//   C11 The commit point is raised to the greatest that an adopted header records: what lies below stays in the old log, and at
//       most P chunks are adopted.
//   C12 What is committed is never skipped: a position below a known commit point that has no valid copy is corruption.
//   C16 A log has one owner: chunks of two in one log are corruption.

import { invariant } from '../base/invariant.ts';
import type { Chunk } from '../format/chunk.ts';
import { logName, type Position } from '../model/ids.ts';
import type { LogDescription, Recovery } from '../ports/chunk-log.ts';
import { findCommitPoint, greatest } from './find.ts';
import type { ChunkLogOptions } from './options.ts';
import { sealWindow } from './seal.ts';
import { corrupt } from './stored-chunk.ts';

export async function recoverLog(options: ChunkLogOptions, description: LogDescription, floor: Position): Promise<Recovery> {
  invariant(description.end === undefined, 'C11: only an open log is taken over');
  const start = await findCommitPoint(options, description, greatest([description.base, floor]));
  let end = start;
  let next = start;
  let chunks: Chunk[] = [];
  for (;;) {
    const window = await sealWindow(options, description, next);
    for (const chunk of window.chunks) {
      if (chunk.owner !== (chunks[0] ?? chunk).owner) throw corrupt(description.log, `two owners wrote it (at ${chunk.at})`);
      invariant(chunk.commitPoint <= chunk.at, 'C11: no chunk claims to be committed itself');
      end = greatest([end, chunk.commitPoint]);
      chunks.push(chunk);
    }
    next = (next + window.chunks.length) as Position;
    chunks = chunks.filter((chunk) => chunk.at >= end);
    if (window.sealedAt === undefined) continue;
    return concluded(options, description, { start, end, sealedAt: next, chunks, known: window.known });
  }
}

interface Findings {
  readonly start: Position;
  readonly end: Position;
  readonly sealedAt: Position;
  readonly chunks: readonly Chunk[];
  readonly known: Position;
}

function concluded(options: ChunkLogOptions, description: LogDescription, findings: Findings): Recovery {
  const { start, end, sealedAt, chunks, known } = findings;
  // The writer knew a commit point beyond a position of which R zones hold the seal: copies were lost in more zones than allowed.
  if (end > sealedAt || known > sealedAt) throw corrupt(description.log, `position ${sealedAt} was committed, and no valid copy is left`);
  invariant(end >= start && start >= description.base, 'C11: the commit point of a takeover only rises');
  invariant(chunks.length === sealedAt - end, 'C12: every position up to the seal is committed or adopted');
  invariant(chunks.length <= options.windowMax, 'C11: at most a window is adopted');
  const log = logName(description.log);
  options.trace.event('chunk.recovered', { log, start, end, sealedAt, adopted: chunks.length });
  return { end, sealedAt, adopted: chunks.map((chunk) => chunk.payload) };
}
