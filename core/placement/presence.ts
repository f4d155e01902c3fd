// Which tasks are there, as one of them sees it: whose counter moves lives, whose counter stands still for a lease is gone.

import type { TaskState } from '../metadata/tasks.ts';

interface Seen {
  readonly counter: number;
  readonly peer: string;
  /** On the monotonic clock: since when the counter stands there. */
  readonly since: number;
  readonly hasMoved: boolean;
}

export class Presence {
  readonly #goneMs: number;
  readonly #seen = new Map<string, Seen>();

  /** @param goneMs how long a counter may stand still */
  constructor(goneMs: number) {
    this.#goneMs = goneMs;
  }

  observe(tasks: readonly TaskState[], now: number): void {
    for (const task of this.#seen.keys()) if (!tasks.some((one) => one.task === task)) this.#seen.delete(task);
    for (const { task, counter, peer } of tasks) {
      const seen = this.#seen.get(task);
      if (seen === undefined) this.#seen.set(task, { counter, peer, since: now, hasMoved: false });
      else if (seen.counter !== counter) this.#seen.set(task, { counter, peer, since: now, hasMoved: true });
    }
  }

  /** Not known to be gone. */
  present(now: number): readonly string[] {
    return [...this.#seen].flatMap(([task, { since }]) => (now - since < this.#goneMs ? [task] : []));
  }

  /** Seen to live. */
  alive(now: number): readonly string[] {
    return [...this.#seen].flatMap(([task, { since, hasMoved }]) => (hasMoved && now - since < this.#goneMs ? [task] : []));
  }

  /** Undefined: nobody who is there says that it is reached so. */
  at(peer: string): string | undefined {
    for (const [task, seen] of this.#seen) if (seen.peer === peer) return task;
    return undefined;
  }

  /** What is left of tasks that have long been gone. */
  remains(now: number): readonly Pick<TaskState, 'task' | 'counter'>[] {
    return [...this.#seen].flatMap(([task, { counter, since }]) => (now - since > 10 * this.#goneMs ? [{ task, counter }] : []));
  }
}
