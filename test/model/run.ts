// npm run model [-- --quick] [--schedules]: checks the formal model of the chunk log exhaustively, and that it can fail.

import { parseArgs } from 'node:util';
import { CONFIGURATIONS, QUICK, QUICK_VARIANTS, SITUATIONS, VARIANTS } from './checks.ts';
import { check, type Model, missingTool, type Outcome } from './spin.ts';

const USAGE = 'usage: npm run model -- [--quick] [--schedules]';

interface Options {
  readonly isQuick: boolean;
  readonly print: (line: string) => void;
  /** Prints the shortest schedule found for each planted bug. */
  readonly withSchedules?: boolean;
}

/** The surprises: a configuration that does not hold, a situation never met, a planted bug that nothing finds. */
export async function runModel({ isQuick, print, withSchedules = false }: Options): Promise<readonly string[]> {
  const surprises: string[] = [];
  const surprise = (text: string): void => {
    surprises.push(text);
    print(`  SURPRISE: ${text}`);
  };
  print('configurations, all schedules of each');
  for (const { name, ...model } of isQuick ? [QUICK] : CONFIGURATIONS) {
    const outcome = await check(model, { isLong: !isQuick });
    print(`  ${figures(outcome)}  ${name}  (${described(model)})`);
    if (outcome.broken === undefined) continue;
    surprise(`"${name}" breaks ${outcome.broken}`);
    for (const step of outcome.schedule) print(`      ${step}`);
  }
  print('situations that the schedules meet');
  for (const { name, ...model } of isQuick ? SITUATIONS.slice(0, 2) : SITUATIONS) {
    const outcome = await check(model);
    if (outcome.broken === undefined) surprise(`no schedule meets "${name}"`);
    else print(`  ${name}`);
  }
  print('planted bugs, and the promise that each breaks');
  for (const { name, rules, breaks, models } of VARIANTS.filter((variant) => !isQuick || QUICK_VARIANTS.includes(variant.name))) {
    for (const { file, defines } of isQuick ? models.slice(0, 1) : models) {
      const model = { file, defines: [...defines, `ONLY=PROMISE_${breaks}`] };
      const outcome = await check(model, { isShortest: withSchedules });
      if (outcome.broken !== breaks)
        surprise(`"${name}" does not break ${breaks}, but ${outcome.broken ?? 'nothing'} (${described(model)})`);
      else print(`  ${figures(outcome)}  ${name} [${rules}]: ${outcome.broken}`);
      if (withSchedules) for (const step of outcome.schedule) print(`      ${step}`);
    }
  }
  return surprises;
}

function figures({ states, seconds, memoryMib }: Outcome): string {
  return `${states.toLocaleString('en').padStart(10)} states ${seconds.toFixed(1).padStart(5)} s ${memoryMib.toFixed(0).padStart(5)} MiB`;
}

function described({ file, defines }: Model): string {
  return [file, ...defines].join(' ');
}

async function main(): Promise<number> {
  let values: { quick: boolean; schedules: boolean };
  try {
    ({ values } = parseArgs({
      options: { quick: { type: 'boolean', default: false }, schedules: { type: 'boolean', default: false } },
    }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const missing = missingTool();
  if (missing !== undefined) {
    console.log(`skipped: ${missing} is not installed (Debian: apt-get install spin gcc)`);
    return 0;
  }
  const surprises = await runModel({
    isQuick: values.quick,
    withSchedules: values.schedules,
    print: (line) => console.log(line),
  });
  console.log(surprises.length === 0 ? 'every configuration holds, every planted bug is found' : `${surprises.length} surprises`);
  return surprises.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
