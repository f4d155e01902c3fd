// The channels of a cell, and the chunk logs over the zones of each: of its owner, and of whoever does a job in its place.

import { createChunkLogs } from '../chunk/logs.ts';
import { type ChannelId, channelId } from '../model/ids.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { CellPorts, ZoneSet } from './cell.ts';
import type { CellConfig } from './config.ts';

/** One channel a storage class, for now. */
export function channelOf({ storageClass }: Pick<ZoneSet, 'storageClass'>): ChannelId {
  return channelId(`${storageClass}-0`);
}

export function chunkLogsOf(
  { clock, checksum, trace }: Pick<CellPorts, 'clock' | 'checksum' | 'trace'>,
  { retryDelayMs }: Pick<CellConfig, 'retryDelayMs'>,
  { stores, currentZones, kind }: Pick<ZoneSet, 'stores' | 'currentZones' | 'kind'>,
): ChunkLogs {
  const { writeQuorum, windowMax, answerTimeoutMs } = kind;
  return createChunkLogs({ stores, currentZones, writeQuorum, windowMax, answerTimeoutMs, retryDelayMs, clock, checksum, trace });
}
