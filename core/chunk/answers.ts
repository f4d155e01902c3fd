// Asks the zones of a log the same question until enough of them have answered.
//
// A zone that fails is asked again; one that never answers is not waited for. What comes after the last answer that was
// needed is ignored, so that a conclusion, once drawn, stays as it is.

import { StoreError } from '../model/errors.ts';
import type { ZoneId } from '../model/ids.ts';
import { type ChunkLogOptions, retryDelay } from './options.ts';

/** Questions are given up after this many answer timeouts. */
export const PATIENCE_TIMEOUTS = 2;

/** Says that too few zones answered. Nothing was decided: asking again is safe. */
export function tooFewAnswered(what: string, cause: unknown): StoreError {
  const why = cause instanceof StoreError ? ` (${cause.message})` : '';
  return new StoreError('unavailable', 'unknown', `too few zones answered: ${what}${why}`, { cause });
}

/**
 * The first `count` answers, in the order in which they came.
 *
 * @throws StoreError `unavailable` when fewer came in time; whatever else the question throws that is no StoreError.
 */
export function firstAnswers<T>(
  options: ChunkLogOptions,
  zones: readonly ZoneId[],
  count: number,
  what: string,
  question: (zone: ZoneId) => Promise<T>,
): Promise<T[]> {
  const { answerTimeoutMs, clock, retryDelayMs } = options;
  return new Promise((resolve, reject) => {
    const answers: T[] = [];
    let isOver = false;
    let last: unknown;
    const end = (act: () => void): void => {
      isOver = true;
      patience.cancel();
      act();
    };
    const patience = clock.after(PATIENCE_TIMEOUTS * answerTimeoutMs, () => end(() => reject(tooFewAnswered(what, last))));
    const askZone = (zone: ZoneId, salt: number, attempt: number): void => {
      if (isOver) return;
      question(zone).then(
        (answer) => {
          if (isOver) return;
          answers.push(answer);
          if (answers.length === count) end(() => resolve(answers));
        },
        (error: unknown) => {
          if (isOver) return;
          if (!(error instanceof StoreError) || error.code === 'corrupt') return end(() => reject(error));
          last = error;
          clock.after(retryDelay(retryDelayMs, attempt, salt), () => askZone(zone, salt, attempt + 1));
        },
      );
    };
    zones.forEach((zone, i) => {
      askZone(zone, i, 1);
    });
  });
}
