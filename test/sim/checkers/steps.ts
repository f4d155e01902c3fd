// Turns the calls on one name into the steps that a search puts in order.
//
// A step is `required` when the history shows that it happened; else it may have happened, or not. The search would have to try
// every one of these everywhere. Five rules spare it that, and lose no order that could explain the history:
//
//   1  An append of which a record was read stands where it was read: it happened, and at that tail only.
//   2  Where a record of such an append is known to stand, or of one that was acknowledged, nobody saw another one; where some other
//      record was read, only an append of the same bytes can stand. (See places.ts for names that were deleted.)
//   3  An append that nobody saw, with no command in it, did not end above the highest sequence number that any answer or condition
//      names. Take it out of an order that has it there: no later call on that stream names a tail, or it would name a higher one.
//      A read that ends at the tail without naming it saw that all is trimmed, up to a trim command that nobody saw either; that
//      moves down with the tail, and is still the last record. It must not move below what was read, though: where there is such a
//      command, the append only did not start at that highest number or above. So what is left is an order, too.
//   4  Of appends that nobody saw, and that do and ask the same, the one that began first goes first: two can change places. So it
//      is with creations, and with each half of deletions.
//   5  Of two right after each other that differ in length only (no command, no sequence number asked for), the one of the lower
//      turn goes first: with the other order the stream holds as much, and nobody looked in between.

import type { BodyHash, Call, Outcome } from '../history.ts';
import type { CallStep, Sight, State, Step } from './model.ts';
import type { Places } from './places.ts';
import { type AppendCall, endOf, isUnknown, type ReadCall, type StreamCalls } from './stream-calls.ts';
import { firstKept } from './trims.ts';

export interface SearchStep extends CallStep {
  readonly began: number;
  /** Infinite: the step may come at any time, or, where it is not required, never. */
  readonly ended: number;
  readonly required: boolean;
  /** Rules 2 and 3, for an append. */
  readonly mayFollow?: (state: State) => boolean;
  /** Rule 4: the step before it in its class, by index in the list. */
  readonly after?: number;
  /** Rule 5. */
  readonly turn?: number;
}

export function stepsOf(stream: StreamCalls, places: Places): SearchStep[] {
  const ceiling: Ceiling = { highest: highestNamed(stream), mayCross: stream.appends.some(isUnseenTrim) };
  const appends = new Map(stream.appends.map((append) => [append.call, append]));
  const reads = new Map(stream.reads.map((read) => [read.call, read]));
  const stamps = stampsOf(stream);
  const classes = new Classes();
  const steps: SearchStep[] = [];
  for (const call of stream.calls) {
    const append = appends.get(call);
    const read = reads.get(call);
    const { began } = call;
    const ended = endOf(call);
    if (append !== undefined && isUnknown(call)) {
      steps.push(unknownAppend(append, steps.length, classes, places, ceiling));
    } else if (read?.operation.follows !== undefined) {
      const { opened } = read;
      const { tail } = read.outcome;
      if (read.outcome.records.length > 0) steps.push({ call, step: sawRecords(read, undefined), began: opened, ended, required: true });
      if (tail !== undefined) steps.push({ call, step: saw({ kind: 'tail', tail }), began, ended, required: true });
    } else {
      const list =
        read !== undefined ? readSteps(read) : append?.acked !== undefined ? ackedSteps(append, places) : stepsOfCall(call, stamps);
      for (const step of list) {
        if (step.kind === 'append') steps.push({ call, step, began, ended, required: true, mayFollow: admittedBy(places, call, step) });
        else if (!isUnknown(call)) steps.push({ call, step, began, ended, required: true });
        else steps.push({ call, step, began, ended, required: false, ...orderOf(classes.put(JSON.stringify(step), steps.length)) });
      }
    }
  }
  return steps;
}

/** When records were stamped, as they were read. Undefined where direct checks say it all: the name is one stream. */
function stampsOf({ isOneStream, reads, senders }: StreamCalls): ReadonlyMap<BodyHash, number> | undefined {
  if (isOneStream) return undefined;
  const stamps = new Map<BodyHash, number>();
  for (const { outcome } of reads) {
    for (const { hash, timestamp } of outcome.records) if (senders.get(hash)?.length === 1) stamps.set(hash, timestamp);
  }
  return stamps;
}

function readSteps(read: ReadCall): Step[] {
  const first = read.outcome.records[0]?.seqNum;
  const steps = [sawRecords(read, read.outcome.tail)];
  if (read.operation.clamp && first !== undefined && first < read.operation.from) steps.push(saw({ kind: 'tail-at-most', tail: first }));
  return steps;
}

function sawRecords(read: ReadCall, tail: number | undefined): Step {
  const { call, operation, outcome, isCut, end, opened } = read;
  const { from, clamp = false } = operation;
  const upTo = firstKept(read);
  const hides = upTo === undefined ? undefined : { upTo, at: endOf(call) };
  return saw({ kind: 'records', records: outcome.records, from, end, isCut, clamp, tail, opened, hides });
}

type AppendStep = Extract<Step, { kind: 'append' }>;

function admittedBy(places: Places, call: Call, { records }: AppendStep): (state: State) => boolean {
  return ({ tail, group }) => places.admit(call, records, tail, group);
}

/** The highest sequence number that an answer states, or that a condition asks for. */
function highestNamed({ calls, appends, reads }: StreamCalls): number {
  let highest = 0;
  const name = (at: number | undefined): void => {
    if (at !== undefined && at > highest) highest = at;
  };
  for (const { operation, outcome } of calls) {
    if (operation.kind === 'append') name(operation.matchSeqNum);
    if (outcome !== undefined && 'tail' in outcome) name(outcome.tail);
  }
  for (const { start, records } of appends) if (start !== undefined) name(start + records.length);
  for (const { operation, outcome, end } of reads) if (!operation.clamp || outcome.records.length > 0) name(end);
  return highest;
}

/** Rule 3. */
interface Ceiling {
  readonly highest: number;
  /** Whether an append may end above it, if it starts below. */
  readonly mayCross: boolean;
}

function isUnseenTrim({ call, start, records }: AppendCall): boolean {
  return isUnknown(call) && start === undefined && records.some(({ trim }) => trim !== undefined);
}

function unknownAppend(append: AppendCall, index: number, classes: Classes, places: Places, ceiling: Ceiling): SearchStep {
  const { call, records } = append;
  const step = appendStep(append, places);
  const isAdmitted = admittedBy(places, call, step);
  const base = { call, step, began: call.began, ended: Number.POSITIVE_INFINITY, mayFollow: isAdmitted };
  if (append.start !== undefined) return { ...base, required: true };
  const hasCommand = records.some(({ fence, trim }) => fence !== undefined || trim !== undefined);
  const { highest, mayCross } = ceiling;
  const isBelow = (tail: number): boolean => tail + records.length <= highest || (mayCross && tail < highest);
  const mayFollow = (state: State): boolean => (hasCommand || isBelow(state.tail)) && isAdmitted(state);
  const { matchSeqNum, fencingToken } = step;
  const sameness = JSON.stringify([hasCommand ? records : records.length, matchSeqNum ?? null, fencingToken ?? null]);
  const { turn, ...order } = classes.put(sameness, index);
  const hasTurn = !hasCommand && matchSeqNum === undefined;
  return { ...base, mayFollow, required: false, ...order, ...(hasTurn ? { turn } : {}) };
}

function orderOf({ after }: { readonly after?: number }): { readonly after?: number } {
  return after === undefined ? {} : { after };
}

/** Rule 4: steps that need not have happened, by what they do and ask. */
class Classes {
  readonly #last = new Map<string, { readonly turn: number; readonly index: number }>();

  put(sameness: string, index: number): { readonly turn: number; readonly after?: number } {
    const last = this.#last.get(sameness);
    const turn = last?.turn ?? this.#last.size + 1;
    this.#last.set(sameness, { turn, index });
    return last === undefined ? { turn } : { turn, after: last.index };
  }
}

function appendStep(append: AppendCall, places: Places): AppendStep {
  const { call, records, start, acked } = append;
  const { matchSeqNum, fencingToken } = call.operation.kind === 'append' ? call.operation : {};
  const ackedAt = acked === undefined ? Number.POSITIVE_INFINITY : endOf(call);
  return { kind: 'append', records, start, matchSeqNum, fencingToken, group: places.groupOf(append), ackedAt };
}

/** The tail that an acknowledgement states is that of a later point of the call than the append's own. */
function ackedSteps(append: AppendCall, places: Places): Step[] {
  const { acked, records } = append;
  if (acked === undefined) return [];
  if (acked.end - acked.start !== records.length || acked.tail < acked.end) return [saw({ kind: 'nonsense' })];
  const step = appendStep(append, places);
  return acked.tail === acked.end ? [step] : [step, saw({ kind: 'tail', tail: acked.tail })];
}

function stepsOfCall(call: Call, stamps: ReadonlyMap<BodyHash, number> | undefined): Step[] {
  const { operation, outcome } = call;
  if (isUnknown(call) || outcome === undefined) {
    if (operation.kind === 'create') return [{ kind: 'create' }];
    return operation.kind === 'delete' ? deletion(operation.ifEmpty) : [];
  }
  switch (outcome.kind) {
    case 'failed':
    case 'unknown':
      return [];
    case 'appended':
      return [saw({ kind: 'nonsense' })];
    case 'created':
      return [operation.kind === 'create' ? { kind: 'create' } : saw({ kind: 'nonsense' })];
    case 'deleted':
      return operation.kind === 'delete' ? deletion(operation.ifEmpty) : [saw({ kind: 'nonsense' })];
    case 'stream_not_found':
      return [{ kind: 'gone' }];
    case 'stream_deletion_pending':
      return [lives(operation.kind === 'create' ? ['marked'] : ['sealed', 'marked'])];
    case 'resource_already_exists':
      return [operation.kind === 'create' ? lives(['live', 'sealed']) : saw({ kind: 'nonsense' })];
    case 'tail':
      return [operation.kind === 'check-tail' ? sawTail(outcome, stamps) : saw({ kind: 'nonsense' })];
    default:
      return [refusal(call)];
  }
}

function sawTail({ tail, timestamp }: Extract<Outcome, { kind: 'tail' }>, stamps: ReadonlyMap<BodyHash, number> | undefined): Step {
  return saw({ kind: 'tail', tail, ...(stamps === undefined ? {} : { timestamp, stamps }) });
}

/** First no append is taken any more, then the name says so. */
function deletion(ifEmpty = false): Step[] {
  return [{ kind: 'seal', ifEmpty }, { kind: 'mark' }];
}

function refusal({ operation, outcome }: Call): Step {
  if (outcome?.kind === 'seq_num_mismatch' && operation.kind === 'append' && operation.matchSeqNum !== undefined) {
    const { fencingToken, matchSeqNum } = operation;
    return saw({ kind: 'seq-num-mismatch', tail: outcome.tail, asked: matchSeqNum, fencingToken });
  }
  if (outcome?.kind === 'fencing_token_mismatch' && operation.kind === 'append' && operation.fencingToken !== undefined) {
    return saw({ kind: 'token-mismatch', token: outcome.token, asked: operation.fencingToken });
  }
  if (outcome?.kind === 'range_not_satisfiable' && operation.kind === 'read') {
    return saw({ kind: 'beyond-tail', tail: outcome.tail, from: operation.from });
  }
  return saw({ kind: 'nonsense' });
}

function saw(sight: Sight): Step {
  return { kind: 'saw', sight };
}

function lives(list: readonly State['life'][]): Step {
  return saw({ kind: 'life', lives: list });
}
