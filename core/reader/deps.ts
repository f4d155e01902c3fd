// What a read needs of the rest.

import type { SegmentIndex } from '../metadata/segment-index.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { Clock } from '../ports/clock.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Random } from '../ports/random.ts';
import type { StreamTail } from '../ports/tail.ts';
import type { ReadBudget } from './read-budget.ts';
import type { ReaderLimits } from './reader-limits.ts';

/** The part of the repository that a reader uses. */
export interface ReaderMetadata {
  readonly segments: Pick<SegmentIndex, 'readState' | 'rowAt' | 'rowsFrom' | 'rowByTimestamp'>;
}

export interface ReaderDeps {
  readonly objects: ObjectStore;
  readonly repository: ReaderMetadata;
  /** The stream as its channel sees it; the read releases it at its end. */
  readonly tail: StreamTail;
  readonly clock: Clock;
  readonly checksum: Checksum;
  readonly random: Random;
  readonly limits: ReaderLimits;
  /** Of all readers of the process. */
  readonly budget: ReadBudget;
}
