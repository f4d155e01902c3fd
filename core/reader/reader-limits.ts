// The bounds of a read. (S2 v1 API, sections 3.3 to 3.5.)

import { UNARY_WAIT_SECS_MAX } from '../model/limits.ts';

export interface ReaderLimits {
  /** One batch: records, metered bytes. */
  readonly batchRecordsMax: number;
  readonly batchMeteredBytesMax: number;
  /** A batch that is not empty leaves after this long: clients of sessions take 20 s without one for the end. */
  readonly batchMsMax: number;
  readonly unaryWaitSecsMax: number;
  /** An idle follower hears from us after a random time between these. */
  readonly heartbeatMsMin: number;
  readonly heartbeatMsMax: number;
  /** A range of a segment that is read at once, and how many of them are in flight or waiting ahead of a reader that keeps reading. */
  readonly rangeBytes: number;
  readonly rangesAhead: number;
  /** The first range of a scan: most reads want little. */
  readonly firstRangeBytes: number;
  /** Sections up to this are read whole, without a look at their index first. */
  readonly wholeSectionBytesMax: number;
  /** Bytes of segments that all readers of a process hold, and how long one waits for room. */
  readonly allReadsBytesMax: number;
  readonly roomWaitMs: number;
  /** Rows of the index that are read at once. */
  readonly rowsPage: number;
  /** Taken from memory at once. */
  readonly tailBytes: number;
  /** Plans that may come to nothing one after the other (stale rows, objects gone meanwhile), and the pause between two. */
  readonly plansMax: number;
  readonly planPauseMs: number;
}

const MIB = 1024 * 1024;

export const READER_LIMITS: ReaderLimits = {
  batchRecordsMax: 1_000,
  batchMeteredBytesMax: MIB,
  batchMsMax: 5_000,
  unaryWaitSecsMax: UNARY_WAIT_SECS_MAX,
  heartbeatMsMin: 5_000,
  heartbeatMsMax: 15_000,
  rangeBytes: MIB,
  rangesAhead: 4,
  firstRangeBytes: 128 * 1024,
  wholeSectionBytesMax: MIB,
  allReadsBytesMax: 128 * MIB,
  roomWaitMs: 10_000,
  rowsPage: 100,
  tailBytes: 2 * MIB,
  plansMax: 20,
  planPauseMs: 50,
};
