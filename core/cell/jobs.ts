// What the background of an embedded cell does, how often, and with which budget. The jobs themselves know nothing of this.

import type { Meter } from '../api/usage/meter.ts';
import { runCompact } from '../jobs/compact.ts';
import { runDelete } from '../jobs/delete.ts';
import { runChunkGc, runObjectGc } from '../jobs/gc.ts';
import { runOffload } from '../jobs/offload.ts';
import { type ObjectCursor, runSweepLogs, runSweepObjects } from '../jobs/sweep.ts';
import { type EmptyStreams, runTrim, type UnlinkedPort } from '../jobs/trim.ts';
import type { StreamCursor } from '../jobs/walk-streams.ts';
import type { Repository } from '../metadata/repository.ts';
import type { StreamRef } from '../model/append.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { Epoch, Position, StreamId, ZoneId } from '../model/ids.ts';
import type { CellPorts, OwnedChannel } from './cell.ts';
import type { CellConfig } from './config.ts';
import { readingHeld } from './held-chunks.ts';
import { hintedOffload } from './offload-hints.ts';
import { usageJobs } from './usage-jobs.ts';

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  /** Until the first run, where that is not `everyMs`. */
  readonly firstMs?: number;
  run(): Promise<void>;
}

interface Context {
  readonly ports: CellPorts;
  readonly config: CellConfig;
  readonly repository: Repository;
  readonly meter: Meter;
  /** Whether other processes may have channels: each sees to its own. */
  readonly isOneOfSeveral: boolean;
}

function isElsewhere({ isOneOfSeveral }: Context, { channel }: OwnedChannel): boolean {
  return isOneOfSeveral && !channel.isReady;
}

export function listJobs(
  ports: CellPorts,
  config: CellConfig,
  repository: Repository,
  channels: readonly OwnedChannel[],
  meter: Meter,
  isOneOfSeveral: boolean,
): readonly Job[] {
  const context = { ports, config, repository, meter, isOneOfSeveral };
  const { upkeep } = config;
  const trim: Walk = (ports, request, budgetMs) =>
    runTrim({ ...ports, emptyStreams: emptyStreams(context, channels) }, { ...request, upkeep }, budgetMs);
  return [
    ...(upkeep === 'here'
      ? upkeepJobs(context, channels)
      : channels.map((owned) => hintedOffload(ports, config, owned, offloadJob(context, owned)))),
    walkJob(context, 'trim', config.everyMs.trim, trim),
    deletionJob(context, channels),
    zoneJob(context, channels),
    ...usageJobs({ ...context, channels }),
  ];
}

/** What functions may do in this process's place. */
function upkeepJobs(context: Context, channels: readonly OwnedChannel[]): readonly Job[] {
  return [
    ...channels.flatMap((owned) => [offloadJob(context, owned), chunkGcJob(context, owned), sweepJob(context, owned)]),
    objectSweepJob(context),
    objectGcJob(context),
    walkJob(context, 'compact', context.config.everyMs.compact, runCompact),
  ];
}

function portsOf({ ports, repository }: Context, owned: Pick<OwnedChannel, 'logs'>) {
  const { objects, checksum, clock, random, trace } = ports;
  return { objects, checksum, clock, random, trace, repository, chunkLogs: owned.logs };
}

/** The owner offloads by itself, early enough that appends are not held back. */
function offloadJob(context: Context, owned: OwnedChannel): Job {
  const { offload, everyMs, jobBudgetMs } = context.config;
  const ports = portsOf(context, { logs: readingHeld(owned.logs, (epoch, at) => owned.channel.heldChunk(epoch, at)) });
  return {
    name: `offload ${owned.id}`,
    everyMs: everyMs.offload,
    async run() {
      const hint = owned.channel.offloadHint();
      if (hint === undefined || (hint.backlogBytes < offload.backlogBytesMin && hint.ageMs < offload.ageMsMin)) return;
      const request = { channel: owned.id, hint: { epoch: hint.epoch, to: hint.to }, bytesMax: offload.runBytesMax };
      try {
        await runOffload(ports, request, jobBudgetMs, () => owned.channel.refresh());
        owned.channel.offloadIs(undefined);
      } catch (error) {
        if (error instanceof StoreError) owned.channel.offloadIs(error);
        throw error;
      }
    },
  };
}

function chunkGcJob(context: Context, owned: OwnedChannel): Job {
  const ports = portsOf(context, owned);
  let deleted: ReadonlyMap<Epoch, Position> = new Map();
  return {
    name: `gc ${owned.id}`,
    everyMs: context.config.everyMs.gc,
    async run() {
      if (isElsewhere(context, owned)) return;
      const report = await runChunkGc(ports, { channel: owned.id, deleted }, context.config.jobBudgetMs);
      deleted = report.deleted;
    },
  };
}

/** A crash may bring back chunks of logs that M has dropped: zones would fill with them where crashes come more often than sweeps. */
function sweepJob(context: Context, owned: OwnedChannel): Job {
  const ports = portsOf(context, owned);
  const { everyMs } = context.config;
  return {
    name: `sweep ${owned.id}`,
    everyMs: everyMs.sweep,
    firstMs: everyMs.gc,
    async run() {
      if (isElsewhere(context, owned)) return;
      await runSweepLogs(ports, { channel: owned.id }, context.config.jobBudgetMs);
    },
  };
}

/** Each run goes on where the last one stopped. */
function objectSweepJob({ ports, config, repository }: Context): Job {
  let cursor: ObjectCursor | undefined;
  return {
    name: 'sweep objects',
    everyMs: config.everyMs.sweep,
    async run() {
      const report = await runSweepObjects({ ...ports, repository }, cursor === undefined ? {} : { cursor }, config.walkBudgetMs);
      cursor = report.cursor;
    },
  };
}

function objectGcJob(context: Context): Job {
  const { config, ports, repository } = context;
  return {
    name: 'gc objects',
    everyMs: config.everyMs.gc,
    async run() {
      await runObjectGc({ ...ports, repository }, { safetyAgeMs: config.readPlanAgeMs }, config.jobBudgetMs);
    },
  };
}

/** Who owns the stream's channel here says whether it is due; of another process's streams, that process. */
function emptyStreams({ config }: Context, channels: readonly OwnedChannel[]): EmptyStreams {
  return {
    clockErrorMs: config.channel.wallErrorMsMax,
    async seal(ref, createdAt) {
      const channel = channels.find(({ id }) => id === ref.channel)?.channel;
      return channel?.isReady === true && (await channel.sealIfEmpty(ref, createdAt));
    },
  };
}

type Walk = (
  ports: CellPorts & Pick<Context, 'repository'> & UnlinkedPort,
  request: { readonly cursor?: StreamCursor },
  budgetMs: number,
) => Promise<{ readonly cursor?: StreamCursor }>;

/** A job that walks over all streams, a part a run: each run goes on where the last one stopped. */
function walkJob({ config, ports, repository, meter }: Context, name: string, everyMs: number, run: Walk): Job {
  let cursor: StreamCursor | undefined;
  return {
    name,
    everyMs,
    async run() {
      const unlinked = (streamId: StreamId): void => meter.changed(streamId);
      const report = await run({ ...ports, repository, unlinked }, cursor === undefined ? {} : { cursor }, config.walkBudgetMs);
      cursor = report.cursor;
    },
  };
}

function deletionJob(context: Context, channels: readonly OwnedChannel[]): Job {
  const { ports, repository, config, meter } = context;
  const ownedOf = (ref: StreamRef) => channels.find(({ id }) => id === ref.channel);
  const isOurs = (ref: StreamRef): boolean => {
    const owned = ownedOf(ref);
    return owned === undefined || !isElsewhere(context, owned);
  };
  const seal = async (ref: StreamRef): Promise<void> => {
    const owned = ownedOf(ref);
    if (owned === undefined) throw refused('unavailable', `channel ${ref.channel} is not served here`);
    await owned.channel.deleteStream(ref);
  };
  return {
    name: 'delete',
    everyMs: config.everyMs.delete,
    async run() {
      const unlinked = (streamId: StreamId): void => meter.changed(streamId);
      await runDelete({ ...ports, repository, seal, isOurs, unlinked }, { upkeep: config.upkeep }, config.jobBudgetMs);
    },
  };
}

/** A damaged zone that is only read goes once no log names it: soon after a start, too, as it takes up a zone's space. */
function zoneJob({ repository, config }: Context, channels: readonly OwnedChannel[]): Job {
  return {
    name: 'zones',
    everyMs: config.everyMs.sweep,
    firstMs: config.everyMs.gc,
    async run() {
      for (const zones of new Set(channels.map((owned) => owned.zones))) {
        const named = new Set<ZoneId>();
        // One log of any channel that lies in them is enough.
        for (const { id } of channels.filter((owned) => owned.zones === zones)) {
          const { logs } = await repository.channel(id, config.channel.leaseMs).read();
          for (const log of logs) for (const zone of log.zones) named.add(zone);
        }
        await zones.removeUnnamed?.(named);
      }
    },
  };
}
