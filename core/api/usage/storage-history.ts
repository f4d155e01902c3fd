// When the storage of a stream or a basin changed, and to what: from samples, and from what is stored right now.
//
// Whatever changed was sampled since, soon after, or is being changed now: before its first sample a stream held nothing, and one without a
// sample holds what it always held. That is so as far back as samples are kept.

import { fromRfc3339 } from '../../base/rfc3339.ts';
import { basinBytes } from '../../metadata/stored-bytes.ts';
import type { UsageSubject } from '../../metadata/usage-schema.ts';
import type { TimeRange } from '../../model/metrics.ts';
import type { StorageSample } from '../../model/usage.ts';
import { METRICS_RANGE_SECS_MAX } from '../../model/usage.ts';
import type { ServiceDeps } from '../deps.ts';
import { isUpToNow } from './range.ts';
import { hoursOf } from './series.ts';

export class StorageHistory {
  readonly #deps: Pick<ServiceDeps, 'names' | 'usage' | 'storedBytes' | 'clock'>;

  constructor(deps: Pick<ServiceDeps, 'names' | 'usage' | 'storedBytes' | 'clock'>) {
    this.#deps = deps;
  }

  /** In the order of time, from before the range. Empty: there is no such stream. */
  async ofStream(basin: string, name: string, range: TimeRange): Promise<readonly StorageSample[]> {
    const info = await this.#deps.names.streams.find(basin, name);
    if (info === undefined) return [];
    const subject: UsageSubject = { kind: 'stream', name: info.streamId };
    return this.#history(subject, info.createdAt, range, async () =>
      info.deletedAt === undefined ? await this.#deps.storedBytes(info.streamId) : 0,
    );
  }

  async ofBasin(basin: string, range: TimeRange): Promise<readonly StorageSample[]> {
    const { names, storedBytes } = this.#deps;
    const info = await names.basins.get(basin);
    if (info === undefined) return [];
    return this.#history({ kind: 'storage', name: basin }, info.createdAt, range, () => basinBytes(names.streams, basin, storedBytes));
  }

  /** @param now what is stored now; undefined: that would take too long. */
  async #history(
    subject: UsageSubject,
    createdAt: string,
    range: TimeRange,
    now: () => Promise<number | undefined>,
  ): Promise<readonly StorageSample[]> {
    const { usage, clock } = this.#deps;
    const { start, end } = hoursOf(range);
    const second = Math.floor(clock.now() / 1_000);
    const created = Math.floor(fromRfc3339(createdAt) / 1_000);
    const before = await usage.lastSample(subject, start);
    const found: StorageSample[] = before === undefined ? [] : [before];
    for await (const sample of usage.samples(subject, start, end)) found.push(sample);
    // A basin of that name may have been there before.
    const samples = found.filter((sample) => sample.second >= created).sort((a, b) => a.second - b.second);
    const isYoung = created > second - METRICS_RANGE_SECS_MAX;
    const hasNone = samples.length === 0 && (isUpToNow(range, second) || !(await usage.hasSamples(subject, end)));
    const bytes = isUpToNow(range, second) || (hasNone && !isYoung) ? await now() : undefined;
    if (hasNone && !isYoung && bytes !== undefined) samples.push({ second: created, bytes });
    if (isYoung) samples.unshift({ second: created, bytes: 0 });
    if (isUpToNow(range, second) && bytes !== undefined) samples.push({ second, bytes });
    return samples;
  }
}
