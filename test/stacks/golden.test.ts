// What the stacks deploy, as it was last looked at. A template that differs is for somebody to read: `npm run golden` writes it anew,
// for the difference to be part of the change. Never in CI.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { CELLS, type CellName, masked, templateOf } from '#test/stacks/cells.ts';

vi.setConfig({ testTimeout: 120_000 });

const isWriting = process.env['MILLRACE_GOLDEN'] === 'write';

describe('the template', () => {
  test.each(Object.keys(CELLS) as CellName[])('of a cell for %s is as it was (npm run golden)', (name) => {
    const file = `test/stacks/golden/${name}.json`;
    const text = masked(templateOf(name).toJSON());
    if (isWriting) {
      if (process.env['CI'] !== undefined || process.env['MILLRACE_TEST_SKIPS'] !== undefined) throw new Error('nothing is written in CI');
      writeFileSync(file, text);
    }
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});
