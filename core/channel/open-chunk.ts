// Frames that are sequenced and wait to leave in a chunk, and those that left and wait to be committed.

import type { FrameHeader } from '../format/frame.ts';
import type { StoreError } from '../model/errors.ts';
import type { WrittenChunk } from '../ports/chunk-log.ts';
import type { HeldFrame } from './backlog.ts';
import type { ResidentStream } from './resident-stream.ts';

/** One sequenced frame, not yet in a chunk. */
export interface Content {
  readonly stream: ResidentStream;
  readonly header: FrameHeader;
  readonly headerBytes: Uint8Array;
  readonly body: Uint8Array;
}

/** Whoever waits for a place in the log: for the commit of its frame, or, without one, of all before it (a barrier). */
export interface Entry {
  readonly content?: Content;
  /** Called when committed, or with the failure that the caller is told (which does not undo the frame): the first call counts. */
  settle(error?: StoreError): void;
}

/** Entries in their order, with their bytes. */
export class OpenChunk {
  #entries: Entry[] = [];
  #head = 0;
  bytes = 0;
  /** When the oldest waiting entry came (monotonic). */
  openedAt = 0;

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(entry: Entry, now: number): void {
    if (this.isEmpty) this.openedAt = now;
    this.#entries.push(entry);
    this.bytes += sizeOf(entry);
  }

  /** Takes the entries of the next chunk: at most `bytesMax`, and at least one. */
  take(bytesMax: number, now: number): Entry[] {
    const taken: Entry[] = [];
    let bytes = 0;
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      const size = sizeOf(entry);
      if (taken.length > 0 && bytes + size > bytesMax) break;
      taken.push(entry);
      bytes += size;
      this.#head += 1;
    }
    this.bytes -= bytes;
    this.openedAt = now;
    this.#shrink();
    return taken;
  }

  waiting(): readonly Entry[] {
    return this.#entries.slice(this.#head);
  }

  /** Lets go of what was taken: under load the chunk may never be empty. */
  #shrink(): void {
    if (!this.isEmpty && (this.#head < 64 || this.#head * 2 < this.#entries.length)) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

function sizeOf({ content }: Entry): number {
  return content === undefined ? 0 : content.headerBytes.length + content.body.length;
}

/** A chunk that was written and is not yet committed. */
export interface FlyingChunk extends WrittenChunk {
  /** Those who wait for its commit; more may join. */
  readonly entries: Entry[];
  readonly frames: readonly HeldFrame[];
}

/** Finds each entry's frame inside the payload that the chunk log keeps. */
export function framesIn(payload: Uint8Array, entries: readonly Entry[]): HeldFrame[] {
  let at = 0;
  return entries.flatMap(({ content }) => {
    if (content === undefined) return [];
    const { stream, header, headerBytes, body } = content;
    const bodyStart = at + headerBytes.length;
    const end = bodyStart + body.length;
    const frame = { ...header, bytes: payload.subarray(at, end), body: payload.subarray(bodyStart, end) };
    at = end;
    return [{ stream, frame }];
  });
}
