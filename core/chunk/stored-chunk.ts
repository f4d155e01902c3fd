// Reads what one zone holds at one position, and believes none of it before its header says the same.
//
//   C15 What a zone gives back counts only if its checksums hold and its header names this log and this position.

import { type Chunk, type ChunkHeader, decodeChunk, decodeChunkHeader, isChunkOf } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import { type LogId, logName, type Position, type ZoneId } from '../model/ids.ts';
import type { Missing } from '../ports/chunk-store.ts';
import { ask, type ChunkLogOptions } from './options.ts';

/** A whole chunk, data or seal. @throws StoreError when the zone does not answer. */
export async function getChunk(options: ChunkLogOptions, log: LogId, zone: ZoneId, at: Position): Promise<Chunk | Missing> {
  const bytes = await ask(options, zone, (store) => store.get(log, at));
  return typeof bytes === 'string' ? bytes : checked(decodeChunk(bytes, options.checksum), log, at);
}

/** As getChunk, without the payload. */
export async function getHeader(options: ChunkLogOptions, log: LogId, zone: ZoneId, at: Position): Promise<ChunkHeader | Missing> {
  const bytes = await ask(options, zone, (store) => store.get(log, at, 'header'));
  return typeof bytes === 'string' ? bytes : checked(decodeChunkHeader(bytes, options.checksum), log, at);
}

function checked<T extends ChunkHeader>(header: T | undefined, log: LogId, at: Position): T | 'torn' {
  if (header === undefined || !isChunkOf(header, log, at)) return 'torn';
  if (header.commitPoint > at) throw corrupt(log, `the chunk at ${at} claims ${header.commitPoint} as its commit point`);
  return header;
}

/** Every position of a log at which a zone holds anything, in no order. */
export async function listPositions(options: ChunkLogOptions, log: LogId, zone: ZoneId): Promise<Position[]> {
  const positions: Position[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(options, zone, (store) => store.list(log, cursor));
    for (const at of page.positions) positions.push(at);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return positions;
}

/** Nothing may be concluded any more: the channel halts, and a person looks. */
export function corrupt(log: LogId, message: string): StoreError {
  return new StoreError('corrupt', 'none', `log ${logName(log)} is damaged: ${message}`);
}
