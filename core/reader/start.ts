// Where a read starts: at a sequence number, a timestamp, or some records before the tail. (S2 v1 API, section 3.2.)

import type { Frame } from '../format/frame.ts';
import { RecordCursor } from '../format/record.ts';
import type { SegmentRow } from '../metadata/schema.ts';
import { refused } from '../model/errors.ts';
import type { SeqNum, StreamId, StreamPosition, Timestamp } from '../model/ids.ts';
import type { ReadRequest } from '../model/read.ts';
import { byteOfTimestamp } from '../segment/index.ts';
import { readIndex } from '../segment/reader.ts';
import type { ReaderDeps } from './deps.ts';
import { StreamSource } from './plan.ts';

export type ReadMode = 'unary' | 'session';

/** Whether the read may wait at the tail: it is told to, or it is a session without any bound. */
export function mayFollow(request: ReadRequest, mode: ReadMode): boolean {
  if (request.waitSecs !== undefined) return request.waitSecs > 0;
  const isBounded = mode === 'unary' || request.count !== undefined || request.bytes !== undefined || request.until !== undefined;
  return !isBounded;
}

/**
 * The first sequence number to read.
 *
 * @throws StoreError `range_not_satisfiable` with the tail.
 */
export async function resolveStart(
  deps: ReaderDeps,
  streamId: StreamId,
  request: ReadRequest,
  mode: ReadMode,
  tail: StreamPosition,
): Promise<SeqNum> {
  let { start } = request;
  if (start.kind === 'tailOffset') start = { kind: 'seqNum', seqNum: Math.max(0, tail.seqNum - start.offset) as SeqNum };
  const isBeyond = start.kind === 'seqNum' ? start.seqNum > tail.seqNum : start.timestamp > tail.timestamp;
  if (isBeyond) {
    if (!request.clamp) throw notSatisfiable('the read starts beyond the tail', tail);
    start = { kind: 'seqNum', seqNum: tail.seqNum };
  }
  if (start.kind === 'timestamp') return await firstAtOrAfter(deps, streamId, start.timestamp);
  if (start.seqNum === tail.seqNum && !mayFollow(request, mode)) {
    throw notSatisfiable('the read starts at the tail and does not wait', tail);
  }
  return start.seqNum;
}

function notSatisfiable(why: string, tail: StreamPosition): Error {
  return refused('range_not_satisfiable', why, { kind: 'range_not_satisfiable', tail });
}

/** The first readable record with this timestamp or a later one; the tail if there is none. */
async function firstAtOrAfter(deps: ReaderDeps, streamId: StreamId, timestamp: Timestamp): Promise<SeqNum> {
  const { segments } = deps.repository;
  const row = await segments.rowByTimestamp(streamId, timestamp, 'strong');
  // No segment reaches the timestamp: it is in memory, behind what is offloaded (which may have grown meanwhile).
  const offloaded = row === undefined ? await segments.readState(streamId, 'strong') : undefined;
  const from = row === undefined ? (offloaded?.offloaded ?? 0) : await startInRow(deps, row, timestamp);
  const source = new StreamSource(deps, streamId, Math.max(from, deps.tail.trimPoint) as SeqNum);
  try {
    for (;;) {
      const piece = await source.read();
      for (const frame of piece.frames) {
        if (frame.lastTimestamp < timestamp || frame.first + frame.count <= piece.from) continue;
        const found = firstInFrame(frame, piece.from, timestamp);
        if (found !== undefined) return found;
      }
      if (piece.frames.length === 0 && piece.isFromMemory) return source.next;
    }
  } finally {
    source.close();
  }
}

/** A sequence number of the row at or before the record that is looked for, by the index of a section that is worth it. */
async function startInRow(deps: ReaderDeps, row: SegmentRow, timestamp: Timestamp): Promise<SeqNum> {
  if (row.byteEnd - row.byteStart <= deps.limits.wholeSectionBytesMax) return row.first;
  const index = await readIndex({ objects: deps.objects, checksum: deps.checksum }, row);
  if (index === 'absent') return row.first;
  const offset = byteOfTimestamp(index, timestamp);
  const entry = index.entries.find((candidate) => candidate.offset === offset);
  return Math.max(row.first, entry?.first ?? 0) as SeqNum;
}

function firstInFrame(frame: Frame, from: SeqNum, timestamp: Timestamp): SeqNum | undefined {
  const cursor = new RecordCursor(frame.body);
  for (let at: number = frame.first; cursor.next(); at += 1) {
    if (at >= from && cursor.timestamp >= timestamp) return at as SeqNum;
  }
  return undefined;
}
