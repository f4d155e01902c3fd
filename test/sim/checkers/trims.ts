// The trim point only grows, and lies between what was acknowledged and what was asked for.
//
// A read takes the trim point and the tail at different moments, so this is no matter of one order of calls: it is checked by real
// time: a read that was asked for after a trim was known shows nothing of what is trimmed. A batch of a tailing read may come from an
// owner that has been replaced, and is held to what was known when the tailing read was asked for. Of a name that was deleted, the
// search does the same again (evidence.ts): it says what was on one stream where no record does.

import { resultingTrimPoint } from '#core/model/records.ts';
import type { Call } from '../history.ts';
import type { GroupOf } from './generations.ts';
import { type AppendCall, endOf, type ReadCall, type StreamCalls } from './stream-calls.ts';
import type { Violation } from './violation.ts';

type SeqNumber = Parameters<typeof resultingTrimPoint>[0];

interface Bound {
  readonly upTo: number;
  readonly call: Call | undefined;
}

const NOTHING: Bound = { upTo: 0, call: undefined };

export class Trims {
  /** By the beginning of the call: the most that was asked for so far. */
  readonly #asked: readonly (Bound & { readonly at: number })[];

  constructor({ appends }: StreamCalls) {
    const asked = appends.flatMap((append) => (append.isRefused ? [] : asksOf(append)));
    let most = NOTHING;
    this.#asked = asked.map(({ upTo, call }) => {
      if (upTo > most.upTo) most = { upTo, call };
      return { ...most, at: call.began };
    });
  }

  /** The most that may have been trimmed when the call ended. */
  askedBy(call: Call): Bound {
    return this.#asked.findLast(({ at }) => at <= endOf(call)) ?? NOTHING;
  }
}

/** Where the trim point may come to lie by this append: exactly there if its place is known, else at most. */
function asksOf({ call, records, start }: AppendCall): { readonly upTo: number; readonly call: Call }[] {
  return records.flatMap(({ trim }, i) => {
    if (trim === undefined) return [];
    const own = start === undefined ? Number.POSITIVE_INFINITY : start + i;
    return [{ upTo: resultingTrimPoint(0 as SeqNumber, trim, own as SeqNumber), call }];
  });
}

interface Trimmed {
  readonly upTo: number;
  /** From here on it is known. */
  readonly at: number;
  readonly group: number | undefined;
  readonly call: Call;
  readonly how: string;
}

/** No record comes back once it is known to be trimmed. */
export function checkTrims(stream: StreamCalls, groupOf: GroupOf): Omit<Violation, 'stream'>[] {
  const known = [...acknowledged(stream, groupOf), ...hidden(stream, groupOf)].sort((a, b) => a.at - b.at);
  if (known.length === 0) return [];
  const violations: Omit<Violation, 'stream'>[] = [];
  for (const { call, opened, outcome } of stream.reads) {
    const lowest = outcome.records[0]?.seqNum;
    if (lowest === undefined) continue;
    const group = groupOf(call);
    const against = known.find(({ at, upTo, group: of }) => at < opened && of === group && upTo > lowest);
    if (against === undefined) continue;
    const message = `${lowest} was read after ${against.how} that [0, ${against.upTo}) is trimmed`;
    violations.push({ check: 'trimmed-record-returns', message, calls: [against.call, call] });
  }
  return violations;
}

function acknowledged({ appends }: StreamCalls, groupOf: GroupOf): Trimmed[] {
  return appends.flatMap((append) => {
    if (append.acked === undefined) return [];
    const group = groupOf(append.call);
    return asksOf(append).map((ask) => ({ ...ask, at: endOf(append.call), group, how: 'it was acknowledged' }));
  });
}

/** What a read left out was trimmed. */
function hidden({ reads }: StreamCalls, groupOf: GroupOf): Trimmed[] {
  return reads.flatMap((read) => {
    const upTo = firstKept(read);
    return upTo === undefined ? [] : [{ upTo, at: endOf(read.call), group: groupOf(read.call), call: read.call, how: 'a read showed' }];
  });
}

/** Where the last stretch of records without a gap starts, if anything lies before it that the read should have given. */
export function firstKept({ operation, outcome }: ReadCall): number | undefined {
  const first = outcome.records[0]?.seqNum;
  if (first === undefined) return undefined;
  let kept = first > operation.from ? first : undefined;
  let next = first;
  for (const { seqNum } of outcome.records) {
    if (seqNum > next) kept = seqNum;
    next = seqNum + 1;
  }
  return kept;
}
