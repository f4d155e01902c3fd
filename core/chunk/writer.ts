// Writes one epoch's log: puts every chunk into all zones at once, and says when what is committed.
//
// channel/ fills the chunks and acknowledges what they hold. Nothing here knows of streams or records, nor of other epochs:
// a writer that was replaced learns it from a seal, or from nobody at all, and then its chunks never reach a quorum.
//
//   C2  At most P chunks are in flight beyond the commit point, and each carries the commit point known when it was closed.
//   C4  A seal or a foreign chunk at its own position deposes a writer: it stops for good and sends nothing more.
//   C5  Commits are told in order, once a move, never the same twice, and none after the writer stopped.
//   C17 A quorum that cannot be reached is retried in place for ever; the owner is told that it stalls, and when it goes on.

import { invariant } from '../base/invariant.ts';
import { CHUNK_HEADER_BYTES, encodeChunk } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import { type LogId, logName, type OwnerNonce, type Position, type ZoneId } from '../model/ids.ts';
import type { ChunkWriter, ChunkWriterEvents, WrittenChunk } from '../ports/chunk-log.ts';
import { CommitPoint } from './commit-point.ts';
import { type FlyingChunk, Lane } from './lane.ts';
import { type ChunkLogOptions, sealQuorum } from './options.ts';

/** A position that is torn in so many answers of a seal quorum will not heal: only a takeover may write over it. */
const TORN_ANSWERS_MAX = 5;

export class Writer implements ChunkWriter {
  readonly log: LogId;
  readonly #options: ChunkLogOptions;
  readonly #owner: OwnerNonce;
  readonly #events: ChunkWriterEvents;
  readonly #lanes: readonly Lane[];
  readonly #point: CommitPoint;
  readonly #sealQuorum: number;
  #told = 0;
  #isTelling = false;
  #isStopped = false;
  #stall: StoreError | undefined;
  #inFlightBytes = 0;
  #idleWaiters: (() => void)[] = [];

  constructor(options: ChunkLogOptions, log: LogId, owner: OwnerNonce, zones: readonly ZoneId[], events: ChunkWriterEvents) {
    invariant(new Set(zones).size === zones.length, 'C7: no zone counts twice');
    this.#options = options;
    this.log = log;
    this.#owner = owner;
    this.#events = events;
    this.#sealQuorum = sealQuorum(zones.length, options.writeQuorum);
    this.#point = new CommitPoint(zones.length, options.writeQuorum);
    this.#lanes = zones.map((zone, i) => this.#openLane(zone, i));
  }

  get commitPoint(): Position {
    return this.#point.value;
  }

  get end(): Position {
    return this.#point.end;
  }

  get hasRoom(): boolean {
    return !this.#isStopped && this.end - this.commitPoint < this.#options.windowMax;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get slowestZone(): ChunkWriter['slowestZone'] {
    const most = (of: (lane: Lane) => number): number => this.#lanes.reduce((max, lane) => Math.max(max, of(lane)), 0);
    return { chunks: most(({ copies }) => copies), calls: most(({ calls }) => calls) };
  }

  write(parts: readonly Uint8Array[], crc?: number): WrittenChunk {
    invariant(this.hasRoom, 'C2: a chunk is written only when there is room');
    const commitPoint = this.commitPoint;
    const at = this.end;
    const bytes = encodeChunk({ log: this.log, at, commitPoint, owner: this.#owner }, parts, this.#options.checksum, crc);
    invariant(at - commitPoint < this.#options.windowMax, 'C2: no chunk lies further from its commit point than the window');
    invariant(this.#point.add() === at, 'C2: positions have no gaps');
    const chunk: FlyingChunk = { at, bytes, holders: 0 };
    this.#inFlightBytes += bytes.length;
    for (const lane of this.#lanes) lane.send(chunk);
    return { at, payload: bytes.subarray(CHUNK_HEADER_BYTES) };
  }

  stop(): Promise<void> {
    this.#halt();
    if (this.#lanes.every((lane) => lane.calls === 0)) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #openLane(zone: ZoneId, i: number): Lane {
    return new Lane(this.#options, this.log, zone, i, {
      stored: (at) => this.#stored(at, i),
      failed: (at) => this.#failed(at),
      foreign: (at, what) => {
        const message = `${logName(this.log)} was taken over: another ${what} stands at ${at} in zone ${zone}`;
        this.#depose(new StoreError('deposed', 'unknown', message));
      },
      released: (chunk) => this.#released(chunk),
    });
  }

  #stored(at: Position, zone: number): void {
    invariant(!this.#isStopped, 'C5: a stopped writer takes no more answers');
    if (!this.#point.stored(at, zone)) return;
    for (const lane of this.#lanes) lane.committed(this.commitPoint);
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#options.clock.soon(() => this.#tell());
  }

  /** Passes on how far the commit point moved since the last time: once for all answers of one turn. */
  #tell(): void {
    this.#isTelling = false;
    if (this.#isStopped || this.#told === this.commitPoint) return;
    invariant(this.commitPoint > this.#told, 'C5: commits are told in order');
    this.#told = this.commitPoint;
    this.#setStall(undefined);
    this.#events.committed(this.commitPoint);
  }

  /** Whether the oldest chunk that is not committed can still reach its quorum, and may do so now. */
  #failed(at: Position): void {
    if (this.#isStopped || at !== this.commitPoint) return;
    const torn = this.#lanes.filter((lane) => lane.tornAnswers(at) >= TORN_ANSWERS_MAX);
    if (torn.length >= this.#sealQuorum) {
      const message = `${logName(this.log)} cannot go on: position ${at} is torn in ${torn.length} zones`;
      this.#depose(new StoreError('storage', 'unknown', message));
      return;
    }
    const errors = this.#lanes.flatMap((lane) => lane.failure(at, this.#options.answerTimeoutMs) ?? []);
    if (errors.length < this.#sealQuorum) return;
    this.#setStall(errors.find((error) => error.code === 'disk_full') ?? errors[0]);
  }

  #setStall(error: StoreError | undefined): void {
    if (error?.code === this.#stall?.code) return;
    this.#stall = error;
    this.#options.trace.event('chunk.writer.stalled', { log: logName(this.log), code: error?.code ?? 'none' });
    this.#events.stalled(error);
  }

  #depose(reason: StoreError): void {
    if (this.#isStopped) return;
    // What is committed is so whoever owns the channel: it is told before the end.
    this.#tell();
    if (this.#isStopped) return;
    this.#halt();
    this.#options.trace.event('chunk.writer.deposed', { log: logName(this.log), code: reason.code });
    this.#events.deposed(reason);
  }

  #halt(): void {
    this.#isStopped = true;
    for (const lane of this.#lanes) lane.stop();
  }

  #released(chunk: FlyingChunk): void {
    invariant(chunk.holders >= 0, 'C6: a chunk is let go once by each lane');
    if (chunk.holders === 0) this.#inFlightBytes -= chunk.bytes.length;
    if (!this.#isStopped || this.#lanes.some((lane) => lane.calls > 0)) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}
