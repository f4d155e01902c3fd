// What found a planted bug out.

import type { RunReport } from '../run.ts';
import type { PlantedBug } from './planted-bug.ts';

/**
 * `history`: the calls that clients made contradict each other. `direct`: a check of the simulator that knows the truth, of the stores or of who is the owner. `stuck`: something
 * does not end that should. `alarm`: the product itself says that committed data is lost. `invariant`: a rule that is always on.
 */
export type Finder = 'history' | 'direct' | 'stuck' | 'alarm' | 'invariant';

export interface Catch {
  readonly finder: Finder;
  /** The check or the invariant, and what it said. */
  readonly what: string;
}

/** The first that counts; undefined: nothing was found out. A failure of the simulator itself, or of a program that is no longer one, never counts. */
export function caught({ failures }: Pick<RunReport, 'failures'>, bug: Pick<PlantedBug, 'onlyStalls'>): Catch | undefined {
  const found = failures.flatMap(({ check, message }): Catch[] => {
    const finder = finderOf(check, message);
    if (finder === undefined || (finder === 'stuck' && bug.onlyStalls !== true)) return [];
    return [{ finder, what: finder === 'invariant' ? firstLine(message) : `${check}: ${firstLine(message)}` }];
  });
  return found.toSorted((a, b) => ORDER.indexOf(a.finder) - ORDER.indexOf(b.finder))[0];
}

const ORDER: readonly Finder[] = ['invariant', 'history', 'direct', 'alarm', 'stuck'];

function finderOf(check: string, message: string): Finder | undefined {
  if (check === 'history/search-gave-up') return undefined;
  if (check.startsWith('history/')) return 'history';
  if (check === 'liveness') return 'stuck';
  if (check === 'corrupt') return 'alarm';
  if (check === 'crash' || check === 'unhandled-rejection' || check === 'scenario') {
    return message.includes('InvariantError') ? 'invariant' : undefined;
  }
  return 'direct';
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').slice(0, 240);
}
