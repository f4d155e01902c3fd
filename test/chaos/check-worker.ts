// The thread behind checking.ts: a history in, what the checkers say out.

import { parentPort } from 'node:worker_threads';
import { checkHistory } from '#test/sim/checkers/index.ts';
import { measure } from '#test/sim/checkers/measure.ts';
import { printHistory } from '#test/sim/checkers/print.ts';
import { shrink } from '#test/sim/checkers/shrink.ts';
import type { History } from '#test/sim/history.ts';
import type { Checked } from './checking.ts';

/** A shorter history is easier to read, but not worth minutes. */
const SHRINK_CHECKS_MAX = 400;

parentPort?.on('message', (history: History) => {
  const begun = performance.now();
  const verdict = checkHistory(history);
  const ms = performance.now() - begun;
  const checked: Checked = { verdict, measure: measure(history), ms, explanation: verdict.ok ? '' : explain(history) };
  parentPort?.postMessage(checked);
});

function explain(history: History): string {
  const shrunk = shrink(history, checkHistory, SHRINK_CHECKS_MAX);
  if (shrunk === undefined) return '';
  return `${shrunk.violation.message}, in short:\n${printHistory(shrunk.history, shrunk.violation.calls)}`;
}
