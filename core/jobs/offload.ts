// Moves committed records out of a channel's chunks into segment objects.
//
// An owner whose backlog grows runs it, or a function fed by a queue; anyone may, at any time. Which chunks are committed is
// the owner's word (`hint`) or what the zones record.
//
//   O4  An offload takes [base, to) of the oldest log that is not offloaded, and only committed positions.
//   O5  Objects are stored whole before M names them; M names them before a row does; base moves once every row is there.
//   O6  A pending offload is finished, by whoever comes, before another is begun.

import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { decodeFrames } from '../format/frame.ts';
import { offloadObjectKey, siblingKey } from '../format/keys.ts';
import type { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelLog, ChannelState } from '../metadata/schema.ts';
import { oldestUnoffloaded } from '../metadata/transitions.ts';
import { StoreError } from '../model/errors.ts';
import { type ChannelId, type Epoch, type Position, position, type StreamId } from '../model/ids.ts';
import type { LogDescription } from '../ports/chunk-log.ts';
import { buildObjects, Section } from '../segment/builder.ts';
import { applyPending } from './apply-offload.ts';
import { deadlineOf, type JobPorts, NO_LEASE_MS, type Report } from './job-ports.ts';
import { orphansOf } from './orphans.ts';

export interface OffloadRequest {
  readonly channel: ChannelId;
  /** The owner's word: positions below `to` of the log of `epoch` are committed. */
  readonly hint?: { readonly epoch: Epoch; readonly to: Position };
  /** Bounds of one offload: payload bytes (it takes at least one chunk) and streams. */
  readonly bytesMax?: number;
  readonly streamsMax?: number;
  /** A stream with this many bytes in one offload gets an object of its own. */
  readonly largeStreamBytes?: number;
}

export interface OffloadReport extends Report {
  readonly offloads: number;
  readonly chunks: number;
  readonly bytes: number;
}

const MIB = 1024 * 1024;
const OFFLOAD_BYTES_MAX = 32 * MIB;
const OFFLOAD_STREAMS_MAX = 10_000;
const LARGE_STREAM_BYTES = 8 * MIB;

type Ports = Pick<JobPorts, 'objects' | 'repository' | 'chunkLogs' | 'checksum' | 'clock' | 'random' | 'trace'>;

interface Collected {
  readonly from: Position;
  readonly to: Position;
  readonly bytes: number;
  readonly sections: readonly Section[];
}

/**
 * Offloads what is committed, one bounded range after the other; the next range is read while the last one is stored.
 *
 * @param finished called whenever base has moved, so that an owner in the same process need not wait for the end of the run.
 * @throws StoreError `corrupt` when a stream has a gap or committed bytes are lost: nothing goes on before somebody looked.
 */
export async function runOffload(
  ports: Ports,
  request: OffloadRequest,
  budgetMs: number,
  finished?: () => Promise<void>,
): Promise<OffloadReport> {
  const register = ports.repository.channel(request.channel, NO_LEASE_MS);
  const isOver = deadlineOf(ports, budgetMs);
  let offloads = 0;
  let chunks = 0;
  let bytes = 0;
  let ahead: Ahead | undefined;
  const report = (isDone: boolean): OffloadReport => ({ isDone, offloads, chunks, bytes });
  for (;;) {
    const state = await register.read();
    if (state.state !== 'active') return report(true);
    if (state.pending !== undefined) {
      const outcome = await applyPending(ports, register, state, isOver);
      if (outcome === 'out_of_time') return report(false);
      if (outcome === 'finished') {
        offloads += 1;
        await finished?.();
      }
      continue;
    }
    const log = oldestUnoffloaded(state);
    const limit = log === undefined ? undefined : await committedEnd(ports, request, log);
    if (log === undefined || limit === undefined || limit <= log.base) return report(true);
    if (isOver()) return report(false);
    const collecting = collectedAhead(ahead, log, limit) ?? collect(ports, request, log, limit);
    const collected = await unlessOvertaken(register, state, collecting);
    if (collected === undefined) {
      ahead = undefined;
      continue;
    }
    ahead = collected.to < limit ? collectAhead(ports, request, { ...log, base: collected.to }, limit) : undefined;
    if (await store(ports, request, register, state, log, collected)) {
      chunks += collected.to - collected.from;
      bytes += collected.bytes;
    }
  }
}

async function committedEnd(ports: Ports, { channel, hint }: OffloadRequest, log: ChannelLog): Promise<Position> {
  if (log.end !== undefined) return log.end;
  if (hint?.epoch === log.epoch) return hint.to;
  return await ports.chunkLogs.knownCommitPoint(describe(channel, log));
}

/**
 * What was collected from where base stood in `state`; undefined when it could not be read because it is gone: another run has
 * offloaded it meanwhile, and gc deleted it. Look again.
 */
async function unlessOvertaken(
  register: ChannelRegister,
  state: ChannelState,
  collecting: Promise<Collected>,
): Promise<Collected | undefined> {
  try {
    return await collecting;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
    const now = await register.read();
    if (now.version === state.version) throw error;
    return undefined;
  }
}

/**
 * A range that is being read before base has come to it. It counts only if base then stands at its start, and the log still counts
 * as far as it did: one that was taken over meanwhile may end before, and what lies beyond stands in the next log.
 */
interface Ahead {
  readonly epoch: Epoch;
  readonly from: Position;
  readonly limit: Position;
  readonly collected: Promise<Collected>;
}

function collectedAhead(ahead: Ahead | undefined, log: ChannelLog, limit: Position): Promise<Collected> | undefined {
  const isUsable = ahead !== undefined && ahead.epoch === log.epoch && ahead.from === log.base && ahead.limit <= limit;
  return isUsable ? ahead.collected : undefined;
}

function collectAhead(ports: Ports, request: OffloadRequest, log: ChannelLog, limit: Position): Ahead {
  const collected = collect(ports, request, log, limit);
  // Whoever awaits it sees the failure; nobody may.
  collected.catch(() => undefined);
  return { epoch: log.epoch, from: log.base, limit, collected };
}

/** The frames of chunks from base on, stream by stream. */
async function collect(ports: Ports, request: OffloadRequest, log: ChannelLog, limit: Position): Promise<Collected> {
  const { channel, bytesMax = OFFLOAD_BYTES_MAX, streamsMax = OFFLOAD_STREAMS_MAX } = request;
  const sections = new Map<StreamId, Section>();
  const earlier: Section[] = [];
  let to: Position = log.base;
  let bytes = 0;
  for await (const { at, payload } of ports.chunkLogs.read(describe(channel, log), { start: log.base, end: limit })) {
    invariant(at === to && at < limit, 'O4: an offload takes committed chunks in order, without a gap');
    // The chunk log has checked the payload's checksum, which covers every frame; readers of the segment check each frame's own.
    for (const frame of decodeFrames(payload, undefined)) {
      let section = sections.get(frame.streamId);
      if (section === undefined || section.streamlet !== frame.streamlet) {
        if (section !== undefined) earlier.push(section);
        section = new Section(frame.streamId, frame.streamlet, frame.first);
        sections.set(frame.streamId, section);
      }
      section.add(frame);
    }
    to = position(at + 1);
    bytes += payload.length;
    if (bytes >= bytesMax || sections.size >= streamsMax) break;
  }
  invariant(to > log.base, 'O4: an offload takes at least one chunk');
  return { from: log.base, to, bytes, sections: [...earlier, ...sections.values()] };
}

/** Stores the objects and names them; false when M moved on meanwhile. The rows are for applyPending. */
async function store(
  ports: Ports,
  request: OffloadRequest,
  register: ChannelRegister,
  state: ChannelState,
  log: ChannelLog,
  collected: Collected,
): Promise<boolean> {
  const { from, to, sections } = collected;
  invariant(from === log.base && state.pending === undefined, 'O4: an offload starts at base, with none pending');
  const key = offloadObjectKey(request.channel, state.version, toHex(ports.random.bytes(16)));
  const objects = buildObjects(sections, request.largeStreamBytes ?? LARGE_STREAM_BYTES, ports.checksum);
  const keys: string[] = [];
  for (const object of objects) {
    const own = siblingKey(key, object.sibling);
    keys.push(own);
    await ports.objects.put(own, object.parts);
  }
  const named = await register.nameOffload(state, { object: key, epoch: log.epoch, from, to });
  if (named === undefined) {
    // The condition did not hold. Perhaps because this very change had come through before, and somebody finished it since.
    ports.trace.event('offload.overtaken', { channel: request.channel });
    const orphans = await orphansOf(ports, keys);
    if (orphans.length > 0) await ports.objects.delete(orphans);
    return false;
  }
  ports.trace.event('offload.named', { channel: request.channel, from, to, streams: sections.length, objects: objects.length });
  return true;
}

function describe(channel: ChannelId, { epoch, ...log }: ChannelLog): LogDescription {
  return { log: { channel, epoch }, ...log };
}
