import { expect, test } from 'vitest';
import { acked, append, call, checkTail, tail } from './checkers/calls.ts';
import { explained } from './explain.ts';

const APPENDS = Array.from({ length: 30 }, (_, i) => call(10 * i, 10 * i + 5, append([i]), acked(i)));
const TAILS = Array.from({ length: 30 }, (_, i) => call(10 * i + 6, 10 * i + 7, checkTail, tail(i + 1)));

test('a history that cannot be is printed as short as it was found, with the calls that contradict each other', () => {
  const stale = call(107, 108, checkTail, tail(3));
  const message = 'the tail was known to be 11';
  const text = explained({ failures: [{ check: 'history/stale-answer', message, at: 7 }], history: [...APPENDS, ...TAILS, stale] });
  expect(text).toContain('history/stale-answer at 7.0 ms: the tail was known to be 11');
  expect(text.split('\n').filter((line) => line.startsWith('>'))).toHaveLength(2);
  expect(text.split('\n').filter((line) => line.includes('orders: '))).not.toHaveLength(61);
  expect(text).toMatch(/the shortest history found, \d+ of 61 calls/);
});

test('the failure of a direct check is printed with the history that led to it', () => {
  const other = call(400, undefined, { kind: 'check-tail', stream: 'others' });
  const failures = [{ check: 'acknowledged-not-committed', message: '29 of orders was acknowledged', at: 1 }] as const;
  const text = explained({ failures, history: [...APPENDS, other] });
  expect(text).toContain('the last 30 of 30 calls on orders');
  expect(text).toContain('append (t) -> [29, 30)');
  expect(text).not.toContain('others');
});

test('a failure that names no stream is printed with the last calls on all of them', () => {
  const text = explained({
    failures: [{ check: 'chunk-kept', message: 'express-0/3:7 is deleted', at: 1 }],
    history: [...APPENDS, ...TAILS, ...APPENDS],
  });
  expect(text).toContain('the last 80 of 90 calls:');
});
