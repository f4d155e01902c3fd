// The embedded metadata store: one SQLite file, written by a worker thread and read by this one. (docs/decisions/0001.)
//
// All commits that queue up while a group is being written make the next group: one fsync for all of them. Reads use a
// second connection to the same file: they see every commit that was answered (WAL), and wait for none that is not.
// The file has one owner at a time: whoever opens it holds the lock on its folder (folder-lock.ts).

import { Worker } from 'node:worker_threads';
import { invariant } from '../../base/invariant.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { CommitResult, Consistency, Item, Key, MetadataStore, Purpose, Write } from '../../ports/metadata-store.ts';
import { checkKey, checkQuery, checkWrites } from '../metadata-writes.ts';
import { type Commit, type Failure, failureOf, type Outcome, SqliteItems, type SqliteOptions, toStoreError } from './sqlite-items.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './sqlite-metadata-worker.ts';

/** Writes in one group, about: some milliseconds of work beside its fsync. */
const GROUP_WRITES_MAX = 2_000;
/** Commits that wait; beyond it they are refused, as nobody waits that long. */
const QUEUE_COMMITS_MAX = 20_000;

/** A metadata store that lives in a file. */
export interface SqliteMetadata extends MetadataStore {
  /** Whether the disk has been full, and has no room for the reserve yet: growth is refused. */
  readonly isLow: boolean;
  /** A setting of the writing connection, as SQLite has it. */
  pragma(name: string): Promise<unknown>;
  /** Finishes what is queued, and closes the file. Nothing may be asked for afterwards. */
  close(): Promise<void>;
}

interface Waiting extends Commit {
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens the metadata file, or makes it.
 *
 * @param onLow told when `isLow` changes.
 * @throws StoreError `corrupt` when it is damaged or not ours, `storage` or `disk_full` when it cannot be made.
 */
export async function openSqliteMetadata(
  path: string,
  options: SqliteOptions = {},
  onLow: (isLow: boolean) => void = () => undefined,
): Promise<SqliteMetadata> {
  const settings: WorkerSettings = { path, options };
  const worker = new Worker(new URL('./sqlite-metadata-worker.ts', import.meta.url), { workerData: settings, execArgv: [] });
  const first = await new Promise<FromWorker>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (first.kind === 'refused') throw toStoreError(first.failure);
  try {
    const isLow = first.kind === 'open' && first.isLow;
    return new SqliteMetadataStore(path, worker, new SqliteItems(path, 'read'), isLow, onLow);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

class SqliteMetadataStore implements SqliteMetadata {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #reader: SqliteItems;
  #isLow: boolean;
  #queue: Waiting[] = [];
  /** The group that the worker has now. */
  #running: readonly Waiting[] = [];
  #isFlushDue = false;
  #stopped: StoreError | undefined;
  #onIdle: (() => void) | undefined;

  constructor(path: string, worker: Worker, reader: SqliteItems, isLow: boolean, onLow: (isLow: boolean) => void) {
    this.#path = path;
    this.#isLow = isLow;
    this.#worker = worker;
    this.#reader = reader;
    worker.on('message', (message: FromWorker) => {
      if (message.kind !== 'outcomes') return;
      if (message.isLow !== this.#isLow) onLow(message.isLow);
      this.#isLow = message.isLow;
      this.#settle(message.outcomes);
    });
    worker.on('error', (error) => this.#stop(`its thread failed: ${String(error)}`));
    worker.on('exit', () => this.#stop('it was closed'));
  }

  async get(key: Key, _consistency: Consistency): Promise<Item | undefined> {
    checkKey(key);
    return this.#read(() => this.#reader.get(key));
  }

  async query(
    partition: string,
    range: { readonly start: string; readonly end?: string; readonly reverse?: boolean },
    limit: number,
    _consistency: Consistency,
  ): Promise<readonly Item[]> {
    checkQuery(partition, limit);
    return this.#read(() => this.#reader.query(partition, range, limit));
  }

  async commit(writes: readonly Write[], purpose: Purpose = 'upkeep'): Promise<CommitResult> {
    checkWrites(writes);
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#queue.length >= QUEUE_COMMITS_MAX) throw refused('throttled', 'too many metadata commits are waiting');
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, purpose, resolve, reject });
      this.#schedule();
    });
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  pragma(name: string): Promise<unknown> {
    return new Promise((resolve) => {
      const onMessage = (message: FromWorker): void => {
        if (message.kind !== 'pragma') return;
        this.#worker.off('message', onMessage);
        resolve(message.value);
      };
      this.#worker.on('message', onMessage);
      this.#post({ kind: 'pragma', name });
    });
  }

  async close(): Promise<void> {
    if (this.#stopped !== undefined) return;
    if (this.#running.length > 0 || this.#queue.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#stopped ??= refused('unavailable', 'the metadata store is closed');
    // The reader goes first: the last connection to close folds the log into the file.
    this.#reader.close();
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#post({ kind: 'close' });
    await exited;
  }

  /** At the end of the turn, so that the commits of one turn share a group. */
  #schedule(): void {
    if (this.#isFlushDue || this.#running.length > 0) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#running.length > 0 || this.#queue.length === 0 || this.#stopped !== undefined) return;
    let count = 0;
    for (let writes = 0; count < this.#queue.length && writes < GROUP_WRITES_MAX; count += 1) {
      writes += this.#queue[count]?.writes.length ?? 0;
    }
    this.#running = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#post({ kind: 'commit', group: this.#running.map(({ writes, purpose }) => ({ writes, purpose })) });
  }

  #settle(outcomes: readonly Outcome[]): void {
    const group = this.#running;
    invariant(outcomes.length === group.length, 'M14: every commit of a group is answered');
    this.#running = [];
    group.forEach(({ resolve, reject }, i) => {
      const outcome = outcomes[i];
      invariant(outcome !== undefined, 'M14: every commit of a group is answered');
      if ('failure' in outcome) reject(toStoreError(outcome));
      else resolve(outcome);
    });
    if (this.#queue.length > 0) this.#flush();
    else this.#onIdle?.();
  }

  /** The worker is gone: what it had may have been applied, what it had not was not. */
  #stop(why: string): void {
    const message = `metadata file ${this.#path}: ${why}`;
    this.#stopped ??= refused('unavailable', message);
    for (const { reject } of this.#running) reject(new StoreError('unavailable', 'unknown', message));
    for (const { reject } of this.#queue) reject(refused('unavailable', message));
    this.#running = [];
    this.#queue = [];
    this.#onIdle?.();
  }

  #read<T>(read: () => T): T {
    if (this.#stopped !== undefined) throw this.#stopped;
    try {
      return read();
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const failure: Failure = failureOf(error, this.#path, 'none');
      throw toStoreError(failure);
    }
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}
