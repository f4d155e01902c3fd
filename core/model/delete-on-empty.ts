// When a stream deletes itself. Pure: facts in, a decision out. (S2 v1 API, section 5.5.)
//
// jobs/ looks with what metadata says, for streams that are worth a question; the owner of the channel decides, with what it knows.
//
//   D1  A stream deletes itself only while its configuration says so: a minimum age above zero, and retention by age.
//   D2  Only while nothing of it is readable: all that was ever appended is trimmed.
//   D3  Only once its last record, or its creation where that came later, lies the minimum age behind on any wall clock that owners
//       may have: never early, however they differ within their bound.

import type { SeqNum } from './ids.ts';
import { deletesItself, milliseconds, type StreamConfig } from './stream-config.ts';

/** What decides, beside the configuration. */
export interface Emptiness {
  readonly tail: SeqNum;
  readonly trimPoint: SeqNum;
  /** When the last record arrived, by the wall clock of the owner at the time; undefined: no record, or not on record. */
  readonly lastArrival?: number | undefined;
}

/** @param createdAt and `now`: milliseconds since 1970, by wall clocks that differ by at most `clockErrorMs`. */
export function isDueToDeleteItself(facts: Emptiness, config: StreamConfig, createdAt: number, now: number, clockErrorMs: number): boolean {
  if (!deletesItself(config) || facts.trimPoint < facts.tail) return false;
  if (facts.tail > 0 && facts.lastArrival === undefined) return false;
  const since = Math.max(createdAt, facts.lastArrival ?? 0);
  return now - since >= milliseconds(config.deleteOnEmptyMinAgeSecs) + clockErrorMs;
}
