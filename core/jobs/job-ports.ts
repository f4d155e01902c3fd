// What background jobs need of the rest, and what they say about a run.
//
// Every job is run(ports, request, budgetMs) → report: resumable, safe when it runs twice at once or stops anywhere, and
// over soon after its budget. `isDone` false says that there was more to do.

import type { Repository } from '../metadata/repository.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { Clock } from '../ports/clock.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Random } from '../ports/random.ts';
import type { Trace } from '../ports/trace.ts';

export interface JobPorts {
  readonly objects: ObjectStore;
  readonly repository: Repository;
  /** Of the channel that a request names. */
  readonly chunkLogs: ChunkLogs;
  readonly checksum: Checksum;
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
}

/**
 * Who does what of a job anyone can do; default: this run. With `elsewhere` a run does only what takes the owner of a channel, and
 * functions do the rest, without the ports that ask an owner.
 *
 *   J4  What needs the owner of a channel is done where the owner is, whoever does the rest: a function seals nothing, and a task
 *       never leaves a seal to a function.
 */
export type UpkeepPlace = 'here' | 'elsewhere';

export interface Report {
  readonly isDone: boolean;
}

/** M says how long a lease is only when a channel is claimed, which no job does. */
export const NO_LEASE_MS = 1;

/** When a run that may take `budgetMs` from now on should stop to begin anything new. */
export function deadlineOf(ports: Pick<JobPorts, 'clock'>, budgetMs: number): () => boolean {
  const end = ports.clock.monotonic() + budgetMs;
  return () => ports.clock.monotonic() >= end;
}
