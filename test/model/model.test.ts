import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { QUICK_VARIANTS, VARIANTS } from './checks.ts';
import { runModel } from './run.ts';
import { missingTool, parse } from './spin.ts';

const missing = missingTool();
if (missing !== undefined) console.log(`the formal model is not checked: ${missing} is not installed (Debian: apt-get install spin gcc)`);

describe('docs/protocol.md', () => {
  test('says of each planted change which promise it breaks, and without which invariants it would be so', () => {
    const rows = VARIANTS.map(({ name, rules, breaks }) => `| ${name} | ${rules.split(' ').join(', ')} | \`${breaks}\` |`);
    const told = readFileSync(path.join(import.meta.dirname, '../../docs/protocol.md'), 'utf8').split(
      '| change | invariants | promise that it breaks |',
    )[1];
    expect(told?.trim().split('\n').slice(1)).toEqual(rows);
  });

  test('what a quick run looks for is at least one change a promise', () => {
    const quick = VARIANTS.filter(({ name }) => QUICK_VARIANTS.includes(name));
    expect(quick.length).toBe(QUICK_VARIANTS.length);
    expect(new Set(quick.map(({ breaks }) => breaks))).toEqual(new Set(VARIANTS.map(({ breaks }) => breaks)));
  });
});

describe.skipIf(missing !== undefined)('the formal model of the chunk log', () => {
  test('holds in every schedule of two owners and a zombie, and finds planted bugs', async () => {
    const lines: string[] = [];
    const surprises = await runModel({ isQuick: true, print: (line) => lines.push(line) });
    expect(surprises, lines.join('\n')).toEqual([]);
    expect(lines.find((line) => line.includes('two owners and a zombie'))).toMatch(/\d\d,\d{3} states/);
  }, 240_000);
});

// What the checker says must never be taken for more than it says.
describe('the output of a checker', () => {
  const held = 'State-vector 132 byte, depth reached 48, errors: 0\n    87367 states, stored\n  235.080\ttotal actual memory usage\n';

  test('holds when the search was whole and found nothing', () => {
    expect(parse(held)).toEqual({ states: 87_367, depth: 48, memoryMib: 235.08 });
  });

  test('names the promise that is broken', () => {
    const output = `pan:1: assertion violated acknowledged_is_kept (at depth 23)\n${held.replace('errors: 0', 'errors: 1')}`;
    expect(parse(output).broken).toBe('acknowledged_is_kept');
    const alone = output.replace('acknowledged_is_kept', '((1!=1)||acknowledged_is_kept)');
    expect(parse(alone).broken).toBe('acknowledged_is_kept');
  });

  test.each([
    ['was cut off at its depth', `error: max search depth too small\n${held}`],
    ['ran out of memory', `pan: reached -DMEMLIM bound\n${held}`],
    ['failed in another way', held.replace('errors: 0', 'errors: 1')],
    ['said nothing', ''],
  ])('is refused when the search %s', (_, output) => {
    expect(() => parse(output)).toThrow('came to no end');
  });
});
