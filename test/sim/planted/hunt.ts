// `npm run sim -- --planted [--name X]… [--seeds 500] [--first 1] [--jobs 2] [--save]`: hunts every planted bug anew.
//
// Each bug is to be caught twice: with the invariants of the product switched off and its alarms ignored, by what clients saw or what
// the stores hold (or by a hang, where that is all the harm it does); and with them on, by whatever comes first. `--save` keeps the seeds, which planted.test.ts replays.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { wholeNumber } from '../options.ts';
import { BUGS } from './bugs.ts';
import { changedSources } from './loader.ts';
import { type Played, playAll } from './players.ts';
import { type Catch, FINDERS, type Finder } from './verdict.ts';

const SEEDS_FILE = path.join(import.meta.dirname, 'seeds.json');

/** By name: the seed that catches the bug with invariants off, and the one with them on. */
export type KnownSeeds = Readonly<Record<string, { readonly unchecked?: Known; readonly checked?: Known }>>;

export interface Known {
  readonly seed: number;
  readonly by: string;
}

export function knownSeeds(): KnownSeeds {
  return JSON.parse(readFileSync(SEEDS_FILE, 'utf8'));
}

/** What ended a task. */
export function bestOf({ ended }: Played): (Catch & { readonly seed: number }) | undefined {
  const found = ended.find((one) => one.catch !== undefined);
  return found?.catch === undefined ? undefined : { ...found.catch, seed: found.seed };
}

export interface HuntOptions {
  readonly names: readonly string[];
  readonly seeds: readonly number[];
  readonly jobs: number;
  readonly mustSave: boolean;
}

/** @throws Error when they say what cannot be. */
export function huntOptionsOf(args: readonly string[]): HuntOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      planted: { type: 'boolean' },
      name: { type: 'string', multiple: true },
      seeds: { type: 'string', default: '500' },
      first: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      save: { type: 'boolean', default: false },
    },
  });
  const names = values.name ?? BUGS.map(({ name }) => name);
  for (const name of names) changedSources(name);
  const first = wholeNumber('first', values.first, 0);
  const seeds = Array.from({ length: wholeNumber('seeds', values.seeds, 1) }, (_, i) => first + i);
  return { names, seeds, jobs: wholeNumber('jobs', values.jobs, 1), mustSave: values.save };
}

/** Resolves to whether every bug was caught both ways. */
export async function hunt(options: HuntOptions, print: (line: string) => void = console.log): Promise<boolean> {
  const played: Played[] = [];
  const play = async (bug: string, isChecked: boolean, seeds: readonly number[]): Promise<Played> => {
    const [result] = await playAll([{ bug, isChecked, seeds }]);
    if (result === undefined) throw new Error('a task has a result');
    print(lineOf(result));
    played.push(result);
    return result;
  };
  const queue = [...options.names];
  const work = async (): Promise<void> => {
    for (let bug = queue.shift(); bug !== undefined; bug = queue.shift()) {
      const unchecked = bestOf(await play(bug, false, options.seeds));
      // What shows the harm mostly breaks an invariant on the way there.
      await play(bug, true, unchecked === undefined ? options.seeds : [...new Set([unchecked.seed, ...options.seeds])]);
      if (options.mustSave) save(played);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  for (const isChecked of [false, true]) print(countsOf(played, isChecked, options.names.length));
  return played.every((one) => bestOf(one) !== undefined);
}

/** How many were caught, and by what. */
export function countsOf(played: readonly Played[], isChecked: boolean, of: number): string {
  const found = played.flatMap((one) => (one.task.isChecked === isChecked ? (bestOf(one) ?? []) : []));
  const by = FINDERS.map((finder) => `${NAMES[finder]} ${found.filter((one) => one.finder === finder).length}`);
  const how = isChecked ? 'with the invariants on' : 'with the invariants off and alarms ignored';
  return `caught ${how}: ${found.length} of ${of} (${by.join(', ')})`;
}

const NAMES: Readonly<Record<Finder, string>> = {
  history: 'by histories',
  direct: 'by direct checks',
  hang: 'by a hang',
  product: 'by the product itself',
};

function lineOf(played: Played): string {
  const { task, ended, hung } = played;
  const best = bestOf(played);
  const others = ended.filter(({ other }) => other !== undefined);
  const asides = [
    ...(others.length === 0 ? [] : [`${others.length} failures that do not count, as in seed ${others[0]?.seed}: ${others[0]?.other}`]),
    ...(hung.length === 0 ? [] : [`${hung.length} hung: ${hung.join(', ')}`]),
  ];
  const verdict =
    best === undefined ? `NOT CAUGHT in ${ended.length} seeds` : `seed ${best.seed} (of ${ended.length}) by ${best.finder}: ${best.what}`;
  return `${task.bug} [invariants ${task.isChecked ? 'on' : 'off'}] ${verdict}${asides.map((aside) => `\n    ${aside}`).join('')}`;
}

function save(played: readonly Played[]): void {
  const known: Record<string, { unchecked?: Known; checked?: Known }> = {};
  for (const { name } of BUGS) known[name] = { ...knownSeeds()[name] };
  for (const one of played) {
    const best = bestOf(one);
    const entry = known[one.task.bug ?? ''];
    if (best === undefined || entry === undefined) continue;
    entry[one.task.isChecked ? 'checked' : 'unchecked'] = { seed: best.seed, by: `${best.finder}: ${best.what.slice(0, 60)}` };
  }
  writeFileSync(SEEDS_FILE, `${JSON.stringify(known, null, 2)}\n`);
}
