// npm run chaos:cluster -- --minutes M [--seed N]: a cluster of real processes under load and faults; what its clients saw is checked.

import { parseArgs } from 'node:util';
import { runClusterChaos } from './cluster-run.ts';

const USAGE = 'usage: npm run chaos:cluster -- --minutes M [--seed N]';

function numberOf(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min) throw new Error(`--${name} is "${text}"; it must be a number from ${min} up`);
  return value;
}

async function main(): Promise<number> {
  let minutes: number;
  let seed: number;
  try {
    const { values } = parseArgs({ options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string' } } });
    minutes = numberOf('minutes', values.minutes, 0.1);
    seed = numberOf('seed', values.seed ?? String(Date.now() % 1_000_000), 0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  console.log(`seed ${seed}, ${minutes} minutes`);
  const begun = performance.now();
  const print = (line: string): void => console.log(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  const report = await runClusterChaos({ ms: minutes * 60_000, seed, faultEveryMs: 800, print });
  const faults = Object.entries(report.faults).map(([kind, times]) => `${kind} ${times}`);
  console.log(`\n${report.streams} streams, ${report.operations} operations, of which ${Math.round(report.unknown)} ended unknown`);
  console.log(`faults: ${faults.join(', ')}`);
  console.log(`verdict: ${report.failure === undefined ? 'every history can be explained' : `FAILED\n\n${report.failure}`}`);
  return report.failure === undefined ? 0 : 1;
}

process.exitCode = await main();
