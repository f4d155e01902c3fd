// The chunks of one zone. Three of them make a chunk log; it is chunk/ that knows about quorums.
//
// A chunk is what format/chunk.ts encodes: its header names log and position, so a store refuses bytes that say otherwise.
// A seal is a chunk of kind `seal`; the same log and position always make the same seal bytes.

import type { Range } from '../base/range.ts';
import type { LogId, Position, ZoneId } from '../model/ids.ts';

/** `torn`: something is or may be there, but no valid copy of it. It is no answer to whether the position was ever stored. */
export type Missing = 'absent' | 'torn';

export interface ChunkStore {
  /** Made when the store was formatted, and part of every key: a wiped or replaced zone has another. */
  readonly zone: ZoneId;
  /** False for a store that only gives back what it has (a damaged zone kept for salvage): put and seal are refused. */
  readonly isWritable: boolean;
  /**
   * Stores `chunk` unless something is stored at `at` already; durable once this resolves to `stored`.
   *
   * @param chunk a whole encoded chunk of kind `data`, at most CHUNK_BYTES_MAX. Nobody may write to it again.
   * @returns `occupied` when the position is taken: by these or other bytes, by a seal, or by a torn chunk. A get tells; what
   *   it gives back, like what a seal answers, is durable already, or a retry would count a copy that a crash can still undo.
   * @throws StoreError `disk_full` or `throttled` (effect none), `storage` or `unavailable` (effect unknown).
   */
  put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'>;
  /**
   * Stores a seal unless something valid is there already. Sealing again is `sealed` too.
   *
   * @param over what may give way: `absent` seals empty positions only, `torn` also bytes that hold no valid chunk.
   *   A caller passes `torn` only when every zone has answered and none holds a valid copy.
   * @returns `occupied` when a valid data chunk is there; `torn` when invalid bytes are there and may not give way.
   */
  seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'>;
  /**
   * A whole valid chunk (data or seal), checked against its checksums, log and position; the caller owns it.
   *
   * @param part `header`: only the first CHUNK_HEADER_BYTES, checked by the header's own checksum.
   * @throws StoreError `storage` or `unavailable`: no answer.
   */
  get(log: LogId, at: Position, part?: 'whole' | 'header'): Promise<Uint8Array | Missing>;
  /** Positions of a log at which something is stored (data, seal or torn), in no order. */
  list(log: LogId, cursor?: string): Promise<{ readonly positions: readonly Position[]; readonly cursor?: string }>;
  /** Logs of which anything is stored, in no order. */
  logs(cursor?: string): Promise<{ readonly logs: readonly LogId[]; readonly cursor?: string }>;
  /** Deletes what is stored in [start, end) of a log; absent ones are no error. A crash may bring deleted chunks back. */
  delete(log: LogId, range: Range<Position>): Promise<void>;
}
