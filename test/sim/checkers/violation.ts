// What a checker says when a history cannot be.

import type { Call } from '../history.ts';

export type Check =
  | 'malformed-answer'
  | 'unsent-record'
  | 'refused-append-appears'
  | 'record-at-two-places'
  | 'two-records-at-one-place'
  | 'read-gap'
  | 'split-batch'
  | 'session-order'
  | 'timestamp'
  | 'trimmed-record-returns'
  | 'trimmed-too-far'
  | 'lost-append'
  | 'stale-answer'
  | 'not-linearizable'
  | 'search-gave-up';

export interface Violation {
  /** Which check found it: a stable name, to shrink and to count by. */
  readonly check: Check;
  readonly stream: string;
  readonly message: string;
  /** The calls that contradict each other, as few as can be told. */
  readonly calls: readonly Call[];
}
