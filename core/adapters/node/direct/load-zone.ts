// Builds a zone's index again from its files, or says what is damaged.
//
// Of several records for one position a seal counts before any chunk, and of two chunks the later one: a chunk was deleted
// before another came, or is a second try of the same bytes.

import path from 'node:path';
import { invariant } from '../../../base/invariant.ts';
import { PAGE_BYTES } from '../aligned-memory.ts';
import { errorCode, type OpenFile, sayError } from '../files.ts';
import { ChunkIndex, type Entry } from './chunk-index.ts';
import { type Mark, recordPages } from './record.ts';
import { SEAL_FILE_NAME, SealFile, scanSeals } from './seal-file.ts';
import { Slab, type SlabState, slabName, slabNumber } from './slab.ts';
import { lastPage, missingIndexes, type SlabScan, scanSlab } from './slab-scan.ts';
import { Slabs } from './slabs.ts';
import { ZoneChunkStore } from './zone-chunk-store.ts';
import { openZoneFile, type ZoneContext } from './zone-context.ts';
import type { ZoneFile } from './zone-file.ts';

/** What is wrong with a zone that cannot come from an unfinished last write. Its message names the file. */
export class ZoneDamage extends Error {
  override readonly name = 'ZoneDamage';
}

export interface LoadedZone {
  readonly store: ZoneChunkStore;
  readonly slabs: Slabs;
  readonly seals: SealFile;
}

interface Loading {
  readonly context: ZoneContext;
  readonly isSalvage: boolean;
  readonly index: ChunkIndex;
  /** The sequence number of the chunk that the index holds for a position, to compare. */
  readonly sequences: Map<Entry, number>;
  readonly opened: OpenFile[];
}

/** Stands for a seal file that is gone: nothing is ever read from it, as nothing in the index points to it. */
const NO_FILE: OpenFile = {
  fd: -1,
  read: async () => 0,
  write: async () => undefined,
  size: async () => 0,
  truncate: async () => undefined,
  sync: async () => undefined,
  close: async () => undefined,
};

/** Opens a zone for use. @throws ZoneDamage, and leaves nothing open */
export async function loadZone(context: ZoneContext, zoneFile: ZoneFile, capacityBytes: number): Promise<LoadedZone> {
  const loading: Loading = { context, isSalvage: false, index: new ChunkIndex(), sequences: new Map(), opened: [] };
  try {
    const slabs: Slab[] = [];
    const halfStarted: Slab[] = [];
    for (let number = 0; number < zoneFile.slabs; number += 1) {
      const { slab, isStartWhole } = await loadSlab(loading, number, zoneFile.slabBytes);
      slabs.push(slab);
      if (!isStartWhole) halfStarted.push(slab);
    }
    const seals = await loadSeals(loading);
    const all = new Slabs(context, zoneFile.slabBytes, capacityBytes, slabs);
    for (const slab of halfStarted) await all.mend(slab);
    all.start();
    const store = new ZoneChunkStore({ context, index: loading.index, slabs: all, seals, isSalvage: false });
    return { store, slabs: all, seals };
  } catch (error) {
    for (const file of loading.opened) await file.close();
    if (error instanceof ZoneDamage) throw error;
    throw errorCode(error) === 'EIO' ? new ZoneDamage(`${context.dir}: ${sayError(error)}`) : error;
  }
}

/** Opens what is left of a damaged zone, only to read it. What cannot be opened is warned of and left out. */
export async function loadSalvage(context: ZoneContext): Promise<LoadedZone> {
  const loading: Loading = { context, isSalvage: true, index: new ChunkIndex(), sequences: new Map(), opened: [] };
  const slabs: Slab[] = [];
  for (const entry of await context.files.entries(context.dir)) {
    const number = slabNumber(entry.name);
    if (number === undefined) continue;
    const name = path.join(context.dir, entry.name);
    try {
      const bytes = await context.files.sizeOf(name);
      slabs.push((await loadSlab(loading, number, bytes - (bytes % PAGE_BYTES))).slab);
    } catch (error) {
      context.warn(`${name} cannot be salvaged: ${sayError(error)}`);
    }
  }
  const seals = await loadSeals(loading).catch((error: unknown) => {
    context.warn(`${path.join(context.dir, SEAL_FILE_NAME)} cannot be salvaged: ${sayError(error)}`);
    return new SealFile(context, NO_FILE, { seals: [], lost: [], slots: 0 });
  });
  const all = new Slabs(context, PAGE_BYTES, 0, slabs);
  const store = new ZoneChunkStore({ context, index: loading.index, slabs: all, seals, isSalvage: true });
  return { store, slabs: all, seals };
}

async function loadSlab(loading: Loading, number: number, slabBytes: number): Promise<{ slab: Slab; isStartWhole: boolean }> {
  const { context, isSalvage } = loading;
  const name = path.join(context.dir, slabName(number));
  const bytes = await sizeOf(context, name);
  if (!isSalvage && bytes !== slabBytes) damage(`${name} has ${bytes} bytes instead of ${slabBytes}`);
  const pages = slabBytes / PAGE_BYTES;
  const file = await openZoneFile(context, slabName(number), isSalvage ? 'read' : 'write');
  loading.opened.push(file);
  const scan = await scanSlab(context, file, number, pages, isSalvage);
  const { missing, next, settled } = missingIndexes(scan);
  if (!isSalvage) checkSlab(name, scan, missing, settled);
  const slab = new Slab(number, file, pages, scan.start?.generation ?? 0, stateOf(scan));
  slab.hasEnd = scan.end !== undefined;
  const last = scan.records.at(-1);
  if (last !== undefined) slab.resume(lastPage(last) + 1, next, missing);
  noteSequences(context, scan);
  for (const mark of scan.records) addChunk(loading, mark, slab);
  return { slab, isStartWhole: scan.isStartWhole };
}

function noteSequences(context: ZoneContext, scan: SlabScan): void {
  for (const mark of [scan.start, scan.end, ...scan.records]) if (mark !== undefined) context.sequence.saw(mark.sequence);
}

/** Z12: what a crash in the middle of a write cannot explain. */
function checkSlab(name: string, scan: SlabScan, missing: readonly number[], settled: number): void {
  if (scan.start === undefined) damage(`${name} does not start as a slab of this zone`);
  const lost = missing.filter((index) => index < settled);
  if (lost.length > 0) damage(`${name} has lost ${lost.length} chunks that were durable, the first is record ${lost[0]}`);
}

function stateOf(scan: SlabScan): SlabState {
  if (scan.start?.kind === 'free') return 'free';
  return scan.end === undefined ? 'open' : 'closed';
}

function addChunk(loading: Loading, mark: Mark, slab: Slab): void {
  const { index, sequences } = loading;
  const pages = recordPages(mark.chunkBytes);
  const known = index.get(mark.log, mark.at);
  if (known !== undefined) {
    if ((sequences.get(known) ?? 0) > mark.sequence) return;
    invariant(known.kind === 'data' && !known.isFailed, 'Z3: seals are added behind chunks');
    known.place.slab.drop(known.place.pages);
    sequences.delete(known);
  }
  const entry: Entry = { kind: 'data', place: { slab, page: mark.page, pages }, chunkBytes: mark.chunkBytes, isFailed: false };
  slab.count(pages);
  sequences.set(entry, mark.sequence);
  index.set(mark.log, mark.at, entry);
}

async function loadSeals(loading: Loading): Promise<SealFile> {
  const { context, isSalvage, index } = loading;
  const name = path.join(context.dir, SEAL_FILE_NAME);
  const bytes = await sizeOf(context, name);
  const file = await openZoneFile(context, SEAL_FILE_NAME, isSalvage ? 'read' : 'write');
  loading.opened.push(file);
  const scan = await scanSeals(context, file, bytes);
  if (scan.lost.length > 0 && !isSalvage) damage(`${name} has lost ${scan.lost.length} seals, the first is in slot ${scan.lost[0]}`);
  for (const { slot, mark } of scan.seals) {
    const known = index.get(mark.log, mark.at);
    context.sequence.saw(mark.sequence);
    if (known?.kind === 'data' && !known.isFailed) known.place.slab.drop(known.place.pages);
    index.set(mark.log, mark.at, { kind: 'seal', slot, isFailed: false });
  }
  return new SealFile(context, file, scan);
}

async function sizeOf(context: ZoneContext, name: string): Promise<number> {
  try {
    return await context.files.sizeOf(name);
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? damage(`${name} is missing`) : Promise.reject(error);
  }
}

function damage(message: string): never {
  throw new ZoneDamage(message);
}
