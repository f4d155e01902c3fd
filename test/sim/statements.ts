// Answers that nobody may give who has been replaced. (Records that a read gives may come from memory; the tail that it states may not.)

import type { Operation, Outcome } from './history.ts';

const STATEMENTS: ReadonlySet<Outcome['kind']> = new Set([
  'appended',
  'tail',
  'seq_num_mismatch',
  'fencing_token_mismatch',
  'range_not_satisfiable',
]);

/** Whether the answer says of the stream what only its owner can know, as of some moment of the call. */
export function isStatement(operation: Operation, outcome: Outcome): boolean {
  if (outcome.kind !== 'read' || operation.kind !== 'read') return STATEMENTS.has(outcome.kind);
  // A read that does not follow begins with a look at the tail. A batch of one that follows: its tail, a heartbeat, or the end.
  return operation.follows === undefined || outcome.tail !== undefined || outcome.records.length === 0;
}
