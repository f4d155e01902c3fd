// The one call that a run's history goes through.
//
// Direct checks come first, as they can name the calls that contradict each other; a stream that passes them goes through the search.

import type { History } from '../history.ts';
import { checkRecords } from './direct.ts';
import { groupsOf } from './generations.ts';
import { linearize, type Stuck } from './linearizable.ts';
import { answerText, callText } from './print.ts';
import { checkStaleness } from './staleness.ts';
import { byStream, type StreamCalls } from './stream-calls.ts';
import { checkTrims, Trims } from './trims.ts';
import type { Check, Violation } from './violation.ts';

export type Verdict =
  | { readonly ok: true; readonly violations: readonly []; readonly gaveUp: false; readonly steps: number }
  | {
      readonly ok: false;
      readonly violations: readonly Violation[];
      /** A search ran out of steps: it says nothing about that stream, and counts as a failure. */
      readonly gaveUp: boolean;
      readonly steps: number;
    };

export interface CheckOptions {
  /** How often the search may try a step, over one stream. */
  readonly stepsMax?: number;
}

/** Some seconds. Of ten thousand histories a handful take more than a million steps. */
const STEPS_MAX = 8_000_000;

export function checkHistory(history: History, { stepsMax = STEPS_MAX }: CheckOptions = {}): Verdict {
  const violations: Violation[] = [];
  let steps = 0;
  for (const stream of byStream(history)) {
    const direct = checkDirectly(stream);
    violations.push(...direct);
    if (direct.length > 0) continue;
    const found = linearize(stream, stepsMax);
    steps += found.steps;
    if (found.kind === 'not-linearizable') violations.push(notLinearizable(stream, found.stuck));
    else if (found.kind === 'gave-up') violations.push(gaveUp(stream, found.steps));
  }
  if (violations.length === 0) return { ok: true, violations: [], gaveUp: false, steps };
  return { ok: false, violations, gaveUp: violations.some(({ check }) => check === 'search-gave-up'), steps };
}

function checkDirectly(stream: StreamCalls): Violation[] {
  const groupOf = groupsOf(stream);
  const trims = new Trims(stream);
  const found = [...checkRecords(stream, groupOf, trims), ...checkTrims(stream, groupOf), ...checkStaleness(stream, trims)];
  return found.map((violation) => ({ ...violation, stream: stream.name }));
}

function notLinearizable(stream: StreamCalls, { step, order, state, why }: Stuck): Violation {
  const taken = new Set(order.map(({ call }) => call));
  const where = state.life === 'live' ? `tail ${state.tail}, token "${state.token}", trimmed below ${state.trimPoint}` : state.life;
  const message =
    `no order of the ${stream.calls.length} calls explains them; after ${taken.size} of them (${where}) ` +
    `client ${step.call.client}'s ${callText(step.call)} -> ${answerText(step.call)} cannot be: ${why}`;
  const check: Check = 'not-linearizable';
  return { check, stream: stream.name, message, calls: [step.call] };
}

function gaveUp(stream: StreamCalls, steps: number): Violation {
  const message = `the search gave up after ${steps} steps over ${stream.calls.length} calls`;
  return { check: 'search-gave-up', stream: stream.name, message, calls: [] };
}
