// How many metered bytes a stream stores: what its segments hold, and what its channel has committed and not offloaded yet.
//
// A record that is trimmed counts until the segment that it lies in goes, or, before there is one, not at all.

import type { Frame } from '../format/frame.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { NEW_STREAM_STATE, type SegmentIndex } from './segment-index.ts';
import type { Streams } from './streams.ts';

/** A basin of so many streams is added up at once; a larger one by the walk over all of them alone. */
export const ADDED_UP_STREAMS_MAX = 256;

/** A stream in its owner's memory, as it was at one moment. */
export interface HeldStream {
  /** Committed, with records, oldest first; some of them may be offloaded. */
  readonly frames: readonly Pick<Frame, 'first' | 'count' | 'meteredBytes'>[];
  readonly trimPoint: SeqNum;
}

/**
 * Metered bytes that the stream stores now.
 *
 * @param held asked before the state is read: what is offloaded in between then counts once, by the state.
 */
export async function storedBytes(
  segments: Pick<SegmentIndex, 'readState' | 'storedBytes'>,
  streamId: StreamId,
  held: (streamId: StreamId) => HeldStream | undefined,
): Promise<number> {
  const memory = held(streamId);
  const state = (await segments.readState(streamId, 'strong')) ?? NEW_STREAM_STATE;
  let bytes = await segments.storedBytes(streamId, state);
  const trimPoint = Math.max(state.trimPoint, memory?.trimPoint ?? 0);
  const frames = memory?.frames ?? [];
  for (let i = frames.length - 1; i >= 0; i -= 1) {
    const frame = frames[i];
    if (frame === undefined || frame.first < state.offloaded || frame.first + frame.count <= trimPoint) break;
    bytes += frame.meteredBytes;
  }
  return bytes;
}

/**
 * Metered bytes that the streams of a basin store now; those that are being deleted store nothing any more.
 *
 * @returns undefined when they are too many (ADDED_UP_STREAMS_MAX).
 */
export async function basinBytes(
  streams: Pick<Streams, 'list'>,
  basin: string,
  ofStream: (streamId: StreamId) => Promise<number>,
): Promise<number | undefined> {
  const page = await streams.list(basin, { limit: ADDED_UP_STREAMS_MAX });
  if (page.hasMore) return undefined;
  let sum = 0;
  for (const { streamId, deletedAt } of page.streams) if (deletedAt === undefined) sum += await ofStream(streamId);
  return sum;
}
