// What clients did and saw: the one thing that checkers look at. The simulator and the chaos test both record it.
//
// An operation is one call of one client. It starts and ends at points of one total order (`began`, `ended`: indices in the
// history, not times); one that never ended, or ended without a clear answer, may have happened, at any time from `began` on.

/** A record's body (and headers), as a 53-bit hash: equal bytes, equal numbers. */
export type BodyHash = number;

/** What a client asked for. `stream` is a name: after a deletion the same name is another stream. */
export type Operation =
  | {
      readonly kind: 'append';
      readonly stream: string;
      /**
       * One entry a record, command records too, in their order. Bodies are unique in a run (those of commands need not be), so that
       * a record is known by its hash.
       */
      readonly records: readonly AppendedRecord[];
      readonly matchSeqNum?: number;
      readonly fencingToken?: string;
      /** Batches of one append session have its number, which no other one has, and begin in the order in which they were submitted. */
      readonly session?: number;
    }
  /**
   * From a sequence number (clamped if beyond the tail); bounded by what is there when it is served. An answer with fewer records
   * than `count` (absent: 1,000) says that it ended at the tail, unless it `follows`: one batch of a tailing read, which vouches for
   * its records, and for the tail only where it states one. Batches of one tailing read have its number, which no other one has.
   */
  | {
      readonly kind: 'read';
      readonly stream: string;
      readonly from: number;
      readonly clamp?: boolean;
      readonly count?: number;
      readonly follows?: number;
    }
  | { readonly kind: 'check-tail'; readonly stream: string }
  | { readonly kind: 'create'; readonly stream: string }
  /** `ifEmpty`: by the job that deletes streams which hold nothing any more. */
  | { readonly kind: 'delete'; readonly stream: string; readonly ifEmpty?: true };

export interface AppendedRecord {
  readonly hash: BodyHash;
  /** The effect of a command record. */
  readonly fence?: string;
  readonly trim?: number;
}

export interface ReadRecord {
  readonly seqNum: number;
  readonly hash: BodyHash;
  readonly timestamp: number;
}

/** A tailing read is recorded as one `read` for each batch that it delivered, on a client of its own. */
export type Outcome =
  /** `stamps`: of its first and its last record. */
  | {
      readonly kind: 'appended';
      readonly start: number;
      readonly end: number;
      readonly tail: number;
      readonly stamps?: readonly [first: number, last: number];
      readonly timestamp?: number;
    }
  /** `tail`: what a caught-up read said of the end. `timestamp`, wherever there is a tail: of the last record below it. */
  | { readonly kind: 'read'; readonly records: readonly ReadRecord[]; readonly tail?: number; readonly timestamp?: number }
  | { readonly kind: 'tail'; readonly tail: number; readonly timestamp: number }
  | { readonly kind: 'created' | 'deleted' }
  /** A refused condition: what the server says about the stream must be true at some point of the call. */
  | { readonly kind: 'seq_num_mismatch'; readonly tail: number }
  | { readonly kind: 'fencing_token_mismatch'; readonly token: string }
  | { readonly kind: 'range_not_satisfiable'; readonly tail: number; readonly timestamp?: number }
  | { readonly kind: 'stream_not_found' | 'stream_deletion_pending' | 'resource_already_exists' }
  /** It had no effect, and says nothing about the stream. */
  | { readonly kind: 'failed'; readonly code: string }
  /** It may have had its effect, or have it yet. */
  | { readonly kind: 'unknown'; readonly code: string };

export interface Call {
  readonly client: number;
  readonly operation: Operation;
  readonly began: number;
  /** Absent: it never ended. */
  readonly ended?: number;
  readonly outcome?: Outcome;
}

export type History = readonly Call[];
