// What zones were told to keep, whether or not they still have it: so the simulator knows by itself what is committed.
//
//   Acknowledged is only what W zones of its log have held, and all before it in that log. So is what an offload names and what a
//   publish closes a log behind, and no position below is ever sealed. No record of a stream is committed behind its seal. An offload starts at base; when base passes a chunk, each stream in it is offloaded to its end.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import { decodeFrames, type FrameHeader } from '#core/format/frame.ts';
import type { ChannelState } from '#core/metadata/schema.ts';
import { type LogId, logName, type Position, type StreamId, type ZoneId } from '#core/model/ids.ts';
import type { Audit, Named, Report } from './audit.ts';

interface Place {
  readonly log: string;
  readonly at: number;
}

interface Kept {
  readonly zones: Set<ZoneId>;
  /** First records of its frames. */
  readonly records: readonly Pick<FrameHeader, 'streamId' | 'first'>[];
  /** Where the streams that have frames in it end behind it. */
  readonly ends: ReadonlyMap<StreamId, number>;
}

interface KeptLog {
  readonly chunks: Map<number, Kept>;
  /** Below it W zones have held everything. */
  committed: number;
}

export class Ledger {
  /** A zone has stored a frame, as the first. */
  readonly onFrame: ((frame: FrameHeader) => void)[] = [];
  readonly #audit: Audit;
  readonly #writeQuorum: number;
  readonly #report: Report;
  readonly #logs = new Map<string, KeptLog>();
  /** By stream and first sequence number: the places where frames of records were put. */
  readonly #places = new Map<string, Place[]>();
  /** The places where seals of a stream were put. */
  readonly #seals = new Map<string, Place[]>();
  /** The stream that each name stands for now, and those that are gone. */
  readonly #names = new Map<string, StreamId>();
  readonly #gone = new Set<StreamId>();

  constructor(audit: Audit, writeQuorum: number, report: Report) {
    this.#audit = audit;
    this.#writeQuorum = writeQuorum;
    this.#report = report;
    audit.onStored.push((zone, log, at, bytes) => this.#stored(zone, logName(log), at, bytes));
    audit.onChannel.push((before, now) => this.#changed(before, now));
    audit.onName.push((named) => this.#named(named));
  }

  /** An append was acknowledged. */
  acknowledged(stream: string, start: number): void {
    const places = [...this.#audit.idsOf(stream)].flatMap((id) => this.#places.get(`${id}/${start}`) ?? []);
    if (places.some(({ log, at }) => this.#committed(log) > at)) return;
    const where = places.map(({ log, at }) => `${log}:${at}`).join(', ');
    this.#report('acknowledged-not-committed', `${start} of ${stream} was acknowledged, and is not committed at ${where || 'any place'}`);
  }

  /** Nothing is acknowledged behind the word that a stream is being deleted: its seal is committed before. A stream that is gone is gone. */
  #named({ name, id, isDeleting }: Named): void {
    const before = this.#names.get(name);
    if (before !== undefined && before !== id) this.#gone.add(before);
    if (id === undefined) this.#names.delete(name);
    else this.#names.set(name, id);
    if (id === undefined) return;
    if (this.#gone.has(id)) this.#report('name-came-back', `the name ${name} stands again for stream ${id}, which was removed`);
    if (!isDeleting) return;
    const seals = this.#seals.get(id) ?? [];
    if (seals.some(({ log, at }) => this.#committed(log) > at)) return;
    this.#report('marked-not-sealed', `the name ${name} says that stream ${id} is being deleted, and no seal of it is committed`);
  }

  #stored(zone: ZoneId, log: string, at: Position, bytes: Uint8Array): void {
    const kept = this.#logs.get(log) ?? { chunks: new Map<number, Kept>(), committed: 0 };
    this.#logs.set(log, kept);
    const known = kept.chunks.get(at);
    if (known !== undefined) {
      known.zones.add(zone);
      return;
    }
    const payload = decodeChunk(bytes, zlibChecksum)?.payload ?? new Uint8Array(0);
    const ends = new Map<StreamId, number>();
    const records: Kept['records'][number][] = [];
    for (const frame of decodeFrames(payload, undefined)) {
      const { streamId, first, count, kind } = frame;
      for (const act of this.onFrame) act(frame);
      ends.set(streamId, first + count);
      if (kind === 'seal') {
        this.#seals.set(streamId, [...(this.#seals.get(streamId) ?? []), { log, at }]);
        continue;
      }
      records.push({ streamId, first });
      const place = `${streamId}/${first}`;
      this.#places.set(place, [...(this.#places.get(place) ?? []), { log, at }]);
    }
    kept.chunks.set(at, { zones: new Set([zone]), records, ends });
  }

  #committed(log: string): number {
    const kept = this.#logs.get(log);
    if (kept === undefined) return 0;
    for (;;) {
      const chunk = kept.chunks.get(kept.committed);
      if (chunk === undefined || chunk.zones.size < this.#writeQuorum) return kept.committed;
      kept.committed += 1;
      for (const frame of chunk.records) this.#behindSeal(frame);
    }
  }

  /** A window that is written again stands in two logs: what counts is where a frame was committed first. */
  #behindSeal({ streamId, first }: Pick<FrameHeader, 'streamId' | 'first'>): void {
    const seal = this.#firstCommitted(this.#seals.get(streamId));
    const place = seal && this.#firstCommitted(this.#places.get(`${streamId}/${first}`));
    if (seal === undefined || place === undefined || inOrder(place, seal) <= 0) return;
    const where = `${place.log}:${place.at}, and its seal at ${seal.log}:${seal.at}`;
    this.#report('seal-passed', `record ${first} of stream ${streamId} is committed at ${where}`);
  }

  #firstCommitted(places: readonly Place[] = []): Place | undefined {
    return places.filter(({ log, at }) => this.#committed(log) > at).toSorted(inOrder)[0];
  }

  #changed(before: ChannelState | undefined, now: ChannelState): void {
    const { channel, pending } = now;
    const isNamed = pending !== undefined && pending.object !== before?.pending?.object;
    for (const { epoch, base, end, sealedAt } of now.logs) {
      const name = logName({ channel, epoch } as LogId);
      const known = before?.logs.find((log) => log.epoch === epoch);
      const from = known?.base ?? 0;
      if (sealedAt !== undefined && known?.sealedAt === undefined && sealedAt < this.#committed(name)) {
        this.#report('sealed-committed', `${name} is sealed at ${sealedAt}, and was committed to ${this.#committed(name)}`);
      }
      if (sealedAt !== undefined && known?.sealedAt === undefined) this.#allStored(name, sealedAt);
      const to = Math.max(base, end ?? 0, pending?.epoch === epoch ? pending.to : 0);
      if (to > this.#committed(name)) {
        this.#report('named-not-committed', `M names ${name} up to ${to}, and only ${this.#committed(name)} of it were committed`);
      }
      if (isNamed && pending.epoch === epoch && pending.from !== base) {
        this.#report('offload-from-base', `an offload of ${name} starts at ${pending.from}, and base is ${base}`);
      }
      if (base > from) this.#passed(name, from, base);
    }
  }

  /** The last seal stands at the first position that is empty: it is the only one that gc keeps, and an old owner goes on there. */
  #allStored(log: string, sealedAt: number): void {
    for (let at = 0; at < sealedAt; at += 1) {
      if (this.#logs.get(log)?.chunks.has(at)) continue;
      this.#report('sealed-too-far', `${log} is sealed at ${sealedAt}, and nothing was ever stored at ${at}`);
      return;
    }
  }

  /** Base moved from `from` to `to`. */
  #passed(log: string, from: number, to: number): void {
    for (let at = from; at < to; at += 1) {
      for (const [stream, end] of this.#logs.get(log)?.chunks.get(at)?.ends ?? []) {
        const offloaded = this.#audit.offloadedTo(stream);
        if (offloaded >= end) continue;
        this.#report('base-passed', `base passed ${log}:${at}, and stream ${stream} is offloaded to ${offloaded}, not ${end}`);
      }
    }
  }
}

function inOrder(one: Place, other: Place): number {
  return epochOf(one) - epochOf(other) || one.at - other.at;
}

/** As the name of a log ends with it. */
function epochOf({ log }: Place): number {
  return Number(log.slice(log.lastIndexOf('/') + 1));
}
