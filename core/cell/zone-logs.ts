// The channels of a cell, and the chunk logs over the zones of each: of its owner, and of whoever does a job in its place.

import { createChunkLogs } from '../chunk/logs.ts';
import { type ChannelId, channelId } from '../model/ids.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { CellPorts, ZoneSet } from './cell.ts';
import type { CellConfig } from './config.ts';

/** Of a storage class, from 0: their names stand in metadata, and none may go while a stream names it. */
export function channelsOf({ storageClass }: Pick<ZoneSet, 'storageClass'>, count: number): readonly ChannelId[] {
  return Array.from({ length: count }, (_, i) => channelId(`${storageClass}-${i}`));
}

export function chunkLogsOf(
  { clock, checksum, trace }: Pick<CellPorts, 'clock' | 'checksum' | 'trace'>,
  { retryDelayMs }: Pick<CellConfig, 'retryDelayMs'>,
  { stores, currentZones, kind }: Pick<ZoneSet, 'stores' | 'currentZones' | 'kind'>,
): ChunkLogs {
  const { writeQuorum, windowMax, answerTimeoutMs } = kind;
  return createChunkLogs({ stores, currentZones, writeQuorum, windowMax, answerTimeoutMs, retryDelayMs, clock, checksum, trace });
}
