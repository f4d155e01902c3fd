// Where the records of a direct zone lie on disk, and how a test breaks them there.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PAGE_BYTES } from '#core/adapters/node/aligned-memory.ts';
import { readHead, recordPages } from '#core/adapters/node/direct/record.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import type { LogId, Position } from '#core/model/ids.ts';
import { LOG } from '../contract/chunk-store.ts';

export interface Found {
  readonly file: string;
  readonly page: number;
  readonly pages: number;
  readonly index: number;
  readonly generation: number;
}

/** Where records lie on disk, by what their heads say; of several for a position the last written comes last. */
export function recordsOf(dir: string, log: LogId, at: number): Found[] {
  const found: (Found & { sequence: number })[] = [];
  for (const name of readdirSync(dir).filter((each) => /^(slab-\d+|seals)$/.test(each))) {
    const bytes = readFileSync(path.join(dir, name));
    for (let page = 0; page * PAGE_BYTES < bytes.length; page += 1) {
      const mark = readHead(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), checksum);
      const isWanted = mark?.at === at && mark.log.epoch === log.epoch && (mark.kind === 'chunk' || mark.kind === 'seal');
      if (mark === undefined || !isWanted) continue;
      const { index, generation, sequence } = mark;
      found.push({ file: path.join(dir, name), page, pages: recordPages(mark.chunkBytes), index, generation, sequence });
    }
  }
  return found.sort((a, b) => a.sequence - b.sequence);
}

export function recordOf(dir: string, at: number, log: LogId = LOG): Found {
  const record = recordsOf(dir, log, at).at(-1);
  if (record === undefined) throw new Error(`no record for position ${at}`);
  return record;
}

export function flip(file: string, from: number, count: number): void {
  const bytes = readFileSync(file);
  for (let i = from; i < from + count; i += 1) bytes[i] = (bytes[i] ?? 0) ^ 0x5a;
  writeFileSync(file, bytes);
}

export function flipPages(record: Found, first: number, count = 1): void {
  flip(record.file, (record.page + first) * PAGE_BYTES, count * PAGE_BYTES);
}

/** Flips payload bytes of a chunk (behind the mark and the chunk's header), or all of a seal. */
export function tearRecord(dir: string, log: LogId, at: Position): void {
  const record = recordOf(dir, at, log);
  if (record.file.endsWith('seals')) flipPages(record, 0, 2);
  else flip(record.file, record.page * PAGE_BYTES + 256 + 128, 1);
}
