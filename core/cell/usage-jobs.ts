// The part of the background that is about usage: what was counted is written, storage is measured, what is too old goes.

import type { Meter } from '../api/usage/meter.ts';
import { runFlushUsage } from '../jobs/flush-usage.ts';
import { type MeasureRequest, runMeasureStorage, runPurgeUsage } from '../jobs/measure-storage.ts';
import type { Repository } from '../metadata/repository.ts';
import type { HeldStream } from '../metadata/stored-bytes.ts';
import type { StreamId } from '../model/ids.ts';
import type { CellPorts, OwnedChannel } from './cell.ts';
import type { CellConfig } from './config.ts';
import type { Job } from './jobs.ts';

export interface UsageContext {
  readonly ports: CellPorts;
  readonly config: CellConfig;
  readonly repository: Repository;
  readonly meter: Meter;
  readonly channels: readonly OwnedChannel[];
}

/** What the channels of this process hold of a stream. */
export function heldIn(channels: readonly OwnedChannel[]): (streamId: StreamId) => HeldStream | undefined {
  return (streamId) => {
    for (const { channel } of channels) {
      const held = channel.held(streamId);
      if (held !== undefined) return held;
    }
    return undefined;
  };
}

export function usageJobs(context: UsageContext): readonly Job[] {
  return [flushJob(context), measureJob(context), purgeJob(context)];
}

/** Writes what is not written yet; the last time when nothing is counted any more. */
export async function flushUsage({ ports, config, repository, meter, channels }: UsageContext, isLast: boolean): Promise<void> {
  await runFlushUsage({ ...ports, repository, held: heldIn(channels) }, meter, { isLast }, config.jobBudgetMs);
}

function flushJob(context: UsageContext): Job {
  const { ports, config, meter } = context;
  let flushedAt = ports.clock.monotonic();
  return {
    name: 'usage',
    everyMs: config.everyMs.usage,
    async run() {
      const now = ports.clock.monotonic();
      if (!meter.isFull && now - flushedAt < config.usage.flushMs) return;
      flushedAt = now;
      await flushUsage(context, false);
    },
  };
}

/** Each run goes on where the last one stopped; once all is measured, it rests. */
function measureJob({ ports, config, repository, meter, channels }: UsageContext): Job {
  // Where functions trim, nobody tells this process which streams lost records: each walk looks.
  const looksAlways = config.upkeep === 'elsewhere';
  let isFirst = true;
  let request: MeasureRequest = { isFirst };
  let restsUntil = 0;
  return {
    name: 'measure storage',
    everyMs: config.everyMs.measure,
    async run() {
      const now = ports.clock.monotonic();
      if (request.cursor === undefined && now < restsUntil) return;
      const changed = (streamId: StreamId): void => meter.changed(streamId);
      const measurePorts = { ...ports, repository, held: heldIn(channels), changed };
      const report = await runMeasureStorage(measurePorts, request, config.walkBudgetMs);
      if (report.isDone) isFirst = looksAlways;
      request = report.cursor === undefined ? { isFirst } : { isFirst, cursor: report.cursor, bytes: report.bytes ?? 0 };
      if (report.isDone) restsUntil = now + config.usage.measureMs;
    },
  };
}

function purgeJob({ ports, config, repository }: UsageContext): Job {
  return {
    name: 'purge usage',
    everyMs: config.everyMs.sweep,
    async run() {
      await runPurgeUsage({ ...ports, repository }, { keptDays: config.usage.keptDays }, config.walkBudgetMs);
    },
  };
}
