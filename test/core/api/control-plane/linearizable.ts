// Whether some order of the steps of all calls explains what was told: each step within the time of its call, and the steps of a call
// in their order. By search, with what was tried in vain remembered.

import { type Call, callText } from './history.ts';
import type { State } from './model.ts';
import { type CallStep, stepsOf } from './steps.ts';

export type Verdict =
  | { readonly ok: true; readonly tried: number }
  | { readonly ok: false; readonly message: string; readonly tried: number };

/** How many places in the search may be tried. */
const TRIED_MAX = 400_000;

interface Open {
  readonly call: Call;
  readonly steps: readonly CallStep[];
}

export function checkLinearizable(calls: readonly Call[], initial: State): Verdict {
  const open: readonly Open[] = calls.map((call) => ({ call, steps: stepsOf(call) }));
  const search = new Search(open);
  const found = search.from(
    open.map(() => 0),
    initial,
  );
  if (found) return { ok: true, tried: search.tried };
  const why = search.tried > TRIED_MAX ? `the search gave up after ${search.tried} places` : 'no order of the calls explains them';
  const lines = calls.map((call, i) => `${search.best[i] === open[i]?.steps.length ? '  ' : '? '}${callText(call)}`);
  return {
    ok: false,
    message: `${why}; the longest that was found leaves out those with a "?":\n${lines.join('\n')}`,
    tried: search.tried,
  };
}

class Search {
  readonly #open: readonly Open[];
  readonly #seen = new Set<string>();
  tried = 0;
  best: readonly number[] = [];
  #bestCount = -1;

  constructor(open: readonly Open[]) {
    this.#open = open;
  }

  /** @param done how many steps of each call are taken. */
  from(done: readonly number[], state: State): boolean {
    const key = `${done.join('')} ${JSON.stringify(state)}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    this.tried += 1;
    if (this.tried > TRIED_MAX) return false;
    const count = done.filter((steps, i) => steps === this.#open[i]?.steps.length).length;
    if (count > this.#bestCount) {
      this.#bestCount = count;
      this.best = done;
    }
    if (count === this.#open.length) return true;
    // A step may come only before the end of every call that is not done.
    const deadline = Math.min(...this.#open.flatMap(({ call, steps }, i) => (done[i] === steps.length ? [] : [call.ended])));
    for (const [i, { call, steps }] of this.#open.entries()) {
      const at = done[i] ?? 0;
      const next = steps[at];
      if (next === undefined || call.began > deadline) continue;
      const after = done.with(i, at + 1);
      if (next.isOptional && this.from(after, state)) return true;
      for (const then of next.step(state)) if (this.from(after, then)) return true;
    }
    return false;
  }
}
