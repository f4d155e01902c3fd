// What found a planted bug out.

import { CHECKS, type CheckName, type DirectCheck } from '../checks.ts';
import type { RunReport } from '../run.ts';
import type { PlantedBug } from './planted-bug.ts';

/**
 * `history`: the calls that clients made contradict each other. `direct`: a check of the simulator that knows the truth, of the stores or of who is the
 * owner. `hang`: something does not end that should. `product`: an invariant of the product, or its own alarm that committed data is lost.
 */
export type Finder = 'history' | 'direct' | 'hang' | 'product';

export const FINDERS: readonly Finder[] = ['history', 'direct', 'hang', 'product'];

export interface Catch {
  readonly finder: Finder;
  /** The check or the invariant, and what it said. */
  readonly what: string;
}

/**
 * The first that counts; undefined: nothing was found out. A hang counts for a bug that does no other harm; what the product says by
 * itself counts while its invariants are on (`isChecked`). A failure of the simulator, or of a program that is no longer one, never counts.
 */
export function caught(
  { failures }: Pick<RunReport, 'failures'>,
  bug: Pick<PlantedBug, 'onlyStalls'>,
  isChecked: boolean,
): Catch | undefined {
  const found = failures.flatMap(({ check, message }): Catch[] => {
    const finder = finderOf(check, message);
    if (finder === undefined || (finder === 'hang' && bug.onlyStalls !== true) || (finder === 'product' && !isChecked)) return [];
    return [{ finder, what: isInvariant(message) ? firstLine(message) : `${check}: ${firstLine(message)}` }];
  });
  return found.toSorted((a, b) => ORDER.indexOf(a.finder) - ORDER.indexOf(b.finder))[0];
}

/** An invariant ends a run: what else was found in it may be its consequence. */
const ORDER: readonly Finder[] = ['product', 'history', 'direct', 'hang'];

function finderOf(check: CheckName, message: string): Finder | undefined {
  if (check === 'history/search-gave-up') return undefined;
  if (!isDirect(check)) return 'history';
  switch (CHECKS[check]) {
    case 'direct':
      return 'direct';
    case 'hang':
      return 'hang';
    case 'alarm':
      return 'product';
    case 'program':
      return isInvariant(message) ? 'product' : undefined;
    case 'itself':
      return undefined;
  }
}

function isDirect(check: CheckName): check is DirectCheck {
  return check in CHECKS;
}

function isInvariant(message: string): boolean {
  return message.includes('InvariantError');
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').slice(0, 240);
}
