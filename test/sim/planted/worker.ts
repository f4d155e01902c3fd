// A process that plays seeds with planted bugs, and says of each what came of it: a line of JSON before a run and one after it.
//
// players.ts starts it with its tasks as an argument, and kills it when a run does not end.

import type { Failure } from '../world.ts';
import { bugNamed, INVARIANTS_OFF } from './bugs.ts';
import { importVariant, registerLoader } from './loader.ts';
import { type Catch, caught } from './verdict.ts';

type Run = typeof import('../run.ts').run;

/** Seeds to play in order with one bug, until it is caught. */
export interface Task {
  /** None: the product as it is. */
  readonly bug?: string;
  readonly isChecked: boolean;
  readonly seeds: readonly number[];
}

export interface Ended {
  readonly kind: 'ended';
  readonly task: number;
  readonly seed: number;
  readonly catch?: Catch;
  /** A failure that counts for nothing: of the simulator, or one that the product has as it is, too. */
  readonly other?: string;
}

export type Line =
  | { readonly kind: 'begins'; readonly task: number; readonly seed: number }
  | Ended
  | { readonly kind: 'done'; readonly task: number };

const RUN = 'test/sim/run.ts';

function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function runOf({ bug, isChecked }: Task): Promise<Run> {
  const names = [...(bug === undefined ? [] : [bug]), ...(isChecked ? [] : [INVARIANTS_OFF])];
  if (names.length === 0) return (await import('../run.ts')).run;
  return (await importVariant<{ readonly run: Run }>(RUN, names.join(','))).run;
}

const controls = new Map<number, Promise<Failure | undefined>>();

/** What the product as it is fails with; many bugs are caught by the same few seeds. */
function failureOfProduct(seed: number): Promise<Failure | undefined> {
  const known = controls.get(seed);
  if (known !== undefined) return known;
  const playing = import('../run.ts').then(async ({ run }) => (await run(seed)).failures[0]);
  controls.set(seed, playing);
  return playing;
}

async function played(run: Run, task: Task, index: number, seed: number): Promise<Ended> {
  // With the invariants off the product is to find nothing by itself, and its alarm must not end the run before the harm shows.
  const { failures } = await run(seed, { ignoresAlarms: !task.isChecked });
  const first = failures[0];
  const ended = { kind: 'ended', task: index, seed } as const;
  if (first === undefined) return ended;
  const text = `${first.check}: ${first.message.slice(0, 300)}`;
  if (task.bug === undefined) return { ...ended, other: text };
  const found = caught({ failures }, bugNamed(task.bug), task.isChecked);
  if (found === undefined) return { ...ended, other: text };
  const control = await failureOfProduct(seed);
  return control === undefined
    ? { ...ended, catch: found }
    : { ...ended, other: `without the bug too: ${control.check}: ${control.message}` };
}

async function play(task: Task, index: number): Promise<void> {
  const run = await runOf(task);
  for (const seed of task.seeds) {
    say({ kind: 'begins', task: index, seed });
    const ended = await played(run, task, index, seed);
    say(ended);
    if (ended.catch !== undefined) break;
  }
  say({ kind: 'done', task: index });
}

registerLoader();
const tasks: readonly Task[] = JSON.parse(process.argv[2] ?? '[]');
for (const [index, task] of tasks.entries()) await play(task, index);
