// What stands where on a stream, as far as its readers and writers were told.
//
// A name that was deleted has had several streams: then what stands where is known for each group of calls that were on one.

import type { AppendedRecord, BodyHash, Call } from '../history.ts';
import { groupsOf } from './generations.ts';
import type { AppendCall, StreamCalls } from './stream-calls.ts';

interface Place {
  readonly hash: BodyHash;
  /** The append that put it there; absent when there are several that may have. */
  readonly by: Call | undefined;
}

export class Places {
  readonly #known = new Map<number, Map<number, Place>>();
  readonly #groups = new Map<Call, number>();
  /** The group of every stream, where there is only one. */
  readonly only: number | undefined;

  constructor(stream: StreamCalls) {
    const groupOf = groupsOf(stream);
    this.only = stream.isOneStream ? 0 : undefined;
    for (const { call, outcome } of stream.reads) {
      const group = groupOf(call);
      if (group === undefined) continue;
      for (const { seqNum, hash } of outcome.records) {
        this.#of(group).set(seqNum, { hash, by: undefined });
        const senders = stream.senders.get(hash);
        const sender = senders?.length === 1 ? senders[0] : undefined;
        if (sender !== undefined) this.#groups.set(sender.call, group);
      }
    }
    for (const { call, start, records } of stream.appends) {
      const group = this.only ?? this.#groups.get(call);
      if (start === undefined || group === undefined) continue;
      for (const [i, { hash }] of records.entries()) this.#of(group).set(start + i, { hash, by: call });
    }
  }

  /** The group that an append was read with. */
  groupOf({ call }: AppendCall): number | undefined {
    return this.only ?? this.#groups.get(call);
  }

  /** Whether the records of `call` may stand from `tail` on, on the stream of the group: nothing else is known to stand there. */
  admit(call: Call, records: readonly AppendedRecord[], tail: number, group: number | undefined): boolean {
    const known = group === undefined ? undefined : this.#known.get(group);
    if (known === undefined) return true;
    return records.every(({ hash }, i) => {
      const place = known.get(tail + i);
      return place === undefined || (place.by === undefined ? place.hash === hash : place.by === call);
    });
  }

  #of(group: number): Map<number, Place> {
    const known = this.#known.get(group) ?? new Map<number, Place>();
    this.#known.set(group, known);
    return known;
  }
}
