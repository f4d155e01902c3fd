// A stream as whoever does not own its channel may read it: what lies in segments, and nothing behind.
//
//   T13 Who does not own a stream's channel answers a read alone only if it is unary, starts at a sequence number, and ends for a bound
//       within what is offloaded, by the name and the state of the stream read strongly in this request. Where the read comes to what
//       is not offloaded, its owner is asked; of the tail nothing is said.

import type { StreamState } from '../metadata/schema.ts';
import type { StoreError } from '../model/errors.ts';
import type { SeqNum, StreamPosition } from '../model/ids.ts';
import type { ReadRequest } from '../model/read.ts';
import type { StreamTail, TailView } from '../ports/tail.ts';
import type { ReadMode } from './start.ts';

export class OffloadedTail implements StreamTail {
  readonly trimPoint: SeqNum;
  readonly #end: StreamPosition;
  readonly #elsewhere: () => StoreError;

  /** @param elsewhere why only the owner can go on */
  constructor({ offloaded, lastTimestamp, trimPoint }: StreamState, elsewhere: () => StoreError) {
    this.trimPoint = trimPoint;
    this.#end = { seqNum: offloaded, timestamp: lastTimestamp };
    this.#elsewhere = elsewhere;
  }

  /** Whether it is worth a try. */
  mayAnswer({ start }: ReadRequest, mode: ReadMode): boolean {
    return mode === 'unary' && start.kind === 'seqNum' && start.seqNum < this.#end.seqNum;
  }

  /** The end of what is offloaded: a read that starts below it starts below the tail, too. */
  async position(): Promise<StreamPosition> {
    return this.#end;
  }

  positionNow(): undefined {
    return undefined;
  }

  read(from: SeqNum): TailView | 'below' {
    if (from < this.#end.seqNum) return 'below';
    throw this.#elsewhere();
  }

  async waitBeyond(): Promise<boolean> {
    throw this.#elsewhere();
  }

  release(): void {}
}
