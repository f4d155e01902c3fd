// Every planted bug, and the switch that lets each of them go on behind a broken invariant.

import { BOUND_BUGS } from './bound-bugs.ts';
import { CHANNEL_BUGS } from './channel-bugs.ts';
import { CHUNK_BUGS } from './chunk-bugs.ts';
import { JOB_BUGS } from './job-bugs.ts';
import { METADATA_BUGS } from './metadata-bugs.ts';
import type { Edit, PlantedBug } from './planted-bug.ts';
import { PROMISE_BUGS } from './promise-bugs.ts';
import { READER_BUGS } from './reader-bugs.ts';
import { TAKEOVER_BUGS } from './takeover-bugs.ts';

export const BUGS: readonly PlantedBug[] = [
  ...CHUNK_BUGS,
  ...TAKEOVER_BUGS,
  ...CHANNEL_BUGS,
  ...METADATA_BUGS,
  ...JOB_BUGS,
  ...READER_BUGS,
  ...PROMISE_BUGS,
  ...BOUND_BUGS,
];

/** Invariants hold, whatever is the case. */
export const INVARIANTS_OFF = 'invariants-off';

const INVARIANTS_OFF_EDITS: readonly Edit[] = [
  {
    file: 'core/base/invariant.ts',
    find: 'if (!condition) throw new InvariantError(message);',
    replace: 'void condition;\n  void message;',
  },
];

export function bugNamed(name: string): PlantedBug {
  const bug = BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`no planted bug is called ${name}`);
  return bug;
}

/** @param variant names of bugs, and perhaps `invariants-off`, with commas between them. */
export function editsOf(variant: string): readonly Edit[] {
  return variant.split(',').flatMap((name) => (name === INVARIANTS_OFF ? INVARIANTS_OFF_EDITS : bugNamed(name).edits));
}
