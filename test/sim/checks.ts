// Every check of the simulator beside those of histories, by name, and what kind of evidence its failure is.
//
// `direct`: it looks at the stores, at what was acknowledged and at who is the owner, with the truth at hand. `hang`: something does
// not end that should. `alarm`: the product itself says that committed data is lost or changed. `program`: something was thrown that
// nobody may throw, a broken invariant of the product or a mistake of the simulator. `itself`: of the simulator.

import type { Check } from './checkers/violation.ts';

export type Evidence = 'direct' | 'hang' | 'alarm' | 'program' | 'itself';

export const CHECKS = {
  'acknowledged-not-committed': 'direct',
  'aged-read': 'direct',
  'at-rest': 'direct',
  'base-passed': 'direct',
  bound: 'direct',
  bounds: 'direct',
  'channel-kept': 'direct',
  'chunk-kept': 'direct',
  configuration: 'direct',
  'deleted-early': 'direct',
  'deleted-readable': 'direct',
  'final-read': 'direct',
  'ends-below-offload': 'direct',
  'false-alarm': 'direct',
  forward: 'direct',
  'lease-overlap': 'direct',
  'marked-not-sealed': 'direct',
  'name-came-back': 'direct',
  'named-is-there': 'direct',
  'named-not-committed': 'direct',
  'object-kept': 'direct',
  'offload-from-base': 'direct',
  'plain-text': 'direct',
  retention: 'direct',
  'rows-cover': 'direct',
  'rows-sum': 'direct',
  'seal-passed': 'direct',
  'seal-kept': 'direct',
  'sealed-committed': 'direct',
  'sealed-too-far': 'direct',
  'session-order': 'direct',
  'usage-forward': 'direct',
  'wrong-key': 'direct',
  zombie: 'direct',
  hang: 'hang',
  liveness: 'hang',
  unkept: 'hang',
  corrupt: 'alarm',
  crash: 'program',
  scenario: 'program',
  'unhandled-rejection': 'program',
  determinism: 'itself',
  thrown: 'itself',
} as const satisfies Record<string, Evidence>;

export type DirectCheck = keyof typeof CHECKS;
export type CheckName = DirectCheck | `history/${Check}`;
