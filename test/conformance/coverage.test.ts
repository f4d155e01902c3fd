// Every statement about the server has a case, or names the test that shows it; and the lists hold together.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CaseFile } from './case.ts';
import { CASE_FILES } from './cases/all.ts';
import { coverageOf } from './coverage.ts';
import { SECTIONS, STATEMENTS, type Statement } from './statements/all.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const cases = CASE_FILES.flatMap((file) => file.cases);

describe('coverage', () => {
  test('every statement about the server has a case, every id is known, and no case is without ids', () => {
    expect(STATEMENTS.length).toBeGreaterThan(600);
    expect(cases.length).toBeGreaterThan(300);
    expect(coverageOf(CASE_FILES)).toEqual({ uncovered: [], faults: [] });
  });

  test('every section has statements, and the numbers go from 1.1 to 6.3', () => {
    const sections = new Set(STATEMENTS.map((one) => one.section));
    expect([...sections].toSorted()).toEqual(Object.keys(SECTIONS).toSorted());
    expect([...sections].at(0)).toBe('1.1');
    expect([...sections].at(-1)).toBe('6.3');
  });

  test('what no client can bring about, and what takes too long here, is shown by a test that exists', () => {
    const elsewhere = STATEMENTS.flatMap((one) => (one.elsewhere === undefined ? [] : [{ id: one.id, ...one.elsewhere }]));
    const slow = cases.flatMap((one) => (one.slow === undefined ? [] : [{ id: one.name, ...one.slow }]));
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.length, 'this is for exceptions').toBeLessThan(20);
    expect(slow, 'this is for what waits for a minute').toHaveLength(1);
    const lost = [...elsewhere, ...slow].filter(({ file, title }) => {
      const at = path.join(ROOT, file);
      return !file.endsWith('.test.ts') || !existsSync(at) || !readFileSync(at, 'utf8').includes(title);
    });
    expect(lost).toEqual([]);
  });

  test('nothing waits for something', () => {
    expect(cases.filter((one) => one.pending !== undefined)).toEqual([]);
  });
});

describe('the check of coverage', () => {
  const statement = (id: string, about: Statement['about'] = 'server'): Statement => ({ id, section: id.slice(0, 3), text: 'x', about });
  const files = (...shows: string[]): CaseFile[] => [
    { file: 'f', cases: [{ name: 'n', shows: shows as never, steps: [[{ method: 'GET', path: '/' }, { status: 200 }]] }] },
  ];

  test('finds a statement without a case, and no other', () => {
    const list = [statement('1.1-a'), statement('1.1-b'), statement('1.1-c', 'client')];
    expect(coverageOf(files('1.1-a'), list)).toEqual({ uncovered: [list[1]], faults: [] });
  });

  test.each<[string, CaseFile[], Statement[]]>([
    ['an id that stands twice', files('1.1-a'), [statement('1.1-a'), statement('1.1-a')]],
    ['an id that is unknown', files('1.1-a', '1.1-x'), [statement('1.1-a')]],
    ['an id that is no demand on the server', files('1.1-a', '1.1-b'), [statement('1.1-a'), statement('1.1-b', 'client')]],
    ['a section that does not exist', files('9.9-a'), [statement('9.9-a')]],
    ['a case without ids', files(), []],
    ['a name that stands twice', [...files('1.1-a'), ...files('1.1-a')], [statement('1.1-a')]],
    ['a case that does nothing', [{ file: 'f', cases: [{ name: 'n', shows: ['1.1-a' as never] }] }], [statement('1.1-a')]],
  ])('finds %s', (_, cases, list) => {
    expect(coverageOf(cases, list).faults).toHaveLength(1);
  });
});
