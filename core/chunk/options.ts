// What the chunk log needs of the rest, and how it asks one zone a question.
//
//   C7  Only the zones that a log was opened with count, for W and for R. An identity that is not here gives no answer.

import { InvariantError, invariant } from '../base/invariant.ts';
import { StoreError } from '../model/errors.ts';
import type { ZoneId } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkStore } from '../ports/chunk-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';

export interface ChunkLogOptions {
  /** Every store that can be reached, by identity, with retired ones that only give back what they have. Asked anew each time. */
  readonly stores: () => readonly ChunkStore[];
  /** The zones that a log opened now is written to. */
  readonly currentZones: () => readonly ZoneId[];
  /** W: copies that a chunk needs before it counts. */
  readonly writeQuorum: number;
  /** P: chunks in flight beyond the commit point. It may grow from one owner to the next, but not shrink. */
  readonly windowMax: number;
  readonly clock: Clock;
  readonly checksum: Checksum;
  readonly trace: Trace;
  /** The pause before a question is asked again doubles from `min` to `max`. */
  readonly retryDelayMs: { readonly min: number; readonly max: number };
  /** A zone that is silent for this long has not answered. Takeovers and reads give up after twice this. */
  readonly answerTimeoutMs: number;
}

/** R: any R zones meet any W zones. With fewer answers nothing may be concluded from what is not there. */
export function sealQuorum(zoneCount: number, writeQuorum: number): number {
  invariant(writeQuorum >= 1 && writeQuorum <= zoneCount, 'C7: a log has at least as many zones as its write quorum');
  return zoneCount - writeQuorum + 1;
}

export function storeOf(options: ChunkLogOptions, zone: ZoneId): ChunkStore | undefined {
  return options.stores().find((store) => store.zone === zone);
}

/** The failure of a zone as a StoreError. A broken program is never taken for a zone that failed. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof InvariantError) throw error;
  return new StoreError('storage', 'unknown', 'a chunk store failed', { cause: error });
}

export function zoneMissing(zone: ZoneId): StoreError {
  return new StoreError('unavailable', 'none', `zone ${zone} is not here`);
}

export function zoneSilent(zone: ZoneId, ms: number): StoreError {
  return new StoreError('unavailable', 'unknown', `zone ${zone} did not answer within ${ms} ms`);
}

/** The pause after `attempt` failures (from 1). `salt` spreads those that failed together over the upper half of the pause. */
export function retryDelay(range: { readonly min: number; readonly max: number }, attempt: number, salt: number): number {
  const pause = Math.min(range.max, range.min * 2 ** Math.min(attempt - 1, 30));
  return pause * (0.5 + ((salt * 7) % 16) / 32);
}

/**
 * One answer of one zone.
 *
 * @throws StoreError when the zone is not here, fails, or is silent for too long. The call may still take effect later.
 */
export function ask<T>(options: ChunkLogOptions, zone: ZoneId, question: (store: ChunkStore) => Promise<T>): Promise<T> {
  const store = storeOf(options, zone);
  if (store === undefined) return Promise.reject(zoneMissing(zone));
  const { answerTimeoutMs, clock } = options;
  return new Promise((resolve, reject) => {
    const timer = clock.after(answerTimeoutMs, () => reject(zoneSilent(zone, answerTimeoutMs)));
    question(store).then(
      (answer) => {
        timer.cancel();
        resolve(answer);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error instanceof InvariantError ? error : asStoreError(error));
      },
    );
  });
}
