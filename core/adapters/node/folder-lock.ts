// The exclusive lock on a data folder: one process at a time, and the kernel frees it however the process ends.
//
//   M15  Whoever holds the lock is the only process that uses the folder; a kill -9 frees it at once.
//
// It is a file lock (fcntl) taken by SQLite, as Node has none of its own: an EXCLUSIVE transaction on an empty database
// that stays open for life. Nothing else in the process may open that file: closing it would let the lock go.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { refused, StoreError } from '../../model/errors.ts';

const LOCK_FILE = 'lock';
/** Who holds the lock: for people only. */
const OWNER_FILE = 'lock-owner';
const SQLITE_BUSY = 5;

export interface FolderLock {
  /** Lets another process have the folder. */
  release(): Promise<void>;
}

/**
 * Locks `folder`, which is made if it is not there.
 *
 * @throws StoreError `unavailable` when another process has it, `storage` when it cannot be made or written to.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const where = path.resolve(folder);
  try {
    await mkdir(where, { recursive: true });
  } catch (error) {
    throw unusable(where, 'made', error);
  }
  const db = await lockedFile(where);
  // Only for people: a full disk must not keep the store from being opened.
  await writeFile(path.join(where, OWNER_FILE), `${process.pid}\n`).catch(() => undefined);
  let isHeld = true;
  return {
    async release() {
      if (isHeld) db.close();
      isHeld = false;
    },
  };
}

async function lockedFile(where: string): Promise<DatabaseSync> {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path.join(where, LOCK_FILE), { timeout: 0 });
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY) throw await taken(where);
    throw unusable(where, 'locked', error);
  }
}

async function taken(where: string): Promise<StoreError> {
  const owner = await readFile(path.join(where, OWNER_FILE), 'utf8').catch(() => '');
  const who = /^[0-9]+\n$/.test(owner) ? `process ${owner.trim()}` : 'another process';
  return refused(
    'unavailable',
    `The data folder ${where} is in use by ${who}. Stop that process, or choose another folder with MILLRACE_DATA_DIR.`,
  );
}

/** Most often the folder, or the disk, takes no writes of this user: then SQLite only says that it cannot open a file. */
function unusable(where: string, what: 'made' | 'locked', error: unknown): StoreError {
  const advice = 'Make sure that this user can write there, or choose another folder with MILLRACE_DATA_DIR.';
  return new StoreError('storage', 'none', `The data folder ${where} cannot be ${what}: ${messageOf(error)}. ${advice}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
