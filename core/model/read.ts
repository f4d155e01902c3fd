// What a read asks for and is given. (S2 v1 API, section 3.)

import type { SeqNum, StreamId, StreamPosition, Timestamp } from './ids.ts';

export type ReadStart =
  | { readonly kind: 'seqNum'; readonly seqNum: SeqNum }
  | { readonly kind: 'timestamp'; readonly timestamp: Timestamp }
  | { readonly kind: 'tailOffset'; readonly offset: number };

export interface ReadRequest {
  readonly start: ReadStart;
  /** Start at the tail where the start lies beyond it. */
  readonly clamp: boolean;
  /** Bounds over the whole read: records, metered bytes. */
  readonly count?: number;
  readonly bytes?: number;
  /** Stop before the first record with this timestamp or a later one. */
  readonly until?: Timestamp;
  /** Longest gap between records once at the tail, in seconds; undefined: for ever if unbounded, else none. */
  readonly waitSecs?: number;
}

/** Consecutive records, still encoded as envelopes. */
export interface RecordRun {
  readonly first: SeqNum;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** At most 1,000 records and 1 MiB metered. No records and a tail: a heartbeat. */
export interface ReadBatch {
  readonly runs: readonly RecordRun[];
  readonly count: number;
  readonly meteredBytes: number;
  readonly tail?: StreamPosition;
  /** Set where every later read with the same bounds gives the same records, until the stream is trimmed or deleted (T12). */
  readonly settled?: { readonly streamId: StreamId; readonly trimPoint: SeqNum };
  /** Decrypted with the key of the one reader who asked: neither the batch nor an encoding of it is for anybody else. */
  readonly isDecrypted?: boolean;
}
