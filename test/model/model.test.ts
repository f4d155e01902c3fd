import { describe, expect, test } from 'vitest';
import { runModel } from './run.ts';
import { missingTool, parse } from './spin.ts';

const missing = missingTool();
if (missing !== undefined) console.log(`the formal model is not checked: ${missing} is not installed (Debian: apt-get install spin gcc)`);

describe.skipIf(missing !== undefined)('the formal model of the chunk log', () => {
  test('holds in every schedule of two owners and a zombie, and finds planted bugs', async () => {
    const lines: string[] = [];
    const surprises = await runModel({ isQuick: true, print: (line) => lines.push(line) });
    expect(surprises, lines.join('\n')).toEqual([]);
    expect(lines.find((line) => line.includes('two owners and a zombie'))).toMatch(/\d\d,\d{3} states/);
  }, 120_000);
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
