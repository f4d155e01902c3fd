// One zone as a writer sees it: the copies that are on their way there, tried until they are stored or no longer worth it.
//
// writer.ts has one lane for each zone of its log, and hands every chunk to all of them. A lane does not know of quorums:
// it is told the commit point only to tell which copies others still need.
//
//   C3  A retry puts the same bytes. `occupied` counts as stored only when a get gives back those bytes; torn or absent is no answer.
//   C6  A zone that is slow or gone holds a bounded number of chunks. Beyond it committed chunks are skipped there, oldest first, and
//       a skipped chunk never counts for that zone; what is not committed is never skipped.

import { equalBytes } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { decodeChunkHeader, isChunkOf } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import type { LogId, Position, ZoneId } from '../model/ids.ts';
import type { ChunkStore } from '../ports/chunk-store.ts';
import type { Timer } from '../ports/clock.ts';
import { asStoreError, type ChunkLogOptions, retryDelay, storeOf, zoneMissing, zoneSilent } from './options.ts';

/** Beyond the window, a zone may lag by another. */
const WINDOWS_BEHIND_MAX = 2;
/** Calls for one copy at a time: the one that is overdue, and the one that tries again. */
const CALLS_A_COPY_MAX = 2;
/** A call that is silent for so many answer timeouts is taken for lost, so that it blocks no other; what it still says counts. */
const LOST_TIMEOUTS = 4;

export interface FlyingChunk {
  readonly at: Position;
  readonly bytes: Uint8Array;
  /** Lanes that still hold it. */
  holders: number;
}

export interface LaneEvents {
  stored(at: Position): void;
  /** One more attempt failed; it will be made again. */
  failed(at: Position): void;
  /** Somebody else's bytes stand where this log's chunk belongs. */
  foreign(at: Position, what: 'seal' | 'data'): void;
  /** The lane holds the chunk no longer. */
  released(chunk: FlyingChunk): void;
}

interface Copy {
  readonly chunk: FlyingChunk;
  failures: number;
  tornAnswers: number;
  /** Calls that are neither over nor taken for lost. */
  calls: number;
  /** Stored, or skipped: whatever is still answered changes nothing. */
  isDone: boolean;
  /** Waits in the queue for its turn. */
  isReady: boolean;
  error: StoreError | undefined;
  /** When the writer handed it over, monotonic. */
  readonly sentAt: number;
  retry: Timer | undefined;
}

type Outcome = 'stored' | 'torn' | 'absent' | { readonly foreign: 'seal' | 'data' };

export class Lane {
  readonly zone: ZoneId;
  readonly #options: ChunkLogOptions;
  readonly #log: LogId;
  readonly #events: LaneEvents;
  readonly #salt: number;
  readonly #copiesMax: number;
  /** In order of positions. */
  readonly #copies = new Map<Position, Copy>();
  /** Copies whose turn has come and that wait for a call to settle. */
  #ready: Copy[] = [];
  #calls = 0;
  #commitPoint = 0;
  #isStopped = false;
  #isSkipping = false;

  constructor(options: ChunkLogOptions, log: LogId, zone: ZoneId, salt: number, events: LaneEvents) {
    this.#options = options;
    this.#log = log;
    this.zone = zone;
    this.#salt = salt;
    this.#events = events;
    this.#copiesMax = WINDOWS_BEHIND_MAX * options.windowMax;
  }

  /** Calls to the store that are neither over nor taken for lost. */
  get calls(): number {
    return this.#calls;
  }

  /** Chunks that it has yet to store. */
  get copies(): number {
    return this.#copies.size;
  }

  send(chunk: FlyingChunk): void {
    invariant(!this.#isStopped, 'C4: a stopped writer sends nothing');
    const copy: Copy = {
      chunk,
      failures: 0,
      tornAnswers: 0,
      calls: 0,
      isDone: false,
      isReady: true,
      error: undefined,
      sentAt: this.#options.clock.monotonic(),
      retry: undefined,
    };
    chunk.holders += 1;
    this.#copies.set(chunk.at, copy);
    this.#ready.push(copy);
    this.#skip();
    this.#pump();
  }

  /** Takes in how far the log is committed: what lies below is worth less here. */
  committed(commitPoint: Position): void {
    this.#commitPoint = commitPoint;
    this.#skip();
  }

  /** Why the copy at `at` was not stored within `ms` of being sent. A full disk needs no patience. */
  failure(at: Position, ms: number): StoreError | undefined {
    const copy = this.#copies.get(at);
    if (copy === undefined || copy.error?.code === 'disk_full') return copy?.error;
    const isOverdue = this.#options.clock.monotonic() - copy.sentAt >= ms;
    return isOverdue ? (copy.error ?? zoneSilent(this.zone, ms)) : undefined;
  }

  /** How often the zone said, in a row, that the position holds no valid chunk. */
  tornAnswers(at: Position): number {
    return this.#copies.get(at)?.tornAnswers ?? 0;
  }

  stop(): void {
    this.#isStopped = true;
    this.#ready = [];
    for (const copy of [...this.#copies.values()]) this.#finish(copy);
  }

  /** Skips committed copies while there are too many. */
  #skip(): void {
    for (const copy of this.#copies.values()) {
      if (this.#copies.size <= this.#copiesMax) break;
      // At most one window is not committed, so that the oldest of more than two are.
      invariant(copy.chunk.at < this.#commitPoint, 'C6: what is not committed is never skipped');
      if (!this.#isSkipping) this.#options.trace.event('chunk.zone.lagging', { zone: this.zone, at: copy.chunk.at });
      this.#isSkipping = true;
      this.#finish(copy);
    }
    invariant(this.#copies.size <= this.#copiesMax, 'C6: a lagging zone holds a bounded number of chunks');
  }

  #pump(): void {
    while (this.#calls < this.#copiesMax && this.#ready.length > 0) {
      // What others wait for goes first.
      const needed = this.#ready.findIndex((copy) => !copy.isDone && copy.chunk.at >= this.#commitPoint);
      const [copy] = this.#ready.splice(Math.max(needed, 0), 1);
      if (copy === undefined) break;
      copy.isReady = false;
      if (!copy.isDone && copy.calls < CALLS_A_COPY_MAX) this.#attempt(copy);
    }
  }

  #attempt(copy: Copy): void {
    const { clock, answerTimeoutMs } = this.#options;
    const overdue = (): void => this.#fail(copy, zoneSilent(this.zone, answerTimeoutMs));
    let isHeld = true;
    let timer = clock.after(answerTimeoutMs, () => {
      timer = clock.after((LOST_TIMEOUTS - 1) * answerTimeoutMs, () => settle(overdue));
      overdue();
    });
    this.#calls += 1;
    copy.calls += 1;
    const settle = (act: () => void): void => {
      timer.cancel();
      if (isHeld) this.#letGo(copy);
      isHeld = false;
      if (!copy.isDone) act();
      this.#pump();
    };
    this.#put(copy.chunk).then(
      (outcome) => settle(() => this.#take(copy, outcome)),
      (thrown: unknown) => {
        const error = asStoreError(thrown);
        settle(() => this.#fail(copy, error));
      },
    );
  }

  /** A call is over. */
  #letGo(copy: Copy): void {
    this.#calls -= 1;
    copy.calls -= 1;
    invariant(this.#calls >= 0 && copy.calls >= 0, 'C6: a call is over once');
    if (copy.isDone) this.#release(copy);
  }

  async #put(chunk: FlyingChunk): Promise<Outcome> {
    const store = storeOf(this.#options, this.zone);
    if (store === undefined || !store.isWritable) throw zoneMissing(this.zone);
    const answer = await store.put(this.#log, chunk.at, chunk.bytes);
    return answer === 'stored' ? 'stored' : this.#lookUp(store, chunk);
  }

  /** What occupies the position. */
  async #lookUp(store: ChunkStore, chunk: FlyingChunk): Promise<Outcome> {
    const found = await store.get(this.#log, chunk.at);
    if (typeof found === 'string') return found;
    // The header holds the length and the payload's checksum, so equal beginnings are equal chunks.
    if (equalBytes(found.subarray(0, chunk.bytes.length), chunk.bytes)) return 'stored';
    const header = decodeChunkHeader(found, this.#options.checksum);
    if (header === undefined || !isChunkOf(header, this.#log, chunk.at)) return 'torn';
    return { foreign: header.kind };
  }

  #take(copy: Copy, outcome: Outcome): void {
    const { at } = copy.chunk;
    if (outcome === 'stored') {
      this.#finish(copy);
      if (this.#copies.size <= this.#options.windowMax) this.#isSkipping = false;
      this.#events.stored(at);
      return;
    }
    if (typeof outcome === 'object') {
      this.#events.foreign(at, outcome.foreign);
      return;
    }
    copy.tornAnswers = outcome === 'torn' ? copy.tornAnswers + 1 : 0;
    const message = `zone ${this.zone} has no valid chunk at ${at}, and no room for one (${outcome})`;
    this.#fail(copy, new StoreError('storage', 'unknown', message));
  }

  #fail(copy: Copy, error: StoreError): void {
    if (copy.isDone) return;
    copy.error = error;
    copy.failures += 1;
    if (!copy.isReady && copy.retry === undefined) this.#retryLater(copy);
    this.#events.failed(copy.chunk.at);
  }

  #retryLater(copy: Copy): void {
    const { clock, retryDelayMs } = this.#options;
    copy.retry = clock.after(retryDelay(retryDelayMs, copy.failures, copy.chunk.at + 5 * this.#salt), () => {
      copy.retry = undefined;
      copy.isReady = true;
      this.#ready.push(copy);
      this.#pump();
    });
  }

  /** No more attempts are made; a call that has not settled still holds the bytes. */
  #finish(copy: Copy): void {
    copy.isDone = true;
    copy.retry?.cancel();
    this.#copies.delete(copy.chunk.at);
    this.#release(copy);
  }

  #release(copy: Copy): void {
    if (copy.calls > 0) return;
    copy.chunk.holders -= 1;
    this.#events.released(copy.chunk);
  }
}
