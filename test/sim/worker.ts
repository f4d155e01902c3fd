// A thread of `npm run sim`: runs the seeds that it is given, one after the other.

import { parentPort } from 'node:worker_threads';
import type { Figures } from './run.ts';
import { type RunOptions, run } from './run.ts';
import type { Situation } from './situations.ts';
import type { Failure } from './world.ts';

export interface Task {
  readonly seed: number;
  readonly options: RunOptions;
  readonly isRepeated: boolean;
}

export interface Done {
  readonly seed: number;
  readonly failures: readonly Failure[];
  readonly figures: Figures;
  readonly situations: ReadonlyMap<Situation, number>;
}

const NOTHING: Figures = {
  operations: 0,
  takeovers: 0,
  nonEmptyWindows: 0,
  adoptedChunks: 0,
  events: 0,
  virtualMs: 0,
  overlapping: 0,
  unknown: 0,
};

/** @param play stands for `run` in the tests. */
export async function perform(task: Task, play: typeof run = run): Promise<Done> {
  const { seed } = task;
  try {
    return await played(task, play);
  } catch (error) {
    // Of the simulator itself, whatever it is: without its seed nobody could see it again.
    const message = `seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    return { seed, failures: [{ check: 'thrown', message, at: 0 }], figures: NOTHING, situations: new Map() };
  }
}

async function played({ seed, options, isRepeated }: Task, play: typeof run): Promise<Done> {
  const { failures, figures, situations, fingerprint } = await play(seed, options);
  const again = isRepeated ? await play(seed, options) : undefined;
  if (again === undefined || again.fingerprint === fingerprint) return { seed, failures, figures, situations };
  const message = `the same seed twice: ${fingerprint}, then ${again.fingerprint}`;
  return { seed, failures: [...failures, { check: 'determinism', message, at: 0 }], figures, situations };
}

parentPort?.on('message', (task: Task) => {
  void perform(task).then((done) => parentPort?.postMessage(done));
});
