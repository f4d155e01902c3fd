// Random histories of one name, as a faultless store would have made them: calls one after the other, then stretched so that they
// overlap, then robbed of some of their answers.

import fc from 'fast-check';
import type { AppendedRecord, Call, History, Operation, Outcome } from '../history.ts';
import { ABSENT, EMPTY, type Name, run } from './reference.ts';

interface Line {
  readonly what: 'append' | 'fence' | 'trim' | 'mixed' | 'read' | 'page' | 'check-tail' | 'create' | 'delete';
  readonly records: number;
  readonly condition: 'none' | 'match' | 'mismatch' | 'token' | 'wrong-token';
  readonly back: number;
  readonly earlier: number;
  readonly later: number;
  readonly fate: 'answered' | 'lost' | 'lost-without-effect' | 'refused' | 'half';
}

/** How long before and after its moment a call begins and ends; moments are 10 apart. */
const SPREAD = 35;

function line({ lost = 20, back = 4, lives }: HistoryOptions): fc.Arbitrary<Line> {
  return fc.record<Line>({
    what: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom<Line['what']>('append', 'read', 'check-tail') },
      { weight: 20, arbitrary: fc.constantFrom<Line['what']>('fence', 'trim', 'mixed', 'page') },
      { weight: lives === 'often' ? 10 : lives === 'seldom' ? 1 : 0, arbitrary: fc.constantFrom<Line['what']>('create', 'delete') },
    ),
    records: fc.integer({ min: 1, max: 3 }),
    condition: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Line['condition']>('none') },
      { weight: 2, arbitrary: fc.constantFrom<Line['condition']>('match', 'mismatch', 'token', 'wrong-token') },
    ),
    back: fc.integer({ min: 0, max: back }),
    earlier: fc.integer({ min: 0, max: SPREAD }),
    later: fc.integer({ min: 0, max: SPREAD }),
    fate: fc.oneof(
      { weight: 60 - lost, arbitrary: fc.constant<Line['fate']>('answered') },
      { weight: lost, arbitrary: fc.constantFrom<Line['fate']>('lost', 'lost-without-effect', 'refused', 'half') },
    ),
  });
}

export interface HistoryOptions {
  readonly maxLength: number;
  readonly minLength?: number;
  /** With creations and deletions of the name: a few in so many calls. */
  readonly lives: false | 'often' | 'seldom';
  /** How many answers in 60 are lost, or were refusals. */
  readonly lost?: number;
  /** How far behind the tail reads and trims may start. */
  readonly back?: number;
  /** Of the spread. */
  readonly stretch?: number;
}

export function goodHistory(options: HistoryOptions): fc.Arbitrary<Call[]> {
  const { maxLength, minLength = 1, stretch = 1 } = options;
  return fc.array(line(options), { minLength, maxLength, size: 'max' }).map((lines) => play(lines, stretch));
}

function play(lines: readonly Line[], stretch: number): Call[] {
  let name: Name = lines.some(({ what }) => what === 'create') ? ABSENT : EMPTY;
  let token = '';
  return lines.map((line, i) => {
    const at = 10 * (i + 1);
    const operation = operationOf(line, i, name, token);
    const base = { client: i, operation, began: at - stretch * line.earlier, ended: at + stretch * line.later };
    if (operation.kind === 'append') token = operation.records.find(({ fence }) => fence !== undefined)?.fence ?? token;
    if (line.fate === 'refused') return { ...base, outcome: { kind: 'failed', code: 'rate_limited' } };
    if (line.fate === 'lost-without-effect') return { ...base, outcome: { kind: 'unknown', code: 'unavailable' } };
    if (line.fate === 'half' && operation.kind === 'delete' && name.life === 'live') {
      name = { ...name, life: 'sealed' };
      return { client: i, operation, began: base.began };
    }
    const { next, outcome } = run(name, operation, at);
    name = next;
    // A background job frees the name, or not.
    if (name.life === 'marked' && line.back % 2 === 0 && operation.kind === 'delete') name = ABSENT;
    return line.fate === 'answered' ? { ...base, outcome } : { client: i, operation, began: base.began };
  });
}

function operationOf(line: Line, index: number, name: Name, token: string): Operation {
  const stream = 's';
  const tail = name.records.length;
  switch (line.what) {
    case 'read':
      return { kind: 'read', stream, from: Math.max(0, tail - line.back) };
    case 'page':
      return { kind: 'read', stream, from: Math.max(0, tail - line.back), count: line.records };
    case 'check-tail':
    case 'create':
    case 'delete':
      return { kind: line.what, stream };
    default: {
      const { condition } = line;
      const matchSeqNum = condition === 'match' ? tail : condition === 'mismatch' ? tail + 1 : undefined;
      const fencingToken = condition === 'token' ? token : condition === 'wrong-token' ? `${token}?` : undefined;
      return {
        kind: 'append',
        stream,
        records: recordsOf(line, index, tail),
        ...(matchSeqNum === undefined ? {} : { matchSeqNum }),
        ...(fencingToken === undefined ? {} : { fencingToken }),
      };
    }
  }
}

function recordsOf({ what, records, back }: Line, index: number, tail: number): AppendedRecord[] {
  const first = 100 * (index + 1);
  if (what === 'fence') return [{ hash: first, fence: `t${index}` }];
  const trim = Math.max(0, tail + 2 - back);
  // Two of these may have one body.
  if (what === 'trim') return [{ hash: 1_000_000 + trim, trim }];
  const plain = Array.from({ length: records }, (_, i): AppendedRecord => ({ hash: first + i }));
  return what === 'mixed' ? [...plain, { hash: first + 50, trim: tail }, { hash: first + 51, fence: `m${index}` }] : plain;
}

export interface Twist {
  readonly call: number;
  readonly by: number;
  readonly way: 'number' | 'answer' | 'time' | 'fate';
}

export const TWIST: fc.Arbitrary<Twist> = fc.record({
  call: fc.nat(30),
  by: fc.constantFrom(-2, -1, 1, 2),
  way: fc.constantFrom('number', 'number', 'answer', 'time', 'fate'),
});

/** The history with one call changed: it may be explainable still. */
export function twisted(history: History, { call: which, by, way }: Twist): Call[] {
  const calls = [...history];
  const index = which % Math.max(1, calls.length);
  const call = calls[index];
  if (call === undefined) return calls;
  const { outcome, ended } = call;
  if (way === 'time') {
    calls[index] = {
      ...call,
      began: call.began + 10 * by,
      ...(ended === undefined ? {} : { ended: Math.max(call.began, ended) + 10 * by }),
    };
  } else if (way === 'fate') {
    calls[index] = { ...call, ended: ended ?? call.began + 30, outcome: { kind: 'failed', code: 'rate_limited' } };
  } else if (way === 'answer') {
    const other = calls.find((candidate) => candidate !== call && candidate.operation.kind === call.operation.kind && candidate.outcome);
    if (other?.outcome !== undefined) calls[index] = { ...call, ended: ended ?? call.began + 30, outcome: other.outcome };
  } else if (outcome !== undefined) {
    calls[index] = { ...call, outcome: shifted(outcome, by) };
  }
  return calls;
}

/** The history with no timestamps to speak of: the slow search knows nothing of them. */
export function untimed(history: History): Call[] {
  return history.map((call): Call => {
    const { outcome } = call;
    if (outcome?.kind === 'tail') return { ...call, outcome: { ...outcome, timestamp: 0 } };
    if (outcome?.kind !== 'read') return call;
    return { ...call, outcome: { ...outcome, records: outcome.records.map((record) => ({ ...record, timestamp: 0 })) } };
  });
}

function shifted(outcome: Outcome, by: number): Outcome {
  switch (outcome.kind) {
    case 'appended':
      if (by === 2) return { ...outcome, tail: outcome.tail + 1 };
      return { kind: 'appended', start: outcome.start + by, end: outcome.end + by, tail: outcome.tail + by };
    case 'tail':
    case 'seq_num_mismatch':
    case 'range_not_satisfiable':
      return { ...outcome, tail: Math.max(0, outcome.tail + by) };
    case 'fencing_token_mismatch':
      return { ...outcome, token: by > 0 ? `${outcome.token}?` : '' };
    case 'read': {
      const [first] = outcome.records;
      if (by === -1) return { kind: 'read', records: outcome.records.slice(1) };
      if (by === 1) return { kind: 'read', records: outcome.records.slice(0, -1) };
      if (by === 2 || first === undefined) return { kind: 'read', records: outcome.records.toReversed() };
      return { kind: 'read', records: [{ ...first, hash: first.hash + 1 }, ...outcome.records.slice(1)] };
    }
    case 'created':
      return { kind: 'resource_already_exists' };
    case 'resource_already_exists':
      return { kind: 'created' };
    case 'deleted':
      return { kind: 'stream_not_found' };
    case 'stream_not_found':
      return { kind: 'stream_deletion_pending' };
    default:
      return outcome;
  }
}
