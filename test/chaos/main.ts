// npm run chaos -- --minutes M [--seed N] [--dir D]: the real server under load and faults; what its clients saw is checked.

import { parseArgs } from 'node:util';
import { type ChaosReport, runChaos } from './run.ts';

const USAGE = 'usage: npm run chaos -- --minutes M [--seed N] [--dir D]';

function numberOf(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min) throw new Error(`--${name} is "${text}"; it must be a number from ${min} up`);
  return value;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(1)} %`;
}

function print(report: ChaosReport): void {
  const { faults, operations } = report;
  const stops = faults.freezes + faults.longFreezes;
  console.log(`
${(report.ms / 1_000).toFixed(0)} s, ${report.lives} data folders, ${report.streams} streams
operations    ${operations}, of which ${percent(report.overlapping, operations)} overlapped on their stream and ${percent(report.unknown, operations)} ended unknown
records       ${report.records} acknowledged
kills         ${faults.kills} (SIGKILL) and ${faults.earlyKills} more while starting; ${faults.restarts} by SIGTERM
stops         ${stops} (SIGSTOP), of which ${faults.longFreezes} outlasted a lease
faults        ${faults.damagedZones} damaged zones, ${faults.spoiledFiles} unfinished files, ${faults.fullDisks} full disks, ${faults.fullStores} stores filled to their cap (${faults.refusedForSpace} refused for it), ${faults.clockSteps} clock steps
warnings      ${[...report.warnings].map(([event, times]) => `${event} ${times}`).join(', ') || 'none'}
checking      ${(report.checkMs / 1_000).toFixed(1)} s
verdict       ${report.failure === undefined ? 'every history can be explained' : 'FAILED'}`);
}

async function main(): Promise<number> {
  let minutes: number;
  let seed: number;
  let dir: string | undefined;
  try {
    const { values } = parseArgs({
      options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' }, dir: { type: 'string' } },
    });
    minutes = numberOf('minutes', values.minutes, 0.1);
    seed = numberOf('seed', values.seed ?? String(Date.now() % 1_000_000), 0);
    dir = values.dir;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  console.log(`seed ${seed}, ${minutes} minutes`);
  const report = await runChaos({ ms: minutes * 60_000, seed, ...(dir === undefined ? {} : { dir }), print: (line) => console.log(line) });
  print(report);
  if (report.failure === undefined) return 0;
  console.error(`\n${report.failure.message}\n\nkept in ${report.failure.kept}`);
  console.error(`the same choices again: npm run chaos -- --minutes ${minutes} --seed ${seed}`);
  return 1;
}

process.exitCode = await main();
