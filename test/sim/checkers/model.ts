// What a name must do when its calls come one after the other: the specification that histories are held against.
//
// A name is absent, live, sealed (its stream takes nothing more, and the name does not say so yet), or marked (until it is free
// again, which a background job decides: here it happens when somebody sees it). What a live stream is follows from the appends
// since it was made, in their order, and from what calls have shown of it: a state is a node in the tree of these orders, with the
// evidence that goes with it, so two states are the same if their numbers are.

import { resultingTrimPoint } from '#core/model/records.ts';
import type { AppendedRecord, BodyHash, Call, ReadRecord } from '../history.ts';
import { type Evidence, type KnownTrim, NO_EVIDENCE, stampAgainst, trimBefore, withStamp, withTrims } from './evidence.ts';

type SeqNumber = Parameters<typeof resultingTrimPoint>[0];

export interface State {
  readonly id: number;
  readonly life: 'absent' | 'live' | 'sealed' | 'marked';
  readonly tail: number;
  readonly token: string;
  readonly trimPoint: number;
  /** Which calls this stream was read with, as far as its last records tell: see places.ts. */
  readonly group: number | undefined;
  readonly evidence: Evidence;
  /** The node of the tree: this state without its evidence; undefined for one without. */
  readonly node: State | undefined;
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
      /** Infinite: it never was. */
      readonly ackedAt: number;
    }
  | { readonly kind: 'create' }
  | { readonly kind: 'seal'; readonly ifEmpty: boolean }
  | { readonly kind: 'mark' }
  /** The name was not there. */
  | { readonly kind: 'gone' }
  /** It was so at some point of the call, and changes nothing but what is known of the stream. */
  | { readonly kind: 'saw'; readonly sight: Sight };

export type Sight =
  /** `timestamp`: of the last record, where that is to be held against what else is known of the stream. */
  | { readonly kind: 'tail'; readonly tail: number; readonly timestamp?: number; readonly stamps?: ReadonlyMap<BodyHash, number> }
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
      /** From here on it may have been read. */
      readonly opened: number;
      /** What it left out shows that all that was trimmed. */
      readonly hides?: KnownTrim | undefined;
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
  /** States with evidence, by their node's number and its key. */
  readonly #withEvidence = new Map<string, State>();
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

  /** Adds what a call that saw this shows of the stream. */
  tell(position: Position, sight: Sight): void {
    const { state } = position;
    if (sight.kind === 'records' && sight.hides !== undefined) position.state = this.#with(state, withTrims(state.evidence, [sight.hides]));
    if (sight.kind === 'tail' && sight.timestamp !== undefined) {
      position.state = this.#with(state, withStamp(state.evidence, { tail: sight.tail, timestamp: sight.timestamp }));
    }
  }

  #with(state: State, evidence: Evidence): State {
    if (evidence === state.evidence) return state;
    const node = state.node ?? state;
    const name = `${node.id}/${evidence.key}`;
    const known = this.#withEvidence.get(name) ?? { ...node, id: this.#nodes, evidence, node };
    if (known.id === this.#nodes) this.#nodes += 1;
    this.#withEvidence.set(name, known);
    return known;
  }

  #append(position: Position, step: Extract<Step, { kind: 'append' }>): boolean {
    const { state, hashes } = position;
    if (state.life !== 'live') return false;
    if (step.start !== undefined && step.start !== state.tail) return false;
    if (step.fencingToken !== undefined && step.fencingToken !== state.token) return false;
    if (step.matchSeqNum !== undefined && step.matchSeqNum !== state.tail) return false;
    for (const { hash } of step.records) hashes.push(hash);
    const child = this.#child(state.node ?? state, step);
    const trims = Number.isFinite(step.ackedAt) ? trimsOf(step, state.tail) : [];
    position.state = this.#with(child, withTrims(state.evidence, trims));
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
      evidence: NO_EVIDENCE,
      node: undefined,
    };
    this.#nodes += 1;
    children.set(step, child);
    return child;
  }
}

function node(life: State['life'], id: number): State {
  return { id, life, tail: 0, token: '', trimPoint: 0, group: undefined, evidence: NO_EVIDENCE, node: undefined };
}

/** What is trimmed once an append at `tail` is acknowledged. */
function trimsOf({ records, ackedAt }: Extract<Step, { kind: 'append' }>, tail: number): KnownTrim[] {
  return records.flatMap(({ trim }, i) => {
    if (trim === undefined) return [];
    return [{ upTo: resultingTrimPoint(0 as SeqNumber, trim, (tail + i) as SeqNumber), at: ackedAt }];
  });
}

/** Whether it shows more of the stream than what every order of calls says. */
export function tells(sight: Sight): boolean {
  return (sight.kind === 'records' && sight.hides !== undefined) || (sight.kind === 'tail' && sight.timestamp !== undefined);
}

/** Why what was seen is not so here; undefined when it is. */
export function contradiction({ state, hashes }: Position, sight: Sight): string | undefined {
  if (sight.kind === 'nonsense') return 'the answer does not fit the call';
  if (sight.kind === 'life') return sight.lives.includes(state.life) ? undefined : `the name is ${state.life}`;
  if (state.life !== 'live') return `the name is ${state.life}`;
  switch (sight.kind) {
    case 'tail':
      return sight.tail === state.tail ? wrongStamp(state, hashes, sight) : `the tail is ${state.tail}`;
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

/** The last record's timestamp is the one with which it is read, and not below that of any record before it. */
function wrongStamp({ evidence }: State, hashes: readonly BodyHash[], sight: Extract<Sight, { kind: 'tail' }>): string | undefined {
  const { tail, timestamp, stamps } = sight;
  if (timestamp === undefined) return undefined;
  for (let at = tail - 1; at >= 0; at -= 1) {
    const known = stamps?.get(hashes[at] ?? 0);
    if (known === undefined) continue;
    if (at === tail - 1 ? known !== timestamp : known > timestamp) return `the timestamp of ${at} is ${known}`;
    break;
  }
  return stampAgainst(evidence, { tail, timestamp });
}

/**
 * All records from the start of the read to its end are there, with the bodies that were appended, but for those that are trimmed:
 * they may be there or not, until that is known to whoever reads.
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
  const lowest = records[0]?.seqNum;
  const trim = lowest === undefined ? undefined : trimBefore(state.evidence, read.opened, lowest);
  if (trim !== undefined) return `[0, ${trim.upTo}) was known to be trimmed, and ${lowest} is shown`;
  let next = start;
  for (const { seqNum, hash } of records) {
    if (seqNum < next) return `${seqNum} comes where ${next} or more is expected`;
    if (seqNum > Math.max(next, kept)) return `${Math.max(next, kept)} is missing`;
    if (hashes[seqNum] !== hash) return `${seqNum} holds another record`;
    next = seqNum + 1;
  }
  return undefined;
}
