import { describe, expect, test } from 'vitest';
import type { InRecord } from '#bench/protocol.ts';
import { bodyOf, History, Violation } from './history.ts';
import { runCrashTest } from './run.ts';

const SEED = Number(process.env['MILLRACE_CRASH_SEED'] ?? Date.now() % 1_000_000);

describe('kill -9 of the real process', () => {
  test('loses, doubles, swaps or changes no acknowledged record in 20 rounds', async () => {
    console.log(`npm run crash -- --rounds 20 --seed ${SEED}`);
    const report = await runCrashTest({ rounds: 20, seed: SEED, print: (line) => console.log(line) });
    expect(report.rounds).toBe(20);
    expect(report.damages).toBeGreaterThan(0);
    expect(report.acknowledged).toBeGreaterThan(1_000);
  }, 180_000);
});

// What the test above would not notice, no crash would ever show.
describe('the history of a stream refuses', () => {
  const at = (seqNum: number, number: number, timestamp = 1): InRecord => ({
    seqNum,
    timestamp,
    headers: [],
    body: bodyOf('w', number, 10),
  });

  function historyOf(acknowledged: number): History {
    const history = new History('s');
    history.send('w', 5);
    if (acknowledged > 0) history.acknowledge('w', 0, acknowledged, 0, acknowledged);
    return history;
  }

  test('nothing of a stream that holds what was acknowledged, and a record whose answer was lost', () => {
    historyOf(2).verify([at(0, 0), at(1, 1), at(2, 3)], 3);
  });

  test.each<[string, number, InRecord[], number]>([
    ['a lost record', 2, [at(0, 0)], 1],
    ['a tail that its records do not reach', 1, [at(0, 0)], 2],
    ['a record that is there twice', 1, [at(0, 0), at(1, 0)], 2],
    ['two records in the other order', 0, [at(0, 1), at(1, 0)], 2],
    ['another record where one was acknowledged', 2, [at(0, 0), at(1, 2)], 2],
    ['a record that was never sent', 1, [at(0, 0), at(1, 7)], 2],
    ['a gap', 1, [at(0, 0), at(2, 1)], 2],
    ['a timestamp that goes back', 1, [at(0, 0, 5), at(1, 1, 4)], 2],
    ['a changed byte', 1, [{ ...at(0, 0), body: Buffer.concat([bodyOf('w', 0, 10).subarray(0, -1), Buffer.from('!')]) }], 1],
  ])('%s', (_, acknowledged, records, tail) => {
    expect(() => historyOf(acknowledged).verify(records, tail)).toThrow(Violation);
  });

  test('a record that is read otherwise than before', () => {
    const history = historyOf(0);
    history.show(at(0, 0));
    expect(() => history.verify([at(0, 1)], 1)).toThrow(Violation);
  });

  test('what a reader was shown and is gone', () => {
    const history = historyOf(0);
    history.show(at(0, 0));
    expect(() => history.verify([], 0)).toThrow(Violation);
  });
});
