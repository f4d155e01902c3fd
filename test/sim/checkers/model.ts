// What a name must do when its calls come one after the other: the specification that histories are held against.
//
// A name is absent, live, sealed (its stream takes nothing more, and the name does not say so yet), or marked (until it is free
// again, which a background job decides: here it happens when somebody sees it). What a live stream is follows from the appends
// since it was made, in their order: a state is a node in the tree of these orders, so two states are the same if their numbers are.

import { resultingTrimPoint } from '#core/model/records.ts';
import type { AppendedRecord, BodyHash, Call, ReadRecord } from '../history.ts';

type SeqNumber = Parameters<typeof resultingTrimPoint>[0];

export interface State {
  readonly id: number;
  readonly life: 'absent' | 'live' | 'sealed' | 'marked';
  readonly tail: number;
  readonly token: string;
  readonly trimPoint: number;
  /** Which calls this stream was read with, as far as its last records tell: see places.ts. */
  readonly group: number | undefined;
}

/** One thing that a call did or saw, at one point of its time. */
export type Step =
  | {
      readonly kind: 'append';
      readonly records: readonly AppendedRecord[];
      readonly start: number | undefined;
      readonly matchSeqNum: number | undefined;
      readonly fencingToken: string | undefined;
      readonly group: number | undefined;
    }
  | { readonly kind: 'create' }
  | { readonly kind: 'seal'; readonly ifEmpty: boolean }
  | { readonly kind: 'mark' }
  /** The name was not there. */
  | { readonly kind: 'gone' }
  /** It changes nothing, and was so at some point of the call. */
  | { readonly kind: 'saw'; readonly sight: Sight };

export type Sight =
  | { readonly kind: 'tail'; readonly tail: number }
  /** A clamped read started here. */
  | { readonly kind: 'tail-at-most'; readonly tail: number }
  | { readonly kind: 'life'; readonly lives: readonly State['life'][] }
  | {
      readonly kind: 'records';
      readonly records: readonly ReadRecord[];
      readonly from: number;
      readonly end: number;
      readonly isCut: boolean;
      readonly clamp: boolean;
      readonly tail: number | undefined;
    }
  | { readonly kind: 'seq-num-mismatch'; readonly tail: number; readonly asked: number; readonly fencingToken: string | undefined }
  | { readonly kind: 'token-mismatch'; readonly token: string; readonly asked: string }
  | { readonly kind: 'beyond-tail'; readonly tail: number; readonly from: number }
  /** Nothing can explain it: the answer does not fit the call. */
  | { readonly kind: 'nonsense' };

/** A step of a call. Both halves of a deletion, for example, are steps of one. */
export interface CallStep {
  readonly call: Call;
  readonly step: Step;
}

/** A state, and the bodies that a live stream holds. The hashes are shared along one path of the search: append and cut back only. */
export interface Position {
  state: State;
  hashes: BodyHash[];
}

export class Model {
  readonly #absent = node('absent', 0);
  readonly #empty: State;
  readonly #sealed = node('sealed', 2);
  readonly #marked = node('marked', 3);
  readonly #children: Map<object, State>[] = [];
  #nodes = 4;

  /** `group`: of every stream of this name. */
  constructor(group: number | undefined) {
    this.#empty = { ...node('live', 1), group };
  }

  initial(wasThere: boolean): Position {
    return { state: wasThere ? this.#empty : this.#absent, hashes: [] };
  }

  /** Takes the step at `position`, and moves it; false when it cannot be taken there. */
  take(position: Position, step: Exclude<Step, { kind: 'saw' }>): boolean {
    const { state } = position;
    switch (step.kind) {
      case 'append':
        return this.#append(position, step);
      case 'create':
        if (state.life !== 'absent' && state.life !== 'marked') return false;
        position.state = this.#empty;
        position.hashes = [];
        return true;
      case 'seal':
        if (state.life === 'absent' || (state.life === 'live' && step.ifEmpty && state.tail > state.trimPoint)) return false;
        if (state.life === 'live') position.state = this.#sealed;
        return true;
      case 'mark':
        if (state.life !== 'sealed' && state.life !== 'marked') return false;
        position.state = this.#marked;
        return true;
      case 'gone':
        if (state.life !== 'absent' && state.life !== 'marked') return false;
        position.state = this.#absent;
        return true;
    }
  }

  #append(position: Position, step: Extract<Step, { kind: 'append' }>): boolean {
    const { state, hashes } = position;
    if (state.life !== 'live') return false;
    if (step.start !== undefined && step.start !== state.tail) return false;
    if (step.fencingToken !== undefined && step.fencingToken !== state.token) return false;
    if (step.matchSeqNum !== undefined && step.matchSeqNum !== state.tail) return false;
    for (const { hash } of step.records) hashes.push(hash);
    position.state = this.#child(state, step);
    return true;
  }

  #child(state: State, step: Extract<Step, { kind: 'append' }>): State {
    let children = this.#children[state.id];
    if (children === undefined) {
      children = new Map();
      this.#children[state.id] = children;
    }
    const known = children.get(step);
    if (known !== undefined) return known;
    let { token, trimPoint } = state;
    step.records.forEach(({ fence, trim }, i) => {
      if (fence !== undefined) token = fence;
      if (trim !== undefined) trimPoint = resultingTrimPoint(trimPoint as SeqNumber, trim, (state.tail + i) as SeqNumber);
    });
    const child: State = {
      id: this.#nodes,
      life: 'live',
      tail: state.tail + step.records.length,
      token,
      trimPoint,
      group: step.group ?? state.group,
    };
    this.#nodes += 1;
    children.set(step, child);
    return child;
  }
}

function node(life: State['life'], id: number): State {
  return { id, life, tail: 0, token: '', trimPoint: 0, group: undefined };
}

/** Why what was seen is not so here; undefined when it is. */
export function contradiction({ state, hashes }: Position, sight: Sight): string | undefined {
  if (sight.kind === 'nonsense') return 'the answer does not fit the call';
  if (sight.kind === 'life') return sight.lives.includes(state.life) ? undefined : `the name is ${state.life}`;
  if (state.life !== 'live') return `the name is ${state.life}`;
  switch (sight.kind) {
    case 'tail':
      return sight.tail === state.tail ? undefined : `the tail is ${state.tail}`;
    case 'tail-at-most':
      return state.tail <= sight.tail ? undefined : `the tail is ${state.tail}`;
    case 'seq-num-mismatch':
      if (sight.fencingToken !== undefined && sight.fencingToken !== state.token) return `the fencing token is "${state.token}"`;
      if (sight.asked === sight.tail) return 'it was refused though it matches';
      return sight.tail === state.tail ? undefined : `the tail is ${state.tail}`;
    case 'token-mismatch':
      if (sight.asked === sight.token) return 'it was refused though it matches';
      return sight.token === state.token ? undefined : `the fencing token is "${state.token}"`;
    case 'beyond-tail':
      if (sight.from < sight.tail) return 'it was refused though it lies below the tail';
      return sight.tail === state.tail ? undefined : `the tail is ${state.tail}`;
    case 'records':
      return wrongRecords(state, hashes, sight);
  }
}

/**
 * All records from the start of the read to its end are there, with the bodies that were appended, but for those that are trimmed:
 * they may be there or not. (How long they may stay is not a matter of one state: see trims.ts.)
 */
function wrongRecords(state: State, hashes: readonly BodyHash[], read: Extract<Sight, { kind: 'records' }>): string | undefined {
  const { records, from, end, isCut, clamp } = read;
  if (read.tail !== undefined && read.tail !== state.tail) return `the tail is ${state.tail}`;
  if (end > state.tail && records.length > 0) return `the tail is ${state.tail}`;
  if (from > state.tail && !clamp) return `the tail is ${state.tail}, and the read starts beyond it`;
  const start = clamp ? Math.min(from, records[0]?.seqNum ?? from) : from;
  const kept = Math.max(start, state.trimPoint);
  const seenTo = records.length === 0 ? start : end;
  if (!isCut && state.tail > Math.max(seenTo, kept)) return `the tail is ${state.tail}, and ${Math.max(seenTo, kept)} is missing`;
  let next = start;
  for (const { seqNum, hash } of records) {
    if (seqNum < next) return `${seqNum} comes where ${next} or more is expected`;
    if (seqNum > Math.max(next, kept)) return `${Math.max(next, kept)} is missing`;
    if (hashes[seqNum] !== hash) return `${seqNum} holds another record`;
    next = seqNum + 1;
  }
  return undefined;
}
