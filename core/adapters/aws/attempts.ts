// Repeats a call of an AWS client until it is answered, in bounded time, and says truly what may have happened.
//
//   Z16 A call whose earlier attempt may have taken effect never fails with effect none.

import { StoreError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Random } from '../../ports/random.ts';
import { type Failure, failureOf } from './failure.ts';

export interface AttemptPolicy {
  readonly clock: Clock;
  readonly random: Random;
  readonly attemptsMax: number;
  /** One attempt that takes longer is given up, and may have taken effect. */
  readonly attemptMsMax: number;
  /** Before the second attempt, doubled for each further one, and drawn from half of it to all of it. */
  readonly delayMs: { readonly min: number; readonly max: number };
}

/**
 * Calls until an attempt is answered.
 *
 * @param what for people: `s3://bucket/key: put`
 * @param call one attempt; it ends soon after `signal` aborts
 * @param mayRepeat asked after an attempt that may have taken effect; default: always
 * @throws StoreError of the last attempt
 */
export async function withAttempts<T>(
  what: string,
  policy: AttemptPolicy,
  call: (signal: AbortSignal) => Promise<T>,
  mayRepeat: (failure: Failure) => boolean = () => true,
): Promise<T> {
  const { clock, random, attemptsMax, delayMs } = policy;
  let isUnknown = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withinTime(policy, call);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const failure = failureOf(error);
      isUnknown ||= failure.effect === 'unknown';
      if (!failure.isTransient || attempt === attemptsMax || !mayRepeat(failure)) {
        throw new StoreError(failure.code, isUnknown ? 'unknown' : 'none', `${what}: ${failure.message}`, { cause: error });
      }
    }
    const delay = Math.min(delayMs.max, delayMs.min * 2 ** (attempt - 1));
    await clock.sleep(delay * (0.5 + random.unit() / 2));
  }
}

async function withinTime<T>({ clock, attemptMsMax }: AttemptPolicy, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const timer = clock.after(attemptMsMax, () =>
    abort.abort(Object.assign(new Error(`no answer within ${attemptMsMax} ms`), { name: 'TimeoutError' })),
  );
  try {
    return await call(abort.signal);
  } catch (error) {
    // A client says in many ways that it was told to stop.
    throw abort.signal.aborted && !(error instanceof StoreError) ? abort.signal.reason : error;
  } finally {
    timer.cancel();
  }
}
