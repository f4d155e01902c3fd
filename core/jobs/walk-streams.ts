// Goes through every stream of every basin, as far as the budget reaches, and says where to go on.
//
//   G13 A stream whose records are damaged is told of, and keeps no other from its turn.

import type { Repository } from '../metadata/repository.ts';
import type { StreamInfo } from '../metadata/schema.ts';
import { StoreError } from '../model/errors.ts';
import type { Trace } from '../ports/trace.ts';

/** The last stream that was looked at. */
export interface StreamCursor {
  readonly basin: string;
  readonly name: string;
}

const PAGE = 100;

/**
 * Calls `visit` for each stream behind `cursor`, in the order of names, and `left` for each basin once all of its streams were visited.
 *
 * @returns where to go on; undefined when every stream was visited: begin again.
 */
export async function walkStreams(
  repository: Pick<Repository, 'basins' | 'streams'>,
  cursor: StreamCursor | undefined,
  isOver: () => boolean,
  visit: (stream: StreamInfo) => Promise<void>,
  left: (basin: string) => Promise<void> = async () => undefined,
): Promise<StreamCursor | undefined> {
  let at = cursor;
  // Streams that are left of the basin where the last run stopped, then basin after basin.
  if (cursor !== undefined) {
    const stopped = await walkBasin(repository, cursor.basin, cursor.name, isOver, visit, (name) => {
      at = { basin: cursor.basin, name };
    });
    if (stopped) return at;
    await left(cursor.basin);
  }
  let startAfter = cursor?.basin ?? '';
  for (;;) {
    const { basins, hasMore } = await repository.basins.list({ startAfter, limit: PAGE });
    for (const { name: basin } of basins) {
      at = { basin, name: '' };
      if (isOver()) return at;
      const stopped = await walkBasin(repository, basin, '', isOver, visit, (name) => {
        at = { basin, name };
      });
      if (stopped) return at;
      await left(basin);
      startAfter = basin;
    }
    if (!hasMore) return undefined;
  }
}

/** A visit that a damaged stream does not end the walk with (G13). What ails a service would ail the next stream, too: that is thrown. */
export function sparing(trace: Trace, job: string, visit: (stream: StreamInfo) => Promise<void>): (stream: StreamInfo) => Promise<void> {
  return async (stream) => {
    try {
      await visit(stream);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
      trace.event('job.stream.failed', { job, stream: stream.streamId, code: error.code, message: error.message });
    }
  };
}

/** True when the budget was over before the basin was. */
async function walkBasin(
  repository: Pick<Repository, 'streams'>,
  basin: string,
  from: string,
  isOver: () => boolean,
  visit: (stream: StreamInfo) => Promise<void>,
  visited: (name: string) => void,
): Promise<boolean> {
  let startAfter = from;
  for (;;) {
    const { streams, hasMore } = await repository.streams.list(basin, { startAfter, limit: PAGE });
    for (const stream of streams) {
      if (isOver()) return true;
      await visit(stream);
      startAfter = stream.name;
      visited(stream.name);
    }
    if (!hasMore) return false;
  }
}
