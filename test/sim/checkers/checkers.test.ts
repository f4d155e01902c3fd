import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { goodHistory, TWIST, twisted, untimed } from './arbitrary-history.ts';
import { BAD_HISTORIES } from './bad-histories.ts';
import { acked, append, call, checkTail, gave, read, tail, unknown } from './calls.ts';
import { checkHistory } from './index.ts';
import { measure } from './measure.ts';
import { printHistory } from './print.ts';
import { isExplainable } from './reference.ts';
import { shrink } from './shrink.ts';

describe('the checker rejects a history in which', () => {
  test.each(BAD_HISTORIES)('$claim', ({ bad, by }) => {
    const { violations } = checkHistory(bad);
    expect(violations.map(({ check }) => check)).toContain(by);
    expect(violations.every(({ message, stream }) => message.length > 0 && stream === 'orders')).toBe(true);
  });
});

describe('the checker accepts the twin of a history in which', () => {
  test.each(BAD_HISTORIES)('$claim', ({ good }) => {
    expect(checkHistory(good)).toMatchObject({ ok: true, violations: [] });
  });
});

test('there are at least twenty bad histories, each with its own claim', () => {
  expect(new Set(BAD_HISTORIES.map(({ claim }) => claim)).size).toBe(BAD_HISTORIES.length);
  expect(BAD_HISTORIES.length).toBeGreaterThanOrEqual(20);
});

describe('the verdict', () => {
  const overlapping = Array.from({ length: 40 }, (_, i) => call(i, 100 + i, append([i]), acked(i)));

  test('of a search that runs out of steps is a failure', () => {
    expect(checkHistory(overlapping)).toMatchObject({ ok: true, gaveUp: false });
    const verdict = checkHistory(overlapping, { stepsMax: 10 });
    expect(verdict).toMatchObject({ ok: false, gaveUp: true, violations: [{ check: 'search-gave-up' }] });
  });

  test('names the two calls that contradict each other', () => {
    const before = call(1, 2, append([1, 2]), acked(0, 2));
    const after = call(3, 4, checkTail, tail(0));
    const [violation] = checkHistory([before, call(1, 2, append([3]), unknown), after]).violations;
    expect(violation).toMatchObject({ check: 'stale-answer', calls: [before, after] });
  });

  test('says which call no order explains, and why', () => {
    const odd = call(3, 4, checkTail, tail(7));
    const [violation] = checkHistory([call(1, 2, append([1]), acked(0)), odd]).violations;
    expect(violation?.calls).toEqual([odd]);
    expect(violation?.message).toContain('the tail is 1');
  });

  test('does not depend on the order in which calls were recorded', () => {
    for (const { bad, good } of BAD_HISTORIES) {
      expect(checkHistory(bad.toReversed()).ok).toBe(false);
      expect(checkHistory(good.toReversed()).ok).toBe(true);
    }
  });
});

describe('measure', () => {
  test('counts what overlaps on one stream, and what ended unknown', () => {
    const other = call(1, 9, { kind: 'check-tail', stream: 'other' }, tail(0));
    const history = [call(1, 3, append([1]), acked(0)), call(2, 4, append([2]), unknown), call(5, 6, checkTail, tail(2)), other];
    expect(measure(history)).toEqual({ operations: 4, overlapping: 0.5, unknown: 0.25 });
    expect(measure([])).toEqual({ operations: 0, overlapping: 0, unknown: 0 });
  });
});

describe('shrink', () => {
  test('leaves the calls that show the violation', () => {
    const noise = Array.from({ length: 30 }, (_, i) => call(10 * i, 10 * i + 5, append([i]), acked(i)));
    const reads = Array.from({ length: 30 }, (_, i) => call(10 * i + 6, 10 * i + 7, checkTail, tail(i + 1)));
    const lost = call(157, 158, read(3, { count: 4 }), gave(3, [3, 4, 5, 99]));
    const shrunk = shrink([...noise, ...reads, lost], checkHistory);
    expect(shrunk?.violation.check).toBe('unsent-record');
    // Without the appends that it may show, the read would be bad for another reason.
    expect(shrunk?.history).toEqual([...noise.slice(0, 7), lost]);
  });

  test('returns nothing for a good history', () => {
    expect(shrink([call(1, 2, append([1]), acked(0))], checkHistory)).toBeUndefined();
  });

  property.prop([goodHistory({ maxLength: 7, lives: 'often' }), fc.array(TWIST, { minLength: 1, maxLength: 2 })], { numRuns: 2_000 })(
    'leaves a history that is bad in itself',
    (history, twists) => {
      const calls = untimed(twists.reduce(twisted, history));
      const shrunk = shrink(calls, checkHistory);
      const isOrderWrong = shrunk?.violation.check === 'not-linearizable';
      if (shrunk !== undefined && isOrderWrong) expect(isExplainable(calls), printHistory(shrunk.history)).toBe(false);
      if (shrunk !== undefined) expect(checkHistory(shrunk.history).ok).toBe(false);
    },
  );
});

test('a history prints as one line a call, with bars for what overlaps', () => {
  const first = call(1, 4, append([1], { matchSeqNum: 0 }), acked(0));
  const history = [call(3, undefined, read(0)), first];
  const lines = printHistory(history, [first]).split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^> c\d+ +\|-\| +orders: append \(1\) if tail 0 -> \[0, 1\)$/);
  expect(lines[1]).toMatch(/^ {2}c\d+ +\|-+ +orders: read from 0 -> \?$/);
});
