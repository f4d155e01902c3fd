// Applies trim points and retention to the segments of streams, and finds those that are to delete themselves.
//
// Retention goes by arrival time: timestamps of records are the client's, in whatever unit. Trimming is logical; the objects
// go with gc. Whether a stream deletes itself is for its owner to say (model/delete-on-empty.ts): it is asked only where metadata
// says the same, so that an idle stream costs this walk, and neither memory nor a timer.
//
//   G5  The trim point is raised before a row is unlinked, so that a reader who misses the row learns why.
//   G6  Retention trims only rows whose every record arrived longer ago than the stream's age.

import { invariant } from '../base/invariant.ts';
import { fromRfc3339 } from '../base/rfc3339.ts';
import { type SegmentRow, type StreamInfo, type StreamState, streamRef } from '../metadata/schema.ts';
import { NEW_STREAM_STATE, UNLINK_ROWS_MAX } from '../metadata/segment-index.ts';
import type { StreamRef } from '../model/append.ts';
import { isDueToDeleteItself } from '../model/delete-on-empty.ts';
import { StoreError } from '../model/errors.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { deletesItself as mayDeleteItself, milliseconds } from '../model/stream-config.ts';
import { deadlineOf, type JobPorts, type Report, type UpkeepPlace } from './job-ports.ts';
import { type StreamCursor, sparing, walkStreams } from './walk-streams.ts';

export interface TrimRequest {
  /** Where the last run stopped. */
  readonly cursor?: StreamCursor;
  /** Only streams that are to delete themselves are looked for: a function does the rest. */
  readonly upkeep?: UpkeepPlace;
}

export interface TrimReport extends Report {
  readonly rowsUnlinked: number;
  /** Streams that were found to be due, and sealed. */
  readonly streamsSealed: number;
  /** For the next run; absent: every stream was looked at. */
  readonly cursor?: StreamCursor;
}

/** Whom to ask about streams that hold nothing. */
export interface EmptyStreams {
  /** What wall clocks may differ by. */
  readonly clockErrorMs: number;
  /** Asks the stream's owner to seal it if it is due to delete itself; false: it is not, or there is no owner to ask. */
  seal(ref: StreamRef, createdAt: number): Promise<boolean>;
}

/** Told of each stream that lost rows: it stores less. */
export interface UnlinkedPort {
  readonly unlinked?: (streamId: StreamId) => void;
}

/** Without `emptyStreams`, none deletes itself. */
type Ports = Pick<JobPorts, 'repository' | 'clock' | 'trace'> & UnlinkedPort & { readonly emptyStreams?: EmptyStreams };

export async function runTrim(ports: Ports, request: TrimRequest, budgetMs: number): Promise<TrimReport> {
  const isOver = deadlineOf(ports, budgetMs);
  let rowsUnlinked = 0;
  let streamsSealed = 0;
  const visit = sparing(ports.trace, 'trim', async (stream) => {
    if (stream.deletedAt !== undefined) return;
    if (request.upkeep === 'elsewhere' && !mayDeleteItself(stream.config)) return;
    const state = await ports.repository.segments.readState(stream.streamId, 'stale');
    if (await deletesItself(ports, stream, state)) streamsSealed += 1;
    else if (request.upkeep !== 'elsewhere') rowsUnlinked += await trimStream(ports, stream, state, isOver);
  });
  const cursor = await walkStreams(ports.repository, request.cursor, isOver, visit);
  return { isDone: cursor === undefined, rowsUnlinked, streamsSealed, ...(cursor === undefined ? {} : { cursor }) };
}

/** True once the stream is sealed, as it was due, and its name says that it is being deleted. */
async function deletesItself(ports: Ports, stream: StreamInfo, state: StreamState = NEW_STREAM_STATE): Promise<boolean> {
  const { emptyStreams, repository, clock, trace } = ports;
  const { basin, name, streamId, config } = stream;
  const createdAt = fromRfc3339(stream.createdAt);
  invariant(!Number.isNaN(createdAt), 'D3: a stream says when it was made');
  // Not on record: counted from now, which only puts it off.
  const lastArrival = state.lastArrival ?? (state.tail > 0 ? 0 : undefined);
  const clockErrorMs = emptyStreams?.clockErrorMs ?? Number.POSITIVE_INFINITY;
  if (!isDueToDeleteItself({ ...state, lastArrival }, config, createdAt, clock.now(), clockErrorMs)) return false;
  if (state.tail > 0 && state.lastArrival === undefined) {
    await repository.segments.noteArrival(streamId, clock.now());
    return false;
  }
  try {
    if (emptyStreams === undefined || !(await emptyStreams.seal(streamRef(stream), createdAt))) return false;
    await repository.streams.markDeleting(basin, name, streamId);
    trace.event('trim.stream.empty', { stream: streamId });
    return true;
  } catch (error) {
    // Asked again by the next walk; the other streams have their turn meanwhile.
    if (!(error instanceof StoreError)) throw error;
    trace.event('trim.seal.failed', { stream: streamId, code: error.code, message: error.message });
    return false;
  }
}

async function trimStream(
  ports: Ports,
  { basin, name, streamId, config }: StreamInfo,
  state: StreamState | undefined,
  isOver: () => boolean,
): Promise<number> {
  const { segments, streams } = ports.repository;
  if (state?.isSealed) {
    // Whoever sealed it did not live to mark its name.
    await streams.markDeleting(basin, name, streamId);
    ports.trace.event('trim.deletion.completed', { stream: streamId });
    return 0;
  }
  const rows = await segments.rowsFrom(streamId, 0 as SeqNum, UNLINK_ROWS_MAX, 'stale');
  if (rows.length === 0) return 0;
  if (config.retention !== 'infinite') {
    const before = ports.clock.now() - milliseconds(config.retention.ageSecs);
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
  ports: Pick<JobPorts, 'repository'> & UnlinkedPort,
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
    if (went > 0) ports.unlinked?.(streamId);
    unlinked += went;
    if (below.length < rows.length || rows.length < UNLINK_ROWS_MAX || isOver()) return unlinked;
  }
}
