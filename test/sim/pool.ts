// Runs seeds on several threads, and adds up what they came through.

import { Worker } from 'node:worker_threads';
import type { Figures, RunOptions } from './run.ts';
import type { Situation } from './situations.ts';
import type { Done, Task } from './worker.ts';

export interface PoolOptions {
  readonly first: number;
  /** Asked before each seed; false: no more are begun. */
  readonly goesOn: (begun: number) => boolean;
  readonly jobs: number;
  readonly isRepeated: boolean;
  readonly run: RunOptions;
  readonly onDone: (done: Done, totals: Totals) => void;
}

export interface Totals {
  seeds: number;
  readonly failed: Done[];
  readonly figures: Record<keyof Figures, number>;
  readonly situations: Map<Situation, number>;
}

export async function runSeeds(options: PoolOptions): Promise<Totals> {
  const totals: Totals = { seeds: 0, failed: [], figures: {} as Record<keyof Figures, number>, situations: new Map() };
  let begun = 0;
  const serve = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let seed = options.first;
      const next = (): void => {
        if (!options.goesOn(begun)) {
          resolve();
          return;
        }
        seed = options.first + begun;
        const task: Task = { seed, options: options.run, isRepeated: options.isRepeated };
        begun += 1;
        worker.postMessage(task);
      };
      worker.on('message', (done: Done) => {
        add(totals, done);
        options.onDone(done, totals);
        next();
      });
      worker.on('error', (error) => reject(new Error(`a thread ended with seed ${seed}`, { cause: error })));
      next();
    });
  const workers = Array.from({ length: options.jobs }, () => new Worker(new URL('./worker.ts', import.meta.url)));
  try {
    await Promise.all(workers.map(serve));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return totals;
}

function add(totals: Totals, done: Done): void {
  totals.seeds += 1;
  if (done.failures.length > 0) totals.failed.push(done);
  for (const [name, value] of Object.entries(done.figures) as [keyof Figures, number][]) {
    totals.figures[name] = (totals.figures[name] ?? 0) + value;
  }
  for (const [situation, count] of done.situations) totals.situations.set(situation, (totals.situations.get(situation) ?? 0) + count);
}
