// Bad histories of names that are deleted: what is trimmed and how records are stamped holds on one stream, and what was on one stream
// only an order of the calls can say.

import type { Call } from '../history.ts';
import { acked, append, type BadHistory, call, checkTail, create, gave, read, remove, tail } from './calls.ts';

const created = { kind: 'created' } as const;
const MADE = call(0, 0.5, create, created);
const A = call(1, 2, append([11]), acked(0));
const B = call(3, 4, append([12]), acked(1));
const trim = (hash: number, upTo: number): { hash: number; trim: number } => ({ hash, trim: upTo });
const stamped = (seqNum: number, hash: number, timestamp: number) => ({ seqNum, hash, timestamp });
const TRIMMED = call(5, 6, append([trim(60, 2)]), acked(2));
/** Nobody was told of it, and nobody sees its record. */
const UNSEEN = call(5, undefined, append([trim(60, 1)]));
const DELETED = call(11, 12, remove, { kind: 'deleted' });
const AGAIN = call(13, 14, create, created);
/** It may take effect at any time from its beginning on, or never. */
const MAYBE_DELETED = call(2.5, undefined, remove);
const MAYBE_AGAIN = call(2.5, undefined, create);
const shows = (began: number, ...records: readonly number[]) =>
  call(began, began + 0.5, read(0, { count: records.length }), gave(0, records));

/** Two histories that differ in some calls: with `bad` in the middle no order explains them, with `good` one does. */
function differing(
  claim: string,
  before: readonly Call[],
  bad: readonly Call[],
  good: readonly Call[],
  after: readonly Call[],
): BadHistory {
  return { claim, bad: [...before, ...bad, ...after], by: 'not-linearizable', good: [...before, ...good, ...after] };
}

const TWO = [MADE, A, B];
const REMADE_BEFORE = [call(0.1, 0.2, remove, { kind: 'deleted' }), call(0.3, 0.4, create, created)];
const FIRST_FOLLOWED = { ...call(4.1, 4.2, read(0, { follows: 1 }), gave(0, [11])), client: 99 };
const followedOn = (count: number) => ({ ...call(15, 16, read(1, { follows: count }), gave(1, [12])), client: 99 });
const followed = (began: number) => call(began, 8, read(0, { follows: 1 }), gave(0, [11]));
const hidden = (ended: number) => call(6, ended, read(0, { count: 1 }), gave(1, [12]));
const told = (began: number, seqNum: number, timestamp: number) => call(began, began + 1, checkTail, tail(seqNum, timestamp));
const SHOWN_AT_7 = gave(0, [stamped(0, 11, 7)]);

export const BAD_GENERATIONS: readonly BadHistory[] = [
  differing(
    'trimmed records return to a bounded read, on a name that is deleted later',
    [...TWO, TRIMMED],
    [shows(7, 11)],
    [shows(5.5, 11)],
    [DELETED],
  ),
  differing(
    'trimmed records return to a bounded read, on a name that was deleted before',
    [...REMADE_BEFORE, ...TWO, TRIMMED],
    [shows(7, 11)],
    [shows(5.5, 11)],
    [],
  ),
  differing(
    'trimmed records return, and a deletion that may have happened explains nothing',
    [...TWO, TRIMMED, MAYBE_DELETED, MAYBE_AGAIN],
    [shows(7, 11)],
    // A new stream, on which the same number holds another record that nobody trimmed.
    [call(2.5, undefined, append([13])), shows(7, 13)],
    [],
  ),
  differing(
    'a record comes back that a read did not show, on a name that is deleted later',
    [...TWO, UNSEEN],
    [hidden(7)],
    [hidden(8.2)],
    [shows(8, 11), DELETED],
  ),
  differing(
    'a tailing read that was asked for after a trim shows what is trimmed, on a name that is deleted later',
    [...TWO, TRIMMED],
    [followed(7)],
    [followed(5)],
    [DELETED],
  ),
  differing(
    'a tailing read that begins where the last one of its client ended shows the stream that was there before',
    [...TWO, DELETED, AGAIN, FIRST_FOLLOWED],
    [followedOn(2)],
    [followedOn(1)],
    [],
  ),
  differing(
    'the timestamp at the tail goes back, on a name that is deleted later',
    [MADE, A, call(2.1, 2.2, checkTail, tail(1, 9)), B],
    [told(5, 2, 8)],
    [told(5, 2, 9)],
    [DELETED],
  ),
  differing(
    'the timestamp at one tail is another one the second time, on a name that was deleted',
    [MADE, A, DELETED, AGAIN, call(15, 16, append([13]), acked(0))],
    [told(17, 1, 5), told(19, 1, 6)],
    // One of the two saw the stream that is gone.
    [told(3, 1, 5), told(19, 1, 4)],
    [],
  ),
  differing(
    'the timestamp at the tail is not the one with which the last record is read, on a name that is deleted later',
    [MADE, A],
    [told(3, 1, 9)],
    [told(3, 1, 7)],
    [call(5, 6, read(0), SHOWN_AT_7), DELETED],
  ),
  differing(
    'the timestamp at the tail is below that of a record before it, on a name that is deleted later',
    TWO,
    [told(5, 2, 6)],
    [told(5, 2, 8)],
    [call(7, 8, read(0, { count: 1 }), SHOWN_AT_7), DELETED],
  ),
];
