// A second, slow opinion for the tests of the checkers: one name that runs calls one after the other, and a search that tries every
// order of a few calls. It shares nothing with model.ts and linearizable.ts but the types of a history.

import type { AppendedRecord, Call, History, Operation, Outcome, ReadRecord } from '../history.ts';

export interface Name {
  readonly life: 'absent' | 'live' | 'sealed' | 'marked';
  readonly records: readonly ReadRecord[];
  readonly token: string;
  readonly trimPoint: number;
  /** From `at` on it is known that nothing below `upTo` is given any more. */
  readonly trims: readonly { readonly upTo: number; readonly at: number }[];
}

export const ABSENT: Name = { life: 'absent', records: [], token: '', trimPoint: 0, trims: [] };
export const EMPTY: Name = { ...ABSENT, life: 'live' };

function appended(name: Name, records: readonly AppendedRecord[], timestamp: number): Name {
  let { token, trimPoint } = name;
  const all = [...name.records];
  for (const { hash, fence, trim } of records) {
    const seqNum = all.length;
    all.push({ seqNum, hash, timestamp });
    if (fence !== undefined) token = fence;
    if (trim !== undefined && Math.min(trim, seqNum + 1) > trimPoint) trimPoint = Math.min(trim, seqNum + 1);
  }
  return { life: 'live', records: all, token, trimPoint, trims: name.trims };
}

/** What a faultless store does, and answers. */
export function run(name: Name, operation: Operation, now: number): { readonly next: Name; readonly outcome: Outcome } {
  const tail = name.records.length;
  const stay = (outcome: Outcome): { readonly next: Name; readonly outcome: Outcome } => ({ next: name, outcome });
  if (operation.kind === 'create') {
    if (name.life === 'absent') return { next: EMPTY, outcome: { kind: 'created' } };
    return stay({ kind: name.life === 'marked' ? 'stream_deletion_pending' : 'resource_already_exists' });
  }
  if (name.life === 'absent') return stay({ kind: 'stream_not_found' });
  if (operation.kind === 'delete') return { next: { ...ABSENT, life: 'marked' }, outcome: { kind: 'deleted' } };
  if (name.life !== 'live') return stay({ kind: 'stream_deletion_pending' });
  switch (operation.kind) {
    case 'check-tail':
      return stay({ kind: 'tail', tail, timestamp: name.records.at(-1)?.timestamp ?? 0 });
    case 'read': {
      const { from, count = 1_000 } = operation;
      if (from >= tail) return stay({ kind: 'range_not_satisfiable', tail });
      const start = Math.max(from, name.trimPoint);
      return stay({ kind: 'read', records: name.records.slice(start, start + count) });
    }
    case 'append': {
      const { fencingToken, matchSeqNum, records } = operation;
      if (fencingToken !== undefined && fencingToken !== name.token) return stay({ kind: 'fencing_token_mismatch', token: name.token });
      if (matchSeqNum !== undefined && matchSeqNum !== tail) return stay({ kind: 'seq_num_mismatch', tail });
      const end = tail + records.length;
      return { next: appended(name, records, now), outcome: { kind: 'appended', start: tail, end, tail: end } };
    }
  }
}

/** What may follow when an atom comes next; empty when it cannot. */
type Atom = (name: Name) => readonly Name[];

interface Timed {
  readonly began: number;
  readonly ended: number;
  readonly isOptional: boolean;
  readonly atom: Atom;
}

/** Whether some order of the calls on one name explains all answers. */
export function isExplainable(calls: History): boolean {
  const atoms = calls.flatMap(atomsOf);
  const start = calls.some(({ operation }) => operation.kind === 'create') ? ABSENT : EMPTY;
  return isOrdered(start, atoms);
}

function isOrdered(name: Name, left: readonly Timed[]): boolean {
  if (left.every(({ isOptional }) => isOptional)) return true;
  const deadline = Math.min(...left.filter(({ isOptional }) => !isOptional).map(({ ended }) => ended));
  return left.some((timed, i) => timed.began <= deadline && timed.atom(name).some((next) => isOrdered(next, left.toSpliced(i, 1))));
}

function atomsOf({ operation, outcome, began, ended }: Call): Timed[] {
  const isOpen = ended === undefined || outcome === undefined || outcome.kind === 'unknown';
  if (outcome?.kind === 'failed') return [];
  const list = isOpen ? effects(operation) : answered(operation, outcome, began, ended);
  return list.map((atom) => ({ began, ended: isOpen ? Number.POSITIVE_INFINITY : ended, isOptional: isOpen, atom }));
}

function when(test: (name: Name) => boolean): Atom {
  return (name) => (test(name) ? [name] : []);
}

function isFree({ life }: Name): boolean {
  return life === 'absent' || life === 'marked';
}

const create: Atom = (name) => (isFree(name) ? [EMPTY] : []);
const gone: Atom = (name) => (isFree(name) ? [ABSENT] : []);
const seal: Atom = (name) => (name.life === 'absent' ? [] : [name.life === 'live' ? { ...name, life: 'sealed' } : name]);
const mark: Atom = (name) => (name.life === 'sealed' || name.life === 'marked' ? [{ ...ABSENT, life: 'marked' }] : []);

function write(operation: Extract<Operation, { kind: 'append' }>, acked?: { readonly start: number; readonly at: number }): Atom {
  return (name) => {
    const { next, outcome } = run(name, operation, 0);
    if (outcome.kind !== 'appended' || (acked !== undefined && outcome.start !== acked.start)) return [];
    if (acked === undefined) return [next];
    const own = operation.records.flatMap(({ trim }, i) =>
      trim === undefined ? [] : [{ upTo: Math.min(trim, outcome.start + i + 1), at: acked.at }],
    );
    return [{ ...next, trims: [...next.trims, ...own] }];
  };
}

/** A read of records: it must not show what was known to be trimmed when it began, and shows itself what is trimmed. */
function look(from: number, count: number, records: readonly ReadRecord[], began: number, ended: number): Atom {
  return (name) => {
    if (name.life !== 'live' || !isReadOf(name, from, count, records)) return [];
    const [first] = records;
    if (first === undefined) return [name];
    if (name.trims.some(({ upTo, at }) => at < began && first.seqNum < upTo)) return [];
    const behindGap = records.filter(({ seqNum }, i) => seqNum > (i === 0 ? from : (records[i - 1]?.seqNum ?? 0) + 1));
    const last = behindGap.at(-1);
    return [last === undefined ? name : { ...name, trims: [...name.trims, { upTo: last.seqNum, at: ended }] }];
  };
}

function effects(operation: Operation): Atom[] {
  if (operation.kind === 'create') return [create];
  if (operation.kind === 'delete') return [seal, mark];
  return operation.kind === 'append' ? [write(operation)] : [];
}

function answered(operation: Operation, outcome: Outcome, began: number, ended: number): Atom[] {
  const tailIs = (tail: number): Atom => when(({ life, records }) => life === 'live' && records.length === tail);
  if (outcome.kind === 'stream_not_found') return [gone];
  if (outcome.kind === 'stream_deletion_pending') {
    return [when(({ life }) => life === 'marked' || (life === 'sealed' && operation.kind !== 'create'))];
  }
  if (operation.kind === 'create') {
    return [outcome.kind === 'created' ? create : when(({ life }) => life === 'live' || life === 'sealed')];
  }
  if (operation.kind === 'delete') return outcome.kind === 'deleted' ? [seal, mark] : [when(() => false)];
  if (operation.kind === 'append' && outcome.kind === 'appended') {
    if (outcome.end !== outcome.start + operation.records.length || outcome.tail < outcome.end) return [when(() => false)];
    return [write(operation, { start: outcome.start, at: ended }), tailIs(outcome.tail)].slice(0, outcome.tail === outcome.end ? 1 : 2);
  }
  if (outcome.kind === 'tail' && operation.kind === 'check-tail') return [tailIs(outcome.tail)];
  if (outcome.kind === 'read' && operation.kind === 'read') {
    return [look(operation.from, operation.count ?? 1_000, outcome.records, began, ended)];
  }
  return [when((name) => name.life === 'live' && says(name, operation, outcome))];
}

function says(name: Name, operation: Operation, outcome: Outcome): boolean {
  const tail = name.records.length;
  const would = run(name, operation, 0).outcome;
  switch (outcome.kind) {
    case 'range_not_satisfiable':
      return would.kind === 'range_not_satisfiable' && outcome.tail === tail;
    case 'seq_num_mismatch':
      return would.kind === 'seq_num_mismatch' && outcome.tail === tail;
    case 'fencing_token_mismatch':
      return would.kind === 'fencing_token_mismatch' && outcome.token === name.token;
    default:
      return false;
  }
}

/** Records below the trim point may be there still. */
function isReadOf(name: Name, from: number, count: number, records: readonly ReadRecord[]): boolean {
  const tail = name.records.length;
  if (from > tail) return false;
  const given = new Map(records.map((record) => [record.seqNum, record.hash]));
  const isSorted = records.every(({ seqNum }, i) => seqNum > (records[i - 1]?.seqNum ?? from - 1));
  const isTrue = records.every(({ seqNum, hash }) => name.records[seqNum]?.hash === hash);
  const end = records.length >= count ? (records.at(-1)?.seqNum ?? from) + 1 : tail;
  const isWhole = name.records.slice(0, end).every(({ seqNum }) => seqNum < from || seqNum < name.trimPoint || given.has(seqNum));
  return isSorted && isTrue && isWhole;
}
