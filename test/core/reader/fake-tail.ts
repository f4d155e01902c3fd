// A stream's tail as its channel would show it, of which a test moves every part.

import type { Frame } from '#core/format/frame.ts';
import type { StoreError } from '#core/model/errors.ts';
import type { SeqNum, StreamPosition } from '#core/model/ids.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { StreamTail, TailView } from '#core/ports/tail.ts';

export class FakeTail implements StreamTail {
  trimPoint = 0 as SeqNum;
  frames: Frame[] = [];
  released = 0;
  waits = 0;
  lost: StoreError | undefined;
  /** A lease that vouches for the tail without a wait. */
  hasLease = true;
  /** Runs before each read from memory: where a test lets the world move. */
  onRead: (() => void) | undefined;
  #tail: StreamPosition = { seqNum: 0 as SeqNum, timestamp: 0n };
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get tail(): StreamPosition {
    return this.#tail;
  }

  commit(...frames: readonly Frame[]): void {
    for (const frame of frames) {
      this.frames.push(frame);
      this.#tail = { seqNum: (frame.first + frame.count) as SeqNum, timestamp: frame.lastTimestamp };
      this.trimPoint = frame.trimPoint ?? this.trimPoint;
    }
    for (const wake of [...this.#waiters]) wake();
  }

  /** Forgets all but the last `kept` frames. */
  evict(kept = 0): void {
    this.frames = kept === 0 ? [] : this.frames.slice(-kept);
  }

  lose(error: StoreError): void {
    this.lost = error;
    for (const wake of [...this.#waiters]) wake();
  }

  async position(): Promise<StreamPosition> {
    if (this.lost !== undefined) throw this.lost;
    return this.#tail;
  }

  positionNow(): StreamPosition | undefined {
    return this.hasLease && this.lost === undefined ? this.#tail : undefined;
  }

  read(from: SeqNum, bytesMax: number): TailView | 'below' {
    this.onRead?.();
    if (this.lost !== undefined) throw this.lost;
    if (from < (this.frames[0]?.first ?? this.#tail.seqNum)) return 'below';
    const frames: Frame[] = [];
    let bytes = 0;
    for (const frame of this.frames) {
      if (frame.first + frame.count <= from || bytes >= bytesMax) continue;
      frames.push(frame);
      bytes += frame.body.length;
    }
    return { frames };
  }

  waitBeyond(beyond: SeqNum, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    this.waits += 1;
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        if (this.lost === undefined && this.#tail.seqNum <= beyond) return;
        finish();
      };
      const finish = (): void => {
        timer.cancel();
        this.#waiters.delete(wake);
        if (this.lost === undefined) resolve(this.#tail.seqNum > beyond);
        else reject(this.lost);
      };
      const timer = this.#clock.after(timeoutMs, finish);
      signal?.addEventListener('abort', finish);
      this.#waiters.add(wake);
      wake();
    });
  }

  release(): void {
    this.released += 1;
  }
}
