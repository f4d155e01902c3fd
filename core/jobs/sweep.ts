// Finds what no metadata ever named, or names any more: orphans of crashes, in the object store and in the zones.
//
// Objects are listed first, and metadata is read strongly afterwards; of logs M is read first, as an orphan never stops being one. What
// is deleted cannot be named any more by anyone, however long they slept.
//
//   G9  A log is an orphan only if its epoch is below M's and M does not list it; its seals stay for ever.
//   G11 What M should know of and does not is kept, and told; from then on no sweep deletes anything.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import { COMPACT_PREFIX, OFFLOAD_PREFIX } from '../format/keys.ts';
import { type ChannelId, logName, type Position, position } from '../model/ids.ts';
import type { StoredLog } from '../ports/chunk-log.ts';
import type { ObjectPage } from '../ports/object-store.ts';
import { deadlineOf, type JobPorts, NO_LEASE_MS, type Report } from './job-ports.ts';
import { doubt, orphansOf, tellDoubt } from './orphans.ts';

export interface SweepObjectsReport extends Report {
  readonly listed: number;
  readonly deleted: number;
  /** For the next run; absent: every object was looked at. */
  readonly cursor?: ObjectCursor;
}

/** Where a walk over all objects stands: in the listing of one prefix. */
export interface ObjectCursor {
  readonly prefix: string;
  readonly page?: string;
}

export interface SweepObjectsRequest {
  /** Where the last run stopped: else one that always starts anew would never come to what lies behind its budget. */
  readonly cursor?: ObjectCursor;
}

type ObjectPorts = Pick<JobPorts, 'objects' | 'repository' | 'clock' | 'trace'>;

const PREFIXES = [OFFLOAD_PREFIX, COMPACT_PREFIX];

/** Deletes objects that nothing names, page by page and at least one. Whole listings are not kept: each page is judged by metadata read after it. */
export async function runSweepObjects(ports: ObjectPorts, request: SweepObjectsRequest, budgetMs: number): Promise<SweepObjectsReport> {
  const isOver = deadlineOf(ports, budgetMs);
  let listed = 0;
  let deleted = 0;
  if (await isInDoubt(ports)) return { isDone: true, listed, deleted };
  let cursor: ObjectCursor | undefined = request.cursor ?? { prefix: OFFLOAD_PREFIX };
  while (cursor !== undefined) {
    const { prefix, page: at }: ObjectCursor = cursor;
    const page: ObjectPage = await ports.objects.list(prefix, at);
    const keys = page.objects.map(({ key }) => key);
    const orphans = await orphansOf(ports, keys);
    if (await isInDoubt(ports)) return { isDone: true, listed: listed + keys.length, deleted };
    if (orphans.length > 0) await ports.objects.delete(orphans);
    for (const key of orphans) ports.trace.event('sweep.object.deleted', { key });
    listed += page.objects.length;
    deleted += orphans.length;
    cursor = following(prefix, page.cursor);
    if (cursor !== undefined && isOver()) return { isDone: false, listed, deleted, cursor };
  }
  return { isDone: true, listed, deleted };
}

/** G11 */
async function isInDoubt(ports: Pick<JobPorts, 'repository' | 'trace'>): Promise<boolean> {
  const found = await ports.repository.doubt.read();
  if (found !== undefined) tellDoubt(ports, found);
  return found !== undefined;
}

function following(prefix: string, page: string | undefined): ObjectCursor | undefined {
  if (page !== undefined) return { prefix, page };
  const next = PREFIXES[PREFIXES.indexOf(prefix) + 1];
  return next === undefined ? undefined : { prefix: next };
}

export interface SweepLogsRequest {
  readonly channel: ChannelId;
}

export interface SweepLogsReport extends Report {
  /** Orphans, counted in each zone, of which everything but the seals was deleted now. */
  readonly logsSwept: number;
}

/** Deletes chunks of logs that M does not list: of owners that never published, and late ones of logs long offloaded. */
export async function runSweepLogs(
  ports: Pick<JobPorts, 'repository' | 'chunkLogs' | 'clock' | 'trace'>,
  { channel }: SweepLogsRequest,
  budgetMs: number,
): Promise<SweepLogsReport> {
  const isOver = deadlineOf(ports, budgetMs);
  const register = ports.repository.channel(channel, NO_LEASE_MS);
  // Before the zones are listed: an orphan never stops being one, and by then its last seal stands. A log that was listed while it
  // was open might be closed, offloaded and dropped before M is read, and its last seal be missing in the listing.
  const state = await register.read();
  const stored = await ports.chunkLogs.stored(channel);
  let logsSwept = 0;
  // An epoch writes only after M has it.
  const { epoch: latest } = await register.read();
  const beyond = stored.find(({ log }) => log.epoch > latest);
  if (beyond !== undefined)
    await doubt(ports, `zone ${beyond.zone} holds chunks of ${logName(beyond.log)}; metadata knows of no such epoch`);
  if (beyond !== undefined || (await isInDoubt(ports))) return { isDone: true, logsSwept };
  for (const found of stored) {
    if (isOver()) return { isDone: false, logsSwept };
    const { epoch } = found.log;
    if (epoch >= state.epoch || state.logs.some((log) => log.epoch === epoch)) continue;
    const seals = new Set(stored.flatMap((other) => (other.log.epoch === epoch ? other.seals : [])));
    if (await emptyLog(ports, found, seals)) logsSwept += 1;
  }
  return { isDone: true, logsSwept };
}

/**
 * Deletes everything that a zone holds of an orphan but seals; false when there was nothing else.
 *
 * @param seals of all zones. Where others hold one, this zone's may be on its way, or its chunk be torn; below its own commit
 *   point no last seal comes any more.
 */
async function emptyLog(ports: Pick<JobPorts, 'chunkLogs'>, found: StoredLog, seals: ReadonlySet<Position>): Promise<boolean> {
  const { log, zone, commitPoint, storedEnd, othersCount } = found;
  const spared = [...seals].filter((at) => at >= commitPoint);
  const ranges = around(spared, storedEnd);
  if (othersCount === 0 || ranges.length === 0) return false;
  for (const range of ranges) {
    invariant(!found.seals.some((seal) => seal >= range.start && seal < range.end), 'G9: the seals stay');
    await ports.chunkLogs.delete({ log, zones: [zone], base: storedEnd }, range);
  }
  return true;
}

/** What of [0, end) lies between the seals. */
export function around(seals: readonly Position[], end: Position): readonly Range<Position>[] {
  const ranges: Range<Position>[] = [];
  let start = position(0);
  for (const seal of seals.filter((at) => at < end).sort((a, b) => a - b)) {
    if (seal > start) ranges.push({ start, end: seal });
    start = position(Math.max(start, seal + 1));
  }
  if (start < end) ranges.push({ start, end });
  return ranges;
}
