// The end of a stream as a read sees it: its channel's here, or in a process that does not own the channel, that of what lies in
// segments, where those alone can answer (T13).

import type { Owners } from '../api/owners.ts';
import type { Repository } from '../metadata/repository.ts';
import type { StreamRef } from '../model/append.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { ReadRequest } from '../model/read.ts';
import type { StreamTail } from '../ports/tail.ts';
import { OffloadedTail } from '../reader/offloaded-tail.ts';
import type { ReadMode } from '../reader/start.ts';

export interface ReadPlaces {
  /** Absent: every channel is here. */
  readonly owners: Pick<Owners, 'isHere'> | undefined;
  readonly repository: Pick<Repository, 'streams' | 'segments'>;
  /** The tail of a stream whose channel is here. */
  own(ref: StreamRef): Promise<StreamTail>;
}

/** @throws StoreError `moved`: its owner answers; and what resolving the name throws */
export async function readableTail(places: ReadPlaces, ref: StreamRef, request: ReadRequest, mode: ReadMode): Promise<StreamTail> {
  const { owners, repository, own } = places;
  const { basin, name, streamId, channel } = ref;
  if (owners === undefined || owners.isHere(channel)) return await own(ref);
  const elsewhere = (): StoreError => refused('moved', 'the stream is served by another task', { kind: 'moved', channel });
  if (mode !== 'unary' || request.start.kind !== 'seqNum') throw elsewhere();
  const [named, state] = await Promise.all([repository.streams.resolve(basin, name), repository.segments.readState(streamId, 'strong')]);
  // What was believed of the name may be out of date.
  if (named.streamId !== streamId || state === undefined || state.isSealed) throw elsewhere();
  const tail = new OffloadedTail(state, elsewhere);
  if (!tail.mayAnswer(request, mode)) throw elsewhere();
  return tail;
}
