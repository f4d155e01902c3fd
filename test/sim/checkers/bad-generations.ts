// Bad histories of names that are deleted: what is trimmed and how records are stamped holds on one stream, and what was on one stream
// only an order of the calls can say.

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

export const BAD_GENERATIONS: readonly BadHistory[] = [
  {
    claim: 'trimmed records return to a bounded read, on a name that is deleted later',
    bad: [MADE, A, B, TRIMMED, shows(7, 11), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, B, TRIMMED, shows(5.5, 11), DELETED],
  },
  {
    claim: 'trimmed records return to a bounded read, on a name that was deleted before',
    bad: [call(0.1, 0.2, remove, { kind: 'deleted' }), call(0.3, 0.4, create, created), MADE, A, B, TRIMMED, shows(7, 11)],
    by: 'not-linearizable',
    good: [call(0.1, 0.2, remove, { kind: 'deleted' }), call(0.3, 0.4, create, created), MADE, A, B, TRIMMED, shows(5.5, 11)],
  },
  {
    claim: 'trimmed records return, and a deletion that may have happened explains nothing',
    bad: [MADE, A, B, TRIMMED, MAYBE_DELETED, MAYBE_AGAIN, shows(7, 11)],
    by: 'not-linearizable',
    // A new stream, on which the same number holds another record that nobody trimmed.
    good: [MADE, A, B, TRIMMED, MAYBE_DELETED, MAYBE_AGAIN, call(2.5, undefined, append([13])), shows(7, 13)],
  },
  {
    claim: 'a record comes back that a read did not show, on a name that is deleted later',
    bad: [MADE, A, B, UNSEEN, call(6, 7, read(0, { count: 1 }), gave(1, [12])), shows(8, 11), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, B, UNSEEN, call(6, 8.2, read(0, { count: 1 }), gave(1, [12])), shows(8, 11), DELETED],
  },
  {
    claim: 'a tailing read that was asked for after a trim shows what is trimmed, on a name that is deleted later',
    bad: [MADE, A, B, TRIMMED, call(7, 8, read(0, { follows: 1 }), gave(0, [11])), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, B, TRIMMED, call(5, 8, read(0, { follows: 1 }), gave(0, [11])), DELETED],
  },
  {
    claim: 'a tailing read that begins where the last one of its client ended shows the stream that was there before',
    bad: [
      ...[MADE, A, B, DELETED, AGAIN],
      { ...call(4.1, 4.2, read(0, { follows: 1 }), gave(0, [11])), client: 99 },
      { ...call(15, 16, read(1, { follows: 2 }), gave(1, [12])), client: 99 },
    ],
    by: 'not-linearizable',
    good: [
      ...[MADE, A, B, DELETED, AGAIN],
      { ...call(4.1, 4.2, read(0, { follows: 1 }), gave(0, [11])), client: 99 },
      { ...call(15, 16, read(1, { follows: 1 }), gave(1, [12])), client: 99 },
    ],
  },
  {
    claim: 'the timestamp at the tail goes back, on a name that is deleted later',
    bad: [MADE, A, call(2.1, 2.2, checkTail, tail(1, 9)), B, call(5, 6, checkTail, tail(2, 8)), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, call(2.1, 2.2, checkTail, tail(1, 9)), B, call(5, 6, checkTail, tail(2, 9)), DELETED],
  },
  {
    claim: 'the timestamp at one tail is another one the second time, on a name that was deleted',
    bad: [
      MADE,
      A,
      DELETED,
      AGAIN,
      call(15, 16, append([13]), acked(0)),
      call(17, 18, checkTail, tail(1, 5)),
      call(19, 20, checkTail, tail(1, 6)),
    ],
    by: 'not-linearizable',
    // One of the two saw the stream that is gone.
    good: [
      MADE,
      A,
      DELETED,
      AGAIN,
      call(15, 16, append([13]), acked(0)),
      call(3, 4, checkTail, tail(1, 5)),
      call(19, 20, checkTail, tail(1, 4)),
    ],
  },
  {
    claim: 'the timestamp at the tail is not the one with which the last record is read, on a name that is deleted later',
    bad: [MADE, A, call(3, 4, checkTail, tail(1, 9)), call(5, 6, read(0), gave(0, [stamped(0, 11, 7)])), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, call(3, 4, checkTail, tail(1, 7)), call(5, 6, read(0), gave(0, [stamped(0, 11, 7)])), DELETED],
  },
  {
    claim: 'the timestamp at the tail is below that of a record before it, on a name that is deleted later',
    bad: [MADE, A, B, call(5, 6, checkTail, tail(2, 6)), call(7, 8, read(0, { count: 1 }), gave(0, [stamped(0, 11, 7)])), DELETED],
    by: 'not-linearizable',
    good: [MADE, A, B, call(5, 6, checkTail, tail(2, 8)), call(7, 8, read(0, { count: 1 }), gave(0, [stamped(0, 11, 7)])), DELETED],
  },
];
