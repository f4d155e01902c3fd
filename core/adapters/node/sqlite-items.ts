// Items in one SQLite file, synchronously: what the worker writes with and the main thread reads with.
//
//   item := (partition TEXT, sort TEXT, fields TEXT, crc INTEGER), by primary key; text compares by its UTF-8 bytes;
//           fields is JSON; crc as in sqlite-check.ts
//
//   M14  A commit is answered only after SQLite synced the log that holds it: WAL with synchronous = FULL.
//   M16  Once the disk is full, what is left goes to upkeep; growth is refused until the reserve is whole again.
//   M17  What an item's checksum does not cover is never served; the file is looked through whole before anything of it is.

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { invariant } from '../../base/invariant.ts';
import { type ErrorCode, refused, StoreError } from '../../model/errors.ts';
import type { CommitResult, Fields, Item, Key, Purpose, Write } from '../../ports/metadata-store.ts';
import { applied, mayApply } from '../metadata-writes.ts';
import { checkWhole, damagedItem, itemCrc } from './sqlite-check.ts';
import { keepPrivate, makePrivate } from './sqlite-privacy.ts';
import { removeReserveFile, SqliteReserve } from './sqlite-reserve.ts';

/** "MILL": what `file` and people see in the header. */
const APPLICATION_ID = 0x4d494c4c;
/** 2: items have a checksum. */
const FORMAT_VERSION = 2;
/** Both connections together keep this small, however many items there are. Negative: KiB. */
const CACHE_SIZE = -8192;
const BUSY_TIMEOUT_MS = 5_000;
/** What a checkpoint leaves of the log on disk, at most. */
const WAL_BYTES_KEPT_MAX = 64 * 1024 * 1024;

/** Result codes of SQLite, without their extension. */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** What one commit came to, in a form that passes between threads. */
export type Outcome = CommitResult | Failure;

export interface Failure {
  readonly failure: ErrorCode;
  readonly effect: 'none' | 'unknown';
  readonly message: string;
}

export interface SqliteOptions {
  /** The file grows to this many pages of 4 KiB, at most; then commits fail with `disk_full`. */
  readonly pagesMax?: number;
  /** Whether it keeps space for upkeep on a full disk. Default: no. */
  readonly hasReserve?: boolean;
}

export interface Commit {
  readonly writes: readonly Write[];
  readonly purpose: Purpose;
}

export function failureOf(error: unknown, path: string, effect: 'none' | 'unknown'): Failure {
  // Ours already: an item that is damaged.
  if (error instanceof StoreError) return { failure: error.code, effect, message: error.message };
  if (!(error instanceof Error) || !('errcode' in error)) throw error;
  const message = `metadata file ${path}: ${error.message}`;
  const code = Number(error.errcode) & 0xff;
  // A full disk stops a commit before its last frame is whole: nothing of it can be found again.
  if (code === SQLITE_FULL) return { failure: 'disk_full', effect: 'none', message };
  if (code === SQLITE_BUSY) return { failure: 'unavailable', effect, message };
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return { failure: 'corrupt', effect, message };
  return { failure: 'storage', effect, message };
}

export function toStoreError({ failure, effect, message }: Failure): StoreError {
  return new StoreError(failure, effect, message);
}

export class SqliteItems {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #get: StatementSync;
  readonly #reserve: SqliteReserve | undefined;
  readonly #put: StatementSync | undefined;
  readonly #delete: StatementSync | undefined;
  readonly #queries: Readonly<Record<'ascending' | 'descending', readonly [toEnd: StatementSync, toBound: StatementSync]>>;

  /** Opens the file; whoever writes makes it if need be. @throws StoreError `corrupt`, `storage` */
  constructor(path: string, access: 'read' | 'write', options: SqliteOptions = {}) {
    this.#path = path;
    const hasReserve = access === 'write' && options.hasReserve === true;
    this.#db = hasReserve ? openedOnFullDisk(path, () => opened(path, access, options)) : opened(path, access, options);
    if (hasReserve) this.#reserve = new SqliteReserve(this.#db, path, options.pagesMax);
    const prepare = (sql: string): StatementSync => this.#db.prepare(sql);
    this.#get = prepare('SELECT fields, crc FROM items WHERE partition = ? AND sort = ?');
    if (access === 'write') {
      const put = 'INSERT INTO items VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET fields = excluded.fields, crc = excluded.crc';
      this.#put = prepare(put);
      this.#delete = prepare('DELETE FROM items WHERE partition = ? AND sort = ?');
    }
    const from = 'SELECT sort, fields, crc FROM items WHERE partition = ? AND sort >= ?';
    this.#queries = {
      ascending: [prepare(`${from} ORDER BY sort LIMIT ?`), prepare(`${from} AND sort < ? ORDER BY sort LIMIT ?`)],
      descending: [prepare(`${from} ORDER BY sort DESC LIMIT ?`), prepare(`${from} AND sort < ? ORDER BY sort DESC LIMIT ?`)],
    };
  }

  /** A setting as SQLite has it: for tests that what was asked for is in force. */
  pragma(name: string): unknown {
    return this.#db.prepare(`PRAGMA ${name}`).get()?.[name];
  }

  get(key: Key): Item | undefined {
    const fields = this.#fields(key);
    return fields === undefined ? undefined : { partition: key.partition, sort: key.sort, fields };
  }

  query(partition: string, range: { start: string; end?: string; reverse?: boolean }, limit: number): readonly Item[] {
    const { start, end, reverse } = range;
    const [toEnd, toBound] = this.#queries[reverse ? 'descending' : 'ascending'];
    const rows = end === undefined ? toEnd.all(partition, start, limit) : toBound.all(partition, start, end, limit);
    return rows.map((row) => {
      const sort = String(row['sort']);
      return { partition, sort, fields: this.#parse(partition, sort, row) };
    });
  }

  /** Whether the disk has been full, and has no room for the reserve yet. */
  get isLow(): boolean {
    return this.#reserve?.isHeld === false;
  }

  /** Commits a group, in order; each as if it were alone, and all durable when this returns. */
  commitGroup(commits: readonly Commit[]): readonly Outcome[] {
    this.#reserve?.restore();
    if (this.isLow) return this.#commitLow(commits);
    const outcomes = this.#commitTogether(commits.map(({ writes }) => writes));
    if (!outcomes.some(isFull) || this.#reserve?.giveUp() !== true) return outcomes;
    const again = this.#commitLow(commits.filter((_, i) => isFull(outcomes[i])));
    return outcomes.map((outcome) => (isFull(outcome) ? (again.shift() ?? outcome) : outcome));
  }

  /** M16: upkeep alone. What does not fit in one group may fit by itself. */
  #commitLow(commits: readonly Commit[]): Outcome[] {
    const upkeep = commits.flatMap(({ writes, purpose }) => (purpose === 'upkeep' ? [writes] : []));
    let outcomes = this.#commitTogether(upkeep);
    outcomes = outcomes.map((outcome, i) => (isFull(outcome) ? (this.#commitTogether([upkeep[i] ?? []])[0] ?? outcome) : outcome));
    const rest = [...outcomes];
    const message = `metadata file ${this.#path}: the disk is full, and what is left is kept for what makes space`;
    return commits.map(({ purpose }) => (purpose === 'upkeep' && rest.shift()) || { failure: 'disk_full', effect: 'none', message });
  }

  /** Commits in one transaction. */
  #commitTogether(commits: readonly (readonly Write[])[]): readonly Outcome[] {
    if (commits.length === 0) return [];
    let effect: 'none' | 'unknown' = 'none';
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const outcomes = commits.map((writes) => this.#commitOne(writes));
      effect = 'unknown';
      this.#db.exec('COMMIT');
      return outcomes;
    } catch (error) {
      const failure = failureOf(error, this.#path, effect);
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      return commits.map(() => failure);
    }
  }

  close(): void {
    this.#db.close();
  }

  #commitOne(writes: readonly Write[]): Outcome {
    this.#db.exec('SAVEPOINT one');
    try {
      const result = this.#apply(writes);
      this.#db.exec('RELEASE one');
      return result;
    } catch (error) {
      // Some errors end the whole transaction: then no commit of the group took effect.
      if (!this.#db.isTransaction) throw error;
      const failure = failureOf(error, this.#path, 'none');
      this.#db.exec('ROLLBACK TO one; RELEASE one');
      return failure;
    }
  }

  #apply(writes: readonly Write[]): CommitResult {
    const current = writes.map((write) => (needsCurrent(write) ? this.get(write.key) : undefined));
    const failed = writes.flatMap((write, i) => (mayApply(write, current[i]?.fields) ? [] : [i]));
    if (failed.length > 0) return { committed: false, failed, current: failed.map((i) => current[i]) };
    return { committed: true, items: writes.map((write, i) => this.#write(write, current[i]?.fields)) };
  }

  #write(write: Write, current: Fields | undefined): Item | undefined {
    invariant(this.#put !== undefined && this.#delete !== undefined, 'M14: only the writer writes');
    const { partition, sort } = write.key;
    if (write.kind === 'check') return undefined;
    const fields = applied(write, current);
    if (fields === undefined) this.#delete.run(partition, sort);
    else {
      const json = JSON.stringify(fields);
      this.#put.run(partition, sort, json, itemCrc(partition, sort, json));
    }
    return fields === undefined ? undefined : { partition, sort, fields };
  }

  #fields({ partition, sort }: Key): Fields | undefined {
    const row = this.#get.get(partition, sort);
    return row === undefined ? undefined : this.#parse(partition, sort, row);
  }

  /** M17 */
  #parse(partition: string, sort: string, row: Readonly<Record<string, unknown>>): Fields {
    const json = String(row['fields']);
    if (itemCrc(partition, sort, json) !== row['crc']) throw damagedItem(this.#path, partition, sort);
    return JSON.parse(json) as Fields;
  }
}

/** Nothing of it took effect, for want of space. */
function isFull(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && 'failure' in outcome && outcome.failure === 'disk_full' && outcome.effect === 'none';
}

/** Opening takes a little space, too: after a kill -9 SQLite reads its log, and keeps an index of it in another file. */
function openedOnFullDisk(path: string, open: () => DatabaseSync): DatabaseSync {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof StoreError) || error.code === 'corrupt' || !removeReserveFile(path)) throw error;
    return open();
  }
}

function needsCurrent(write: Write): boolean {
  return write.when !== undefined || write.kind === 'update';
}

function opened(path: string, access: 'read' | 'write', { pagesMax }: SqliteOptions): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (access === 'write') makePrivate(path);
    db = new DatabaseSync(path, { readOnly: access === 'read', timeout: BUSY_TIMEOUT_MS });
    db.exec(`PRAGMA cache_size = ${CACHE_SIZE}; PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF`);
    if (access === 'write') prepareToWrite(db, path, pagesMax);
    return db;
  } catch (error) {
    db?.close();
    throw error instanceof StoreError ? error : toStoreError(failureOf(error, path, 'none'));
  }
}

function prepareToWrite(db: DatabaseSync, path: string, pagesMax: number | undefined): void {
  const isNew = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] === 0;
  const applicationId = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (!isNew && (applicationId !== APPLICATION_ID || version !== FORMAT_VERSION)) {
    throw refused('corrupt', `${path} is not a metadata file of this version (${version}); move it away, or use the version that made it`);
  }
  if (!isNew) checkWhole(db, path);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT_MAX}`);
  keepPrivate(path);
  if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
  // Nothing is written to a file that is ready: a full disk must not keep it from being opened.
  if (!isNew) return;
  db.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE items (partition TEXT NOT NULL, sort TEXT NOT NULL, fields TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (partition, sort))
      WITHOUT ROWID;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${FORMAT_VERSION};
    COMMIT;
  `);
}
