// The files of the metadata are for the user alone who runs the process: they name streams, and hold what access tokens may do.
//
// SQLite gives files beside the database (its log, its index) the mode that the database has.

import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import { StoreError } from '../../model/errors.ts';
import { errorCode, isDiskFull } from './files.ts';

const PRIVATE = 0o600;
const OTHERS = 0o077;
/** Whoever owns the file, or the file system, decides; it is served all the same. */
const NOT_OURS_TO_CHANGE: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EROFS']);

/**
 * Makes an empty file where there is none, before SQLite would make one that anybody may read. One that is there is not opened:
 * to close it again would give up the locks that SQLite holds on it.
 *
 * @throws StoreError `storage`, `disk_full`
 */
export function makePrivate(path: string): void {
  if (existsSync(path)) return;
  try {
    closeSync(openSync(path, 'a', PRIVATE));
  } catch (error) {
    throw new StoreError(isDiskFull(error) ? 'disk_full' : 'storage', 'none', `metadata file ${path}: ${String(error)}`, { cause: error });
  }
}

/** Takes others' rights from a file that was made before, and from those beside it; to be called once it is known to be ours. */
export function keepPrivate(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      if ((statSync(file).mode & OTHERS) !== 0) chmodSync(file, PRIVATE);
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'ENOENT' && !NOT_OURS_TO_CHANGE.has(code)) throw error;
    }
  }
}
