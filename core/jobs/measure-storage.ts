// Adds up what the streams of each basin store, basin after basin, a part a run; and deletes usage that is too old to be asked for.
//
// A process that crashed may have changed streams and not sampled them: the first walk of the next one looks at what their last
// samples say, and has those sampled that store something else.
//
// Streams that are being deleted store nothing any more.

import { fromRfc3339 } from '../base/rfc3339.ts';
import type { HeldStream } from '../metadata/stored-bytes.ts';
import { storedBytes } from '../metadata/stored-bytes.ts';
import type { StreamId } from '../model/ids.ts';
import { DAY_SECS, HOUR_SECS, METRICS_RANGE_SECS_MAX } from '../model/usage.ts';
import { deadlineOf, type JobPorts, type Report } from './job-ports.ts';
import { type StreamCursor, walkStreams } from './walk-streams.ts';

export interface MeasureRequest {
  /** Where the last run stopped, and what it had added up of that basin. */
  readonly cursor?: StreamCursor;
  readonly bytes?: number;
  /** Until every stream was looked at once since the process began. */
  readonly isFirst?: boolean;
}

export interface MeasureReport extends Report {
  readonly basinsMeasured: number;
  /** For the next run; absent: every basin was measured. */
  readonly cursor?: StreamCursor;
  readonly bytes?: number;
}

type Ports = Pick<JobPorts, 'repository' | 'clock'> & {
  readonly held: (streamId: StreamId) => HeldStream | undefined;
  /** What the stream stores is not what was sampled last. */
  readonly changed: (streamId: StreamId) => void;
};

export async function runMeasureStorage(ports: Ports, request: MeasureRequest, budgetMs: number): Promise<MeasureReport> {
  const { repository, clock, held, changed } = ports;
  let bytes = request.bytes ?? 0;
  let basinsMeasured = 0;
  const cursor = await walkStreams(
    repository,
    request.cursor,
    deadlineOf(ports, budgetMs),
    async ({ streamId, deletedAt, createdAt }) => {
      if (deletedAt !== undefined) return;
      const stored = await storedBytes(repository.segments, streamId, held);
      bytes += stored;
      if (request.isFirst !== true) return;
      const sampled = await lastSampled(ports, streamId, createdAt);
      if (sampled !== undefined && sampled !== stored) changed(streamId);
    },
    async (basin) => {
      await repository.usage.putStorage(basin, { second: Math.floor(clock.now() / 1_000), bytes });
      bytes = 0;
      basinsMeasured += 1;
    },
  );
  return { isDone: cursor === undefined, basinsMeasured, ...(cursor === undefined ? {} : { cursor, bytes }) };
}

/** What the history of a stream says of it now; undefined: it says what is stored now. */
async function lastSampled({ repository, clock }: Ports, streamId: StreamId, createdAt: string): Promise<number | undefined> {
  const second = Math.floor(clock.now() / 1_000);
  const sample = await repository.usage.lastSample({ kind: 'stream', name: streamId }, Math.floor(second / HOUR_SECS) + 1);
  if (sample !== undefined) return sample.bytes;
  return fromRfc3339(createdAt) / 1_000 > second - METRICS_RANGE_SECS_MAX ? 0 : undefined;
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
