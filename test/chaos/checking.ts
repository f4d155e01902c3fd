// Checks finished histories on a thread of its own, so that the clients' loop goes on.

import { Worker } from 'node:worker_threads';
import type { Verdict } from '#test/sim/checkers/index.ts';
import type { Measure } from '#test/sim/checkers/measure.ts';
import type { History } from '#test/sim/history.ts';

export interface Checked {
  readonly verdict: Verdict;
  readonly measure: Measure;
  readonly ms: number;
  /** The shortest history that still shows the first violation, drawn; empty when there is none. */
  readonly explanation: string;
}

interface Waiting {
  readonly resolve: (checked: Checked) => void;
  readonly reject: (error: Error) => void;
}

export class Checking {
  readonly #worker = new Worker(new URL('./check-worker.ts', import.meta.url), { execArgv: [] });
  /** In the order in which the worker answers. */
  readonly #waiting: Waiting[] = [];

  constructor() {
    this.#worker.on('message', (checked: Checked) => this.#waiting.shift()?.resolve(checked));
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error as Error);
    });
  }

  async check(history: History): Promise<Checked> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(history);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
