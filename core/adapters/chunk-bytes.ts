// What every chunk store checks of the bytes that it takes and gives.
//
//   Z1  A store takes a data chunk only for the log and position that its valid header names.
//   Z2  A store gives only bytes that match their checksums, and the log and position asked for.

import { readU32 } from '../base/bytes.ts';
import { combineCrc32 } from '../base/crc32-combine.ts';
import { invariant } from '../base/invariant.ts';
import { CHUNK_HEADER_BYTES, type ChunkHeader, decodeChunk, decodeChunkHeader, isChunkOf } from '../format/chunk.ts';
import { type LogId, logName, type Position } from '../model/ids.ts';
import { CHUNK_BYTES_MAX } from '../model/limits.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkStore } from '../ports/chunk-store.ts';

/** Where the checksum of a chunk's payload lies in its header. */
const PAYLOAD_CRC_AT = 12;

export type ChunkPart = NonNullable<Parameters<ChunkStore['get']>[2]>;

/** Checks a chunk on its way in; its payload is trusted, because the header was made over it a moment ago. */
export function checkChunkToPut(log: LogId, at: Position, chunk: Uint8Array, checksum: Checksum): ChunkHeader {
  const header = decodeChunkHeader(chunk, checksum);
  invariant(header?.kind === 'data', `Z1: only data chunks are put, at ${logName(log)}:${at}`);
  invariant(isChunkOf(header, log, at), `Z1: a chunk is put where its header says, not at ${logName(log)}:${at}`);
  invariant(chunk.length === CHUNK_HEADER_BYTES + header.payloadBytes, 'Z1: a chunk is put whole');
  invariant(chunk.length <= CHUNK_BYTES_MAX, 'Z1: a chunk is at most CHUNK_BYTES_MAX');
  return header;
}

export interface ValidChunk {
  readonly kind: 'data' | 'seal';
  /** The chunk, or its header alone, without anything behind it: a view of the bytes that were checked. */
  readonly bytes: Uint8Array;
}

/** The part of a stored chunk that was asked for, or undefined when it is not valid there (torn). */
export function validChunk(bytes: Uint8Array, log: LogId, at: Position, part: ChunkPart, checksum: Checksum): ValidChunk | undefined {
  const header = part === 'whole' ? decodeChunk(bytes, checksum) : decodeChunkHeader(bytes, checksum);
  if (header === undefined || !isChunkOf(header, log, at)) return undefined;
  const length = part === 'whole' ? CHUNK_HEADER_BYTES + header.payloadBytes : CHUNK_HEADER_BYTES;
  invariant(bytes.length >= length, 'Z2: a valid chunk is whole');
  return { kind: header.kind, bytes: bytes.subarray(0, length) };
}

/** The checksum over a whole chunk as it follows from those in its header: of a sound one, the sum over its bytes. */
export function crcOfChunk(chunk: Uint8Array, checksum: Checksum): number {
  const header = checksum.crc32(chunk.subarray(0, CHUNK_HEADER_BYTES));
  return combineCrc32(header, readU32(chunk, PAYLOAD_CRC_AT), chunk.length - CHUNK_HEADER_BYTES);
}
