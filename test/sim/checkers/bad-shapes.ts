// More bad histories: of records that stand wrong, of trimming, and of names that come and go.

import { BAD_GENERATIONS } from './bad-generations.ts';
import { acked, append, type BadHistory, call, checkTail, create, failed, gave, read, remove, tail, unknown } from './calls.ts';

const A = call(1, 2, append([11]), acked(0));
const B = call(3, 4, append([12]), acked(1));
const F = call(1, 2, append([{ hash: 50, fence: 'x' }]), acked(0));
const PAIR = append([11, 12]);
const trim = (hash: number, upTo: number): { hash: number; trim: number } => ({ hash, trim: upTo });
const stamped = (seqNum: number, hash: number, timestamp: number) => ({ seqNum, hash, timestamp });
const notFound = { kind: 'stream_not_found' } as const;
const pending = { kind: 'stream_deletion_pending' } as const;
const created = { kind: 'created' } as const;

const SHAPES: readonly BadHistory[] = [
  {
    claim: 'records of one writer are reordered',
    bad: [A, B, call(5, 6, read(0), gave(0, [12, 11]))],
    by: 'two-records-at-one-place',
    good: [A, B, call(5, 6, read(0), gave(0, [11, 12]))],
  },
  {
    claim: 'an append stands before one that was acknowledged before it began',
    bad: [A, call(3, undefined, append([12])), call(5, 6, read(0), gave(0, [12, 11]))],
    by: 'two-records-at-one-place',
    good: [call(1, undefined, append([11])), call(3, undefined, append([12])), call(5, 6, read(0), gave(0, [12, 11]))],
  },
  {
    claim: 'a batch is there by half',
    bad: [call(1, undefined, PAIR), call(3, 4, read(0), gave(0, [11]))],
    by: 'split-batch',
    good: [call(1, undefined, PAIR), call(3, 4, read(0, { count: 1 }), gave(0, [11]))],
  },
  {
    claim: 'a batch is there with another record in its middle',
    bad: [call(1, undefined, PAIR), call(1, undefined, append([13])), call(3, 4, read(0), gave(0, [11, 13, 12]))],
    by: 'split-batch',
    good: [call(1, undefined, PAIR), call(1, undefined, append([13])), call(3, 4, read(0), gave(0, [13, 11, 12]))],
  },
  {
    claim: 'a tail lies in the middle of a batch',
    bad: [call(1, 4, PAIR, acked(0, 2)), call(2, 3, checkTail, tail(1))],
    by: 'split-batch',
    good: [call(1, 4, PAIR, acked(0, 2)), call(2, 3, checkTail, tail(2, 1))],
  },
  {
    claim: 'a read leaves out a record',
    bad: [A, B, call(5, 6, append([13]), acked(2)), call(7, 8, read(0), gave(0, [11, stamped(2, 13, 2)]))],
    by: 'read-gap',
    good: [A, B, call(5, 6, append([13]), acked(2)), call(7, 8, read(0), gave(0, [11, 12, 13]))],
  },
  {
    claim: 'a tailing read gives a record again',
    bad: [A, B, call(3, 4, read(0, { follows: 1 }), gave(0, [11])), call(5, 6, read(1, { follows: 1 }), gave(0, [11, 12]))],
    by: 'read-gap',
    good: [A, B, call(3, 4, read(0, { follows: 1 }), gave(0, [11])), call(5, 6, read(1, { follows: 1 }), gave(1, [12]))],
  },
  {
    claim: 'a tailing read at the tail names an old tail',
    bad: [A, B, call(5, 6, read(1, { follows: 1 }), gave(1, [], 1))],
    by: 'stale-answer',
    good: [A, B, call(5, 6, read(2, { follows: 1 }), gave(2, [], 2))],
  },
  {
    claim: 'a clamped read starts below the tail',
    bad: [A, B, call(5, 9, read(5, { clamp: true }), gave(1, [12, 13])), call(6, 7, append([13]), acked(2))],
    by: 'not-linearizable',
    good: [A, B, call(5, 9, read(5, { clamp: true }), gave(2, [13])), call(6, 7, append([13]), acked(2))],
  },
  {
    claim: 'a timestamp goes back',
    bad: [A, B, call(5, 6, read(0), gave(0, [stamped(0, 11, 7), stamped(1, 12, 6)]))],
    by: 'timestamp',
    good: [A, B, call(5, 6, read(0), gave(0, [stamped(0, 11, 7), stamped(1, 12, 7)]))],
  },
  {
    claim: 'a timestamp is another one the second time',
    bad: [A, call(3, 4, read(0), gave(0, [11])), call(5, 6, read(0), gave(0, [stamped(0, 11, 9)]))],
    by: 'timestamp',
    good: [A, call(3, 4, read(0), gave(0, [11])), call(5, 6, read(0), gave(0, [stamped(0, 11, 0)]))],
  },
  {
    claim: 'a tail has another timestamp than its last record',
    bad: [A, call(3, 4, read(0), gave(0, [11])), call(5, 6, checkTail, tail(1, 9))],
    by: 'timestamp',
    good: [A, call(3, 4, read(0), gave(0, [11])), call(5, 6, checkTail, tail(1, 0))],
  },
];

const lateTrim = call(5, undefined, append([trim(60, 1)]));
const lateTrim2 = call(5, undefined, append([trim(60, 2)]));
const trimmedBoth = call(5, 6, append([trim(60, 2)]), acked(2));
const trimmedAll = [A, call(3, 4, append([trim(60, 9)]), acked(1)), call(5, 6, append([12]), acked(2))];

const TRIMMED: readonly BadHistory[] = [
  {
    claim: 'a trimmed record is read after the trim was acknowledged',
    bad: [A, B, call(5, 6, append([trim(60, 2)]), acked(2)), call(7, 8, read(0), gave(0, [11, 12, 60]))],
    by: 'trimmed-record-returns',
    good: [A, B, call(5, 6, append([trim(60, 2)]), acked(2)), call(7, 8, read(0), gave(2, [60]))],
  },
  {
    claim: 'a trimmed record comes back',
    bad: [A, B, lateTrim, call(6, 7, read(0), gave(1, [12, 60])), call(8, 9, read(0), gave(0, [11, 12, 60]))],
    by: 'trimmed-record-returns',
    good: [A, B, lateTrim, call(6, 7, read(0), gave(0, [11, 12, 60])), call(8, 9, read(0), gave(1, [12, 60]))],
  },
  {
    claim: 'more is trimmed than was asked for',
    bad: [A, B, call(5, 6, append([trim(60, 1)]), acked(2)), call(7, 8, read(0), gave(2, [60]))],
    by: 'trimmed-too-far',
    good: [A, B, call(5, 6, append([trim(60, 1)]), acked(2)), call(7, 8, read(0), gave(1, [12, 60]))],
  },
  {
    claim: 'a record comes back that was trimmed while another read went on',
    bad: [A, B, lateTrim2, call(6, 7, read(0), gave(0, [11, stamped(2, 60, 2)])), call(8, 9, read(0), gave(1, [12, 60]))],
    by: 'trimmed-record-returns',
    good: [A, B, lateTrim2, call(6, 7, read(0), gave(0, [11, stamped(2, 60, 2)])), call(8, 9, read(0), gave(2, [60]))],
  },
  {
    claim: 'a tailing read that was asked for after a trim shows what is trimmed',
    bad: [A, B, trimmedBoth, call(7, 8, read(0, { follows: 1 }), gave(0, [11])), call(9, 10, read(1, { follows: 1 }), gave(1, [12, 60]))],
    by: 'trimmed-record-returns',
    // Its first batch was asked for while the trim was under way: the owner that serves it may have read all of this by then.
    good: [A, B, trimmedBoth, call(5, 8, read(0, { follows: 1 }), gave(0, [11])), call(9, 10, read(1, { follows: 1 }), gave(1, [12, 60]))],
  },
  {
    claim: 'records are missing at the front that nobody trimmed',
    bad: [A, B, call(5, 6, read(0), gave(1, [12]))],
    by: 'read-gap',
    good: [A, B, call(5, 6, read(1), gave(1, [12]))],
  },
  {
    claim: 'a trim reaches beyond its own record',
    bad: [...trimmedAll, call(7, 8, read(0), gave(3, []))],
    by: 'not-linearizable',
    good: [...trimmedAll, call(7, 8, read(0), gave(2, [12]))],
  },
];

const MADE = call(0, 0.5, create, created);
const GONE = call(5, 6, remove, { kind: 'deleted' });
const AGAIN = call(7, 8, create, created);
/** By one client: its second batch comes late. */
const followed = [
  { ...call(4.1, 4.2, read(0, { follows: 1 }), gave(0, [11])), client: 99 },
  { ...call(9, 10, read(1, { follows: 1 }), gave(1, [12])), client: 99 },
];
const removeIfEmpty = call(3, undefined, { kind: 'delete', stream: 'orders', ifEmpty: true });

const NAMES: readonly BadHistory[] = [
  {
    claim: 'a deleted name shows old records',
    bad: [MADE, A, GONE, AGAIN, call(9, 10, read(0), gave(0, [11]))],
    by: 'not-linearizable',
    good: [MADE, A, GONE, AGAIN, call(9, 10, read(0), { kind: 'range_not_satisfiable', tail: 0 })],
  },
  {
    claim: 'a tailing read that begins on a new stream shows the old one',
    bad: [MADE, A, B, GONE, AGAIN, call(9, 10, read(0, { follows: 1 }), gave(0, [11]))],
    by: 'not-linearizable',
    good: [MADE, A, B, GONE, AGAIN, ...followed],
  },
  {
    claim: 'an append is acknowledged on a deleted name',
    bad: [MADE, A, GONE, call(7, 8, append([12]), acked(1))],
    by: 'not-linearizable',
    good: [MADE, A, GONE, call(7, 8, append([12]), pending)],
  },
  {
    claim: 'a name that was made is not found',
    bad: [MADE, call(1, 2, checkTail, notFound)],
    by: 'not-linearizable',
    good: [MADE, call(0.2, 2, checkTail, notFound)],
  },
  {
    claim: 'a name is being deleted that nobody deletes',
    bad: [MADE, call(1, 2, checkTail, pending)],
    by: 'not-linearizable',
    good: [MADE, call(1, undefined, remove), call(1, 2, checkTail, pending)],
  },
  {
    claim: 'a name that is free again is still being deleted',
    bad: [MADE, GONE, call(7, 8, checkTail, notFound), call(9, 10, checkTail, pending)],
    by: 'not-linearizable',
    good: [MADE, GONE, call(7, 8, checkTail, pending), call(9, 10, checkTail, notFound)],
  },
  {
    claim: 'a name is made twice',
    bad: [MADE, call(1, 2, create, created)],
    by: 'not-linearizable',
    good: [MADE, call(1, 2, create, { kind: 'resource_already_exists' })],
  },
  {
    claim: 'a timestamp changes on a name that is deleted later',
    bad: [
      MADE,
      A,
      B,
      GONE,
      call(4.2, 4.4, read(0), gave(0, [11, 12])),
      call(4.6, 4.8, read(0, { count: 1 }), gave(0, [stamped(0, 11, 1)])),
    ],
    by: 'timestamp',
    good: [
      MADE,
      A,
      B,
      GONE,
      call(4.2, 4.4, read(0), gave(0, [11, 12])),
      call(4.6, 4.8, read(0, { count: 1 }), gave(0, [stamped(0, 11, 0)])),
    ],
  },
  {
    claim: 'a new stream keeps the fence of the old one',
    bad: [MADE, F, GONE, AGAIN, call(9, 10, append([11], { fencingToken: '' }), { kind: 'fencing_token_mismatch', token: 'x' })],
    by: 'not-linearizable',
    good: [MADE, F, GONE, AGAIN, call(9, 10, append([11], { fencingToken: '' }), acked(0))],
  },
  {
    claim: 'a stream that holds records is deleted as empty',
    bad: [MADE, A, removeIfEmpty, call(7, 8, checkTail, pending)],
    by: 'not-linearizable',
    good: [MADE, call(1, 2, append([trim(60, 9)]), acked(0)), removeIfEmpty, call(7, 8, checkTail, pending)],
  },
];

const atTail = { kind: 'read', records: [], tail: 2 } as const;
const inSession = (hash: number) => append([hash], { session: 1 });

const ANSWERS: readonly BadHistory[] = [
  {
    claim: 'a read gives more than was asked for',
    bad: [A, B, call(5, 6, read(0, { count: 1 }), gave(0, [11, 12]))],
    by: 'malformed-answer',
    good: [A, B, call(5, 6, read(0, { count: 2 }), gave(0, [11, 12]))],
  },
  {
    claim: 'a tailing read names a tail below its own records',
    bad: [A, call(3, 6, append([12]), acked(1)), call(4, 5, read(0, { follows: 1 }), gave(0, [11, 12], 1))],
    by: 'malformed-answer',
    good: [A, call(3, 6, append([12]), acked(1)), call(4, 5, read(0, { follows: 1 }), gave(0, [11, 12], 2))],
  },
  {
    claim: 'an acknowledgement names another timestamp than a read',
    bad: [call(1, 2, append([11]), { kind: 'appended', start: 0, end: 1, tail: 1, stamps: [5, 5] }), call(3, 4, read(0), gave(0, [11]))],
    by: 'timestamp',
    good: [call(1, 2, append([11]), { kind: 'appended', start: 0, end: 1, tail: 1, stamps: [0, 0] }), call(3, 4, read(0), gave(0, [11]))],
  },
  {
    claim: 'a tailing read names a tail with an old timestamp',
    bad: [A, B, call(5, 6, read(0), gave(0, [11, 12])), call(7, 8, read(2, { follows: 1 }), { ...atTail, timestamp: 0 })],
    by: 'timestamp',
    good: [A, B, call(5, 6, read(0), gave(0, [11, 12])), call(7, 8, read(2, { follows: 1 }), { ...atTail, timestamp: 1 })],
  },
  {
    claim: 'a session changes the order of its batches',
    bad: [call(1, 5, inSession(11), acked(1)), call(2, 6, inSession(12), acked(0))],
    by: 'session-order',
    good: [call(1, 5, inSession(11), acked(0)), call(2, 6, inSession(12), acked(1))],
  },
  {
    claim: 'a session changes the order of batches that were not acknowledged',
    bad: [call(1, 5, inSession(11), unknown), call(2, 6, inSession(12), unknown), call(7, 8, read(0), gave(0, [12, 11]))],
    by: 'session-order',
    good: [call(1, 5, inSession(11), unknown), call(2, 6, inSession(12), unknown), call(7, 8, read(0), gave(0, [11, 12]))],
  },
  {
    claim: 'a batch of a session appears behind one that was refused',
    bad: [call(1, 5, inSession(11), failed), call(2, 6, inSession(12), unknown), call(7, 8, read(0), gave(0, [12]))],
    by: 'session-order',
    good: [call(1, 5, inSession(11), unknown), call(2, 6, inSession(12), failed), call(7, 8, read(0), gave(0, [11]))],
  },
];

export const BAD_SHAPES: readonly BadHistory[] = [...SHAPES, ...ANSWERS, ...TRIMMED, ...NAMES, ...BAD_GENERATIONS];
