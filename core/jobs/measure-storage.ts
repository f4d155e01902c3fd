// Adds up what the streams of each basin store, basin after basin, a part a run; and deletes usage that is too old to be asked for.
//
// Streams that are being deleted store nothing any more.

import type { HeldStream } from '../metadata/stored-bytes.ts';
import { storedBytes } from '../metadata/stored-bytes.ts';
import type { StreamId } from '../model/ids.ts';
import { DAY_SECS } from '../model/usage.ts';
import { deadlineOf, type JobPorts, type Report } from './job-ports.ts';
import { type StreamCursor, walkStreams } from './walk-streams.ts';

export interface MeasureRequest {
  /** Where the last run stopped, and what it had added up of that basin. */
  readonly cursor?: StreamCursor;
  readonly bytes?: number;
}

export interface MeasureReport extends Report {
  readonly basinsMeasured: number;
  /** For the next run; absent: every basin was measured. */
  readonly cursor?: StreamCursor;
  readonly bytes?: number;
}

type Ports = Pick<JobPorts, 'repository' | 'clock'> & {
  readonly held: (streamId: StreamId) => HeldStream | undefined;
};

export async function runMeasureStorage(ports: Ports, request: MeasureRequest, budgetMs: number): Promise<MeasureReport> {
  const { repository, clock, held } = ports;
  let bytes = request.bytes ?? 0;
  let basinsMeasured = 0;
  const cursor = await walkStreams(
    repository,
    request.cursor,
    deadlineOf(ports, budgetMs),
    async ({ streamId, deletedAt }) => {
      if (deletedAt === undefined) bytes += await storedBytes(repository.segments, streamId, held);
    },
    async (basin) => {
      await repository.usage.putStorage(basin, { second: Math.floor(clock.now() / 1_000), bytes });
      bytes = 0;
      basinsMeasured += 1;
    },
  );
  return { isDone: cursor === undefined, basinsMeasured, ...(cursor === undefined ? {} : { cursor, bytes }) };
}

export interface PurgeUsageRequest {
  /** Days that are kept, today not counted. */
  readonly keptDays: number;
}

export async function runPurgeUsage(
  ports: Pick<JobPorts, 'repository' | 'clock'>,
  { keptDays }: PurgeUsageRequest,
  budgetMs: number,
): Promise<Report> {
  const today = Math.floor(ports.clock.now() / (1_000 * DAY_SECS));
  return { isDone: await ports.repository.usage.purge(today - keptDays, deadlineOf(ports, budgetMs)) };
}
