// What a direct zone writes: records of whole pages, each described by the same mark at its head and at its tail.
//
//   record := head mark 256 | chunk | zeroes | tail mark 256, padded to pages of 4,096 bytes, at least two of them
//   mark   := magic u32 'MRzr' | version u8 = 1 | part u8 (1 head, 2 tail) | kind u8 | 0
//           | slab u32 | page u32 | generation u64 | sequence u64 | index u32 | settled u32 | chunkBytes u32 | chunkCrc u32
//           | position u64 | epoch u64 | channelBytes u8 | channel 47 | zoneBytes u8 | zone 64 | zeroes | crc u32
//
// The two marks never share a page, so that whatever page is lost or half written, the other one still tells which position
// it was (Z8). chunkCrc is the chunk's own header checksum, which covers its payload's; crc is CRC-32 over the mark before it.

import { readU32, readU64, writeU32, writeU64 } from '../../../base/bytes.ts';
import { invariant } from '../../../base/invariant.ts';
import { channelId, epoch, type LogId, type Position, position, type ZoneId } from '../../../model/ids.ts';
import type { Checksum } from '../../../ports/checksum.ts';
import { PAGE_BYTES } from '../aligned-memory.ts';

export const MARK_BYTES = 256;
const MAGIC = 0x4d527a72;
const VERSION = 1;
const CHANNEL_AT = 64;
const CHANNEL_BYTES_MAX = 47;
const ZONE_AT = 112;
const ZONE_BYTES_MAX = 64;
const CRC_AT = MARK_BYTES - 4;
/** Where the chunk's header keeps its checksum (format/chunk.ts). */
const CHUNK_CRC_AT = 124;

/**
 * `slab` and `free` stand on the first pages of a slab: in use or waiting, in that generation. `end` stands on the last ones of
 * a slab that takes no more. `seal` stands in the seal file.
 */
export type RecordKind = 'chunk' | 'seal' | 'slab' | 'free' | 'end';
const KINDS: readonly RecordKind[] = ['chunk', 'seal', 'slab', 'free', 'end'];

export interface Mark {
  readonly kind: RecordKind;
  readonly zone: ZoneId;
  /** Number of the slab; SEAL_FILE for the seal file. */
  readonly slab: number;
  /** First page of the record in its file. */
  readonly page: number;
  /** How often the slab was freed. Records of another generation than the slab's are leftovers. */
  readonly generation: number;
  /** Counts everything that a zone ever wrote: of two records for one position the later one counts. */
  readonly sequence: number;
  /** Number of the record in its slab and generation; of an `end`, how many there are. */
  readonly index: number;
  /** Records of this slab and generation below it are durable. */
  readonly settled: number;
  readonly chunkBytes: number;
  readonly chunkCrc: number;
  readonly log: LogId;
  readonly at: Position;
}

export const SEAL_FILE = 0xffff_ffff;
const NO_LOG: LogId = { channel: channelId('-'), epoch: epoch(0) };

/** The mark of a record that holds no chunk. */
export function plainMark(fields: Pick<Mark, 'kind' | 'zone' | 'slab' | 'page' | 'generation' | 'sequence' | 'index' | 'settled'>): Mark {
  return { ...fields, chunkBytes: 0, chunkCrc: 0, log: NO_LOG, at: position(0) };
}

/** Pages of a record with a chunk of `chunkBytes`. */
export function recordPages(chunkBytes: number): number {
  return Math.max(2, Math.ceil((chunkBytes + 2 * MARK_BYTES) / PAGE_BYTES));
}

export function chunkCrcOf(chunk: Uint8Array): number {
  return readU32(chunk, CHUNK_CRC_AT);
}

/** Bytes of a chunk on the first page of its record: the pages in the middle go on from here. */
export const FIRST_PAGE_CHUNK_BYTES = PAGE_BYTES - MARK_BYTES;

/**
 * Fills the first and the last page of a record.
 *
 * @param ends two pages: they need not lie beside each other in the record.
 */
export function fillEnds(ends: Uint8Array, mark: Mark, chunk: Uint8Array, checksum: Checksum): void {
  invariant(ends.length === 2 * PAGE_BYTES, 'Z8: a record has two ends, a page each');
  ends.fill(0);
  writeMark(ends, 0, 1, mark, checksum);
  ends.set(chunk.subarray(0, FIRST_PAGE_CHUNK_BYTES), MARK_BYTES);
  const lastFrom = FIRST_PAGE_CHUNK_BYTES + (recordPages(chunk.length) - 2) * PAGE_BYTES;
  if (lastFrom < chunk.length) ends.set(chunk.subarray(lastFrom), PAGE_BYTES);
  writeMark(ends, 2 * PAGE_BYTES - MARK_BYTES, 2, mark, checksum);
}

function writeMark(page: Uint8Array, start: number, part: 1 | 2, mark: Mark, checksum: Checksum): void {
  const { channel, epoch: logEpoch } = mark.log;
  const bytes = page.subarray(start, start + MARK_BYTES);
  writeU32(bytes, 0, MAGIC);
  bytes[4] = VERSION;
  bytes[5] = part;
  bytes[6] = KINDS.indexOf(mark.kind) + 1;
  writeU32(bytes, 8, mark.slab);
  writeU32(bytes, 12, mark.page);
  writeU64(bytes, 16, mark.generation);
  writeU64(bytes, 24, mark.sequence);
  writeU32(bytes, 32, mark.index);
  writeU32(bytes, 36, mark.settled);
  writeU32(bytes, 40, mark.chunkBytes);
  writeU32(bytes, 44, mark.chunkCrc);
  writeU64(bytes, 48, mark.at);
  writeU64(bytes, 56, logEpoch);
  writeAscii(bytes, CHANNEL_AT, channel, CHANNEL_BYTES_MAX);
  writeAscii(bytes, ZONE_AT, mark.zone, ZONE_BYTES_MAX);
  writeU32(bytes, CRC_AT, checksum.crc32(bytes.subarray(0, CRC_AT)));
}

/** The mark at the head of a page, or undefined when none is there whole and valid. */
export function readHead(page: Uint8Array, checksum: Checksum): Mark | undefined {
  return readMark(page, 0, 1, checksum);
}

/** The mark at the tail of a page. */
export function readTail(page: Uint8Array, checksum: Checksum): Mark | undefined {
  return readMark(page, PAGE_BYTES - MARK_BYTES, 2, checksum);
}

function readMark(page: Uint8Array, start: number, part: 1 | 2, checksum: Checksum): Mark | undefined {
  const bytes = page.subarray(start, start + MARK_BYTES);
  const isMark = bytes.length === MARK_BYTES && readU32(bytes, 0) === MAGIC && bytes[4] === VERSION && bytes[5] === part;
  if (!isMark || checksum.crc32(bytes.subarray(0, CRC_AT)) !== readU32(bytes, CRC_AT)) return undefined;
  const kind = KINDS[(bytes[6] ?? 0) - 1];
  if (kind === undefined) return undefined;
  return {
    kind,
    slab: readU32(bytes, 8),
    page: readU32(bytes, 12),
    generation: readU64(bytes, 16),
    sequence: readU64(bytes, 24),
    index: readU32(bytes, 32),
    settled: readU32(bytes, 36),
    chunkBytes: readU32(bytes, 40),
    chunkCrc: readU32(bytes, 44),
    at: readU64(bytes, 48) as Position,
    log: { channel: channelId(readAscii(bytes, CHANNEL_AT)), epoch: epoch(readU64(bytes, 56)) },
    zone: readAscii(bytes, ZONE_AT) as ZoneId,
  };
}

function writeAscii(bytes: Uint8Array, at: number, text: string, max: number): void {
  invariant(text.length <= max, 'Z8: names fit their place in a mark');
  bytes[at] = text.length;
  for (let i = 0; i < text.length; i += 1) bytes[at + 1 + i] = text.charCodeAt(i);
}

function readAscii(bytes: Uint8Array, at: number): string {
  let text = '';
  for (let i = 0; i < (bytes[at] ?? 0); i += 1) text += String.fromCharCode(bytes[at + 1 + i] ?? 0);
  return text;
}
