// One zone in one folder, on preallocated files that are written past the page cache: durable when the write returns.
//
//   folder := zone (identity, number of slabs) | seals | slab-000000 … | retired-<identity>/ (a damaged zone, the same files)
//
// The cell opens three of these and hands the stores to chunk/. What lies in the files: direct/record.ts, direct/slab.ts.
//
//   Z4  A zone keeps its identity as long as everything it ever stored is there; a damaged one is only read from then on, and
//       another one is formatted beside it.

import path from 'node:path';
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { StoreError } from '../../model/errors.ts';
import { type ZoneId, zoneId } from '../../model/ids.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import type { Random } from '../../ports/random.ts';
import { drawZoneId } from '../zone-identity.ts';
import { AlignedMemory, PAGE_BYTES } from './aligned-memory.ts';
import { type LoadedZone, loadSalvage, loadZone, ZoneDamage } from './direct/load-zone.ts';
import { readHead } from './direct/record.ts';
import { SealFile } from './direct/seal-file.ts';
import { slabNumber } from './direct/slab.ts';
import { Sequence, type ZoneContext } from './direct/zone-context.ts';
import { readZoneFile, writeZoneFile, type ZoneFile } from './direct/zone-file.ts';
import { errorCode, type Files, isDiskFull, nodeFiles, sayError } from './files.ts';
import { systemRandom } from './system-random.ts';

const SLAB_BYTES_MIN = 8 * PAGE_BYTES;
const RETIRED = 'retired-';

export interface DirectZoneOptions {
  /** Made if absent; its parent must be there. One process owns it. */
  readonly dir: string;
  /** Slab files of a zone together take at most this, but never fewer than two slabs. */
  readonly capacityBytes: number;
  /** Of a slab file, a multiple of 4,096; a zone keeps what it was formatted with. */
  readonly slabBytes: number;
  readonly checksum: Checksum;
  readonly warn: (message: string) => void;
  /** For people: the start of a new identity. */
  readonly name?: string;
  readonly random?: Random;
  readonly files?: Files;
  /** Zones of one process share it, so that a chunk is copied once for all of them. */
  readonly memory?: AlignedMemory;
}

export interface DirectZone {
  readonly current: ChunkStore;
  /** Damaged zones that were found here, now or earlier: they only give back what they still have. */
  readonly retired: readonly ChunkStore[];
  /** Resolves once running calls are over and all files are closed. */
  close(): Promise<void>;
  /** Bytes of chunks that count, with their padding. */
  usedBytes(): number;
  /** Bytes of all files of the current zone. */
  allocatedBytes(): number;
  /** Deletes the files of a retired zone; its store answers no more. */
  removeRetired(zone: ZoneId): Promise<void>;
}

const processMemory = new AlignedMemory();

/**
 * Opens the zone of a folder; formats one where there is none, or where the old one is damaged.
 *
 * @throws StoreError `storage` or `disk_full` when the folder cannot be used at all.
 */
export async function openDirectZone(options: DirectZoneOptions): Promise<DirectZone> {
  const { slabBytes } = options;
  invariant(slabBytes % PAGE_BYTES === 0 && slabBytes >= SLAB_BYTES_MIN, 'a slab is made of pages, eight at least');
  const opening = new Opening(options);
  try {
    return await opening.open();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    const code = errorCode(error) === 'ENOSPC' ? 'disk_full' : 'storage';
    throw new StoreError(code, 'none', `the zone folder ${options.dir} cannot be opened: ${sayError(error)}`, { cause: error });
  }
}

class Opening {
  readonly #options: DirectZoneOptions;
  readonly #files: Files;
  readonly #random: Random;
  #isDirect = true;

  constructor(options: DirectZoneOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFiles;
    this.#random = options.random ?? systemRandom;
  }

  async open(): Promise<DirectZone> {
    const { dir, checksum, warn } = this.#options;
    await this.#makeFolder(dir);
    await this.#removeUnfinished();
    this.#isDirect = await this.#takesDirect();
    const zoneFile = await readZoneFile(this.#files, dir, checksum);
    let current: LoadedZone | undefined;
    if (zoneFile === 'damaged' || (zoneFile === 'absent' && (await this.#slabNames()).length > 0)) {
      await this.#retire(await this.#identityInSlabs(), `${path.join(dir, 'zone')} is ${zoneFile === 'damaged' ? 'damaged' : 'missing'}`);
    } else if (zoneFile !== 'absent') {
      current = await this.#loaded(zoneFile);
    }
    current ??= await this.#format();
    const retired = await this.#retired();
    for (const zone of retired.values())
      warn(`zone ${zone.store.zone} is damaged and is only read, in ${dir}/${RETIRED}${zone.store.zone}`);
    return new OpenZone(this.#files, dir, current, retired);
  }

  async #loaded(zoneFile: ZoneFile): Promise<LoadedZone | undefined> {
    try {
      return await loadZone(this.#context(zoneFile.zone, this.#options.dir), zoneFile, this.#options.capacityBytes);
    } catch (error) {
      if (!(error instanceof ZoneDamage)) throw error;
      await this.#retire(zoneFile.zone, error.message);
      return undefined;
    }
  }

  async #format(): Promise<LoadedZone> {
    const { dir, checksum, capacityBytes, slabBytes } = this.#options;
    const zone = drawZoneId(this.#options.name ?? 'zone', this.#random);
    const context = this.#context(zone, dir);
    await SealFile.format(context);
    const zoneFile = { zone, slabBytes, slabs: 0 };
    await writeZoneFile(this.#files, dir, zoneFile, checksum);
    return await loadZone(context, zoneFile, capacityBytes);
  }

  /** Moves the files of a damaged zone aside; its own file goes last, so that a crash in between begins this again. */
  async #retire(zone: ZoneId | undefined, reason: string): Promise<void> {
    const { dir, warn } = this.#options;
    const name = `${RETIRED}${zone ?? `unknown-${toHex(this.#random.bytes(4))}`}`;
    const target = path.join(dir, name);
    warn(`${reason}; the chunks of this zone are only read from now on, in ${target}, and a new zone takes its place`);
    await this.#makeFolder(target);
    const present = (await this.#files.entries(dir)).filter((entry) => !entry.isFolder).map((entry) => entry.name);
    for (const file of [...present.filter((each) => each !== 'zone'), ...present.filter((each) => each === 'zone')]) {
      await this.#files.rename(path.join(dir, file), path.join(target, file));
    }
    await this.#files.syncFolder(target);
    await this.#files.syncFolder(dir);
  }

  /** The zones that were retired here, by folder. */
  async #retired(): Promise<Map<string, LoadedZone>> {
    const { dir, warn } = this.#options;
    const found = new Map<string, LoadedZone>();
    for (const entry of await this.#files.entries(dir)) {
      if (!entry.isFolder || !entry.name.startsWith(RETIRED)) continue;
      const folder = path.join(dir, entry.name);
      try {
        const known = await readZoneFile(this.#files, folder, this.#options.checksum);
        const zone = typeof known === 'string' ? zoneId(entry.name.slice(RETIRED.length)) : known.zone;
        found.set(folder, await loadSalvage(this.#context(zone, folder)));
      } catch (error) {
        warn(`${folder} cannot be read: ${sayError(error)}`);
      }
    }
    return found;
  }

  #context(zone: ZoneId, dir: string): ZoneContext {
    const { checksum, warn, memory = processMemory } = this.#options;
    return { files: this.#files, dir, zone, memory, checksum, warn, isDirect: this.#isDirect, sequence: new Sequence() };
  }

  async #slabNames(): Promise<string[]> {
    const entries = await this.#files.entries(this.#options.dir);
    return entries.map((entry) => entry.name).filter((name) => slabNumber(name) !== undefined);
  }

  /** Whose slabs these are, when the file that says so is lost. */
  async #identityInSlabs(): Promise<ZoneId | undefined> {
    const { dir, checksum, memory = processMemory } = this.#options;
    const block = memory.take(1);
    try {
      for (const name of await this.#slabNames()) {
        const file = await this.#files.open(path.join(dir, name), { write: false, isDirect: this.#isDirect });
        await file.read(block.bytes, 0).finally(() => file.close());
        const mark = readHead(block.bytes, checksum);
        if (mark !== undefined) return mark.zone;
      }
      return undefined;
    } finally {
      memory.give(block);
    }
  }

  /** Files that were being made when an earlier life ended. */
  async #removeUnfinished(): Promise<void> {
    const { dir } = this.#options;
    for (const entry of await this.#files.entries(dir)) {
      if (entry.name.endsWith('.new')) await this.#files.removeTree(path.join(dir, entry.name));
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    try {
      await this.#files.makeFolder(folder);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    await this.#files.syncFolder(path.dirname(folder));
  }

  /** Tries O_DIRECT on a file of its own: some file systems refuse it when a file is opened, others when it is written. */
  async #takesDirect(): Promise<boolean> {
    const { dir, memory = processMemory } = this.#options;
    const probe = path.join(dir, 'probe.new');
    const block = memory.take(1);
    try {
      block.bytes.fill(0);
      const file = await this.#files.open(probe, { write: true, create: 'new', isDirect: true, isSynced: true });
      await file.write([block.bytes], 0).finally(() => file.close());
      return true;
    } catch (error) {
      // A disk without space for a page has taken the flag.
      if (isDiskFull(error)) return true;
      return this.#refusesDirect(error);
    } finally {
      memory.give(block);
      await this.#files.removeTree(probe);
    }
  }

  /** @returns false, for whether O_DIRECT is taken. */
  #refusesDirect(error: unknown): false {
    const { dir, warn } = this.#options;
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
    warn(`the file system of ${dir} refuses O_DIRECT: chunks are written with O_DSYNC alone, which is slower`);
    return false;
  }
}

class OpenZone implements DirectZone {
  readonly current: ChunkStore;
  readonly #files: Files;
  readonly #dir: string;
  readonly #current: LoadedZone;
  readonly #retired: Map<string, LoadedZone>;

  constructor(files: Files, dir: string, current: LoadedZone, retired: Map<string, LoadedZone>) {
    this.#files = files;
    this.#dir = dir;
    this.#current = current;
    this.#retired = retired;
    this.current = current.store;
  }

  get retired(): readonly ChunkStore[] {
    return [...this.#retired.values()].map((zone) => zone.store);
  }

  async close(): Promise<void> {
    for (const zone of [this.#current, ...this.#retired.values()]) await zone.store.close();
  }

  usedBytes(): number {
    return this.#current.slabs.liveBytes;
  }

  allocatedBytes(): number {
    return this.#current.slabs.allocatedBytes + this.#current.seals.allocatedBytes;
  }

  async removeRetired(zone: ZoneId): Promise<void> {
    for (const [folder, loaded] of this.#retired) {
      if (loaded.store.zone !== zone) continue;
      await loaded.store.close();
      this.#retired.delete(folder);
      await this.#files.removeTree(folder);
      await this.#files.syncFolder(this.#dir);
    }
  }
}
