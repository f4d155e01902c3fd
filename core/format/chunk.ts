// The chunk: the unit of quorum writes, a header and an opaque payload.
//
//   chunk := magic u32 'MRck' | version u8 = 1 | kind u8 (1 data, 2 seal) | reserved u16 = 0
//          | payloadBytes u32 | payloadCrc u32 | epoch u64 | position u64 | commitPoint u64
//          | owner 16 | channelBytes u8 | channel 47 (padded with zeroes) | reserved 20 | headerCrc u32 | payload
//
// headerCrc is CRC-32 over the 124 bytes before it, so that a header can be trusted alone; payloadCrc is CRC-32 over the payload.
// A seal has no payload, commit point 0 and owner 0: the same log and position always make the same bytes.

import { readU32, readU64, toHex, writeHex, writeU32, writeU64 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import type { ChannelId, Epoch, LogId, OwnerNonce, Position } from '../model/ids.ts';
import { CHUNK_BYTES_MAX } from '../model/limits.ts';
import type { Checksum } from '../ports/checksum.ts';

export const CHUNK_HEADER_BYTES = 128;
const MAGIC = 0x4d52636b;
const VERSION = 1;
const HEADER_CRC_AT = 124;
const CHANNEL_AT = 56;
const NOBODY = '00000000000000000000000000000000' as OwnerNonce;

export interface ChunkHeader {
  readonly kind: 'data' | 'seal';
  readonly log: LogId;
  readonly at: Position;
  /** The end of the committed prefix that the writer knew when it closed the chunk. */
  readonly commitPoint: Position;
  readonly owner: OwnerNonce;
  readonly payloadBytes: number;
}

/**
 * A data chunk of `parts`, which are copied.
 *
 * @param payloadCrc the checksum of all parts, where the caller knows it.
 */
export function encodeChunk(
  header: Omit<ChunkHeader, 'kind' | 'payloadBytes'>,
  parts: readonly Uint8Array[],
  checksum: Checksum,
  payloadCrc?: number,
): Uint8Array {
  let payloadBytes = 0;
  for (const part of parts) payloadBytes += part.length;
  invariant(CHUNK_HEADER_BYTES + payloadBytes <= CHUNK_BYTES_MAX, 'F3: a chunk is at most CHUNK_BYTES_MAX');
  const chunk = new Uint8Array(CHUNK_HEADER_BYTES + payloadBytes);
  let at = CHUNK_HEADER_BYTES;
  for (const part of parts) {
    chunk.set(part, at);
    at += part.length;
  }
  writeHeader(chunk, { ...header, kind: 'data', payloadBytes }, checksum, payloadCrc);
  return chunk;
}

export function encodeSeal(log: LogId, at: Position, checksum: Checksum): Uint8Array {
  const seal = new Uint8Array(CHUNK_HEADER_BYTES);
  writeHeader(seal, { kind: 'seal', log, at, commitPoint: 0 as Position, owner: NOBODY, payloadBytes: 0 }, checksum);
  return seal;
}

function writeHeader(chunk: Uint8Array, header: ChunkHeader, checksum: Checksum, payloadCrc?: number): void {
  const { channel, epoch } = header.log;
  writeU32(chunk, 0, MAGIC);
  chunk[4] = VERSION;
  chunk[5] = header.kind === 'data' ? 1 : 2;
  writeU32(chunk, 8, header.payloadBytes);
  writeU32(chunk, 12, payloadCrc ?? checksum.crc32(chunk.subarray(CHUNK_HEADER_BYTES)));
  writeU64(chunk, 16, epoch);
  writeU64(chunk, 24, header.at);
  writeU64(chunk, 32, header.commitPoint);
  writeHex(chunk, 40, header.owner);
  chunk[CHANNEL_AT] = channel.length;
  for (let i = 0; i < channel.length; i += 1) chunk[CHANNEL_AT + 1 + i] = channel.charCodeAt(i);
  writeU32(chunk, HEADER_CRC_AT, checksum.crc32(chunk.subarray(0, HEADER_CRC_AT)));
}

/** The header of a chunk, or undefined when it is not whole and valid. Only the first CHUNK_HEADER_BYTES are looked at. */
export function decodeChunkHeader(bytes: Uint8Array, checksum: Checksum): ChunkHeader | undefined {
  if (bytes.length < CHUNK_HEADER_BYTES || readU32(bytes, 0) !== MAGIC || bytes[4] !== VERSION) return undefined;
  if (checksum.crc32(bytes.subarray(0, HEADER_CRC_AT)) !== readU32(bytes, HEADER_CRC_AT)) return undefined;
  const kind = bytes[5] === 1 ? 'data' : bytes[5] === 2 ? 'seal' : undefined;
  const channelBytes = bytes[CHANNEL_AT] ?? 0;
  const payloadBytes = readU32(bytes, 8);
  if (kind === undefined || channelBytes > 47 || payloadBytes > CHUNK_BYTES_MAX) return undefined;
  let channel = '';
  for (let i = 0; i < channelBytes; i += 1) channel += String.fromCharCode(bytes[CHANNEL_AT + 1 + i] ?? 0);
  return {
    kind,
    log: { channel: channel as ChannelId, epoch: readU64(bytes, 16) as Epoch },
    at: readU64(bytes, 24) as Position,
    commitPoint: readU64(bytes, 32) as Position,
    owner: toHex(bytes, 40, 56) as OwnerNonce,
    payloadBytes,
  };
}

/** A whole chunk of which header and payload match their checksums. */
export interface Chunk extends ChunkHeader {
  readonly payload: Uint8Array;
}

/** A whole chunk, or undefined when anything of it is missing or changed. Bytes behind the payload are ignored. */
export function decodeChunk(bytes: Uint8Array, checksum: Checksum): Chunk | undefined {
  const header = decodeChunkHeader(bytes, checksum);
  if (header === undefined || bytes.length < CHUNK_HEADER_BYTES + header.payloadBytes) return undefined;
  const payload = bytes.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + header.payloadBytes);
  if (checksum.crc32(payload) !== readU32(bytes, 12)) return undefined;
  return { ...header, payload };
}

/** Whether a header stands where it says that it belongs. */
export function isChunkOf(header: ChunkHeader, log: LogId, at: Position): boolean {
  return header.log.channel === log.channel && header.log.epoch === log.epoch && header.at === at;
}
