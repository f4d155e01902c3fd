// The committed chunks whose frames memory holds, oldest first, and when they may go.
//
//   T3  A frame is evicted only once its chunk lies below base, that is, once segments hold it.
//   T4  What is offloaded stays at most `tailMs` and `tailBytesMax`; what is not is bounded by holding appends back.

import { invariant } from '../base/invariant.ts';
import type { Frame } from '../format/frame.ts';
import type { Epoch, Position } from '../model/ids.ts';
import type { WrittenChunk } from '../ports/chunk-log.ts';
import type { ResidentStream } from './resident-stream.ts';

/** What a frame costs in memory beside its bytes: the object, its views and its place in two queues. */
const FRAME_OVERHEAD_BYTES = 512;

export interface HeldFrame {
  readonly stream: ResidentStream;
  readonly frame: Frame;
}

/** A committed chunk, with those of its frames that memory holds. */
interface CommittedChunk extends WrittenChunk {
  readonly frames: readonly HeldFrame[];
}

interface HeldChunk extends CommittedChunk {
  readonly epoch: Epoch;
  readonly committedAt: number;
  readonly bytes: number;
}

/** How far offload may go, in the owner's word. */
export interface OffloadHint {
  readonly epoch: Epoch;
  readonly to: Position;
  readonly backlogBytes: number;
  /** How long the oldest of it has been committed. */
  readonly ageMs: number;
}

/** First position of each log that is not offloaded; a log that is gone is offloaded whole. */
export type Bases = ReadonlyMap<Epoch, Position>;

export class Backlog {
  readonly #tailMs: number;
  readonly #tailBytesMax: number;
  #chunks: HeldChunk[] = [];
  #head = 0;
  /** Index behind the chunks that are known to be offloaded. */
  #offloaded = 0;
  #heldBytes = 0;
  #backlogBytes = 0;

  constructor(tailMs: number, tailBytesMax: number) {
    this.#tailMs = tailMs;
    this.#tailBytesMax = tailBytesMax;
  }

  /** Bytes that memory holds in all. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes that are not offloaded: what a takeover would have to replay. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** The oldest chunk that is not offloaded, and when it was committed (monotonic). */
  get oldest(): Pick<HeldChunk, 'epoch' | 'at' | 'committedAt'> | undefined {
    return this.#chunks[this.#offloaded];
  }

  push(epoch: Epoch, { at, payload, frames }: CommittedChunk, now: number): void {
    let bytes = 0;
    for (const { frame } of frames) bytes += frame.bytes.length + FRAME_OVERHEAD_BYTES;
    this.#chunks.push({ epoch, at, payload, committedAt: now, bytes, frames });
    this.#heldBytes += bytes;
    this.#backlogBytes += bytes;
  }

  /** The payload of a committed chunk, if memory holds it: of one without frames it does not. */
  payloadAt(epoch: Epoch, at: Position): Uint8Array | undefined {
    let low = this.#head;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle];
      if (chunk !== undefined && (chunk.epoch < epoch || (chunk.epoch === epoch && chunk.at < at))) low = middle + 1;
      else high = middle;
    }
    const found = this.#chunks[low];
    return found?.epoch === epoch && found.at === at ? found.payload : undefined;
  }

  /** Takes in what was offloaded, and evicts what is too old or too much. Returns the streams that lost a frame. */
  evict(bases: Bases, now: number): Set<ResidentStream> {
    for (let chunk = this.#chunks[this.#offloaded]; chunk !== undefined; chunk = this.#chunks[this.#offloaded]) {
      const base = bases.get(chunk.epoch);
      if (base !== undefined && chunk.at >= base) break;
      this.#offloaded += 1;
      this.#backlogBytes -= chunk.bytes;
    }
    const touched = new Set<ResidentStream>();
    while (this.#head < this.#offloaded) {
      const chunk = this.#chunks[this.#head];
      invariant(chunk !== undefined, 'T3: what is offloaded was held');
      if (this.#heldBytes <= this.#tailBytesMax && now - chunk.committedAt < this.#tailMs) break;
      for (const { stream, frame } of chunk.frames) {
        stream.evict(frame);
        touched.add(stream);
      }
      this.#heldBytes -= chunk.bytes;
      this.#head += 1;
    }
    this.#shrink();
    invariant(this.#backlogBytes >= 0 && this.#heldBytes >= this.#backlogBytes, 'T4: held bytes include the backlog');
    return touched;
  }

  #shrink(): void {
    if (this.#head < 64 || this.#head * 2 < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#head);
    this.#offloaded -= this.#head;
    this.#head = 0;
  }
}
