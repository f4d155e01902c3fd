// Gives the streams of a named offload their rows, and then finishes it. Anyone may, any number of times, also at once.
//
//   O7  Applying an offload again changes nothing: a stream whose state is past it is skipped, in part: clipped.

import { invariant } from '../base/invariant.ts';
import { siblingKey } from '../format/keys.ts';
import type { SegmentEntry } from '../format/segment.ts';
import type { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelState } from '../metadata/schema.ts';
import { NEW_STREAM_STATE, OFFLOAD_PIECES_MAX, type OffloadedPiece } from '../metadata/segment-index.ts';
import { refused } from '../model/errors.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import { readFooter } from '../segment/reader.ts';
import type { JobPorts } from './job-ports.ts';

type Ports = Pick<JobPorts, 'objects' | 'repository' | 'checksum' | 'trace'>;

/** `finished` by this call; `overtaken`: somebody else finished it, or M changed in another way; look again. */
export type Applied = 'finished' | 'overtaken' | 'out_of_time';

/**
 * Applies and finishes the pending offload of `state`.
 *
 * @throws StoreError `corrupt` when its object is gone or damaged, or its records do not follow what is offloaded.
 */
export async function applyPending(ports: Ports, register: ChannelRegister, state: ChannelState, isOver: () => boolean): Promise<Applied> {
  const { pending } = state;
  invariant(pending !== undefined, 'O6: a pending offload is applied');
  const summary = await readFooter(ports, pending.object);
  if (summary === 'absent') {
    const now = await register.read();
    if (now.pending?.object !== pending.object) return 'overtaken';
    throw refused('corrupt', `object ${pending.object} of the pending offload of channel ${state.channel} is gone`);
  }
  const sizes = new Map<number, number>([[0, summary.bytes]]);
  for (const { sibling } of summary.entries) {
    if (!sizes.has(sibling)) sizes.set(sibling, await sizeOf(ports, siblingKey(pending.object, sibling)));
  }
  for (const group of groupsOf(summary.entries)) {
    if (isOver()) return 'out_of_time';
    const sibling = group[0]?.sibling ?? 0;
    const key = siblingKey(pending.object, sibling);
    const pieces = await Promise.all(group.map((entry) => pieceOf(ports, key, entry)));
    await ports.repository.segments.applyOffload({ key, bytes: sizes.get(sibling) ?? 0 }, pieces);
  }
  for (const [sibling, bytes] of sizes) {
    await ports.repository.segments.objects.complete(siblingKey(pending.object, sibling), bytes);
  }
  const finished = await register.finishOffload(state);
  ports.trace.event('offload.finished', { channel: state.channel, to: pending.to, isFirst: finished !== undefined });
  return finished === undefined ? 'overtaken' : 'finished';
}

async function sizeOf(ports: Ports, key: string): Promise<number> {
  const summary = await ports.objects.head(key);
  if (summary === 'absent') throw refused('corrupt', `object ${key} of a pending offload is gone`);
  return summary.bytes;
}

/** Entries of one object and of different streams, as many as a transaction takes; a stream's streamlets in their order. */
function groupsOf(entries: readonly SegmentEntry[]): readonly (readonly SegmentEntry[])[] {
  const ordered = [...entries].sort((a, b) => a.streamlet - b.streamlet || a.sibling - b.sibling);
  const groups: SegmentEntry[][] = [];
  let streams = new Set<StreamId>();
  for (const entry of ordered) {
    const group = groups.at(-1);
    const isFull = group === undefined || group.length >= OFFLOAD_PIECES_MAX || group[0]?.sibling !== entry.sibling;
    if (isFull || streams.has(entry.streamId)) {
      groups.push([entry]);
      streams = new Set([entry.streamId]);
    } else {
      group.push(entry);
      streams.add(entry.streamId);
    }
  }
  return groups;
}

/** What the entry did not change is as the state says, which nobody but an offload of this channel moves. */
async function pieceOf(ports: Ports, object: string, entry: SegmentEntry): Promise<OffloadedPiece> {
  const state = (await ports.repository.segments.readState(entry.streamId, 'strong')) ?? NEW_STREAM_STATE;
  const trimPoint = Math.max(state.trimPoint, entry.trimPoint ?? 0) as SeqNum;
  const { first, end, byteStart, byteEnd, firstTimestamp, lastTimestamp, arrivalMax, meteredBytes, records } = entry;
  const isKept = records > 0 && end > trimPoint;
  const row = { first, end, object, byteStart, byteEnd, firstTimestamp, lastTimestamp, arrivalMax, meteredBytes, records };
  return {
    streamId: entry.streamId,
    first,
    end,
    after: {
      streamlet: entry.streamlet,
      lastTimestamp: records > 0 ? lastTimestamp : state.lastTimestamp,
      token: entry.token ?? state.token,
      trimPoint,
      isSealed: entry.isSealed || (state.isSealed && state.streamlet === entry.streamlet),
      ...(records > 0 ? { lastArrival: arrivalMax } : {}),
    },
    ...(isKept ? { row } : {}),
  };
}
