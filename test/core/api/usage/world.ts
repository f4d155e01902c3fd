// Meters of several processes over one metadata store in memory, and metrics as one of them tells them; time moves as the test says.

import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { Meter, type MeterBounds } from '#core/api/usage/meter.ts';
import { Metrics } from '#core/api/usage/metrics.ts';
import { type FlushReport, type FlushRequest, runFlushUsage } from '#core/jobs/flush-usage.ts';
import { Repository } from '#core/metadata/repository.ts';
import type { Metric, MetricPoint } from '#core/model/metrics.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { Random } from '#core/ports/random.ts';

/** A Wednesday, 00:00 UTC: the start of a day, in seconds. */
export const DAY = 1_700_006_400;
const ROOMY: MeterBounds = { minutesMax: 10_000, streamsMax: 1_000 };

export class UsageWorld {
  /** Milliseconds since 1970. */
  time = DAY * 1_000;
  readonly metadata = new MemoryMetadataStore();
  readonly repository: Repository;
  readonly events: { readonly name: string; readonly count: unknown }[] = [];
  /** What streams store. */
  readonly stored = new Map<string, number>();
  readonly clock: Clock = {
    now: () => this.time,
    monotonic: () => this.time,
    sleep: () => Promise.resolve(),
    after: () => ({ cancel: () => undefined }),
    soon: (callback) => queueMicrotask(callback),
  };
  #drawn = 0;

  constructor() {
    const random: Random = {
      bytes: (count) => {
        this.#drawn += 1;
        const bytes = new Uint8Array(count);
        new DataView(bytes.buffer).setUint32(0, this.#drawn);
        return bytes;
      },
      unit: () => 0.5,
    };
    this.repository = new Repository(this.metadata, this.clock, random);
    this.#random = random;
  }

  readonly #random: Random;

  /** One more process that counts. */
  meter(bounds: MeterBounds = ROOMY): Meter {
    return new Meter(this.clock, this.#random, bounds);
  }

  /** What the process of that meter tells. */
  metrics(meter: Meter): Metrics {
    const { repository, clock, stored } = this;
    const deps = {
      names: repository,
      usage: repository.usage,
      meter,
      clock,
      storedBytes: async (streamId: string) => stored.get(streamId) ?? 0,
    };
    return new Metrics(deps, { storageClasses: ['express', 'standard'] });
  }

  flush(meter: Meter, request: FlushRequest = {}): Promise<FlushReport> {
    const { repository, clock, stored, events } = this;
    const held = (streamId: string) => ({
      frames: [{ first: 0 as never, count: 1, meteredBytes: stored.get(streamId) ?? 0 }],
      trimPoint: 0 as never,
    });
    const trace = { event: (name: string, fields?: { readonly count?: unknown }) => void events.push({ name, count: fields?.count }) };
    return runFlushUsage({ repository, clock, trace: trace as never, held }, meter, request, 1_000);
  }
}

/** The points of each accumulation or gauge, by its name. */
export function pointsOf(metrics: readonly Metric[]): Readonly<Record<string, readonly MetricPoint[]>> {
  return Object.fromEntries(metrics.flatMap((metric) => (metric.kind === 'label' ? [] : [[metric.name, metric.values]])));
}

/** What each accumulation adds up to; nothing for those that are empty. */
export function sumsOf(metrics: readonly Metric[]): Readonly<Record<string, number>> {
  const sums = Object.entries(pointsOf(metrics)).map(
    ([name, values]) => [name, values.reduce((sum, [, value]) => sum + value, 0)] as const,
  );
  return Object.fromEntries(sums.filter(([, sum]) => sum > 0));
}
