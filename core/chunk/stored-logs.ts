// Finds what the zones hold of a channel, known to M or not. For sweep, which deletes nothing at any doubt: a zone that fails
// on the way is left out of the answer as a whole, so that no seal in it is overlooked.

import { StoreError } from '../model/errors.ts';
import { type ChannelId, type LogId, logName, type Position, type ZoneId } from '../model/ids.ts';
import type { StoredLog } from '../ports/chunk-log.ts';
import { commitPointIn } from './find.ts';
import { ask, type ChunkLogOptions } from './options.ts';
import { getHeader, listPositions } from './stored-chunk.ts';

const HEADERS_AT_ONCE = 8;

export async function storedLogs(options: ChunkLogOptions, channel: ChannelId): Promise<readonly StoredLog[]> {
  const zones = [...new Set(options.stores().map((store) => store.zone))];
  const holdings = (await Promise.all(zones.map((zone) => holdingsIn(options, zone, channel)))).flat();
  return holdings.sort((a, b) => a.log.epoch - b.log.epoch);
}

async function holdingsIn(options: ChunkLogOptions, zone: ZoneId, channel: ChannelId): Promise<StoredLog[]> {
  try {
    const holdings: StoredLog[] = [];
    for (const log of await logsIn(options, zone, channel)) {
      const holding = await holdingOf(options, zone, log);
      if (holding !== undefined) holdings.push(holding);
    }
    return holdings;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    options.trace.event('chunk.stored.unanswered', { zone, code: error.code });
    return [];
  }
}

/** A store may name a log on several pages. */
async function logsIn(options: ChunkLogOptions, zone: ZoneId, channel: ChannelId): Promise<LogId[]> {
  const logs = new Map<string, LogId>();
  let cursor: string | undefined;
  do {
    const page = await ask(options, zone, (store) => store.logs(cursor));
    for (const log of page.logs) if (log.channel === channel) logs.set(logName(log), log);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...logs.values()];
}

async function holdingOf(options: ChunkLogOptions, zone: ZoneId, log: LogId): Promise<StoredLog | undefined> {
  const positions = await listPositions(options, log, zone);
  if (positions.length === 0) return undefined;
  // No last seal stands below a commit point, so that most chunks of a long log need not be looked at.
  const floor = await commitPointIn(options, log, zone, 0 as Position);
  const undecided = positions.filter((at) => at >= floor);
  const seals: Position[] = [];
  for (let i = 0; i < undecided.length; i += HEADERS_AT_ONCE) {
    const some = undecided.slice(i, i + HEADERS_AT_ONCE);
    const headers = await Promise.all(some.map((at) => getHeader(options, log, zone, at)));
    headers.forEach((header, j) => {
      const at = some[j];
      if (at !== undefined && typeof header !== 'string' && header.kind === 'seal') seals.push(at);
    });
  }
  const storedEnd = positions.reduce((end, at) => Math.max(end, at + 1), 0) as Position;
  return { zone, log, seals, othersCount: positions.length - seals.length, commitPoint: floor, storedEnd };
}
