import { describe, expect, test } from 'vitest';
import { Hedge } from '#core/adapters/aws/hedge.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import type { Clock } from '#core/ports/clock.ts';

/** A clock whose timers a test fires by hand. */
function handClock(): { clock: Clock; fire(): void } {
  let callbacks: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: () => Promise.resolve(),
    soon: (callback) => callback(),
    after(_ms, callback) {
      callbacks.push(callback);
      return { cancel: () => (callbacks = callbacks.filter((other) => other !== callback)) };
    },
  };
  return {
    clock,
    fire() {
      const due = callbacks;
      callbacks = [];
      for (const callback of due) callback();
    },
  };
}

/** Calls that the test answers, in the order in which they were made. */
function calls<T>(): { call: () => Promise<T>; made: { resolve(answer: T): void; reject(error: unknown): void }[] } {
  const made: { resolve(answer: T): void; reject(error: unknown): void }[] = [];
  return { made, call: () => new Promise<T>((resolve, reject) => made.push({ resolve, reject })) };
}

const unknown = new StoreError('unavailable', 'unknown', 'no answer');
const none = refused('throttled', 'slow down');

describe('a hedge', () => {
  test('is not made for a call that is answered in time', async () => {
    const { clock, fire } = handClock();
    const hedge = new Hedge(clock, { afterMs: 10, shareMax: 1 });
    const { call, made } = calls<string>();
    const answer = hedge.run(call);
    made[0]?.resolve('a');
    expect(await answer).toBe('a');
    fire();
    expect([made.length, hedge.count]).toEqual([1, 0]);
  });

  test('gives the first answer that is wanted, and another one only when no call is left', async () => {
    for (const [first, second, expected] of [
      ['occupied', 'stored', 'stored'],
      ['stored', 'occupied', 'stored'],
      ['occupied', 'occupied', 'occupied'],
    ] as const) {
      const { clock, fire } = handClock();
      const { call, made } = calls<string>();
      const answer = new Hedge(clock, { afterMs: 10, shareMax: 1 }).run(call, (told) => told === 'stored');
      fire();
      made[1]?.resolve(first);
      made[0]?.resolve(second);
      expect(await answer).toBe(expected);
    }
  });

  test('Z16: a definite failure does not hide one that may have taken effect', async () => {
    for (const [first, second] of [
      [unknown, none],
      [none, unknown],
    ] as const) {
      const { clock, fire } = handClock();
      const { call, made } = calls<string>();
      const answer = new Hedge(clock, { afterMs: 10, shareMax: 1 }).run(call);
      fire();
      made[0]?.reject(first);
      made[1]?.reject(second);
      await expect(answer).rejects.toBe(unknown);
    }
  });

  test('one call that fails does not end the other', async () => {
    const { clock, fire } = handClock();
    const { call, made } = calls<string>();
    const answer = new Hedge(clock, { afterMs: 10, shareMax: 1 }).run(call);
    fire();
    made[0]?.reject(unknown);
    made[1]?.resolve('late');
    expect(await answer).toBe('late');
  });

  test('is made for a share of the calls alone, when all of them are slow', async () => {
    const { clock, fire } = handClock();
    const hedge = new Hedge(clock, { afterMs: 10, shareMax: 0.05 });
    const { call, made } = calls<string>();
    const answers = Array.from({ length: 200 }, () => {
      const answer = hedge.run(call);
      fire();
      return answer;
    });
    // Ten that were saved, and one for twenty calls (sums of 0.05 are not exact).
    expect(hedge.count).toBeOneOf([19, 20]);
    for (const { resolve } of made) resolve('x');
    await Promise.all(answers);
  });
});
