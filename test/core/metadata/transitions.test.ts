import { describe, expect, test } from 'vitest';
import { NOBODY } from '#core/metadata/codec.ts';
import type { ChannelState, StreamState } from '#core/metadata/schema.ts';
import { NEW_STREAM_STATE } from '#core/metadata/segment-index.ts';
import {
  type ChannelMove,
  checkChannel,
  checkObject,
  checkRenewal,
  checkRow,
  checkRowAdded,
  checkRowsReplaced,
  checkRowUnlinked,
  checkState,
  checkStream,
} from '#core/metadata/transitions.ts';
import { epoch, position, seqNum, streamId, streamletNumber, zoneId } from '#core/model/ids.ts';
import { CHANNEL, CONFIG, nonce, row } from './support.ts';

const ZONES = [zoneId('a')];
const log = (e: number, base: number, end?: number) => ({
  epoch: epoch(e),
  base: position(base),
  zones: ZONES,
  ...(end === undefined ? {} : { end: position(end), sealedAt: position(end) }),
});
const pending = (e: number, from: number, to: number) => ({ object: 'o', epoch: epoch(e), from: position(from), to: position(to) });

const ACTIVE: ChannelState = {
  channel: CHANNEL,
  version: 10,
  epoch: epoch(3),
  owner: nonce(3),
  leaseCounter: 5,
  leaseMs: 1_000,
  state: 'active',
  logs: [log(2, 4, 6), log(3, 0)],
};
const RECOVERING: ChannelState = { ...ACTIVE, epoch: epoch(4), owner: nonce(4), state: 'recovering' };
const OFFLOADED: ChannelState = { ...ACTIVE, logs: [log(2, 6, 6), log(3, 0)] };
const PENDING: ChannelState = { ...ACTIVE, pending: pending(2, 4, 6) };
const next = (state: ChannelState, changes: Partial<ChannelState>): ChannelState => ({ ...state, version: state.version + 1, ...changes });
const PUBLISHED = next(RECOVERING, { state: 'active', logs: [log(2, 4, 6), log(3, 0, 2), log(4, 0)] });

describe('checkChannel', () => {
  const allowed: readonly [string, ChannelMove, ChannelState, ChannelState][] = [
    ['a claim', 'claim', ACTIVE, next(ACTIVE, { epoch: epoch(4), owner: nonce(4), state: 'recovering' })],
    ['a claim while another recovers', 'claim', RECOVERING, next(RECOVERING, { epoch: epoch(5), owner: nonce(5) })],
    ['a publish', 'publish', RECOVERING, PUBLISHED],
    ['naming from base of the oldest log', 'name', ACTIVE, next(ACTIVE, { pending: pending(2, 4, 6) })],
    ['naming from the open log once the older is offloaded', 'name', OFFLOADED, next(OFFLOADED, { pending: pending(3, 0, 9) })],
    ['a drop', 'drop', OFFLOADED, next(OFFLOADED, { logs: [log(3, 0)] })],
    ['a bump', 'bump', PENDING, next(PENDING, {})],
  ];
  test.each(allowed)('takes %s', (_title, move, current, candidate) => {
    expect(() => checkChannel(current, candidate, move)).not.toThrow();
  });

  const { pending: _, ...cleared } = PENDING;
  const refusals: readonly [id: string, title: string, ChannelMove, ChannelState, ChannelState][] = [
    ['M1', 'a version that stands still', 'bump', ACTIVE, ACTIVE],
    ['M1', 'a version that jumps', 'bump', ACTIVE, next(ACTIVE, { version: 12 })],
    ['M1', 'a lease counter that goes back', 'bump', ACTIVE, next(ACTIVE, { leaseCounter: 4 })],
    ['M1', 'a bump while nobody is active', 'bump', RECOVERING, next(RECOVERING, {})],
    ['M2', 'an epoch that goes back', 'bump', ACTIVE, next(ACTIVE, { epoch: epoch(2) })],
    ['M2', 'a claim of the same epoch', 'claim', ACTIVE, next(ACTIVE, { owner: nonce(4), state: 'recovering' })],
    ['M2', 'a claim with the nonce of the owner', 'claim', ACTIVE, next(ACTIVE, { epoch: epoch(4), state: 'recovering' })],
    ['M2', 'a claim that is active at once', 'claim', ACTIVE, next(ACTIVE, { epoch: epoch(4), owner: nonce(4) })],
    ['M2', 'another owner without a claim', 'bump', ACTIVE, next(ACTIVE, { owner: NOBODY })],
    ['M3', 'base that goes back', 'finish', PENDING, next(cleared, { logs: [log(2, 3, 6), log(3, 0)] })],
    ['M3', 'base that moves with nothing pending', 'bump', ACTIVE, next(ACTIVE, { logs: [log(2, 5, 6), log(3, 0)] })],
    ['M3', 'base that moves to another place than the pending end', 'finish', PENDING, next(cleared, { logs: [log(2, 5, 6), log(3, 0)] })],
    ['M3', 'a finish that does not move base', 'finish', PENDING, next(cleared, {})],
    ['M4', 'a closed log whose end changes', 'bump', ACTIVE, next(ACTIVE, { logs: [log(2, 4, 7), log(3, 0)] })],
    ['M4', 'a closed log that is opened again', 'bump', ACTIVE, next(ACTIVE, { logs: [log(2, 4), log(3, 0)] })],
    [
      'M4',
      'a publish that leaves the old log open',
      'publish',
      RECOVERING,
      next(RECOVERING, { state: 'active', logs: [log(3, 0), log(4, 0)] }),
    ],
    [
      'M4',
      'an end below what is pending',
      'publish',
      { ...RECOVERING, logs: [log(3, 0)], pending: pending(3, 0, 5) },
      next(RECOVERING, { state: 'active', logs: [log(3, 0, 4), log(4, 0)], pending: pending(3, 0, 5) }),
    ],
    ['M5', 'a publish that opens no log', 'publish', RECOVERING, next(RECOVERING, { state: 'active' })],
    [
      'M5',
      'a publish that opens the log of another epoch',
      'publish',
      { ...RECOVERING, logs: [] },
      next(RECOVERING, { state: 'active', logs: [log(3, 0)] }),
    ],
    ['M5', 'a log that starts above 0', 'publish', { ...RECOVERING, logs: [] }, next(RECOVERING, { state: 'active', logs: [log(4, 1)] })],
    ['M5', 'a publish of what is active already', 'publish', { ...PUBLISHED, logs: [] }, next(PUBLISHED, { logs: [log(4, 0)] })],
    ['M5', 'a drop of a log that is not offloaded', 'drop', ACTIVE, next(ACTIVE, { logs: [log(3, 0)] })],
    ['M5', 'a drop of the open log', 'drop', OFFLOADED, next(OFFLOADED, { logs: [log(2, 6, 6)] })],
    ['M5', 'zones of a log that change', 'bump', ACTIVE, next(ACTIVE, { logs: [log(2, 4, 6), { ...log(3, 0), zones: [zoneId('b')] }] })],
    ['M6', 'a second pending offload', 'name', PENDING, next(PENDING, { pending: { ...pending(2, 4, 5), object: 'p' } })],
    ['M6', 'an offload that does not start at base', 'name', ACTIVE, next(ACTIVE, { pending: pending(2, 5, 6) })],
    ['M6', 'an offload that passes over an older log', 'name', ACTIVE, next(ACTIVE, { pending: pending(3, 0, 1) })],
    ['M6', 'an offload beyond the end of a closed log', 'name', ACTIVE, next(ACTIVE, { pending: pending(2, 4, 7) })],
    ['M6', 'an offload of nothing', 'name', ACTIVE, next(ACTIVE, { pending: pending(2, 4, 4) })],
    ['M6', 'an offload while recovering', 'name', RECOVERING, next(RECOVERING, { pending: pending(2, 4, 6) })],
    [
      'M6',
      'a finish while recovering',
      'finish',
      { ...RECOVERING, pending: pending(2, 4, 6) },
      next(RECOVERING, { logs: [log(2, 6, 6), log(3, 0)] }),
    ],
    [
      'M6',
      'a pending offload that a takeover forgets',
      'claim',
      PENDING,
      next(cleared, { epoch: epoch(4), owner: nonce(4), state: 'recovering' }),
    ],
  ];
  test.each(refusals)('%s: refuses %s', (id, _title, move, current, candidate) => {
    expect(() => checkChannel(current, candidate, move)).toThrow(id);
  });

  test('M1: a renewal moves the lease counter by one, and nothing else', () => {
    expect(() => checkRenewal(ACTIVE, { ...ACTIVE, leaseCounter: 6 })).not.toThrow();
    expect(() => checkRenewal(ACTIVE, { ...ACTIVE, leaseCounter: 7 })).toThrow('M1');
    expect(() => checkRenewal(ACTIVE, { ...ACTIVE, leaseCounter: 6, version: 11 })).toThrow('M1');
  });
});

describe('checkState', () => {
  const STATE: StreamState = {
    ...NEW_STREAM_STATE,
    streamlet: streamletNumber(1),
    offloaded: seqNum(10),
    tail: seqNum(12),
    lastTimestamp: 100n,
    trimPoint: seqNum(5),
  };
  const refusals: readonly [string, StreamState, Partial<StreamState>][] = [
    ['a streamlet that goes back', STATE, { streamlet: streamletNumber(0) }],
    ['offloaded that goes back', STATE, { offloaded: seqNum(9) }],
    ['a tail that goes back', STATE, { tail: seqNum(11) }],
    ['a timestamp that goes back', STATE, { lastTimestamp: 99n }],
    ['a trim point that goes back', STATE, { trimPoint: seqNum(4) }],
    ['a last arrival that goes back', { ...STATE, lastArrival: 7 }, { lastArrival: 6 }],
    [
      'an older configuration',
      { ...STATE, configured: { version: 3, config: CONFIG } },
      { configured: { version: 2, config: { ...CONFIG, retention: 'infinite' } } },
    ],
    ['offloaded beyond the tail', STATE, { offloaded: seqNum(13) }],
    ['a trim point beyond the tail', STATE, { trimPoint: seqNum(13) }],
    ['a seal that is undone', { ...STATE, isSealed: true }, { isSealed: false }],
    ['a tail that moves behind a seal', { ...STATE, isSealed: true }, { tail: seqNum(13) }],
    ['a removal before the seal', STATE, { removedAt: 1 }],
    ['a removal that is undone', { ...STATE, isSealed: true, removedAt: 1 }, { removedAt: 2 }],
    ['a compaction of what is not offloaded', STATE, { compacting: { object: 'o', first: seqNum(9), end: seqNum(11) } }],
    [
      'a second compaction',
      { ...STATE, compacting: { object: 'o', first: seqNum(0), end: seqNum(2) } },
      { compacting: { object: 'p', first: seqNum(0), end: seqNum(2) } },
    ],
  ];
  test.each(refusals)('M7: refuses %s', (_title, current, changes) => {
    expect(() => checkState(current, { ...current, ...changes })).toThrow('M7');
  });

  test('takes what moves forward, and a new streamlet after a seal', () => {
    expect(() => checkState(STATE, { ...STATE, offloaded: seqNum(20), tail: seqNum(20), trimPoint: seqNum(20) })).not.toThrow();
    const sealed = { ...STATE, isSealed: true };
    expect(() => checkState(sealed, { ...sealed, streamlet: streamletNumber(2), isSealed: false, tail: seqNum(13) })).not.toThrow();
  });

  test('M8: a row is added exactly where offload stands, and holds something', () => {
    const after = { ...STATE, offloaded: seqNum(15), tail: seqNum(15) };
    expect(() => checkRowAdded(STATE, after, row(10, 15, 'o'))).not.toThrow();
    expect(() => checkRowAdded(STATE, after, row(9, 15, 'o'))).toThrow('M8');
    expect(() => checkRowAdded(STATE, after, row(11, 15, 'o'))).toThrow('M8');
    expect(() => checkRowAdded(STATE, after, row(10, 14, 'o'))).toThrow('M8');
    expect(() => checkRow({ ...row(10, 15, 'o'), records: 6 })).toThrow('M8');
    expect(() => checkRow({ ...row(10, 15, 'o'), byteEnd: 0 })).toThrow('M8');
  });

  test('M9: an object that is complete gets no more rows, and none has fewer than no rows', () => {
    const object = { key: 'o', rows: 1, bytes: 1, createdAt: 1, isComplete: true };
    expect(() => checkObject(object, { ...object, rows: 0 })).not.toThrow();
    expect(() => checkObject(object, { ...object, rows: 2 })).toThrow('M9');
    expect(() => checkObject(object, { ...object, rows: -1 })).toThrow('M9');
    expect(() => checkObject(object, { ...object, isComplete: false })).toThrow('M9');
  });

  test('M10: a row goes only below the trim point, or for one over the same range', () => {
    expect(() => checkRowUnlinked(STATE, row(0, 5, 'o'))).not.toThrow();
    expect(() => checkRowUnlinked(STATE, row(0, 6, 'o'))).toThrow('M10');
    const rows = [row(0, 4, 'a'), row(4, 9, 'b')];
    expect(() => checkRowsReplaced(rows, row(0, 9, 'c'))).not.toThrow();
    expect(() => checkRowsReplaced(rows, row(0, 8, 'c'))).toThrow('M10');
    expect(() => checkRowsReplaced(rows, row(0, 9, 'a'))).toThrow('M10');
    expect(() => checkRowsReplaced([row(0, 4, 'a'), row(5, 9, 'b')], row(0, 9, 'c'))).toThrow('M10');
  });

  test('M12: a name keeps its stream id, its cipher, and its deletion', () => {
    const chain = [{ streamlet: streamletNumber(0), channel: CHANNEL, start: seqNum(0) }];
    const stream = {
      basin: 'basin-one',
      name: 's',
      streamId: streamId('1'.repeat(32)),
      config: CONFIG,
      configVersion: 4,
      createdAt: 'now',
      deletedAt: 'then',
      cipher: 'aegis-256' as const,
      chain,
    };
    expect(() => checkStream(stream, stream)).not.toThrow();
    expect(() => checkStream(stream, { ...stream, streamId: streamId('2'.repeat(32)) })).toThrow('M12');
    expect(() => checkStream(stream, { ...stream, deletedAt: 'later' })).toThrow('M12');
    expect(() => checkStream(stream, { ...stream, chain: [] })).toThrow('M12');
    const changed = { ...stream, config: { ...CONFIG, deleteOnEmptyMinAgeSecs: 9 } };
    expect(() => checkStream(stream, { ...changed, configVersion: 5 })).not.toThrow();
    expect(() => checkStream(stream, changed)).toThrow('M12');
    expect(() => checkStream(stream, { ...stream, configVersion: 5 })).toThrow('M12');
    const { cipher: _, ...plain } = stream;
    expect(() => checkStream(stream, { ...stream, cipher: 'aes-256-gcm' })).toThrow('M12');
    expect(() => checkStream(stream, plain)).toThrow('M12');
    expect(() => checkStream(plain, stream)).toThrow('M12');
  });
});
