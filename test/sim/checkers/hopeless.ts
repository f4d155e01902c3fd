// Tells early that a step can never be taken from here on, so that the search does not try all that might come before it.
//
// The step is the one whose call ends first: only steps that began before that can come before it. A name goes round from live to
// sealed, marked, absent and live again; each turn but the one from marked to absent takes a step of its kind, and to make a stream
// longer, or give it another token, takes appends. What is asked here is necessary, not sufficient.

import type { Position, State, Step } from './model.ts';
import type { SearchStep } from './steps.ts';

export interface Need {
  readonly lives: readonly Life[];
  /** Of a live stream's tail. */
  readonly least: number;
  readonly most: number;
  /** It may be more, if all of that is trimmed. */
  readonly isTrimExcuse?: boolean;
  readonly token?: string | undefined;
  /** A record that a live stream must hold. */
  readonly record?: { readonly seqNum: number; readonly hash: number } | undefined;
}

type Life = State['life'];
type AppendStep = Extract<Step, { kind: 'append' }>;
/** The steps that may come next. */
type Window = () => Iterable<SearchStep>;

const NEXT: Readonly<Record<Life, Life>> = { live: 'sealed', sealed: 'marked', marked: 'absent', absent: 'live' };
/** Sums up to this are looked at one by one. */
const SUM_MAX = 30;

export function needOf(step: Step): Need {
  switch (step.kind) {
    case 'append': {
      const at = step.start ?? step.matchSeqNum;
      return at === undefined ? live(0, Number.POSITIVE_INFINITY, step.fencingToken) : live(at, at, step.fencingToken);
    }
    case 'create':
    case 'gone':
      return lives('absent', 'marked');
    case 'seal':
      return lives('live', 'sealed', 'marked');
    case 'mark':
      return lives('sealed', 'marked');
    case 'saw':
      return needOfSight(step.sight);
  }
}

function needOfSight(sight: Extract<Step, { kind: 'saw' }>['sight']): Need {
  switch (sight.kind) {
    case 'tail':
    case 'beyond-tail':
      return live(sight.tail, sight.tail);
    case 'seq-num-mismatch':
      return live(sight.tail, sight.tail, sight.fencingToken);
    case 'tail-at-most':
      return live(0, sight.tail);
    case 'token-mismatch':
      return live(0, Number.POSITIVE_INFINITY, sight.token);
    case 'life':
      return lives(...sight.lives);
    case 'records': {
      const record = sight.records.at(-1);
      if (sight.tail !== undefined) return { ...live(sight.tail, sight.tail), record };
      const least = record === undefined ? 0 : sight.end;
      return sight.isCut ? { ...live(least, Number.POSITIVE_INFINITY), record } : { ...live(least, sight.end), record, isTrimExcuse: true };
    }
    case 'nonsense':
      return lives('absent', 'live', 'sealed', 'marked');
  }
}

function live(least: number, most: number, token?: string): Need {
  return { lives: ['live'], least, most, token };
}

function lives(...list: Life[]): Need {
  return { lives: list, least: 0, most: Number.POSITIVE_INFINITY };
}

/** Whether nothing in the window (what may come before the step that needs this) can lead there. */
export function isHopeless({ state, hashes }: Position, need: Need, window: Window): boolean {
  const { life, tail, token } = state;
  const isLife = need.lives.includes(life);
  if (!isLife) return !canTurn(life, need, window);
  if (life !== 'live') return false;
  const { record } = need;
  const isOther = record !== undefined && record.seqNum < tail && hashes[record.seqNum] !== record.hash;
  const isTooLong = tail > need.most && !(need.isTrimExcuse && (state.trimPoint >= tail || hasTrimBeyond(tail, window)));
  if (isOther || isTooLong) return !canTurn(life, need, window);
  return !canBecome(tail, token, need, window) && !canTurn(life, need, window);
}

/** By at least one turn, to another state of the name or to another stream. */
function canTurn(from: Life, need: Need, window: Window): boolean {
  const kinds = new Set<Step['kind']>();
  for (const { step } of window()) kinds.add(step.kind);
  let life = from;
  do {
    if (life === 'live' && !kinds.has('seal')) return false;
    if (life === 'sealed' && !kinds.has('mark')) return false;
    if (life === 'absent' && !kinds.has('create')) return false;
    life = NEXT[life];
  } while (!need.lives.includes(life));
  return life !== 'live' || canBecome(0, '', need, window);
}

/** Whether a live stream can get to the tail and the token that are needed. */
function canBecome(tail: number, token: string, need: Need, window: Window): boolean {
  const gap = need.least - tail;
  if (gap <= 0 && (need.token === undefined || need.token === token)) return true;
  const tokens = new Set([token]);
  const lengths = usable(tail, need.most, tokens, window);
  if (need.token !== undefined && !tokens.has(need.token)) return false;
  if (gap > SUM_MAX || need.most > need.least) return lengths.reduce((sum, length) => sum + length, 0) >= gap;
  return gap <= 0 || canAddUpTo(gap, lengths);
}

/** Lengths of the appends that may come on a stream from `tail` on; adds the tokens that they may set. */
function usable(tail: number, most: number, tokens: Set<string>, window: Window): number[] {
  const lengths: number[] = [];
  let waiting: AppendStep[] = [];
  for (const { step } of window()) {
    if (step.kind !== 'append') continue;
    const at = step.start ?? step.matchSeqNum;
    if (at === undefined || (at >= tail && at < most)) waiting.push(step);
  }
  for (let before = -1; before !== waiting.length; ) {
    before = waiting.length;
    waiting = waiting.filter(({ fencingToken, records }) => {
      if (fencingToken !== undefined && !tokens.has(fencingToken)) return true;
      lengths.push(records.length);
      for (const { fence } of records) if (fence !== undefined) tokens.add(fence);
      return false;
    });
  }
  return lengths;
}

function canAddUpTo(sum: number, lengths: readonly number[]): boolean {
  let sums = 1;
  for (const length of lengths) if (length <= sum) sums |= sums << length;
  return ((sums >>> sum) & 1) === 1;
}

function hasTrimBeyond(tail: number, window: Window): boolean {
  for (const { step } of window()) {
    if (step.kind === 'append' && step.records.some(({ trim = 0 }) => trim > tail)) return true;
  }
  return false;
}
