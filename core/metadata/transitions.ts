// What a change of a metadata item may be. Pure: (current, candidate) in, nothing out, InvariantError if it may not.
//
// The repository passes every candidate through here before it commits it, on the condition that `current` is still there.
//
//   M1   M's version grows by one with every change; a renewal changes nothing but the lease counter, which only grows.
//   M2   The epoch grows by one with a claim, which draws another owner and makes M `recovering`, and only then.
//   M3   base never goes back. It moves only when the pending offload is finished, to that offload's end.
//   M4   Only the newest log is open. A closed log has an end and a last seal at or after it, and neither changes again.
//   M5   A log is opened only by the publish of its epoch, at base 0, with its zones; it leaves M only offloaded whole.
//   M6   At most one offload is pending, from base of the oldest log that is not offloaded; named and finished while active.
//   M7   A stream's state only moves forward: streamlet, offloaded, tail, last timestamp, last arrival, trim point, the version of
//        its configuration, and the marks.
//   M8   Rows follow one another: a row is added exactly where the state's `offloaded` stands.
//   M9   An object counts the rows that name it, in the transaction that adds or unlinks them.
//   M10  A row is unlinked only when it lies below the trim point, or is replaced by one over the same range.
//   M12  A name keeps its stream id, its creation, its cipher and its earlier links; its deletion is never withdrawn, and each
//        change of its configuration has a number of its own.
//   M23  M's address is that of the owner that made the epoch: a claim sets or drops it, and nothing else changes it.

import { equalData } from '../base/equal.ts';
import { invariant, unreachable } from '../base/invariant.ts';
import type { BasinInfo, ChannelLog, ChannelState, ObjectInfo, SegmentRow, StreamInfo, StreamState } from './schema.ts';

export type ChannelMove = 'claim' | 'publish' | 'release' | 'name' | 'finish' | 'drop' | 'bump';

/** Checks one change of M, but for renewals. */
export function checkChannel(current: ChannelState, candidate: ChannelState, move: ChannelMove): void {
  invariant(candidate.channel === current.channel, 'M1: M belongs to one channel');
  invariant(candidate.version === current.version + 1, 'M1: the version grows by one with every change');
  checkEpoch(current, candidate, move);
  checkLogs(current, candidate, move);
  checkPending(current, candidate, move);
}

/** Checks a renewal: the lease counter grows by one, and nothing else changes. */
export function checkRenewal(current: ChannelState, candidate: ChannelState): void {
  invariant(candidate.leaseCounter === current.leaseCounter + 1, 'M1: a renewal moves the lease counter by one');
  const { leaseCounter: _, ...rest } = candidate;
  const unchanged = Object.entries(rest).every(([name, value]) => value === current[name as keyof ChannelState]);
  invariant(unchanged, 'M1: a renewal changes nothing but the lease counter');
}

function checkEpoch(current: ChannelState, candidate: ChannelState, move: ChannelMove): void {
  invariant(candidate.leaseCounter >= current.leaseCounter, 'M1: the lease counter never goes back');
  if (move === 'claim') {
    invariant(candidate.epoch === current.epoch + 1, 'M2: a claim takes the next epoch');
    invariant(candidate.owner !== current.owner, 'M2: a claim draws another owner');
    invariant(candidate.state === 'recovering', 'M2: a claim leaves the channel recovering');
    invariant(candidate.leaseMs > 0, 'M2: a claim says how long its lease is');
    return;
  }
  invariant(candidate.epoch === current.epoch, 'M2: only a claim changes the epoch');
  invariant(candidate.owner === current.owner, 'M2: only a claim changes the owner');
  invariant(candidate.leaseMs === current.leaseMs, 'M2: only a claim changes the lease');
  const isSameAddress = candidate.address?.peer === current.address?.peer && candidate.address?.edge === current.address?.edge;
  invariant(isSameAddress, 'M23: only a claim changes where the owner is reached');
  checkPhase(current, candidate, move);
}

function checkPhase(current: ChannelState, candidate: ChannelState, move: Exclude<ChannelMove, 'claim'>): void {
  switch (move) {
    case 'publish':
      invariant(current.state === 'recovering' && candidate.state === 'active', 'M5: a publish ends the recovery');
      return;
    case 'release':
      invariant(current.state !== 'released' && candidate.state === 'released', 'M2: an owner releases once');
      return;
    case 'name':
    case 'finish':
      invariant(current.state === 'active', 'M6: offload stands still while nobody is active');
      invariant(candidate.state === current.state, 'M6: offload does not change the phase');
      return;
    case 'drop':
    case 'bump':
      invariant(current.state === 'active', 'M1: gc and sweep change M only while it is active');
      invariant(candidate.state === current.state, 'M1: gc and sweep do not change the phase');
      return;
    default:
      unreachable(move);
  }
}

function checkLogs(current: ChannelState, candidate: ChannelState, move: ChannelMove): void {
  candidate.logs.forEach((log, i) => {
    const isNewest = i === candidate.logs.length - 1;
    const next = candidate.logs[i + 1];
    invariant(next === undefined || log.epoch < next.epoch, 'M4: logs are in the order of their epochs');
    invariant(log.epoch <= candidate.epoch, 'M5: no log is newer than the epoch');
    invariant(isNewest || log.end !== undefined, 'M4: only the newest log is open');
    invariant((log.end === undefined) === (log.sealedAt === undefined), 'M4: a closed log has an end and a last seal');
    invariant(log.end === undefined || log.base <= log.end, 'M3: base stays within its log');
    const before = current.logs.find(({ epoch }) => epoch === log.epoch);
    if (before === undefined) checkOpened(candidate, log, move);
    else checkLog(current, before, log, move);
  });
  for (const log of current.logs) {
    if (candidate.logs.some(({ epoch }) => epoch === log.epoch)) continue;
    invariant(move === 'drop', 'M5: only gc drops a log');
    invariant(log.end !== undefined && log.base === log.end, 'M5: a log leaves M only offloaded whole');
    invariant(log.epoch !== current.pending?.epoch, 'M5: a log with a pending offload stays');
  }
  if (move === 'publish') {
    const newest = candidate.logs.at(-1);
    invariant(newest?.epoch === candidate.epoch && newest.end === undefined, 'M5: a publish opens the log of its epoch');
  }
}

function checkOpened(candidate: ChannelState, log: ChannelLog, move: ChannelMove): void {
  invariant(move === 'publish' && log.epoch === candidate.epoch, 'M5: only the publish of its epoch opens a log');
  invariant(log.base === 0 && log.end === undefined, 'M5: a log is opened at base 0');
  invariant(log.zones.length > 0 && new Set(log.zones).size === log.zones.length, 'M5: a log names its zones, each once');
}

function checkLog(current: ChannelState, before: ChannelLog, log: ChannelLog, move: ChannelMove): void {
  const isSameZones = log.zones.length === before.zones.length && log.zones.every((zone, i) => zone === before.zones[i]);
  invariant(isSameZones, 'M5: the zones of a log never change');
  if (log.end !== before.end || log.sealedAt !== before.sealedAt) {
    invariant(before.end === undefined && move === 'publish', 'M4: only a publish closes a log, and once');
    invariant(log.end !== undefined && log.sealedAt !== undefined, 'M4: a closed log is never opened again');
    invariant(log.sealedAt >= log.end, 'M4: the last seal stands at or after the end');
    const pendingTo = current.pending?.epoch === log.epoch ? current.pending.to : 0;
    invariant(log.end >= Math.max(before.base, pendingTo), 'M4: a log ends at or after what is offloaded of it');
  }
  if (log.base === before.base) return;
  invariant(log.base > before.base, 'M3: base never goes back');
  const { pending } = current;
  const isPendingEnd = pending?.epoch === log.epoch && pending.to === log.base;
  invariant(move === 'finish' && isPendingEnd, 'M3: base moves only to the end of the pending offload');
}

function checkPending(current: ChannelState, candidate: ChannelState, move: ChannelMove): void {
  const { pending } = candidate;
  if (move === 'name') {
    invariant(current.pending === undefined && pending !== undefined, 'M6: at most one offload is pending');
    const log = oldestUnoffloaded(current);
    invariant(log?.epoch === pending.epoch, 'M6: an offload takes from the oldest log that is not offloaded');
    invariant(pending.from === log.base, 'M6: an offload starts at base');
    invariant(pending.to > pending.from, 'M6: an offload takes at least one chunk');
    invariant(log.end === undefined || pending.to <= log.end, 'M6: an offload takes only what counts');
    return;
  }
  if (move === 'finish') {
    invariant(current.pending !== undefined && pending === undefined, 'M6: a finished offload is no longer pending');
    const { epoch, to } = current.pending;
    const base = candidate.logs.find((log) => log.epoch === epoch)?.base;
    invariant(base === to, 'M3: finishing an offload moves base to its end');
    return;
  }
  const isSame =
    pending?.object === current.pending?.object &&
    pending?.epoch === current.pending?.epoch &&
    pending?.from === current.pending?.from &&
    pending?.to === current.pending?.to;
  invariant(isSame, 'M6: a pending offload survives whatever does not finish it');
}

/** The log that the next offload takes from: the first that is open, or closed with chunks left. */
export function oldestUnoffloaded(state: ChannelState): ChannelLog | undefined {
  return state.logs.find(({ base, end }) => end === undefined || base < end);
}

/** Checks a stream's state against what it was. */
export function checkState(current: StreamState, candidate: StreamState): void {
  invariant(candidate.streamlet >= current.streamlet, 'M7: the streamlet never goes back');
  invariant(candidate.offloaded >= current.offloaded, 'M7: offloaded never goes back');
  invariant(candidate.tail >= current.tail, 'M7: the tail never goes back');
  invariant(candidate.lastTimestamp >= current.lastTimestamp, 'M7: the last timestamp never goes back');
  invariant(candidate.trimPoint >= current.trimPoint, 'M7: the trim point never goes back');
  invariant((candidate.lastArrival ?? 0) >= (current.lastArrival ?? 0), 'M7: the last arrival never goes back');
  invariant((candidate.configured?.version ?? 0) >= (current.configured?.version ?? 0), 'M7: no older configuration comes back');
  invariant(candidate.offloaded <= candidate.tail, 'M7: nothing is offloaded beyond the tail');
  invariant(candidate.trimPoint <= candidate.tail, 'M7: nothing is trimmed beyond the tail');
  const isSameStreamlet = candidate.streamlet === current.streamlet;
  invariant(!current.isSealed || candidate.isSealed || !isSameStreamlet, 'M7: a sealed streamlet stays sealed');
  invariant(!current.isSealed || candidate.tail === current.tail || !isSameStreamlet, 'M7: nothing follows a seal');
  invariant(current.removedAt === undefined || candidate.removedAt === current.removedAt, 'M7: removal is never undone');
  invariant(candidate.removedAt === undefined || candidate.isSealed, 'M7: only a sealed stream is removed');
  invariant((candidate.storedBytes ?? 0) >= 0, 'U2: no more bytes are taken off a stream than its rows hold');
  const { compacting } = candidate;
  if (compacting === undefined || compacting === current.compacting) return;
  invariant(current.compacting === undefined, 'M7: at most one compaction of a stream runs');
  invariant(compacting.first < compacting.end && compacting.end <= current.offloaded, 'M7: only segments are compacted');
}

/** Checks a row that offload adds to a stream whose state it advances. */
export function checkRowAdded(current: StreamState, candidate: StreamState, row: SegmentRow): void {
  invariant(row.first === current.offloaded, 'M8: a row starts where offload stands');
  invariant(row.end === candidate.offloaded, 'M8: offload stands where its row ends');
  checkRow(row);
}

/** Checks what holds of any row. */
export function checkRow(row: SegmentRow): void {
  invariant(row.first < row.end, 'M8: a row is not empty');
  invariant(row.byteStart < row.byteEnd, 'M8: a row names bytes');
  invariant(row.firstTimestamp <= row.lastTimestamp, 'M8: timestamps in a row do not go back');
  invariant(row.records > 0 && row.records <= row.end - row.first, 'M8: a row holds no more records than numbers');
}

/** Checks a row that is to go because it was trimmed. */
export function checkRowUnlinked(state: StreamState, row: SegmentRow): void {
  invariant(row.end <= state.trimPoint, 'M10: a row is unlinked only below the trim point');
}

/** Checks rows that give way to one over the same range. */
export function checkRowsReplaced(rows: readonly SegmentRow[], output: SegmentRow): void {
  checkRow(output);
  invariant(rows.length > 0, 'M10: a compaction replaces at least one row');
  rows.forEach((row, i) => {
    const next = rows[i + 1];
    invariant(next === undefined || row.end === next.first, 'M10: the rows of a compaction follow one another');
    invariant(row.object !== output.object, 'M10: a compaction writes another object');
  });
  invariant(rows[0]?.first === output.first && rows.at(-1)?.end === output.end, 'M10: a compaction keeps its range');
}

/** Checks a change of an object's count. */
export function checkObject(current: ObjectInfo | undefined, candidate: ObjectInfo): void {
  invariant(candidate.rows >= 0, 'M9: an object is named by no fewer than no rows');
  if (current === undefined) return;
  invariant(candidate.key === current.key && candidate.createdAt === current.createdAt, 'M9: an object keeps its identity');
  invariant(!current.isComplete || candidate.isComplete, 'M9: a complete object stays complete');
  invariant(!current.isComplete || candidate.rows <= current.rows, 'M9: a complete object gets no more rows');
}

export function checkBasin(current: BasinInfo, candidate: BasinInfo): void {
  invariant(candidate.name === current.name && candidate.createdAt === current.createdAt, 'M12: a basin keeps its creation');
  invariant(candidate.requestKey === current.requestKey, 'M12: a basin keeps the key of its creation');
  const isSame = equalData(candidate.config, current.config);
  invariant((candidate.mark === current.mark) === isSame, 'M11: each configuration of a basin has a mark of its own');
  const isKept = current.deletedAt === undefined || candidate.deletedAt === current.deletedAt;
  invariant(isKept, 'M12: a deletion is never withdrawn');
}

export function checkStream(current: StreamInfo, candidate: StreamInfo): void {
  invariant(candidate.streamId === current.streamId, 'M12: a name keeps its stream id');
  invariant(candidate.createdAt === current.createdAt, 'M12: a stream keeps its creation');
  invariant(candidate.requestKey === current.requestKey, 'M12: a stream keeps the key of its creation');
  invariant(candidate.cipher === current.cipher, 'M12: a stream keeps its cipher');
  const isKept = current.deletedAt === undefined || candidate.deletedAt === current.deletedAt;
  invariant(isKept, 'M12: a deletion is never withdrawn');
  invariant(candidate.chain.length > 0, 'M12: a chain is never empty');
  const isChanged = !equalData(candidate.config, current.config);
  invariant(candidate.configVersion === current.configVersion + (isChanged ? 1 : 0), 'M12: changes of a configuration are counted');
}
