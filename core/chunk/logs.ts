// The replicated log of chunks over N zones, as channel/ and jobs/ see it. cell/ makes it; the rules stand in the files below it.

import { invariant } from '../base/invariant.ts';
import type { Position } from '../model/ids.ts';
import type { ChunkLogs, LogDescription } from '../ports/chunk-log.ts';
import { recoverLog } from './adopt.ts';
import { findCommitPoint } from './find.ts';
import type { ChunkLogOptions } from './options.ts';
import { readChunks } from './read.ts';
import { deleteChunks } from './remove.ts';
import { storedLogs } from './stored-logs.ts';
import { Writer } from './writer.ts';

export function createChunkLogs(options: ChunkLogOptions): ChunkLogs {
  const { windowMax, writeQuorum, currentZones } = options;
  invariant(Number.isInteger(windowMax) && windowMax >= 1, 'C2: a window holds at least one chunk');
  invariant(Number.isInteger(writeQuorum) && writeQuorum >= 1, 'C7: a write quorum is at least one zone');
  let readers = 0;
  return {
    windowMax,
    zones: () => currentZones(),
    openWriter: (log, owner, zones, events) => new Writer(options, log, owner, zones, events),
    recover: (description, floor) => recoverLog(options, description, floor),
    read: (description, range) => {
      readers += 1;
      return readChunks(options, description, range, readers);
    },
    knownCommitPoint: (description) => knownCommitPoint(options, description),
    delete: (description, range) => deleteChunks(options, description, range),
    stored: (channel) => storedLogs(options, channel),
  };
}

/** A closed log is committed up to its end, whatever an old owner's late chunks say. */
async function knownCommitPoint(options: ChunkLogOptions, description: LogDescription): Promise<Position> {
  return description.end ?? findCommitPoint(options, description, description.base);
}
