// The tail that an answer states, as it was at some point of the call.

import type { Call } from '../history.ts';
import { isUnknown, type ReadCall } from './stream-calls.ts';

/** Where the answer names it. */
export function statedTail(call: Call): number | undefined {
  const { outcome } = call;
  if (outcome === undefined || isUnknown(call)) return undefined;
  return 'tail' in outcome ? outcome.tail : undefined;
}

/** Where a read ended that had room for more; undefined when that says nothing. */
export function impliedTail({ outcome, isCut, end }: ReadCall): number | undefined {
  return outcome.tail ?? (isCut || outcome.records.length === 0 ? undefined : end);
}
