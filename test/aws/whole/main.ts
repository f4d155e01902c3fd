// npm run test:aws [-- --mib N] [--seed N]: a whole cell on this machine, from its synthesised template: emulators, two channel tasks,
// the functions, and the Worker. The official SDK writes through the edge while things break; every history is judged; every service
// must have been asked. Ends with 1 where anything did not hold.

import { parseArgs } from 'node:util';
import { isMissing, missingDynamo, missingMoto } from '#test/support/aws/emulators.ts';
import { Report } from './report.ts';
import { type RunOptions, run } from './run.ts';

const USAGE = 'usage: npm run test:aws -- [--mib N] [--seed N] [--only cell|deploy] [--template FOLDER]';
const PARTS = ['cell', 'deploy'] as const;

function optionsOf(args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { mib: { type: 'string', default: '64' }, seed: { type: 'string' }, only: { type: 'string' }, template: { type: 'string' } },
  });
  const whole = (name: string, text: string): number => {
    if (/^\d{1,6}$/.test(text)) return Number(text);
    throw new Error(`--${name} is "${text}"; it must be a whole number`);
  };
  const parts = values.only === undefined ? PARTS : PARTS.filter((part) => part === values.only);
  if (parts.length === 0) throw new Error(`--only is "${values.only}"; it must be one of ${PARTS.join(', ')}`);
  return {
    mib: whole('mib', values.mib),
    seed: whole('seed', values.seed ?? String(Date.now() % 1_000_000)),
    parts,
    template: values.template,
  };
}

async function main(): Promise<number> {
  let options: RunOptions;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  if (isMissing(missingDynamo(), missingMoto())) return 0;
  const report = new Report();
  console.log(`seed ${options.seed}, ${options.mib} MiB a storage class`);
  try {
    await run(options, report);
  } catch (error) {
    report.check('the run comes to its end', false, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { failures, seconds } = report;
  console.log(`\n${failures.length === 0 ? 'all of it held' : `FAILED:\n${failures.join('\n')}`}, in ${Math.round(seconds)} s`);
  return failures.length === 0 ? 0 : 1;
}

process.exit(await main());
