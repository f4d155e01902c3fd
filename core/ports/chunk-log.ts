// The replicated log that chunk/ makes of N chunk stores, as channel/ and jobs/ see it. Payloads are opaque bytes.

import type { Range } from '../base/range.ts';
import type { StoreError } from '../model/errors.ts';
import type { ChannelId, LogId, OwnerNonce, Position, ZoneId } from '../model/ids.ts';

/** What M (the channel's metadata item) says of one log. */
export interface LogDescription {
  readonly log: LogId;
  /** First position that is not offloaded. */
  readonly base: Position;
  /** Exclusive end of what counts in this log; absent while the log is open. */
  readonly end?: Position;
  /** Where the last seal stands, at or after `end`; it is never deleted. */
  readonly sealedAt?: Position;
  /** Identities of the zones that the log was opened with. Only these count, for W and for R. */
  readonly zones: readonly ZoneId[];
}

export interface WrittenChunk {
  readonly at: Position;
  /** A slice of the chunk; shared and never written to. */
  readonly payload: Uint8Array;
}

export interface ChunkWriterEvents {
  /** The commit point moved to `commitPoint`; called once a move, in order, never twice with the same. */
  committed(commitPoint: Position): void;
  /** A seal or a foreign chunk was met, or the log cannot go on: the writer stopped for good. What is pending has effect unknown. */
  deposed(reason: StoreError): void;
  /** A chunk cannot reach its quorum now (`error`), or can again (undefined). It is retried in place for ever. */
  stalled(error: StoreError | undefined): void;
}

/** Writes the chunks of one epoch, at most `windowMax` in flight beyond the commit point. */
export interface ChunkWriter {
  readonly log: LogId;
  readonly commitPoint: Position;
  /** The position that the next chunk will get. */
  readonly end: Position;
  /** Whether another chunk may be written now: `end − commitPoint` is below the window and the writer is neither stopped nor out of memory. */
  readonly hasRoom: boolean;
  /** Bytes of chunks written and not yet settled in every zone. */
  readonly inFlightBytes: number;
  /** The most chunks that any one zone has yet to store, and the most calls under way to one: each at most twice the window. */
  readonly slowestZone: { readonly chunks: number; readonly calls: number };
  /**
   * Starts to store one chunk made of `parts`, at `end`. Only when `hasRoom`.
   *
   * @param parts copied before this returns. May be empty: an empty chunk carries only the commit point.
   * @param crc CRC-32 of all parts, where the caller knows it: they are not summed again.
   * @returns where it was put, and the chunk's own copy of the payload (immutable from now on).
   */
  write(parts: readonly Uint8Array[], crc?: number): WrittenChunk;
  /** Stops: nothing is sent any more. Resolves once nothing of it is in flight. */
  stop(): Promise<void>;
}

/** What a takeover found in the log of the previous epoch. */
export interface Recovery {
  /** c: everything below is committed and stays in the old log. */
  readonly end: Position;
  /** The first position at which a seal quorum holds the seal. */
  readonly sealedAt: Position;
  /** The payloads of positions [end, sealedAt): the window of uncertainty, to be written again as the first of the new log. */
  readonly adopted: readonly Uint8Array[];
}

export interface ChunkLogs {
  /** The zones that a log opened now would have. */
  zones(): readonly ZoneId[];
  /** Writes in flight beyond the commit point, at most: P of the protocol. The same for every owner of a channel. */
  readonly windowMax: number;
  openWriter(log: LogId, owner: OwnerNonce, zones: readonly ZoneId[], events: ChunkWriterEvents): ChunkWriter;
  /**
   * Finds the commit point of an open log, seals it, and reads the window of uncertainty (steps 2 and 3 of a takeover).
   * Safe to run again, by anyone, at any time after a claim.
   *
   * @param floor a position known to be committed: at least `base`, and `pending.to`.
   * @throws StoreError `unavailable` when fewer than R zones answer, `corrupt` when a committed chunk has no valid copy left.
   */
  recover(description: LogDescription, floor: Position): Promise<Recovery>;
  /**
   * The payloads of [start, end), all committed, in order; read ahead by a few chunks.
   *
   * @throws StoreError `corrupt` when a position has no valid copy in any zone, `unavailable` when too few answer.
   */
  read(description: LogDescription, range: Range<Position>): AsyncIterable<WrittenChunk>;
  /** The greatest commit point that any chunk of the log records. A lower bound of what is committed. */
  knownCommitPoint(description: LogDescription): Promise<Position>;
  /** Deletes chunks of [start, end) in every zone of the log that answers, but never the seal at `sealedAt`. */
  delete(description: LogDescription, range: Range<Position>): Promise<void>;
  /** Logs of a channel, in each zone that holds anything of them. For sweep. */
  stored(channel: ChannelId): Promise<readonly StoredLog[]>;
}

/** A log as it is found in one zone, whether or not M knows it. */
export interface StoredLog {
  readonly log: LogId;
  readonly zone: ZoneId;
  /** Where seals stand. */
  readonly seals: readonly Position[];
  /** Positions that hold anything else than a seal. */
  readonly othersCount: number;
  /** The greatest that a chunk of the zone records: no last seal stands below it. */
  readonly commitPoint: Position;
  /** Exclusive end of what is stored. */
  readonly storedEnd: Position;
}
