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

async function perform({ seed, options, isRepeated }: Task): Promise<Done> {
  const { failures, figures, situations, fingerprint } = await run(seed, options);
  const again = isRepeated ? await run(seed, options) : undefined;
  if (again === undefined || again.fingerprint === fingerprint) return { seed, failures, figures, situations };
  const message = `the same seed twice: ${fingerprint}, then ${again.fingerprint}`;
  return { seed, failures: [...failures, { check: 'determinism', message, at: 0 }], figures, situations };
}

parentPort?.on('message', (task: Task) => {
  void perform(task).then((done) => parentPort?.postMessage(done));
});
