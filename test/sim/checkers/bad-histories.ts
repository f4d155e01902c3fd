// Histories that must be rejected, each beside a twin that differs as little as can be and must be accepted.

import { BAD_SHAPES } from './bad-shapes.ts';
import { acked, append, type BadHistory, call, checkTail, failed, gave, read, tail, unknown } from './calls.ts';

const A = call(1, 2, append([11]), acked(0));
const B = call(3, 4, append([12]), acked(1));
const PAIR = append([11, 12]);
const fence = (hash: number, token: string): { hash: number; fence: string } => ({ hash, fence: token });
const mismatch = (at: number) => ({ kind: 'seq_num_mismatch', tail: at }) as const;
const fenced = (token: string) => ({ kind: 'fencing_token_mismatch', token }) as const;

const LOST: readonly BadHistory[] = [
  {
    claim: 'an acknowledged append is lost',
    bad: [A, B, call(5, 6, read(0), gave(0, [11]))],
    by: 'lost-append',
    good: [A, B, call(5, 6, read(0), gave(0, [11, 12]))],
  },
  {
    claim: 'an acknowledged append is lost, and another takes its place',
    bad: [A, B, call(5, undefined, append([13])), call(7, 8, read(0), gave(0, [11, 13]))],
    by: 'two-records-at-one-place',
    good: [A, B, call(5, undefined, append([13])), call(7, 8, read(0), gave(0, [11, 12, 13]))],
  },
  {
    claim: 'an acknowledged append stands twice after a retry',
    bad: [A, B, call(5, 6, read(0), gave(0, [11, 12, 12]))],
    by: 'record-at-two-places',
    good: [A, B, call(3, undefined, append([13])), call(5, 6, read(0), gave(0, [11, 12, 13]))],
  },
  {
    claim: 'two appends are acknowledged at one sequence number',
    bad: [A, call(1, 3, append([12]), acked(0))],
    by: 'two-records-at-one-place',
    good: [A, call(1, 3, append([12]), acked(1))],
  },
  {
    claim: 'an append is acknowledged as longer than it is',
    bad: [call(1, 2, append([11]), acked(0, 2))],
    by: 'malformed-answer',
    good: [call(1, 2, PAIR, acked(0, 2))],
  },
  {
    claim: 'the bytes of a record change',
    bad: [A, call(3, 4, read(0), gave(0, [99]))],
    by: 'unsent-record',
    good: [A, call(3, 4, read(0), gave(0, [11]))],
  },
  {
    claim: 'a record is read as another one the second time',
    bad: [
      call(1, undefined, append([11])),
      call(1, undefined, append([12])),
      call(3, 4, read(0), gave(0, [11])),
      call(5, 6, read(0), gave(0, [12, 11])),
    ],
    by: 'two-records-at-one-place',
    good: [
      call(1, undefined, append([11])),
      call(1, undefined, append([12])),
      call(3, 4, read(0), gave(0, [11])),
      call(5, 6, read(0), gave(0, [11, 12])),
    ],
  },
  {
    claim: 'a refused append appears',
    bad: [A, call(3, 4, append([12]), failed), call(5, 6, read(0), gave(0, [11, 12]))],
    by: 'refused-append-appears',
    good: [A, call(3, 4, append([12]), unknown), call(5, 6, read(0), gave(0, [11, 12]))],
  },
  {
    claim: 'an append whose condition failed appears',
    bad: [A, call(3, 4, append([12], { matchSeqNum: 0 }), mismatch(1)), call(5, 6, read(0), gave(0, [11, 12]))],
    by: 'refused-append-appears',
    good: [A, call(3, 4, append([12], { matchSeqNum: 0 }), mismatch(1)), call(5, 6, read(0), gave(0, [11]))],
  },
  {
    claim: 'a record appears that nobody sent',
    bad: [A, call(3, 4, read(0), gave(0, [11, 12]))],
    by: 'unsent-record',
    good: [A, call(3, undefined, append([12])), call(3, 4, read(0), gave(0, [11, 12]))],
  },
];

const STALE: readonly BadHistory[] = [
  {
    claim: 'a tail is older than an acknowledgement before it',
    bad: [A, B, call(5, 6, checkTail, tail(1))],
    by: 'stale-answer',
    good: [A, B, call(4, 6, checkTail, tail(1))],
  },
  {
    claim: 'a read is older than a read before it',
    bad: [A, call(3, undefined, append([12])), call(4, 5, read(0), gave(0, [11, 12])), call(6, 7, read(0), gave(0, [11]))],
    by: 'stale-answer',
    good: [A, call(3, undefined, append([12])), call(4, 5, read(0), gave(0, [11])), call(6, 7, read(0), gave(0, [11, 12]))],
  },
  {
    claim: 'a tail is ahead of all that was sent',
    bad: [A, call(3, 4, checkTail, tail(2))],
    by: 'not-linearizable',
    good: [A, call(3, undefined, append([12])), call(3, 4, checkTail, tail(2))],
  },
  {
    claim: 'an append takes effect before it was called',
    bad: [A, call(3, 4, checkTail, tail(2)), call(5, 6, append([12]), acked(1))],
    by: 'stale-answer',
    good: [A, call(3, 5, checkTail, tail(2)), call(5, 6, append([12]), acked(1))],
  },
  {
    claim: 'a refused condition names a wrong tail',
    bad: [A, B, call(5, 6, append([13], { matchSeqNum: 5 }), mismatch(1))],
    by: 'stale-answer',
    good: [A, B, call(5, 6, append([13], { matchSeqNum: 5 }), mismatch(2))],
  },
  {
    claim: 'a condition is refused that holds',
    bad: [A, call(3, 4, append([13], { matchSeqNum: 1 }), mismatch(1))],
    by: 'not-linearizable',
    good: [A, call(3, 4, append([13], { matchSeqNum: 0 }), mismatch(1))],
  },
  {
    claim: 'a condition is passed over',
    bad: [A, call(3, 4, append([12], { matchSeqNum: 0 }), acked(1))],
    by: 'not-linearizable',
    good: [A, call(3, 4, append([12], { matchSeqNum: 1 }), acked(1))],
  },
  {
    claim: 'a refused condition tells of an append that is then lost',
    bad: [
      A,
      call(3, undefined, append([12])),
      call(4, 5, append([13], { matchSeqNum: 1 }), mismatch(2)),
      call(6, 7, append([14]), acked(1)),
    ],
    by: 'stale-answer',
    good: [
      A,
      call(3, undefined, append([12])),
      call(4, 5, append([13], { matchSeqNum: 1 }), mismatch(2)),
      call(6, 7, append([14]), acked(2)),
    ],
  },
  {
    claim: 'a range is refused below the tail',
    bad: [A, B, call(5, 6, read(1), { kind: 'range_not_satisfiable', tail: 1 })],
    by: 'stale-answer',
    good: [A, B, call(5, 6, read(2), { kind: 'range_not_satisfiable', tail: 2 })],
  },
  {
    claim: 'the tail of an acknowledgement lies beyond all that was sent',
    bad: [call(1, 2, append([11]), acked(0, 1, 2)), call(3, 4, append([12]), acked(1))],
    by: 'stale-answer',
    good: [call(1, 3, append([11]), acked(0, 1, 2)), call(3, 4, append([12]), acked(1))],
  },
  {
    claim: 'two conditional appends win the same sequence number',
    bad: [
      call(1, 9, append([11], { matchSeqNum: 0 }), acked(0)),
      call(1, undefined, append([12], { matchSeqNum: 0 })),
      call(5, 9, read(0), gave(0, [11, 12])),
    ],
    by: 'not-linearizable',
    good: [
      call(1, 9, append([11], { matchSeqNum: 0 }), acked(0)),
      call(1, undefined, append([12], { matchSeqNum: 1 })),
      call(5, 9, read(0), gave(0, [11, 12])),
    ],
  },
];

const F = call(1, 2, append([fence(50, 'x')]), acked(0));

const FENCED: readonly BadHistory[] = [
  {
    claim: 'a fence is ignored',
    bad: [F, call(3, 4, append([11], { fencingToken: '' }), acked(1))],
    by: 'not-linearizable',
    good: [F, call(3, 4, append([11], { fencingToken: 'x' }), acked(1))],
  },
  {
    claim: 'a fence is told of before its append was called',
    bad: [call(1, 2, append([11], { fencingToken: '' }), fenced('x')), call(3, 4, append([fence(50, 'x')]), acked(0))],
    by: 'not-linearizable',
    good: [call(1, 3, append([11], { fencingToken: '' }), fenced('x')), call(3, 4, append([fence(50, 'x')]), acked(0))],
  },
  {
    claim: 'a fence is told of whose append is then lost',
    bad: [
      call(1, undefined, append([fence(50, 'x')])),
      call(2, 3, append([11], { fencingToken: '' }), fenced('x')),
      call(4, 5, append([12]), acked(0)),
    ],
    by: 'not-linearizable',
    good: [
      call(1, undefined, append([fence(50, 'x')])),
      call(2, 3, append([11], { fencingToken: '' }), fenced('x')),
      call(4, 5, append([12]), acked(1)),
    ],
  },
  {
    claim: 'a fence is forgotten',
    bad: [F, call(3, 4, append([11], { fencingToken: 'y' }), fenced(''))],
    by: 'not-linearizable',
    good: [F, call(3, 4, append([11], { fencingToken: 'y' }), fenced('x'))],
  },
  {
    claim: 'a fence of a batch counts for the batch itself',
    bad: [F, call(3, 4, append([fence(51, 'y'), 11], { fencingToken: 'y' }), acked(1, 2))],
    by: 'not-linearizable',
    good: [F, call(3, 4, append([fence(51, 'y'), 11], { fencingToken: 'x' }), acked(1, 2))],
  },
  {
    claim: 'a wrong sequence number is told where the token is wrong, too',
    bad: [F, call(3, 4, append([11], { fencingToken: '', matchSeqNum: 5 }), mismatch(1))],
    by: 'not-linearizable',
    good: [F, call(3, 4, append([11], { fencingToken: '', matchSeqNum: 5 }), fenced('x'))],
  },
];

export const BAD_HISTORIES: readonly BadHistory[] = [...LOST, ...STALE, ...FENCED, ...BAD_SHAPES];
