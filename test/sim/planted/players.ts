// Runs tasks in a child process, and kills it where a run does not end: that is a hang, which catches nothing.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Ended, Line, Task } from './worker.ts';

const WORKER = path.join(import.meta.dirname, 'worker.ts');
/** A seed takes a quarter of a second; under load perhaps ten times as long. */
const SILENT_MS_MAX = 30_000;

export interface Played {
  readonly task: Task;
  readonly ended: readonly Ended[];
  /** Seeds at which the process had to be killed, or ended by itself. */
  readonly hung: readonly number[];
}

/** Plays the tasks one after the other in one process, and in another one from the next seed on after a hang. */
export async function playAll(tasks: readonly Task[], told: (played: Played) => void = () => undefined): Promise<Played[]> {
  const results = tasks.map((task) => ({ task, ended: [] as Ended[], hung: [] as number[], isDone: false }));
  for (;;) {
    const open = results.filter(({ isDone }) => !isDone);
    if (open.length === 0) return results;
    const left = open.map(({ task, ended, hung }) => {
      const seen = new Set([...ended.map(({ seed }) => seed), ...hung]);
      return { ...task, seeds: task.seeds.filter((seed) => !seen.has(seed)) };
    });
    let running: { readonly task: number; readonly seed: number } | undefined;
    const errors = await playSome(left, (line) => {
      const result = open[line.task];
      if (result === undefined) return;
      running = line.kind === 'begins' ? line : undefined;
      if (line.kind === 'ended') result.ended.push(line);
      if (line.kind !== 'done') return;
      result.isDone = true;
      told(result);
    });
    if (open.every(({ isDone }) => isDone)) continue;
    if (running === undefined) throw new Error(`the process ended before its tasks did: ${errors}`);
    open[running.task]?.hung.push(running.seed);
  }
}

/** Resolves to what the process said on its error output, once it has ended. */
function playSome(tasks: readonly Task[], told: (line: Line) => void): Promise<string> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WORKER, JSON.stringify(tasks)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  let silence = setTimeout(() => child.kill('SIGKILL'), SILENT_MS_MAX);
  createInterface({ input: child.stdout }).on('line', (text) => {
    clearTimeout(silence);
    silence = setTimeout(() => child.kill('SIGKILL'), SILENT_MS_MAX);
    told(JSON.parse(text));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(silence);
      resolve(errors);
    });
  });
}
