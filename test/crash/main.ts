// npm run crash -- --rounds N [--seed S]: kills the real process at random moments and checks that nothing acknowledged is lost.

import { parseArgs } from 'node:util';
import { runCrashTest } from './run.ts';

const USAGE = 'usage: npm run crash -- [--rounds N] [--seed S]';

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min) throw new Error(`--${name} is "${text}"; it must be a whole number from ${min} up`);
  return value;
}

async function main(): Promise<number> {
  let rounds: number;
  let seed: number;
  try {
    const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, seed: { type: 'string' } } });
    rounds = wholeNumber('rounds', values.rounds, 1);
    seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000), 0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  console.log(`seed ${seed}, ${rounds} rounds`);
  try {
    const report = await runCrashTest({ rounds, seed, print: (line) => console.log(line) });
    console.log(
      `passed: ${report.rounds} rounds, ${report.acknowledged} records acknowledged and all there, ${report.damages} damaged zones, ${report.earlyKills} kills while starting`,
    );
    return 0;
  } catch (error) {
    console.error(error);
    console.error(`failed; the same choices again: npm run crash -- --rounds ${rounds} --seed ${seed}`);
    return 1;
  }
}

process.exitCode = await main();
