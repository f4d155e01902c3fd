// Writes what this process counted, and samples the storage of streams that changed.
//
// What a basin stores is added up and written with the samples of its streams, once a minute at most, if its streams are few. Larger
// ones, and what changes by itself, are the walk's (measure-storage.ts).
//
// A run that fails leaves everything to the next one. A crash loses what was counted since the last run.

import type { HeldStream } from '../metadata/stored-bytes.ts';
import { basinBytes, storedBytes } from '../metadata/stored-bytes.ts';
import type { OwnItem } from '../metadata/usage.ts';
import { USAGE_ITEMS_MAX } from '../metadata/usage.ts';
import type { StreamId } from '../model/ids.ts';
import { HOUR_SECS, MINUTE_SECS, type StorageSample } from '../model/usage.ts';
import { deadlineOf, type JobPorts, type Report } from './job-ports.ts';

/** Where this process counts. */
export interface UsageSource {
  /** Streams that changed and were not sampled since, nor in this minute (since 1970); none: in no minute. They are taken. */
  takeChanged(minute?: number): readonly StreamId[];
  changed(streamId: StreamId): void;
  /** The same of basins. */
  takeChangedBasins(minute?: number): readonly string[];
  basinChanged(basin: string): void;
  sampled(streamId: StreamId, sample: StorageSample): void;
  unwritten(): readonly OwnItem[];
  /** Forgets what is written of hours before `hour` (since 1970). */
  tidy(hour: number): void;
  /** What found no room since it was asked last. */
  takeLost(): number;
}

export interface FlushPorts extends Pick<JobPorts, 'repository' | 'clock' | 'trace'> {
  readonly held: (streamId: StreamId) => HeldStream | undefined;
}

export interface FlushRequest {
  /** The process ends: streams are sampled also where they were in this minute. */
  readonly isLast?: boolean;
}

export interface FlushReport extends Report {
  readonly sampled: number;
  readonly written: number;
}

/** @throws StoreError where something could not be written: it is kept, and written by the next run. */
export async function runFlushUsage(ports: FlushPorts, source: UsageSource, request: FlushRequest, budgetMs: number): Promise<FlushReport> {
  const { repository, clock, trace } = ports;
  const isOver = deadlineOf(ports, budgetMs);
  const sampled = await sample(ports, source, request, isOver);
  const items = source.unwritten();
  let written = 0;
  for (; written < items.length && !isOver(); written += USAGE_ITEMS_MAX) {
    await repository.usage.write(items.slice(written, written + USAGE_ITEMS_MAX));
  }
  await sampleBasins(ports, source, request, isOver);
  source.tidy(Math.floor(clock.now() / (1_000 * HOUR_SECS)));
  const lost = source.takeLost();
  if (lost > 0) trace.event('usage.lost', { count: lost });
  return { isDone: written >= items.length, sampled, written: Math.min(written, items.length) };
}

async function sample(
  { repository, clock, held }: FlushPorts,
  source: UsageSource,
  { isLast }: FlushRequest,
  isOver: () => boolean,
): Promise<number> {
  const streams = source.takeChanged(minuteOf(clock, isLast));
  let sampled = 0;
  try {
    for (const streamId of streams) {
      if (isOver()) break;
      const bytes = await storedBytes(repository.segments, streamId, held);
      source.sampled(streamId, { second: Math.floor(clock.now() / 1_000), bytes });
      sampled += 1;
    }
  } finally {
    for (const streamId of streams.slice(sampled)) source.changed(streamId);
  }
  return sampled;
}

async function sampleBasins(
  { repository, clock, held }: FlushPorts,
  source: UsageSource,
  { isLast }: FlushRequest,
  isOver: () => boolean,
): Promise<void> {
  const basins = source.takeChangedBasins(minuteOf(clock, isLast));
  let sampled = 0;
  try {
    for (const basin of basins) {
      if (isOver()) break;
      const bytes = await basinBytes(repository.streams, basin, (streamId) => storedBytes(repository.segments, streamId, held));
      const isThere = bytes !== undefined && (await repository.basins.get(basin)) !== undefined;
      if (isThere) await repository.usage.putStorage(basin, { second: Math.floor(clock.now() / 1_000), bytes });
      sampled += 1;
    }
  } finally {
    for (const basin of basins.slice(sampled)) source.basinChanged(basin);
  }
}

/** Minutes since 1970, in which nothing is sampled twice; the last time that does not count. */
function minuteOf(clock: FlushPorts['clock'], isLast: boolean | undefined): number | undefined {
  return isLast ? undefined : Math.floor(clock.now() / (1_000 * MINUTE_SECS));
}
