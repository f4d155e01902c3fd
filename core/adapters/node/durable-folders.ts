// Folders below a root that come and go, of which a name counts only once it would survive a crash.
//
//   Z7  A folder is held by everyone who makes something in it; only a folder that nobody holds is removed, and it is gone
//       for all of them before it is made again.

import path from 'node:path';
import { invariant } from '../../base/invariant.ts';
import { errorCode, type Files } from './files.ts';

/** Folders remembered as durable; what is forgotten costs one more fsync. */
const REMEMBERED_MAX = 10_000;

export class DurableFolders {
  readonly #files: Files;
  readonly #root: string;
  /** Folders whose name in their parent is known to be durable. */
  readonly #durable = new Set<string>();
  readonly #holders = new Map<string, number>();
  /** What is being done to a folder's name right now: one thing at a time. */
  readonly #busy = new Map<string, Promise<void>>();

  /** `root` is there already, and durable. */
  constructor(files: Files, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Runs `work` while `folder` and all above it are there, durably. */
  async within<T>(folder: string, work: () => Promise<T>): Promise<T> {
    const chain = this.#chain(folder);
    for (const each of chain) this.#holders.set(each, (this.#holders.get(each) ?? 0) + 1);
    try {
      for (const each of chain) await this.#make(each);
      return await work();
    } finally {
      for (const each of chain) this.#letGo(each);
    }
  }

  /** Removes `folder` and those above it that are empty and that nobody holds. */
  async removeEmpty(folder: string): Promise<void> {
    for (const each of this.#chain(folder).reverse()) {
      if (this.#holders.has(each) || this.#busy.has(each)) return;
      this.#durable.delete(each);
      const isGone = await this.#exclusively(each, () => this.#removed(each));
      if (!isGone) return;
    }
  }

  async #removed(folder: string): Promise<boolean> {
    try {
      await this.#files.removeFolder(folder);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT') return true;
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
      throw error;
    }
  }

  async #make(folder: string): Promise<void> {
    while (!this.#durable.has(folder)) {
      const running = this.#busy.get(folder);
      if (running !== undefined) {
        await running;
        continue;
      }
      await this.#exclusively(folder, async () => {
        try {
          await this.#files.makeFolder(folder);
        } catch (error) {
          if (errorCode(error) !== 'EEXIST') throw error;
        }
        await this.#files.syncFolder(path.dirname(folder));
        if (this.#durable.size >= REMEMBERED_MAX) this.#durable.clear();
        this.#durable.add(folder);
      });
    }
  }

  async #exclusively<T>(folder: string, work: () => Promise<T>): Promise<T> {
    invariant(!this.#busy.has(folder), 'Z7: one thing at a time is done to a folder');
    const running = work();
    this.#busy.set(
      folder,
      running.then(
        () => undefined,
        () => undefined,
      ),
    );
    try {
      return await running;
    } finally {
      this.#busy.delete(folder);
    }
  }

  #letGo(folder: string): void {
    const holders = this.#holders.get(folder) ?? 0;
    invariant(holders > 0, 'Z7: who lets a folder go has held it');
    if (holders === 1) this.#holders.delete(folder);
    else this.#holders.set(folder, holders - 1);
  }

  /** The folders from just below the root down to `folder`. */
  #chain(folder: string): string[] {
    const relative = path.relative(this.#root, folder);
    if (relative === '') return [];
    const chain: string[] = [];
    let at = this.#root;
    for (const name of relative.split(path.sep)) {
      at = path.join(at, name);
      chain.push(at);
    }
    return chain;
  }
}
