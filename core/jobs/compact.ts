// Joins small segments of a stream that lie side by side, so that a stream that is written slowly is not read in crumbs.
//
//   O8  The output of a compaction is named in the stream's state before it is written, and takes the place of its rows in one
//       transaction, or never.

import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { compactedAt, compactObjectKey } from '../format/keys.ts';
import type { SegmentRow, StreamInfo } from '../metadata/schema.ts';
import { UNLINK_ROWS_MAX } from '../metadata/segment-index.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { buildObjects, Section } from '../segment/builder.ts';
import { readSection } from '../segment/reader.ts';
import { deadlineOf, type JobPorts, type Report } from './job-ports.ts';
import { type StreamCursor, sparing, walkStreams } from './walk-streams.ts';

export interface CompactRequest {
  readonly cursor?: StreamCursor;
  /** A segment of this many bytes is not small. */
  readonly smallBytes?: number;
  /** At least this many rows are worth it. */
  readonly rowsMin?: number;
  /** A compaction that was begun this long ago is given up. */
  readonly abandonAfterMs?: number;
}

export interface CompactReport extends Report {
  readonly compactions: number;
  readonly rowsJoined: number;
  readonly cursor?: StreamCursor;
}

type Ports = Pick<JobPorts, 'objects' | 'repository' | 'checksum' | 'clock' | 'random' | 'trace'>;

const MIB = 1024 * 1024;
const SMALL_BYTES = 4 * MIB;
const OUTPUT_BYTES_MAX = 16 * MIB;
const ROWS_MIN = 8;
const ABANDON_AFTER_MS = 600_000;
const ROWS_PAGE = 200;

export async function runCompact(ports: Ports, request: CompactRequest, budgetMs: number): Promise<CompactReport> {
  const isOver = deadlineOf(ports, budgetMs);
  let compactions = 0;
  let rowsJoined = 0;
  const visit = sparing(ports.trace, 'compact', async (stream) => {
    if (stream.deletedAt !== undefined) return;
    const joined = await compactStream(ports, request, stream);
    if (joined > 0) compactions += 1;
    rowsJoined += joined;
  });
  const cursor = await walkStreams(ports.repository, request.cursor, isOver, visit);
  return { isDone: cursor === undefined, compactions, rowsJoined, ...(cursor === undefined ? {} : { cursor }) };
}

/** How many rows were joined. */
async function compactStream(ports: Ports, request: CompactRequest, { streamId }: StreamInfo): Promise<number> {
  const { segments } = ports.repository;
  const { smallBytes = SMALL_BYTES, rowsMin = ROWS_MIN, abandonAfterMs = ABANDON_AFTER_MS } = request;
  const state = await segments.readState(streamId, 'stale');
  if (state?.compacting !== undefined) {
    // Also where nothing is left to join: its object would stay for ever.
    if (ports.clock.now() - compactedAt(state.compacting.object) < abandonAfterMs) return 0;
    ports.trace.event('compact.abandoned', { stream: streamId });
    await segments.abandonCompaction(streamId, state.compacting.object);
  }
  const found = (await findRun(ports, streamId, smallBytes, rowsMin))?.[0];
  // Once more, strongly: rows that are gone would be read and joined in vain.
  const rows = found && firstRun(await segments.rowsFrom(streamId, found.first, UNLINK_ROWS_MAX, 'strong'), smallBytes, rowsMin);
  const first = rows?.[0];
  const last = rows?.at(-1);
  if (rows === undefined || first === undefined || last === undefined) return 0;
  const object = compactObjectKey(streamId, ports.clock.now(), toHex(ports.random.bytes(16)));
  const isNamed = await segments.startCompaction(streamId, { object, first: first.first, end: last.end });
  if (!isNamed) return 0;
  const isJoined = await join(ports, streamId, rows, object);
  if (!isJoined) await segments.abandonCompaction(streamId, object);
  return isJoined ? rows.length : 0;
}

/**
 * Adjacent small rows that are worth joining. No row of the run is larger than all others together: each byte is written
 * again at most a logarithmic number of times.
 */
async function findRun(ports: Ports, streamId: StreamId, smallBytes: number, rowsMin: number): Promise<readonly SegmentRow[] | undefined> {
  let from = 0 as SeqNum;
  for (;;) {
    const rows = await ports.repository.segments.rowsFrom(streamId, from, ROWS_PAGE, 'stale');
    const run = firstRun(rows, smallBytes, rowsMin);
    if (run !== undefined) return run;
    const resume = rows.at(-rowsMin);
    if (rows.length < ROWS_PAGE || resume === undefined) return undefined;
    invariant(resume.first > from, 'O8: the search for rows goes on');
    from = resume.first;
  }
}

export function firstRun(rows: readonly SegmentRow[], smallBytes: number, rowsMin: number): readonly SegmentRow[] | undefined {
  let run: SegmentRow[] = [];
  const worth = (): readonly SegmentRow[] | undefined => {
    const kept = withoutGiants(run);
    return kept.length >= rowsMin ? kept : undefined;
  };
  for (const row of rows) {
    const before = run.at(-1);
    const isNext = before === undefined || before.end === row.first;
    const fits = run.length < UNLINK_ROWS_MAX && bytesOf(run) + bytesOfRow(row) <= OUTPUT_BYTES_MAX;
    if (isNext && fits && bytesOfRow(row) < smallBytes) {
      run.push(row);
      continue;
    }
    const found = worth();
    if (found !== undefined) return found;
    run = bytesOfRow(row) < smallBytes ? [row] : [];
  }
  return worth();
}

/** The rows behind the last one that outweighs those behind it. */
function withoutGiants(run: readonly SegmentRow[]): readonly SegmentRow[] {
  let start = 0;
  for (let i = 0; i < run.length; i += 1) {
    const row = run[i];
    if (row !== undefined && bytesOfRow(row) > bytesOf(run) - bytesOf(run.slice(0, start)) - bytesOfRow(row)) start = i + 1;
  }
  return run.slice(start);
}

function bytesOf(rows: readonly SegmentRow[]): number {
  return rows.reduce((sum, row) => sum + bytesOfRow(row), 0);
}

function bytesOfRow(row: SegmentRow): number {
  return row.byteEnd - row.byteStart;
}

/** Writes the joined segment and puts it in the place of `rows`. False: a row went, or the compaction was given up by another. */
async function join(ports: Ports, streamId: StreamId, rows: readonly SegmentRow[], object: string): Promise<boolean> {
  let section: Section | undefined;
  for (const row of rows) {
    const frames = await readSection(ports, streamId, row);
    if (frames === 'absent') return false;
    for (const frame of frames) {
      section ??= new Section(streamId, frame.streamlet, row.first, { allowsHoles: true });
      if (frame.streamlet !== section.streamlet) return false;
      section.add(frame);
    }
    if (section?.end !== row.end) return false;
  }
  const built = section === undefined ? undefined : buildObjects([section], Number.POSITIVE_INFINITY, ports.checksum)[0];
  const entry = built?.entries[0];
  if (built === undefined || entry === undefined) return false;
  await ports.objects.put(object, built.parts);
  const { first, end, byteStart, byteEnd, firstTimestamp, lastTimestamp, arrivalMax, meteredBytes, records } = entry;
  invariant(first === rows[0]?.first && end === rows.at(-1)?.end, 'O8: a compaction keeps its range');
  invariant(records === rows.reduce((sum, row) => sum + row.records, 0), 'O8: a compaction loses no record');
  const output = { first, end, object, byteStart, byteEnd, firstTimestamp, lastTimestamp, arrivalMax, meteredBytes, records };
  const isJoined = await ports.repository.segments.finishCompaction(streamId, rows, output, built.bytes);
  ports.trace.event('compact.joined', { stream: streamId, rows: rows.length, bytes: built.bytes, isJoined });
  return isJoined;
}
