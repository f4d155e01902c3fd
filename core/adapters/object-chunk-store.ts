// The chunks of one zone as objects of any ObjectStore: one object a chunk, put if absent.
//
// Keys are `<prefix>zone` for the identity and `<prefix>chunks/<identity>/<channel>/<epoch>/<position>` for the chunks, with
// numbers padded to 16 digits. A listing is one of the object store's, so it has its pages and its (missing) order.
//
//   Z3  What is stored at a position stays as it is until it is deleted; only a seal may replace it, and only if it is torn.
//   Z4  A zone has the identity that was drawn when it was formatted; an emptied one is formatted again, with another.
//   Z15 Whoever finds a chunk damaged says where it lies: nothing above this store knows, and a person needs it.

import { invariant } from '../base/invariant.ts';
import { contains, type Range } from '../base/range.ts';
import { CHUNK_HEADER_BYTES, encodeSeal } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import { channelId, epoch, type LogId, logName, type Position, position, type ZoneId } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkStore, Missing } from '../ports/chunk-store.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Random } from '../ports/random.ts';
import { type ChunkPart, checkChunkToPut, validChunk } from './chunk-bytes.ts';
import { OBJECT_PAGE_MAX } from './object-key.ts';
import { decodeZoneId, drawZoneId, encodeZoneId } from './zone-identity.ts';

/** The first chunks of a log are what a takeover writes again: on a full disk, a restart needs them. */
const ADOPTED_MAX = 16;
/** Damaged chunks that are told of by name; more are a disk that is gone. */
const TOLD_MAX = 1_000;
/** A seal meets a chunk that is deleted under its eyes at most this often before it gives up. */
const SEAL_ATTEMPTS_MAX = 5;
const DIGITS = 16;
const TAIL_OF_KEY = /^([a-z0-9-]+)\/(\d{16})\/(\d{16})$/;

export interface ObjectChunkStoreOptions {
  readonly objects: ObjectStore;
  /** Empty, or ends in `/`. Nothing else may use keys below it. */
  readonly prefix: string;
  /** For people: the start of a new identity. */
  readonly name: string;
  readonly checksum: Checksum;
  readonly random: Random;
  /** Where an object lies, for people: the path of a file. Default: its key. */
  readonly placeOf?: (key: string) => string;
  /** Told of every damaged chunk, once. */
  readonly warn?: (message: string) => void;
}

/**
 * Opens the zone below a prefix, and formats it if nothing is there.
 *
 * @throws StoreError `corrupt` when its identity cannot be read any more.
 */
export async function openObjectChunkStore(options: ObjectChunkStoreOptions): Promise<ChunkStore> {
  const { objects, prefix, name, checksum, random, placeOf = (key) => `object ${key}` } = options;
  const key = `${prefix}zone`;
  const drawn = encodeZoneId(drawZoneId(name, random), checksum);
  const found = await objects.get(key);
  if (found === 'absent') await objects.put(key, [drawn], { ifAbsent: true });
  const bytes = found === 'absent' ? await objects.get(key) : found;
  const zone = bytes === 'absent' ? undefined : decodeZoneId(bytes, checksum);
  if (zone === undefined) throw new StoreError('corrupt', 'none', `the identity of a zone is damaged: ${placeOf(key)}`);
  const told = new Set<string>();
  return new ObjectChunkStore(objects, prefix, zone, checksum, (torn) => {
    if (told.has(torn) || told.size === TOLD_MAX) return;
    told.add(torn);
    options.warn?.(`no valid chunk is in ${placeOf(torn)}`);
  });
}

class ObjectChunkStore implements ChunkStore {
  readonly zone: ZoneId;
  readonly isWritable = true;
  readonly #objects: ObjectStore;
  readonly #prefix: string;
  readonly #checksum: Checksum;
  readonly #tellTorn: (key: string) => void;

  constructor(objects: ObjectStore, prefix: string, zone: ZoneId, checksum: Checksum, tellTorn: (key: string) => void) {
    this.zone = zone;
    this.#objects = objects;
    this.#prefix = `${prefix}chunks/${zone}/`;
    this.#checksum = checksum;
    this.#tellTorn = tellTorn;
  }

  async put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    checkChunkToPut(log, at, chunk, this.#checksum);
    return await this.#objects.put(this.#key(log, at), [chunk], { ifAbsent: true, isUpkeep: at < ADOPTED_MAX });
  }

  async seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'> {
    const key = this.#key(log, at);
    const seal = [encodeSeal(log, at, this.#checksum)];
    for (let attempt = 0; attempt < SEAL_ATTEMPTS_MAX; attempt += 1) {
      if ((await this.#objects.put(key, seal, { ifAbsent: true, isUpkeep: true })) === 'stored') return 'sealed';
      const bytes = await this.#objects.get(key);
      if (bytes === 'absent') continue;
      const found = validChunk(bytes, log, at, 'whole', this.#checksum);
      if (found !== undefined) return found.kind === 'seal' ? 'sealed' : 'occupied';
      this.#tellTorn(key);
      if (over === 'absent') return 'torn';
      // Z3: torn bytes never become valid by themselves, and two seals are the same bytes, so the last of them may win.
      await this.#objects.put(key, seal, { isUpkeep: true });
      return 'sealed';
    }
    throw new StoreError('unavailable', 'unknown', `${logName(log)}:${at} comes and goes`);
  }

  async get(log: LogId, at: Position, part: ChunkPart = 'whole'): Promise<Uint8Array | Missing> {
    const range = part === 'header' ? { start: 0, end: CHUNK_HEADER_BYTES } : undefined;
    const key = this.#key(log, at);
    const bytes = await this.#objects.get(key, range);
    if (bytes === 'absent') return 'absent';
    const found = validChunk(bytes, log, at, part, this.#checksum);
    if (found === undefined) this.#tellTorn(key);
    return found?.bytes ?? 'torn';
  }

  async list(log: LogId, cursor?: string): Promise<{ positions: readonly Position[]; cursor?: string }> {
    const page = await this.#objects.list(this.#folder(log), cursor);
    const positions: Position[] = [];
    for (const object of page.objects) {
      const parsed = this.#parse(object.key);
      if (parsed !== undefined) positions.push(parsed.at);
    }
    return page.cursor === undefined ? { positions } : { positions, cursor: page.cursor };
  }

  async logs(cursor?: string): Promise<{ logs: readonly LogId[]; cursor?: string }> {
    const page = await this.#objects.list(this.#prefix, cursor);
    const logs = new Map<string, LogId>();
    for (const object of page.objects) {
      const parsed = this.#parse(object.key);
      if (parsed !== undefined) logs.set(logName(parsed.log), parsed.log);
    }
    const found = [...logs.values()];
    return page.cursor === undefined ? { logs: found } : { logs: found, cursor: page.cursor };
  }

  async delete(log: LogId, range: Range<Position>): Promise<void> {
    // A short range is deleted by its deterministic keys; a long one (a sweep's) by what is listed.
    if (range.end - range.start <= OBJECT_PAGE_MAX) {
      const keys: string[] = [];
      for (let at = range.start; at < range.end; at = position(at + 1)) keys.push(this.#key(log, at));
      if (keys.length > 0) await this.#objects.delete(keys);
      return;
    }
    let cursor: string | undefined;
    do {
      const page: Awaited<ReturnType<ObjectStore['list']>> = await this.#objects.list(this.#folder(log), cursor);
      const keys = page.objects.map((object) => object.key).filter((key) => this.#isIn(key, range));
      if (keys.length > 0) await this.#objects.delete(keys);
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  #folder(log: LogId): string {
    return `${this.#prefix}${log.channel}/${padded(log.epoch)}/`;
  }

  #key(log: LogId, at: Position): string {
    return `${this.#folder(log)}${padded(at)}`;
  }

  #isIn(key: string, range: Range<Position>): boolean {
    const parsed = this.#parse(key);
    return parsed !== undefined && contains(range, parsed.at);
  }

  /** Where a chunk belongs by its key; undefined for a key that this store did not write. */
  #parse(key: string): { log: LogId; at: Position } | undefined {
    invariant(key.startsWith(this.#prefix), 'Z2: a listing stays below its prefix');
    const [, channel, epochDigits, atDigits] = TAIL_OF_KEY.exec(key.slice(this.#prefix.length)) ?? [];
    if (channel === undefined) return undefined;
    return { log: { channel: channelId(channel), epoch: epoch(Number(epochDigits)) }, at: position(Number(atDigits)) };
  }
}

function padded(value: number): string {
  return String(value).padStart(DIGITS, '0');
}
