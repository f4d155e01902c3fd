// The few calls of a file system that the adapters need, so that a test can be a disk that fails, or forgets what was not synced.
//
// Errors are those of node:fs, with their `code`. Writes and reads run on the thread pool.

import fs, { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';

export interface OpenFile {
  /** The descriptor; only for reports and tests. */
  readonly fd: number;
  /** Reads into `into` from `at`, until it is full or the file ends. @returns bytes read */
  read(into: Uint8Array, at: number): Promise<number>;
  /** Writes `parts` one behind the other, whole, from `at` on. */
  write(parts: readonly Uint8Array[], at: number): Promise<void>;
  size(): Promise<number>;
  /** Cuts the file to `bytes`, or makes it as long, with zeroes. */
  truncate(bytes: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly write: boolean;
  /** `new`: fails with EEXIST when the file is there. */
  readonly create?: 'new';
  /** O_DSYNC: a write returns once its bytes are durable. */
  readonly isSynced?: boolean;
  /** O_DIRECT: past the page cache; memory, offsets and lengths are multiples of 4 KiB. */
  readonly isDirect?: boolean;
}

export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

export interface Files {
  open(path: string, options: OpenOptions): Promise<OpenFile>;
  /** Fails with EEXIST when `to` is there. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Fails with ENOTEMPTY when something is in it. */
  removeFolder(path: string): Promise<void>;
  /** Removes a folder with all that it holds; an absent one is no error. */
  removeTree(path: string): Promise<void>;
  entries(path: string): Promise<readonly FolderEntry[]>;
  sizeOf(path: string): Promise<number>;
  /** Bytes that may still be written on the disk of a folder. */
  freeBytes(path: string): Promise<number>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
}

/** A write that goes on being cut short this often has a disk behind it that does not work. */
const SHORT_WRITES_MAX = 64;

class NodeFile implements OpenFile {
  readonly fd: number;
  readonly #close: () => Promise<void>;

  constructor(fd: number, close: () => Promise<void>) {
    this.fd = fd;
    this.#close = close;
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const count = await this.#readOnce(done === 0 ? into : into.subarray(done), at + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(parts: readonly Uint8Array[], at: number): Promise<void> {
    let rest = parts.filter((part) => part.length > 0);
    let offset = at;
    for (let attempt = 0; rest.length > 0; attempt += 1) {
      if (attempt === SHORT_WRITES_MAX) throw Object.assign(new Error('writes are cut short'), { code: 'EIO' });
      const count = await this.#writeOnce(rest, offset);
      offset += count;
      rest = behind(rest, count);
    }
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.fd, (error, found) => (error === null ? resolve(found.size) : reject(error)));
    });
  }

  truncate(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.fd, bytes, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fsync(this.fd, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): Promise<void> {
    return this.#close();
  }

  // Callbacks rather than a FileHandle's promises: they are several times cheaper, and this is the path of every chunk.
  #readOnce(into: Uint8Array, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.fd, into, 0, into.length, at, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  #writeOnce(parts: readonly Uint8Array[], at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.writev(this.fd, parts, at, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }
}

/** What of `parts` lies behind the first `count` bytes. */
function behind(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const part of parts) {
    if (skip < part.length) rest.push(skip === 0 ? part : part.subarray(skip));
    skip = Math.max(0, skip - part.length);
  }
  return rest;
}

export const nodeFiles: Files = {
  async open(path, options) {
    let flags = options.write ? constants.O_RDWR : constants.O_RDONLY;
    if (options.create === 'new') flags |= constants.O_CREAT | constants.O_EXCL;
    if (options.isSynced === true) flags |= constants.O_DSYNC;
    if (options.isDirect === true) flags |= constants.O_DIRECT;
    const handle = await open(path, flags, 0o600);
    return new NodeFile(handle.fd, () => handle.close());
  },
  link,
  rename,
  unlink,
  async makeFolder(path) {
    await mkdir(path, 0o700);
  },
  removeFolder: rmdir,
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  async entries(path) {
    const found = await readdir(path, { withFileTypes: true });
    return found.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  },
  sizeOf: async (path) => (await stat(path)).size,
  async freeBytes(path) {
    const found = await statfs(path);
    return found.bavail * found.bsize;
  },
  async syncFolder(path) {
    const handle = await open(path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** The code of a file-system error, as `ENOSPC`. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether a file-system error says that there is no space, and so that nothing more was written. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function sayError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
