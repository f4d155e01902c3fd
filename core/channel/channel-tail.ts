// One stream's tail as readers hold it, for as long as its tenure lasts: then it fails, and the reader starts anew.
//
//   T9  A tail is told with a valid lease or a barrier behind it, or not at all; nothing is told once the tenure has ended.

import type { StoreError } from '../model/errors.ts';
import type { SeqNum, StreamPosition } from '../model/ids.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { StreamTail, TailView } from '../ports/tail.ts';
import type { ResidentStream } from './resident-stream.ts';
import { streamDeletionPending } from './sequencer.ts';
import type { Tenure } from './tenure.ts';

export class ChannelTail implements StreamTail {
  readonly #tenure: Tenure;
  readonly #stream: ResidentStream;
  readonly #clock: Clock;
  #isHeld = true;

  /** The stream's `holders` already counts this one. */
  constructor(tenure: Tenure, stream: ResidentStream, clock: Clock) {
    this.#tenure = tenure;
    this.#stream = stream;
    this.#clock = clock;
  }

  get trimPoint(): SeqNum {
    return this.#stream.committed.trimPoint;
  }

  async position(): Promise<StreamPosition> {
    this.#refuseSealed();
    await this.#tenure.mayState();
    return this.#stream.tail;
  }

  positionNow(): StreamPosition | undefined {
    return this.#tenure.vouches && this.#sealed() === undefined ? this.#stream.tail : undefined;
  }

  read(from: SeqNum, bytesMax: number): TailView | 'below' {
    this.#refuseSealed();
    if (from < this.#stream.memoryStart) return 'below';
    return { frames: this.#stream.framesFrom(from, bytesMax) };
  }

  waitBeyond(beyond: SeqNum, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const halted = this.#tenure.stopped ?? this.#sealed();
      if (halted !== undefined) return reject(halted);
      if (stream.committed.tail > beyond) return resolve(true);
      if (signal?.aborted) return resolve(false);
      let timer: Timer | undefined;
      const finish = (error?: StoreError): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
        stream.waiters.delete(waiter);
        if (!this.#isHeld) this.#tenure.streams.dropIfIdle(stream);
        const reason = error ?? this.#sealed();
        if (reason === undefined) resolve(stream.committed.tail > beyond);
        else reject(reason);
      };
      const onAbort = (): void => finish();
      const waiter = { beyond, settle: finish };
      stream.waiters.add(waiter);
      signal?.addEventListener('abort', onAbort);
      timer = this.#clock.after(timeoutMs, () => finish());
    });
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#stream.holders -= 1;
    this.#tenure.streams.dropIfIdle(this.#stream);
  }

  #sealed(): StoreError | undefined {
    return this.#stream.committed.isSealed ? streamDeletionPending() : undefined;
  }

  #refuseSealed(): void {
    const halted = this.#tenure.stopped ?? this.#sealed();
    if (halted !== undefined) throw halted;
  }
}
