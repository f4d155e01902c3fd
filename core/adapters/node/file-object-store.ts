// Objects as files below one folder: `objects/` holds them, `unfinished/` what is being written.
//
// One process owns the folder. The cell and the chunk store over objects call this; it knows nothing of what objects mean.
//
//   Z5  An object's bytes are durable before its name exists, and its name is durable before a put answers, also `occupied`.
//   Z6  Of racing puts if-absent exactly one wins: the file system's link() decides.

import path from 'node:path';
import { toHex } from '../../base/bytes.ts';
import type { Range } from '../../base/range.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { ObjectPage, ObjectStore, ObjectSummary, PutOptions } from '../../ports/object-store.ts';
import type { Random } from '../../ports/random.ts';
import { checkObjectKey, checkObjectKeys, checkObjectPrefix, OBJECT_PAGE_MAX } from '../object-key.ts';
import { DurableFolders } from './durable-folders.ts';
import { errorCode, type Files, isDiskFull, nodeFiles, type OpenFile, sayError } from './files.ts';
import { LARGE_FILE_BYTES_MIN, LargeFiles } from './large-files.ts';
import { objectPath } from './object-path.ts';
import { walkObjects } from './object-walk.ts';

/** An object is stored only where this much stays free: metadata needs space more, and gets it from what objects leave. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;
/** Files deleted or looked at in parallel: below the size of the thread pool, which chunks need too. */
const PARALLEL_MAX = 4;

export interface FileObjectStoreOptions {
  /** Made if absent; its parent must be there. */
  readonly dir: string;
  readonly random: Random;
  readonly files?: Files;
}

export interface FileObjects extends ObjectStore {
  /** The file of an object, for people. */
  pathOf(key: string): string;
}

/** Opens the store of a folder, and removes what unfinished puts of an earlier life left. */
export async function openFileObjectStore(options: FileObjectStoreOptions): Promise<FileObjects> {
  const files = options.files ?? nodeFiles;
  const objects = path.join(options.dir, 'objects');
  const unfinished = path.join(options.dir, 'unfinished');
  try {
    for (const folder of [options.dir, objects, unfinished]) await makeFolder(files, folder);
    for (const { name } of await files.entries(unfinished)) await files.removeTree(path.join(unfinished, name));
  } catch (error) {
    throw storageError(error, `the object folder ${options.dir} cannot be opened`, 'none');
  }
  const boot = toHex(options.random.bytes(4));
  return new FileObjectStore(files, objects, (serial) => path.join(unfinished, `${boot}-${serial}`));
}

async function makeFolder(files: Files, folder: string): Promise<void> {
  try {
    await files.makeFolder(folder);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  await files.syncFolder(path.dirname(folder));
}

class FileObjectStore implements FileObjects {
  readonly #files: Files;
  readonly #root: string;
  readonly #folders: DurableFolders;
  readonly #unfinished: (serial: number) => string;
  readonly #largeFiles: LargeFiles;
  #serial = 0;

  constructor(files: Files, root: string, unfinished: (serial: number) => string) {
    this.#files = files;
    this.#root = root;
    this.#folders = new DurableFolders(files, root);
    this.#largeFiles = new LargeFiles(files);
    this.#unfinished = unfinished;
  }

  pathOf(key: string): string {
    checkObjectKey(key);
    return objectPath(this.#root, key);
  }

  async put(key: string, parts: readonly Uint8Array[], options: PutOptions = {}): Promise<'stored' | 'occupied'> {
    checkObjectKey(key);
    const target = objectPath(this.#root, key);
    this.#serial += 1;
    const temporary = this.#unfinished(this.#serial);
    if (!options.isUpkeep) await this.#checkSpace(key, parts);
    try {
      await this.#writeTemporary(temporary, parts, key);
      return await this.#publish(temporary, target, key, options.ifAbsent === true);
    } finally {
      // After a rename the name is gone already; whatever else stays is removed at the next start.
      await this.#files.unlink(temporary).catch(() => undefined);
    }
  }

  async get(key: string, range?: Range): Promise<Uint8Array | 'absent'> {
    checkObjectKey(key);
    const target = objectPath(this.#root, key);
    try {
      const file = await this.#files.open(target, { write: false });
      return await closing(file, () => readRange(file, range));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 'absent';
      throw storageError(error, `object ${key} (file ${target}) cannot be read`, 'none');
    }
  }

  async head(key: string): Promise<ObjectSummary | 'absent'> {
    checkObjectKey(key);
    const target = objectPath(this.#root, key);
    try {
      return { key, bytes: await this.#files.sizeOf(target) };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 'absent';
      throw storageError(error, `object ${key} (file ${target}) cannot be read`, 'none');
    }
  }

  async list(prefix: string, cursor?: string): Promise<ObjectPage> {
    checkObjectPrefix(prefix);
    if (cursor !== undefined) checkObjectKey(cursor);
    const keys: string[] = [];
    const objects: ObjectSummary[] = [];
    try {
      // One key more than a page holds tells whether another page follows.
      await walkObjects(this.#files, this.#root, prefix, cursor, OBJECT_PAGE_MAX + 1, keys);
    } catch (error) {
      throw storageError(error, `objects below "${prefix}" in ${this.#root} cannot be listed`, 'none');
    }
    const page = keys.slice(0, OBJECT_PAGE_MAX);
    await inParallel(page, async (key) => {
      const found = await this.head(key);
      if (found !== 'absent') objects.push(found);
    });
    const last = page.at(-1);
    return keys.length > OBJECT_PAGE_MAX && last !== undefined ? { objects, cursor: last } : { objects };
  }

  async delete(keys: readonly string[]): Promise<void> {
    checkObjectKeys(keys);
    const folders = new Set<string>();
    await inParallel(keys, async (key) => {
      const target = objectPath(this.#root, key);
      try {
        await this.#files.unlink(target);
        folders.add(path.dirname(target));
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw storageError(error, `object ${key} (file ${target}) cannot be deleted`, 'unknown');
      }
    });
    for (const folder of folders) {
      // An empty folder that stays costs only its entry.
      await this.#folders.removeEmpty(folder).catch(() => undefined);
    }
  }

  /** Looks before it writes: bytes until ENOSPC would take the last space from everything else for a while. */
  async #checkSpace(key: string, parts: readonly Uint8Array[]): Promise<void> {
    const free = await this.#files.freeBytes(this.#root).catch(() => Number.POSITIVE_INFINITY);
    const needed = bytesOf(parts) + FREE_BYTES_MIN;
    if (free >= needed) return;
    throw refused(
      'disk_full',
      `object ${key} cannot be written below ${this.#root}: the disk is full, ${free} bytes are left and ${needed} needed`,
    );
  }

  async #writeTemporary(temporary: string, parts: readonly Uint8Array[], key: string): Promise<void> {
    try {
      if (bytesOf(parts) >= LARGE_FILE_BYTES_MIN) {
        if (await this.#largeFiles.write(temporary, parts)) return;
        await this.#files.removeTree(temporary);
      }
      const file = await this.#files.open(temporary, { write: true, create: 'new' });
      await closing(file, async () => {
        await file.write(parts, 0);
        await file.sync();
      });
    } catch (error) {
      throw storageError(error, `object ${key} cannot be written`, 'none');
    }
  }

  #publish(temporary: string, target: string, key: string, ifAbsent: boolean): Promise<'stored' | 'occupied'> {
    const folder = path.dirname(target);
    let isNamed = false;
    const named = async (): Promise<'stored' | 'occupied'> => {
      const result = await this.#name(temporary, target, ifAbsent);
      isNamed = true;
      // Z5: also when occupied, as the one who made the name may have failed before this.
      await this.#files.syncFolder(folder);
      return result;
    };
    return this.#folders.within(folder, named).catch((error: unknown) => {
      // An error while it is named leaves open whether it was, but for the two that say no.
      const isRefused = !isNamed && (isDiskFull(error) || isTooManyOpen(error));
      throw storageError(error, `object ${key} (file ${target}) cannot be stored`, isRefused ? 'none' : 'unknown');
    });
  }

  async #name(temporary: string, target: string, ifAbsent: boolean): Promise<'stored' | 'occupied'> {
    if (!ifAbsent) {
      await this.#files.rename(temporary, target);
      return 'stored';
    }
    try {
      await this.#files.link(temporary, target);
      return 'stored';
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return 'occupied';
      throw error;
    }
  }
}

async function readRange(file: OpenFile, range: Range | undefined): Promise<Uint8Array> {
  const size = await file.size();
  const start = Math.min(range?.start ?? 0, size);
  const bytes = new Uint8Array(Math.max(0, Math.min(range?.end ?? size, size) - start));
  const count = await file.read(bytes, start);
  if (count !== bytes.length) throw new Error(`${count} bytes came where ${bytes.length} lie`);
  return bytes;
}

function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

async function closing<T>(file: OpenFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await file.close();
  }
}

async function inParallel(keys: readonly string[], work: (key: string) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) await work(key);
  };
  await Promise.all(Array.from({ length: PARALLEL_MAX }, worker));
}

function isTooManyOpen(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

function storageError(error: unknown, what: string, effect: 'none' | 'unknown'): StoreError {
  if (effect === 'none' && isDiskFull(error)) return refused('disk_full', `${what}: the disk is full`);
  if (effect === 'none' && isTooManyOpen(error)) return refused('throttled', `${what}: ${sayError(error)}`);
  return new StoreError('storage', effect, `${what}: ${sayError(error)}`, { cause: error });
}
