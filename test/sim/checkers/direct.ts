// What must hold of the records of a stream whatever the order of calls: each check can say which calls contradict each other.
//
//   1  A record that is read was sent, by an append that was not refused.
//   2  A record stands at one sequence number, and a sequence number holds one record: acknowledged, read, and read again.
//   3  A read is in order, and leaves nothing out but what was trimmed.
//   4  A batch is there whole or not at all.
//   5  Timestamps never go back along the sequence numbers, and are read again the same.
//   6  Batches of one append session stand in the order in which they were submitted, and none behind one that was refused.

import type { BodyHash, Call } from '../history.ts';
import type { GroupOf } from './generations.ts';
import { impliedTail, statedTail } from './stated-tail.ts';
import type { AppendCall, ReadCall, StreamCalls } from './stream-calls.ts';
import type { Trims } from './trims.ts';
import type { Check, Violation } from './violation.ts';

type Found = Omit<Violation, 'stream'>;

export function checkRecords(stream: StreamCalls, groupOf: GroupOf, trims: Trims): Found[] {
  return [
    ...checkAnswers(stream),
    ...checkSent(stream),
    ...checkPlaces(stream, groupOf),
    ...checkReads(stream, trims),
    ...checkBatches(stream, trims),
    ...checkTimestamps(stream, groupOf),
    ...checkSessions(stream, groupOf),
  ];
}

function found(check: Check, message: string, ...calls: readonly Call[]): Found {
  return { check, message, calls: [...new Set(calls)] };
}

function checkAnswers({ appends, reads }: StreamCalls): Found[] {
  const acks = appends.flatMap(({ call, acked, records }) => {
    if (acked === undefined || (acked.end - acked.start === records.length && acked.tail >= acked.end)) return [];
    const message = `${records.length} records were acknowledged as [${acked.start}, ${acked.end}) with the tail ${acked.tail}`;
    return [found('malformed-answer', message, call)];
  });
  const given = reads.flatMap(({ call, operation: { count = Number.POSITIVE_INFINITY }, outcome: { records, tail }, end }) => {
    if (records.length > count) return [found('malformed-answer', `${records.length} records were given, and ${count} asked for`, call)];
    if (tail === undefined || records.length === 0 || tail >= end) return [];
    return [found('malformed-answer', `records up to ${end} were given with the tail ${tail}`, call)];
  });
  return [...acks, ...given];
}

function checkSent({ reads, senders }: StreamCalls): Found[] {
  const violations: Found[] = [];
  for (const { call, outcome } of reads) {
    for (const { seqNum, hash } of outcome.records) {
      const by = senders.get(hash) ?? [];
      const first = by[0];
      if (first === undefined) {
        violations.push(found('unsent-record', `${seqNum} was read as record ${hash}, which nobody sent`, call));
      } else if (by.every(({ isRefused }) => isRefused)) {
        const message = `${seqNum} was read as record ${hash}, of an append that was refused`;
        violations.push(found('refused-append-appears', message, first.call, call));
      }
    }
  }
  return violations;
}

interface Place {
  readonly at: number;
  readonly hash: BodyHash;
  readonly call: Call;
  readonly how: 'acknowledged' | 'read';
}

/** Where records stand, as their writers were told and as their readers were shown. */
function* placesOf({ appends, reads }: StreamCalls): Generator<Place> {
  for (const { call, acked, records } of appends) {
    if (acked === undefined) continue;
    for (const [i, { hash }] of records.entries()) yield { at: acked.start + i, hash, call, how: 'acknowledged' };
  }
  for (const { call, outcome } of reads) {
    for (const { seqNum, hash } of outcome.records) yield { at: seqNum, hash, call, how: 'read' };
  }
}

function checkPlaces(stream: StreamCalls, groupOf: GroupOf): Found[] {
  const violations: Found[] = [];
  const byHash = new Map<BodyHash, Place>();
  const bySeqNum = new Map<number | undefined, Map<number, Place>>();
  for (const place of placesOf(stream)) {
    const { at, hash, call, how } = place;
    const group = groupOf(call);
    const holders = bySeqNum.get(group) ?? new Map<number, Place>();
    bySeqNum.set(group, holders);
    const holder = holders.get(at);
    if (holder === undefined) holders.set(at, place);
    else if (holder.hash !== hash) {
      const message = `${at} was ${holder.how} as record ${holder.hash}, and ${how} as ${hash}`;
      violations.push(found('two-records-at-one-place', message, holder.call, call));
    }
    if ((stream.senders.get(hash)?.length ?? 0) > 1) continue;
    const other = byHash.get(hash);
    if (other === undefined) byHash.set(hash, place);
    else if (other.at !== at) {
      const message = `record ${hash} was ${other.how} at ${other.at}, and ${how} at ${at}`;
      violations.push(found('record-at-two-places', message, other.call, call));
    }
  }
  return violations;
}

function checkReads({ reads }: StreamCalls, trims: Trims): Found[] {
  return reads.flatMap((read) => checkRead(read, trims));
}

function checkRead({ call, operation, outcome }: ReadCall, trims: Trims): Found[] {
  const violations: Found[] = [];
  const first = outcome.records[0]?.seqNum ?? operation.from;
  let next = operation.clamp ? Math.min(operation.from, first) : operation.from;
  for (const { seqNum } of outcome.records) {
    if (seqNum < next) {
      violations.push(found('read-gap', `a read gave ${seqNum} where ${next} or a later record was due`, call));
    } else if (seqNum > next && trims.askedBy(call).upTo < seqNum) {
      const asked = trims.askedBy(call);
      const before = `a read left out [${next}, ${seqNum})`;
      if (asked.call === undefined) violations.push(found('read-gap', `${before}, and nobody trimmed`, call));
      else violations.push(found('trimmed-too-far', `${before}, and [0, ${asked.upTo}) was asked to be trimmed`, asked.call, call));
    }
    next = seqNum + 1;
  }
  return violations;
}

function checkBatches(stream: StreamCalls, trims: Trims): Found[] {
  const violations: Found[] = [];
  const inside = new Map<number, Call>();
  for (const { start, records, call } of stream.appends) {
    if (start === undefined) continue;
    for (let i = 1; i < records.length; i += 1) inside.set(start + i, call);
  }
  for (const { call, outcome } of stream.reads) {
    for (const { seqNum, hash } of outcome.records) {
      const append = stream.senders.get(hash)?.length === 1 ? stream.senders.get(hash)?.[0] : undefined;
      const index = append?.records.findIndex((record) => record.hash === hash) ?? 0;
      if (append?.start === undefined || append.acked !== undefined || append.start + index === seqNum) continue;
      const message = `record ${index} of a batch at ${append.start} was read at ${seqNum}`;
      violations.push(found('split-batch', message, append.call, call));
    }
  }
  if (!stream.isOneStream) return violations;
  const reads = new Map(stream.reads.map((read) => [read.call, read]));
  for (const call of stream.calls) {
    const read = reads.get(call);
    const implied = read === undefined || trims.askedBy(call).upTo > read.end ? undefined : impliedTail(read);
    const tail = statedTail(call) ?? implied;
    const append = tail === undefined ? undefined : inside.get(tail);
    if (append !== undefined) violations.push(found('split-batch', `the tail was ${tail}, in the middle of a batch`, append, call));
  }
  return violations;
}

function checkTimestamps(stream: StreamCalls, groupOf: GroupOf): Found[] {
  const violations: Found[] = [];
  const groups = new Map<number | undefined, Map<number, { readonly timestamp: number; readonly call: Call }>>();
  const stamp = (group: number | undefined, at: number, timestamp: number, call: Call): void => {
    const stamps = groups.get(group) ?? new Map();
    groups.set(group, stamps);
    const known = stamps.get(at);
    if (known === undefined) stamps.set(at, { timestamp, call });
    else if (known.timestamp !== timestamp) {
      violations.push(found('timestamp', `the timestamp of ${at} was ${known.timestamp}, and is ${timestamp}`, known.call, call));
    }
  };
  for (const { call, outcome } of stream.reads) {
    for (const { seqNum, timestamp } of outcome.records) stamp(groupOf(call), seqNum, timestamp, call);
  }
  for (const { call, acked } of stream.appends) {
    if (acked?.stamps === undefined) continue;
    stamp(groupOf(call), acked.start, acked.stamps[0], call);
    stamp(groupOf(call), acked.end - 1, acked.stamps[1], call);
  }
  for (const call of stream.isOneStream ? stream.calls : []) {
    const { outcome } = call;
    if (outcome === undefined || !('tail' in outcome && 'timestamp' in outcome)) continue;
    if (outcome.tail !== undefined && outcome.timestamp !== undefined) stamp(0, outcome.tail - 1, outcome.timestamp, call);
  }
  for (const stamps of groups.values()) {
    const sorted = [...stamps].sort(([a], [b]) => a - b);
    for (const [i, [at, { timestamp, call }]] of sorted.entries()) {
      const before = sorted[i - 1];
      if (before === undefined || before[1].timestamp <= timestamp) continue;
      const message = `the timestamp goes back from ${before[1].timestamp} at ${before[0]} to ${timestamp} at ${at}`;
      violations.push(found('timestamp', message, before[1].call, call));
    }
  }
  return violations;
}

/** Where it is not known that two batches were on one stream, nothing is known of their order. */
function checkSessions({ appends }: StreamCalls, groupOf: GroupOf): Found[] {
  const violations: Found[] = [];
  const refused = new Map<number, AppendCall>();
  const last = new Map<string, AppendCall>();
  for (const append of appends) {
    const { call, start, isRefused } = append;
    const session = call.operation.kind === 'append' ? call.operation.session : undefined;
    if (session === undefined) continue;
    const failed = refused.get(session);
    if (isRefused && failed === undefined) refused.set(session, append);
    if (start === undefined) continue;
    if (failed !== undefined) {
      const message = `a batch of a session stands at ${start}, and one that was submitted before it was refused`;
      violations.push(found('session-order', message, failed.call, call));
    }
    const name = `${session}/${groupOf(call)}`;
    const before = last.get(name);
    last.set(name, append);
    if (before?.start === undefined || before.start < start) continue;
    const message = `a batch of a session stands at ${start}, and one that was submitted before it at ${before.start}`;
    violations.push(found('session-order', message, before.call, call));
  }
  return violations;
}
