// The segments of each stream: rows that offload adds, compaction joins and trim unlinks, and the state that they follow.
//
// Every change is one transaction over the state, the rows and the objects that they name; each may be asked for again.
// Rules M7 to M10 are checked in transitions.ts.
//
//   U2  A stream's state says how many metered bytes its rows hold, and changes in the transaction that changes them.

import { successor } from '../base/byte-order.ts';
import { invariant } from '../base/invariant.ts';
import { refused } from '../model/errors.ts';
import type { SeqNum, StreamId, StreamletNumber, Timestamp } from '../model/ids.ts';
import type { Clock } from '../ports/clock.ts';
import type { Consistency, MetadataStore, Write } from '../ports/metadata-store.ts';
import { decodeRow, decodeState, encodeRow, encodeState } from './codec.ts';
import { replace, transact } from './conditional.ts';
import { ObjectCounts } from './object-counts.ts';
import { type Compaction, ROWS_END, rowKey, rowSort, type SegmentRow, type StreamState, stateKey, streamPartition } from './schema.ts';
import { checkRowAdded, checkRowsReplaced, checkRowUnlinked, checkState } from './transitions.ts';

/** Streams that one transaction of an offload takes: a state and a row each, and the object, stay below 100 writes. */
export const OFFLOAD_PIECES_MAX = 40;
/** Rows that one transaction unlinks or joins: a row, its object and a dead object each, and four more. */
export const UNLINK_ROWS_MAX = 32;
/** Rows that are read at a time to sum them up. */
const SUM_ROWS_PAGE = 1_000;

export const NEW_STREAM_STATE: StreamState = {
  streamlet: 0 as StreamletNumber,
  offloaded: 0 as SeqNum,
  tail: 0 as SeqNum,
  lastTimestamp: 0n,
  token: '',
  trimPoint: 0 as SeqNum,
  isSealed: false,
  storedBytes: 0,
};

/** What an offload's footer says of one stream: [first, end) was moved, and the facts that hold behind it. */
export interface OffloadedPiece {
  readonly streamId: StreamId;
  readonly first: SeqNum;
  readonly end: SeqNum;
  readonly after: {
    readonly streamlet: StreamletNumber;
    readonly lastTimestamp: Timestamp;
    readonly token: string;
    readonly trimPoint: SeqNum;
    readonly isSealed: boolean;
    /** Absent where the piece holds no record. */
    readonly lastArrival?: number;
  };
  /** Absent when nothing of it is kept: a seal without records, or all of it trimmed. */
  readonly row?: SegmentRow;
}

export class SegmentIndex {
  readonly objects: ObjectCounts;
  readonly #store: MetadataStore;

  constructor(store: MetadataStore, clock: Clock) {
    this.#store = store;
    this.objects = new ObjectCounts(store, clock);
  }

  /** Undefined: nothing of the stream was offloaded, sealed or trimmed yet. */
  async readState(streamId: StreamId, consistency: Consistency): Promise<StreamState | undefined> {
    const item = await this.#store.get(stateKey(streamId), consistency);
    return item === undefined ? undefined : decodeState(item);
  }

  /**
   * Applies pieces of one named offload, each of another stream, all in one transaction. A piece that was applied before
   * is skipped, one that was applied in part is clipped.
   *
   * @param object what the rows name, and its size.
   * @returns how many pieces changed anything.
   * @throws StoreError `corrupt` when a piece leaves a gap behind what is offloaded.
   */
  applyOffload(object: { key: string; bytes: number }, pieces: readonly OffloadedPiece[]): Promise<number> {
    invariant(pieces.length <= OFFLOAD_PIECES_MAX, 'M8: an offload applies at most 40 streams at once');
    return transact<number>(this.#store, async () => {
      const changes = await Promise.all(pieces.map((piece) => this.#change(object.key, piece)));
      const rows = changes.filter(({ isRowAdded }) => isRowAdded).length;
      const writes = changes.flatMap((change) => change.writes);
      const counts = rows === 0 ? [] : await this.objects.added(object.key, object.bytes, rows);
      if (counts === 'again') return 'again';
      return { writes: [...writes, ...counts], result: changes.filter((change) => change.writes.length > 0).length };
    });
  }

  /** Moves the trim point forward to `to`, but not beyond the tail that is on record. Undefined: a stream without state. */
  raiseTrimPoint(streamId: StreamId, to: SeqNum): Promise<StreamState | undefined> {
    return transact<StreamState | undefined>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      if (item === undefined) return { result: undefined };
      const state = decodeState(item);
      const trimPoint = Math.min(to, state.tail) as SeqNum;
      if (trimPoint <= state.trimPoint) return { result: state };
      const candidate = { ...state, trimPoint };
      checkState(state, candidate);
      return { writes: [replace(stateKey(streamId), item.fields, encodeState(candidate))], result: candidate };
    });
  }

  /**
   * Takes note of when the last record of a stream arrived, where that is not on record: state items were without it once, and its
   * rows may be trimmed. Later than it did is fine: it only puts a deletion off.
   */
  noteArrival(streamId: StreamId, arrival: number): Promise<void> {
    return transact<void>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      const state = item && decodeState(item);
      if (item === undefined || state === undefined || state.lastArrival !== undefined) return { result: undefined };
      const candidate = { ...state, lastArrival: arrival };
      checkState(state, candidate);
      return { writes: [replace(stateKey(streamId), item.fields, encodeState(candidate))], result: undefined };
    });
  }

  /** Unlinks rows below the trim point, at most UNLINK_ROWS_MAX; those that are gone or changed are left out. Returns how many went. */
  unlinkRows(streamId: StreamId, rows: readonly SegmentRow[]): Promise<number> {
    invariant(rows.length <= UNLINK_ROWS_MAX, 'M10: at most 32 rows are unlinked at once');
    return transact<number>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      const state = item === undefined ? NEW_STREAM_STATE : decodeState(item);
      const found = await Promise.all(rows.map(({ first }) => this.#store.get(rowKey(streamId, first), 'strong')));
      const current = found
        .flatMap((item) => (item === undefined ? [] : [decodeRow(item)]))
        .filter((row) => rows.some(({ first, object }) => first === row.first && object === row.object));
      for (const row of current) checkRowUnlinked(state, row);
      if (current.length === 0) return { result: 0 };
      const candidate = { ...state, storedBytes: (await this.storedBytes(streamId, state)) - sumOf(current) };
      checkState(state, candidate);
      const fewer = replace(stateKey(streamId), item?.fields, encodeState(candidate));
      const writes = current.map((row) => deleteRow(streamId, row));
      const counts = await this.objects.unlinked(current);
      return counts === 'again' ? 'again' : { writes: [fewer, ...writes, ...counts], result: current.length };
    });
  }

  /** Metered bytes of the rows of a stream whose state is `state`. (U2) */
  async storedBytes(streamId: StreamId, state: StreamState): Promise<number> {
    if (state.storedBytes !== undefined) return state.storedBytes;
    let sum = 0;
    for (let from = 0 as SeqNum, isLast = false; !isLast; ) {
      const rows = await this.rowsFrom(streamId, from, SUM_ROWS_PAGE, 'strong');
      sum += sumOf(rows);
      isLast = rows.length < SUM_ROWS_PAGE;
      from = rows.at(-1)?.end ?? from;
    }
    return sum;
  }

  /** The row that holds `seqNum`; undefined when none does. */
  async rowAt(streamId: StreamId, seqNum: SeqNum, consistency: Consistency = 'strong'): Promise<SegmentRow | undefined> {
    const row = await this.#lastRow(streamId, 0, seqNum, consistency);
    return row !== undefined && row.end > seqNum ? row : undefined;
  }

  /** Rows in order from the one that holds `from`, or the first behind it; at most `limit` (1 to 1,000). */
  async rowsFrom(streamId: StreamId, from: SeqNum, limit: number, consistency: Consistency = 'strong'): Promise<readonly SegmentRow[]> {
    const holding = await this.rowAt(streamId, from, consistency);
    const range = { start: rowSort(holding?.first ?? from), end: ROWS_END };
    return (await this.#store.query(streamPartition(streamId), range, limit, consistency)).map(decodeRow);
  }

  /** The first row whose last timestamp is `timestamp` or later: by bisection, as timestamps never go back in a stream. */
  async rowByTimestamp(streamId: StreamId, timestamp: Timestamp, consistency: Consistency = 'strong'): Promise<SegmentRow | undefined> {
    const state = await this.readState(streamId, consistency);
    let found: SegmentRow | undefined;
    let low = 0;
    let high: number = state?.offloaded ?? 0;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const row = await this.#lastRow(streamId, low, middle, consistency);
      if (row === undefined) {
        low = middle + 1;
      } else if (row.lastTimestamp >= timestamp) {
        found = row;
        high = row.first;
      } else {
        low = Math.max(row.end, middle + 1);
      }
    }
    return found;
  }

  /** Names the output of a compaction over [first, end), before it is written. False: another one runs, or there is no such range. */
  startCompaction(streamId: StreamId, compaction: Compaction): Promise<boolean> {
    return transact<boolean>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      const state = item && decodeState(item);
      const isFree = state !== undefined && state.compacting === undefined && state.removedAt === undefined;
      if (item === undefined || !isFree || compaction.end > state.offloaded) return { result: false };
      const candidate = { ...state, compacting: compaction };
      checkState(state, candidate);
      return { writes: [replace(stateKey(streamId), item.fields, encodeState(candidate))], result: true };
    });
  }

  /** Puts `output` in the place of `rows`, at most UNLINK_ROWS_MAX. False: the compaction is no longer named, or a row went. */
  finishCompaction(streamId: StreamId, rows: readonly SegmentRow[], output: SegmentRow, objectBytes: number): Promise<boolean> {
    invariant(rows.length <= UNLINK_ROWS_MAX, 'M10: at most 32 rows are joined at once');
    checkRowsReplaced(rows, output);
    return transact<boolean>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      const state = item && decodeState(item);
      if (item === undefined || state?.compacting?.object !== output.object) return { result: false };
      const { first, end } = state.compacting;
      invariant(output.first === first && output.end === end, 'M10: a compaction keeps the range that it named');
      const found = await Promise.all(rows.map((row) => this.#store.get(rowKey(streamId, row.first), 'strong')));
      const current = found.flatMap((row) => (row === undefined ? [] : [decodeRow(row)]));
      if (current.length < rows.length || !current.every(({ object }, i) => object === rows[i]?.object)) return { result: false };
      const { compacting: _, ...rest } = state;
      const storedBytes = (await this.storedBytes(streamId, state)) - sumOf(current) + output.meteredBytes;
      const candidate = { ...rest, storedBytes };
      checkState(state, candidate);
      const gone = rows.slice(1).map((row) => deleteRow(streamId, row));
      const [fewer, more] = [await this.objects.unlinked(rows), await this.objects.added(output.object, objectBytes, 1, 'complete')];
      if (fewer === 'again' || more === 'again') return 'again';
      const writes: readonly Write[] = [
        replace(stateKey(streamId), item.fields, encodeState(candidate)),
        replace(rowKey(streamId, output.first), found[0]?.fields, encodeRow(output)),
        ...gone,
        ...fewer,
        ...more,
      ];
      return { writes, result: true };
    });
  }

  /** Gives a named compaction up: its output, written or not, is dead. */
  abandonCompaction(streamId: StreamId, object: string): Promise<void> {
    return transact<void>(this.#store, async () => {
      const item = await this.#store.get(stateKey(streamId), 'strong');
      const state = item && decodeState(item);
      if (item === undefined || state?.compacting?.object !== object) return { result: undefined };
      const { compacting: _, ...candidate } = state;
      checkState(state, candidate);
      const writes = [replace(stateKey(streamId), item.fields, encodeState(candidate)), ...(await this.objects.completed(object, 0))];
      return { writes, result: undefined };
    });
  }

  async #change(object: string, piece: OffloadedPiece): Promise<{ writes: readonly Write[]; isRowAdded: boolean }> {
    const nothing = { writes: [], isRowAdded: false };
    const item = await this.#store.get(stateKey(piece.streamId), 'strong');
    const state = item === undefined ? NEW_STREAM_STATE : decodeState(item);
    if (state.removedAt !== undefined || state.offloaded > piece.end) return nothing;
    if (state.offloaded === piece.end && piece.first < piece.end) return nothing;
    if (state.offloaded < piece.first) {
      throw refused(
        'corrupt',
        `offload ${object} goes on at ${piece.first} of stream ${piece.streamId}, which is offloaded to ${state.offloaded}`,
      );
    }
    const row = piece.row && clip(piece.row, state.offloaded);
    const storedBytes = (await this.storedBytes(piece.streamId, state)) + (row?.meteredBytes ?? 0);
    const candidate = { ...advance(state, piece), storedBytes };
    checkState(state, candidate);
    const fields = encodeState(candidate);
    if (row === undefined && item !== undefined && isSame(state, candidate)) return nothing;
    const stateWrite = replace(stateKey(piece.streamId), item?.fields, fields);
    if (row === undefined) return { writes: [stateWrite], isRowAdded: false };
    invariant(row.object === object, 'M9: the rows of an offload name its object');
    checkRowAdded(state, candidate, row);
    return { writes: [stateWrite, replace(rowKey(piece.streamId, row.first), undefined, encodeRow(row))], isRowAdded: true };
  }

  /** The last row that starts in [low, high]. */
  async #lastRow(streamId: StreamId, low: number, high: number, consistency: Consistency): Promise<SegmentRow | undefined> {
    const range = { start: rowSort(low), end: successor(rowSort(high)), reverse: true };
    const [item] = await this.#store.query(streamPartition(streamId), range, 1, consistency);
    return item === undefined ? undefined : decodeRow(item);
  }
}

/** The state behind a piece that starts at or before where offload stands. */
function advance(state: StreamState, { end, after }: OffloadedPiece): StreamState {
  const lastArrival = after.lastArrival === undefined ? state.lastArrival : Math.max(state.lastArrival ?? 0, after.lastArrival);
  return {
    ...state,
    streamlet: after.streamlet,
    offloaded: end,
    tail: Math.max(state.tail, end) as SeqNum,
    lastTimestamp: after.lastTimestamp,
    token: after.token,
    trimPoint: Math.max(state.trimPoint, after.trimPoint) as SeqNum,
    isSealed: after.isSealed,
    ...(lastArrival === undefined ? {} : { lastArrival }),
  };
}

function sumOf(rows: readonly SegmentRow[]): number {
  return rows.reduce((sum, { meteredBytes }) => sum + meteredBytes, 0);
}

function isSame(a: StreamState, b: StreamState): boolean {
  return Object.entries(b).every(([name, value]) => a[name as keyof StreamState] === value);
}

/** The part of a row from `from` on: its bytes stay, and a reader passes over what lies before. */
function clip(row: SegmentRow, from: SeqNum): SegmentRow {
  if (from <= row.first) return row;
  return { ...row, first: from, records: Math.min(row.records, row.end - from) };
}

function deleteRow(streamId: StreamId, row: SegmentRow): Write {
  return {
    kind: 'delete',
    key: rowKey(streamId, row.first),
    when: { equals: { object: row.object, end: row.end } },
  };
}
