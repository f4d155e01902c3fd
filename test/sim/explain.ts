// What is wrong with a run, for people to look at: the checks that failed, and the shortest history that shows it.

import { checkHistory } from './checkers/index.ts';
import { printHistory } from './checkers/print.ts';
import { shrink } from './checkers/shrink.ts';
import type { Call, History } from './history.ts';
import type { RunReport } from './run.ts';

const FAILURES_SHOWN_MAX = 4;
const CALLS_SHOWN_MAX = 80;
/** A shorter history is easier to read, but not worth minutes. */
const SHRINK_CHECKS_MAX = 400;

export function explained({ failures, history }: Pick<RunReport, 'failures' | 'history'>): string {
  const checks = failures.slice(0, FAILURES_SHOWN_MAX).map(({ check, message, at }) => `  ${check} at ${at.toFixed(1)} ms: ${message}`);
  const [first] = failures;
  if (first === undefined) return '  nothing is wrong';
  const isOfHistory = failures.some(({ check }) => check.startsWith('history/'));
  return [...checks, ...(isOfHistory ? contradiction(history) : leadingUp(history, first.message))].join('\n');
}

/** The calls that contradict each other, and what makes them do so. */
function contradiction(history: History): string[] {
  const shrunk = shrink(history, checkHistory, SHRINK_CHECKS_MAX);
  if (shrunk === undefined) return ['  the history, looked at again, is good'];
  const { violation } = shrunk;
  const shown = shrunk.history.length <= CALLS_SHOWN_MAX ? shrunk.history : violation.calls;
  return [
    `  the shortest history found, ${shrunk.history.length} of ${history.length} calls; those that contradict each other are marked:`,
    `  ${violation.check}: ${violation.message}`,
    printHistory(shown, violation.calls),
  ];
}

/** A direct check ends the run at once: what led to its failure is what clients did last. */
function leadingUp(history: History, message: string): string[] {
  const isNamed = ({ operation }: Call): boolean => new RegExp(`\\b${operation.stream}\\b`).test(message);
  const named = history.filter(isNamed);
  const own = named.length > 0 ? named : history;
  const shown = own.slice(-CALLS_SHOWN_MAX);
  const on = named.length > 0 ? ` on ${named[0]?.operation.stream}` : '';
  return [`  the history up to there, the last ${shown.length} of ${own.length} calls${on}:`, printHistory(shown)];
}
