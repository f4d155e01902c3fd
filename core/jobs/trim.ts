// Applies trim points and retention to the segments of streams.
//
// Retention goes by arrival time: timestamps of records are the client's, in whatever unit. Trimming is logical; the objects
// go with gc.
//
//   G5  The trim point is raised before a row is unlinked, so that a reader who misses the row learns why.
//   G6  Retention trims only rows whose every record arrived longer ago than the stream's age.

import { invariant } from '../base/invariant.ts';
import type { SegmentRow, StreamInfo } from '../metadata/schema.ts';
import { UNLINK_ROWS_MAX } from '../metadata/segment-index.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { deadlineOf, type JobPorts, type Report } from './job-ports.ts';
import { type StreamCursor, walkStreams } from './walk-streams.ts';

export interface TrimRequest {
  /** Where the last run stopped. */
  readonly cursor?: StreamCursor;
}

export interface TrimReport extends Report {
  readonly rowsUnlinked: number;
  /** For the next run; absent: every stream was looked at. */
  readonly cursor?: StreamCursor;
}

type Ports = Pick<JobPorts, 'repository' | 'clock' | 'trace'>;

export async function runTrim(ports: Ports, request: TrimRequest, budgetMs: number): Promise<TrimReport> {
  const isOver = deadlineOf(ports, budgetMs);
  let rowsUnlinked = 0;
  const cursor = await walkStreams(ports.repository, request.cursor, isOver, async (stream) => {
    if (stream.deletedAt === undefined) rowsUnlinked += await trimStream(ports, stream, isOver);
  });
  return { isDone: cursor === undefined, rowsUnlinked, ...(cursor === undefined ? {} : { cursor }) };
}

async function trimStream(ports: Ports, { basin, name, streamId, config }: StreamInfo, isOver: () => boolean): Promise<number> {
  const { segments, streams } = ports.repository;
  const state = await segments.readState(streamId, 'stale');
  if (state?.isSealed) {
    // Whoever sealed it did not live to mark its name.
    await streams.markDeleting(basin, name, streamId);
    ports.trace.event('trim.deletion.completed', { stream: streamId });
    return 0;
  }
  const rows = await segments.rowsFrom(streamId, 0 as SeqNum, UNLINK_ROWS_MAX, 'stale');
  if (rows.length === 0) return 0;
  if (config.retention !== 'infinite') {
    const before = ports.clock.now() - 1_000 * config.retention.ageSecs;
    const expired = await expiredEnd(ports, streamId, rows, before);
    if (expired !== undefined) await segments.raiseTrimPoint(streamId, expired);
  }
  return await unlinkBelowTrimPoint(ports, streamId, isOver);
}

/** Where the rows at the front of which every record arrived before `before` end. */
async function expiredEnd(ports: Ports, streamId: StreamId, first: readonly SegmentRow[], before: number): Promise<SeqNum | undefined> {
  let end: SeqNum | undefined;
  for (let rows = first; rows.length > 0; ) {
    for (const row of rows) {
      if (row.arrivalMax >= before) return end;
      invariant(end === undefined || row.first >= end, 'G6: rows are looked at in their order');
      end = row.end;
    }
    if (end === undefined || rows.length < UNLINK_ROWS_MAX) return end;
    rows = await ports.repository.segments.rowsFrom(streamId, end, UNLINK_ROWS_MAX, 'stale');
  }
  return end;
}

/** Unlinks rows of a stream that lie wholly below its trim point. Returns how many. */
export async function unlinkBelowTrimPoint(
  ports: Pick<JobPorts, 'repository'>,
  streamId: StreamId,
  isOver: () => boolean,
): Promise<number> {
  const { segments } = ports.repository;
  let unlinked = 0;
  for (;;) {
    const state = await segments.readState(streamId, 'strong');
    if (state === undefined || state.trimPoint === 0) return unlinked;
    const rows = await segments.rowsFrom(streamId, 0 as SeqNum, UNLINK_ROWS_MAX, 'strong');
    const below = rows.filter(({ end }) => end <= state.trimPoint);
    if (below.length === 0) return unlinked;
    invariant(
      below.every(({ end }) => end <= state.trimPoint),
      'G5: only what is trimmed on record is unlinked',
    );
    const went = await segments.unlinkRows(streamId, below);
    unlinked += went;
    if (below.length < rows.length || rows.length < UNLINK_ROWS_MAX || isOver()) return unlinked;
  }
}
