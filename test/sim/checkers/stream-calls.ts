// The calls on one name, and what can be said of them without a search: who wrote which record, and where it must stand.

import type { AppendedRecord, BodyHash, Call, History, Operation, Outcome } from '../history.ts';

/** A read gives no more records than this, whatever it asks for. */
export const READ_RECORDS_MAX = 1_000;

type OperationOf<K extends Operation['kind']> = Extract<Operation, { readonly kind: K }>;
type OutcomeOf<K extends Outcome['kind']> = Extract<Outcome, { readonly kind: K }>;

export interface AppendCall {
  readonly call: Call;
  readonly records: readonly AppendedRecord[];
  /** Where its first record stands, if that was acknowledged or can be told from what was read. */
  readonly start: number | undefined;
  readonly acked: OutcomeOf<'appended'> | undefined;
  /** It had no effect, by what the client was told. */
  readonly isRefused: boolean;
}

export interface ReadCall {
  readonly call: Call;
  readonly operation: OperationOf<'read'>;
  readonly outcome: OutcomeOf<'read'>;
  /** The answer does not say that the stream ended behind it. */
  readonly isCut: boolean;
  /** Behind the last record; `from` when there is none. */
  readonly end: number;
  /** From here on it may have been read: a batch of a tailing read, since that was asked for. */
  readonly opened: number;
}

export interface StreamCalls {
  readonly name: string;
  /** By `began`. */
  readonly calls: readonly Call[];
  readonly appends: readonly AppendCall[];
  readonly reads: readonly ReadCall[];
  /** The appends that sent these bytes: one, but for the bodies of commands. */
  readonly senders: ReadonlyMap<BodyHash, readonly AppendCall[]>;
  /** The name was never deleted, so that it is one stream from the first call to the last. */
  readonly isOneStream: boolean;
  /** Nobody made the stream: it was there before the history began. */
  readonly wasThere: boolean;
}

export function endOf(call: Call): number {
  return call.ended === undefined || call.outcome === undefined || call.outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : call.ended;
}

/** It may have had its effect, or have it yet. */
export function isUnknown(call: Call): boolean {
  return endOf(call) === Number.POSITIVE_INFINITY;
}

export function byStream(history: History): StreamCalls[] {
  const named = new Map<string, Call[]>();
  for (const call of history) {
    const { stream } = call.operation;
    const calls = named.get(stream);
    if (calls === undefined) named.set(stream, [call]);
    else calls.push(call);
  }
  return [...named].map(([name, calls]) => streamCalls(name, calls));
}

function streamCalls(name: string, unsorted: readonly Call[]): StreamCalls {
  const calls = unsorted.toSorted((a, b) => a.began - b.began);
  const openedAt = sessionsOf(calls);
  const reads = calls.flatMap((call) => readCall(call, openedAt));
  const sent = new Map<BodyHash, number>();
  for (const { operation } of calls) {
    if (operation.kind !== 'append') continue;
    for (const { hash } of operation.records) sent.set(hash, (sent.get(hash) ?? 0) + 1);
  }
  const seenAt = new Map<BodyHash, number>();
  for (const { outcome } of reads) {
    for (const { hash, seqNum } of outcome.records) if (sent.get(hash) === 1 && !seenAt.has(hash)) seenAt.set(hash, seqNum);
  }
  const appends = calls.flatMap((call) => appendCall(call, seenAt));
  const senders = new Map<BodyHash, AppendCall[]>();
  for (const append of appends) {
    for (const { hash } of append.records) {
      const of = senders.get(hash);
      if (of === undefined) senders.set(hash, [append]);
      else if (!of.includes(append)) of.push(append);
    }
  }
  const has = (kind: Operation['kind']): boolean => calls.some(({ operation }) => operation.kind === kind);
  return { name, calls, appends, reads, senders, isOneStream: !has('delete'), wasThere: !has('create') };
}

/** When each tailing read was asked for: with its first batch, whatever came of that. */
function sessionsOf(calls: readonly Call[]): ReadonlyMap<number, number> {
  const openedAt = new Map<number, number>();
  for (const { operation, began } of calls) {
    if (operation.kind !== 'read' || operation.follows === undefined || openedAt.has(operation.follows)) continue;
    openedAt.set(operation.follows, began);
  }
  return openedAt;
}

function appendCall(call: Call, seenAt: ReadonlyMap<BodyHash, number>): AppendCall[] {
  const { operation, outcome } = call;
  if (operation.kind !== 'append') return [];
  const acked = outcome?.kind === 'appended' && !isUnknown(call) ? outcome : undefined;
  const isRefused = acked === undefined && !isUnknown(call);
  const seen = operation.records.findIndex(({ hash }) => seenAt.has(hash));
  const seenHash = operation.records[seen]?.hash;
  const seenStart = seenHash === undefined ? undefined : (seenAt.get(seenHash) ?? 0) - seen;
  return [{ call, records: operation.records, start: acked?.start ?? seenStart, acked, isRefused }];
}

function readCall(call: Call, openedAt: ReadonlyMap<number, number>): ReadCall[] {
  const { operation, outcome } = call;
  if (operation.kind !== 'read' || outcome?.kind !== 'read' || isUnknown(call)) return [];
  const { count = READ_RECORDS_MAX, follows, from } = operation;
  const isCut = follows !== undefined || outcome.records.length >= Math.min(count, READ_RECORDS_MAX);
  const last = outcome.records.at(-1);
  const opened = follows === undefined ? call.began : (openedAt.get(follows) ?? call.began);
  return [{ call, operation, outcome, isCut, end: last === undefined ? from : last.seqNum + 1, opened }];
}
