// Every bug of the product that was found from here stands in docs/verification.md, and what keeps it away has a name.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { REGRESSIONS } from './regressions.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const HEADING = '## What they found in the product';

interface Row {
  readonly found: string;
  /** Test files that the row names. */
  readonly files: readonly string[];
}

function rowsOf(document: string): Row[] {
  const lines = (document.split(HEADING)[1] ?? '').split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| found by'));
  const rows = lines.map((line) => {
    const [, found = '', , regression = ''] = line.split('|').map((cell) => cell.trim());
    return { found, files: [...regression.matchAll(/`([^`]+\.test\.ts)`/g)].map((match) => match[1] ?? '') };
  });
  // What fuzzing found is kept by tests of its own, beside the parts that it is about.
  return rows.filter(({ found }) => !found.startsWith('fuzz'));
}

describe('what was found in the product', () => {
  const rows = rowsOf(readFileSync(path.join(ROOT, 'docs/verification.md'), 'utf8'));

  test('is listed in docs, and each of it has its regressions here', () => {
    expect(rows.length).toBeGreaterThan(15);
    expect(REGRESSIONS.map(({ found }) => found)).toEqual(rows.map(({ found }) => found));
    for (const [i, { found, files }] of rows.entries()) {
      const tests = REGRESSIONS[i]?.tests ?? [];
      expect([...new Set(tests.map(({ file }) => path.basename(file)))], found).toEqual(files);
    }
  });

  test.each(REGRESSIONS.flatMap(({ found, tests }) => tests.map((one) => ({ found, ...one }))))('$found: $title', ({ file, title }) => {
    const titles = [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/\btest(?:\.each\([^)]*\))?\(\s*(['"`])(.*?)\1,/g)];
    expect(titles.map((match) => match[2])).toContain(title);
  });
});
