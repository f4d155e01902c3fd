// The planted bugs, the least that must hold of them at every run of the tests: each still applies, and a known seed still catches it.

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CheckName } from '../checks.ts';
import { BUGS, INVARIANTS_OFF } from './bugs.ts';
import { bestOf, countsOf, knownSeeds } from './hunt.ts';
import { changedSources } from './loader.ts';
import { edited } from './planted-bug.ts';
import { type Played, playAll } from './players.ts';
import { caught, type Finder } from './verdict.ts';
import type { Task } from './worker.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

describe('the list', () => {
  test('there are at least 25 bugs, each of another name, with a rule of docs/protocol.md', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
    const protocol = readFileSync(path.join(ROOT, 'docs/protocol.md'), 'utf8');
    for (const { name, rules } of BUGS) {
      expect(rules.length, name).toBeGreaterThan(0);
      for (const rule of rules) expect(protocol, `${name}: ${rule}`).toContain(`| ${rule} |`);
    }
  });

  test.each([...BUGS.map(({ name }) => name), INVARIANTS_OFF])('%s applies to the sources of today, and they still parse', (name) => {
    for (const [file, source] of changedSources(name)) {
      expect(source, file).not.toBe(readFileSync(path.join(ROOT, file), 'utf8'));
      stripTypeScriptTypes(source);
    }
  });

  test('an edit that finds its place twice, or not at all, fails', () => {
    const edit = { file: 'a.ts', find: 'one', replace: 'two' };
    expect(edited('one', [edit])).toBe('two');
    expect(() => edited('one one', [edit])).toThrow('2 places');
    expect(() => edited('none of it'.replace('one', ''), [edit])).toThrow('0 places');
  });
});

describe('the verdict', () => {
  const finderOf = (check: CheckName, isChecked: boolean, message = 'm', bug = {}) =>
    caught({ failures: [{ check, message, at: 0 }] }, bug, isChecked)?.finder;

  test.each([true, false])('histories and direct checks find, invariants on: %s', (isChecked) => {
    expect(finderOf('history/read-gap', isChecked)).toBe('history');
    expect(finderOf('chunk-kept', isChecked)).toBe('direct');
  });

  test('what the product says by itself finds only where its invariants are on', () => {
    for (const [check, message] of [
      ['corrupt', 'm'],
      ['crash', 'InvariantError: C1: …'],
    ] as const) {
      expect(finderOf(check, true, message)).toBe('product');
      expect(finderOf(check, false, message)).toBeUndefined();
    }
  });

  test.each(['hang', 'liveness', 'unkept'] as const)('%s finds only a bug that does no other harm', (check) => {
    expect(finderOf(check, false)).toBeUndefined();
    expect(finderOf(check, true)).toBeUndefined();
    expect(finderOf(check, false, 'm', { onlyStalls: true })).toBe('hang');
  });

  test('a crash of anything but an invariant, a run that is not deterministic, and a search that gave up find nothing', () => {
    for (const check of ['crash', 'scenario', 'determinism', 'thrown', 'history/search-gave-up'] as const) {
      expect(finderOf(check, true, 'TypeError: x is not a function'), check).toBeUndefined();
    }
  });

  test('what counts is found beside what does not', () => {
    const alarm = { check: 'corrupt', message: 'm', at: 0 } as const;
    const lost = { check: 'history/lost-append', message: 'm', at: 1 } as const;
    expect(caught({ failures: [alarm, lost] }, {}, false)?.finder).toBe('history');
  });

  test('the counts say what found how many', () => {
    const played = (isChecked: boolean, finder?: Finder): Played => ({
      task: { bug: 'any', isChecked, seeds: [1] },
      ended: [{ kind: 'ended', task: 0, seed: 1, ...(finder === undefined ? {} : { catch: { finder, what: 'w' } }) }],
      hung: [],
    });
    const all = [played(false, 'history'), played(false), played(false, 'direct'), played(true, 'product'), played(true, 'hang')];
    expect(countsOf(all, false, 3)).toContain('2 of 3 (by histories 1, by direct checks 1, by a hang 0, by the product itself 0)');
    expect(countsOf(all, true, 3)).toContain('2 of 3 (by histories 0, by direct checks 0, by a hang 1, by the product itself 1)');
  });
});

// A change of the product that moves one event moves all behind it, so that a seed may lose its bug: then these are tried. What they do
// not catch either is hunted anew: npm run sim -- --planted --save --name …
const SEEDS_MAX = 500;
const SPARE_SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);

describe('known seeds', () => {
  const known = knownSeeds();
  const tasks = BUGS.flatMap(({ name }): Task[] =>
    [false, true].flatMap((isChecked) => {
      const found = known[name]?.[isChecked ? 'checked' : 'unchecked'];
      // What clients or stores show is shown with the invariants on, too: there only those are played that the product itself catches.
      return found === undefined || (isChecked && !found.by.startsWith('product'))
        ? []
        : [{ bug: name, isChecked, seeds: [found.seed, ...SPARE_SEEDS] }];
    }),
  );

  // Their seeds lost them when the product changed, and no others were hunted since: npm run sim -- --planted --save
  const lost = BUGS.filter(({ name }) => known[name]?.unchecked === undefined || known[name]?.checked === undefined);

  test('every bug has one, with the invariants off and on, of the first five hundred', () => {
    expect(lost.map(({ name }) => name)).toEqual([]);
    expect(tasks.filter(({ isChecked }) => !isChecked).length).toBe(BUGS.length);
    for (const { bug, seeds } of tasks) expect(seeds[0], bug).toBeLessThanOrEqual(SEEDS_MAX);
    expect(tasks.filter(({ isChecked }) => isChecked).length).toBeGreaterThan(0);
  });

  test('each catches its bug, and the product as it is passes it', { timeout: 400_000 }, async () => {
    const half = Math.ceil(tasks.length / 2);
    const played = (await Promise.all([playAll(tasks.slice(0, half)), playAll(tasks.slice(half))])).flat();
    const missed = played
      .filter((one) => bestOf(one) === undefined)
      .map(({ task, ended }: Played) => ({ ...task, other: ended[0]?.other }));
    expect(missed).toEqual([]);
  });
});
