// Deletes what metadata no longer needs: chunks that are offloaded, and objects that no row names any more.
//
//   G1  Chunks are deleted below base only, and the last seal of a closed log never.
//   G2  A log leaves M only closed and offloaded whole, after its chunks were deleted.
//   G3  An object is deleted only once no row names it, none ever will, no offload that it came from is still to be finished, and the
//       longest read plan over it has ended.
//   G4  Any doubt deletes nothing.

import { invariant } from '../base/invariant.ts';
import { objectOrigin } from '../format/keys.ts';
import type { ChannelLog } from '../metadata/schema.ts';
import { type ChannelId, type Epoch, type Position, position } from '../model/ids.ts';
import { deadlineOf, type JobPorts, NO_LEASE_MS, type Report } from './job-ports.ts';

export interface ChunkGcRequest {
  readonly channel: ChannelId;
  /** What the report of the last run said: a log whose base has not moved since is passed over. Without it, every log is gone through. */
  readonly deleted?: ReadonlyMap<Epoch, Position>;
}

export interface ChunkGcReport extends Report {
  readonly deleted: ReadonlyMap<Epoch, Position>;
  readonly logsDropped: number;
}

/** Behind every position that a log can have. */
const POSITIONS_END = position(Number.MAX_SAFE_INTEGER);

export async function runChunkGc(
  ports: Pick<JobPorts, 'repository' | 'chunkLogs' | 'clock' | 'trace'>,
  request: ChunkGcRequest,
  budgetMs: number,
): Promise<ChunkGcReport> {
  const { channel } = request;
  const register = ports.repository.channel(channel, NO_LEASE_MS);
  const isOver = deadlineOf(ports, budgetMs);
  const deleted = new Map<Epoch, Position>();
  let state = await register.read();
  let logsDropped = 0;
  if (state.state !== 'active') return { isDone: true, deleted: request.deleted ?? deleted, logsDropped };
  for (const log of state.logs) {
    if (isOver()) return { isDone: false, deleted, logsDropped };
    const { epoch, ...rest } = log;
    const isOffloaded = isOffloadedWhole(log) && state.pending?.epoch !== epoch;
    // From the start each time: a zone that was gone has older ones left, and a crash may bring deleted ones back.
    const start = position(0);
    const end = isOffloaded ? POSITIONS_END : log.base;
    invariant(isOffloaded || end <= log.base, 'G1: chunks are deleted below base only');
    if (isOffloaded || (start < end && request.deleted?.get(epoch) !== log.base))
      await ports.chunkLogs.delete({ log: { channel, epoch }, ...rest }, { start, end });
    deleted.set(epoch, log.base);
    if (!isOffloaded) continue;
    invariant(log.end !== undefined && log.sealedAt !== undefined, 'G2: only a closed log leaves M');
    const now = await register.dropLog(state, epoch);
    if (now === undefined) return { isDone: false, deleted, logsDropped };
    ports.trace.event('gc.log.dropped', { channel, epoch });
    deleted.delete(epoch);
    logsDropped += 1;
    // Somebody has claimed the channel since: its takeover decides what its logs are.
    if (now.state !== 'active') return { isDone: false, deleted, logsDropped };
    state = now;
  }
  return { isDone: true, deleted, logsDropped };
}

function isOffloadedWhole(log: ChannelLog): boolean {
  return log.end !== undefined && log.base >= log.end;
}

async function isPending({ repository }: Pick<JobPorts, 'repository'>, key: string): Promise<boolean> {
  const origin = objectOrigin(key);
  if (origin?.kind !== 'offload') return false;
  const { pending } = await repository.channel(origin.channel, NO_LEASE_MS).read();
  return pending?.object === origin.main;
}

export interface ObjectGcRequest {
  /** How long a reader, or an offload that sleeps, may go on with what it read of the metadata. */
  readonly safetyAgeMs: number;
}

export interface ObjectGcReport extends Report {
  readonly objectsDeleted: number;
  readonly statesPurged: number;
}

const DEAD_OBJECTS_PAGE = 100;
const PURGE_PAGE = 100;

export async function runObjectGc(
  ports: Pick<JobPorts, 'objects' | 'repository' | 'clock' | 'trace'>,
  request: ObjectGcRequest,
  budgetMs: number,
): Promise<ObjectGcReport> {
  const isOver = deadlineOf(ports, budgetMs);
  const olderThan = ports.clock.now() - request.safetyAgeMs;
  const { objects } = ports.repository.segments;
  let objectsDeleted = 0;
  let statesPurged = 0;
  for (let isLast = false; !isLast; ) {
    const page = await objects.dead(olderThan, DEAD_OBJECTS_PAGE);
    let isStuck = true;
    isLast = page.length < DEAD_OBJECTS_PAGE;
    for (const dead of page) {
      if (isOver()) return { isDone: false, objectsDeleted, statesPurged };
      invariant(dead.deadSince < olderThan, 'G3: an object outlives its last row by the safety age');
      const info = await objects.get(dead.key);
      if (objectOrigin(dead.key) === undefined || (info !== undefined && (info.rows > 0 || !info.isComplete))) {
        ports.trace.event('gc.object.doubtful', { key: dead.key });
        continue;
      }
      // Whoever finishes the offload reads it once more. It was dead before M is read here, so nothing names it later.
      if (await isPending(ports, dead.key)) continue;
      await ports.objects.delete([dead.key]);
      await objects.forget(dead);
      objectsDeleted += 1;
      isStuck = false;
    }
    if (isStuck) break;
  }
  for (let purged = PURGE_PAGE; purged === PURGE_PAGE && !isOver(); statesPurged += purged) {
    purged = await ports.repository.streams.purge(olderThan, PURGE_PAGE);
  }
  return { isDone: !isOver(), objectsDeleted, statesPurged };
}
