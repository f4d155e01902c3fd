// Prints calls for people: one line each, with a bar that shows what ran at the same time.

import type { AppendedRecord, BodyHash, Call, History, Operation, ReadRecord } from '../history.ts';

/** Wider than this a drawing helps nobody: then the moments are given as numbers only. */
const BAR_WIDTH_MAX = 64;
const RECORDS_SHOWN = 6;

/** By the beginning of the calls. `marked`: calls to point at. */
export function printHistory(history: History, marked: readonly Call[] = []): string {
  const calls = history.toSorted((a, b) => a.began - b.began);
  const moments = [...new Set(calls.flatMap(({ began, ended }) => (ended === undefined ? [began] : [began, ended])))].sort((a, b) => a - b);
  const columns = moments.length <= BAR_WIDTH_MAX ? new Map(moments.map((moment, i) => [moment, i])) : undefined;
  const clientWidth = Math.max(0, ...calls.map(({ client }) => String(client).length));
  const lines = calls.map((call) => {
    const { client, began, ended, operation } = call;
    const span = columns === undefined ? `${began}..${ended ?? ''}`.padEnd(13) : bar(columns, call);
    const pointer = marked.includes(call) ? '>' : ' ';
    return `${pointer} c${String(client).padEnd(clientWidth)} ${span} ${operation.stream}: ${callText(call)} -> ${answerText(call)}`;
  });
  return lines.join('\n');
}

function bar(columns: ReadonlyMap<number, number>, { began, ended }: Call): string {
  const from = columns.get(began) ?? 0;
  const to = ended === undefined ? columns.size : (columns.get(ended) ?? from);
  const middle = '-'.repeat(Math.max(0, to - from - 1));
  return `${' '.repeat(from)}|${middle}${ended === undefined ? '' : '|'}`.padEnd(columns.size);
}

export function callText({ operation }: Call): string {
  switch (operation.kind) {
    case 'append':
      return appendText(operation);
    case 'read': {
      const { from, count, clamp = false, follows } = operation;
      const upTo = count === undefined ? '' : ` count ${count}`;
      return `${follows === undefined ? 'read' : `tail ${follows}`} from ${from}${upTo}${clamp ? ' clamped' : ''}`;
    }
    case 'check-tail':
      return 'check-tail';
    case 'create':
      return 'create';
    case 'delete':
      return operation.ifEmpty ? 'delete if empty' : 'delete';
  }
}

function appendText({ records, matchSeqNum, fencingToken, session }: Extract<Operation, { kind: 'append' }>): string {
  const match = matchSeqNum === undefined ? '' : ` if tail ${matchSeqNum}`;
  const token = fencingToken === undefined ? '' : ` if token "${fencingToken}"`;
  const place = session === undefined ? '' : ` in session ${session}`;
  return `append ${shown(records.map(sentText))}${place}${match}${token}`;
}

function sentText({ hash, fence, trim }: AppendedRecord): string {
  if (fence !== undefined) return `fence "${fence}"`;
  return trim === undefined ? hashText(hash) : `trim ${trim}`;
}

export function answerText({ outcome, ended }: Call): string {
  if (outcome === undefined || ended === undefined) return '?';
  switch (outcome.kind) {
    case 'appended': {
      const tail = outcome.tail === outcome.end ? '' : ` tail ${outcome.tail}`;
      return `[${outcome.start}, ${outcome.end})${tail}`;
    }
    case 'read':
      return `${shown(outcome.records.map(readText))}${outcome.tail === undefined ? '' : ` tail ${outcome.tail}`}`;
    case 'tail':
      return `tail ${outcome.tail} @${outcome.timestamp}`;
    case 'seq_num_mismatch':
    case 'range_not_satisfiable':
      return `${outcome.kind}: tail ${outcome.tail}`;
    case 'fencing_token_mismatch':
      return `${outcome.kind}: token "${outcome.token}"`;
    case 'failed':
      return `failed (${outcome.code})`;
    case 'unknown':
      return `? (${outcome.code})`;
    default:
      return outcome.kind;
  }
}

function readText({ seqNum, hash, timestamp }: ReadRecord): string {
  return `${seqNum}=${hashText(hash)}@${timestamp}`;
}

function hashText(hash: BodyHash): string {
  return hash.toString(36);
}

function shown(items: readonly string[]): string {
  if (items.length <= RECORDS_SHOWN) return `(${items.join(' ')})`;
  const ends = RECORDS_SHOWN / 2;
  return `(${items.slice(0, ends).join(' ')} … ${items.length - 2 * ends} … ${items.slice(-ends).join(' ')})`;
}
