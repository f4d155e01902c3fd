// Space that a metadata file keeps for when the disk is full, so that upkeep goes on: offload, trim and GC make space again.
//
//   reserve := file `<path>-reserve` (zeroes) | table `reserve` inside (one blob) | the log's file, which keeps its size
//
// At a full disk the file goes, so that what the log holds finds its place in the database file; then the blob goes, and its
// pages are free inside it; and the database file may not grow. From then on nothing that is written needs the disk's space:
// no other program can take what upkeep needs, and leases are renewed for as long as it lasts.
//
//   M16 Once the disk is full, what is left goes to upkeep; growth is refused until the reserve is whole again.

import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { errorCode } from './files.ts';

const MIB = 1024 * 1024;
/** SQLite moves the log into the file after 1,000 pages of 4 KiB: that much may have to find its place in the file at once. */
const FILE_BYTES = 8 * MIB;
/** Free pages inside, and the size to which the log's file is brought. */
const BLOB_BYTES = 5 * MIB;
/** It is made again only where this much is free, so that it does not come and go. */
const FREE_BYTES_MIN = 2 * (FILE_BYTES + BLOB_BYTES);
const RETRY_MS = 250;
const PAGES_MAX = 0xffff_fffe;

export class SqliteReserve {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #pagesMax: number;
  #isHeld: boolean;
  #nextTryAt = 0;

  /** @param pagesMax of the database file, when the disk is not full. */
  constructor(db: DatabaseSync, databasePath: string, pagesMax = PAGES_MAX) {
    this.#db = db;
    this.#file = reserveFile(databasePath);
    this.#pagesMax = pagesMax;
    this.#isHeld = false;
    this.restore();
    if (!this.#isHeld) this.#settle();
  }

  /** False: the disk was full, and has not had room for the reserve since. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Frees it for upkeep. @returns false when it is given up already */
  giveUp(): boolean {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    this.#nextTryAt = performance.now() + RETRY_MS;
    this.#settle();
    return true;
  }

  /** Makes it again where there is room; looks at most every RETRY_MS, as it is asked with every commit. */
  restore(): void {
    if (this.#isHeld || performance.now() < this.#nextTryAt) return;
    this.#nextTryAt = performance.now() + RETRY_MS;
    try {
      if (!this.#hasRoom()) return;
      this.#db.exec(`PRAGMA max_page_count = ${this.#pagesMax}`);
      this.#db.exec('CREATE TABLE IF NOT EXISTS reserve (blob BLOB NOT NULL)');
      // Also when it is there: its pages go through the log, which keeps the size that it has then.
      this.#db.exec(`BEGIN IMMEDIATE; DELETE FROM reserve; INSERT INTO reserve VALUES (zeroblob(${BLOB_BYTES})); COMMIT`);
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
      writeZeroes(this.#file, FILE_BYTES);
      this.#isHeld = true;
    } catch (error) {
      if (!isOfDisk(error)) throw error;
      this.#settle();
    }
  }

  /** What the log can do without more space. Each step may fail, and the others help all the same. */
  #settle(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    rmSync(this.#file, { force: true });
    this.#try('PRAGMA wal_checkpoint(RESTART)');
    this.#try('DELETE FROM reserve');
    const pages = Number(this.#db.prepare('PRAGMA page_count').get()?.['page_count']);
    this.#db.exec(`PRAGMA max_page_count = ${Math.min(pages, this.#pagesMax)}`);
  }

  #try(sql: string): void {
    try {
      this.#db.exec(sql);
    } catch (error) {
      if (!isOfDisk(error)) throw error;
    }
  }

  #hasRoom(): boolean {
    const found = statfsSync(path.dirname(this.#file));
    return found.bavail * found.bsize >= FREE_BYTES_MIN;
  }
}

/** For a database that cannot be opened for want of space: that takes a little, too. @returns false when there was no such file */
export function removeReserveFile(databasePath: string): boolean {
  try {
    rmSync(reserveFile(databasePath));
    return true;
  } catch (error) {
    if (!isOfDisk(error)) throw error;
    return false;
  }
}

function reserveFile(databasePath: string): string {
  return `${databasePath}-reserve`;
}

/** Zeroes that are written: a hole would reserve nothing. */
function writeZeroes(file: string, bytes: number): void {
  if (statSync(file, { throwIfNoEntry: false })?.size === bytes) return;
  const fd = openSync(file, 'w', 0o600);
  try {
    const block = new Uint8Array(MIB);
    for (let at = 0; at < bytes; ) at += writeSync(fd, block, 0, Math.min(MIB, bytes - at), at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Of SQLite or of the file system: whoever writes what counts meets it again, and tells it. */
function isOfDisk(error: unknown): boolean {
  return error instanceof Error && ('errcode' in error || errorCode(error) !== undefined);
}
