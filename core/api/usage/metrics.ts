// Use cases over metrics: what was done in the account and in basins, and what basins and streams store. (S2 v1 API, section 6.3.)
//
// What this process counted and has not written yet is told with the rest; of others, what they wrote (a few seconds old at most).
// Names that are not known have no data. Metrics themselves count as operations of the account, once they are told.

import { compareBytes } from '../../base/byte-order.ts';
import { refused } from '../../model/errors.ts';
import type { AccountSet, BasinSet, Metric, MetricsRequest, MetricUnit, StreamSet, TimeRange } from '../../model/metrics.ts';
import { isOperation } from '../../model/operations.ts';
import { type Counter, DAY_SECS, HOUR_SECS, MINUTE_SECS, type UsageHour, type UsageOwner } from '../../model/usage.ts';
import type { ServiceSettings } from '../basins.ts';
import type { ServiceDeps } from '../deps.ts';
import { gaugePoints } from './gauge.ts';
import { checkInterval, intervalOf, rangeOf } from './range.ts';
import { hoursOf, isActiveIn, Series } from './series.ts';
import { StorageHistory } from './storage-history.ts';

/** Names that one answer holds. */
const LABELS_MAX = 10_000;
/** Others have their turn after so many items. */
const ITEMS_A_TURN = 200;

/** A series that is told also when it is empty. */
interface FixedSeries {
  readonly name: string;
  readonly counter: Counter;
}

export type MetricsDeps = Pick<ServiceDeps, 'names' | 'clock' | 'meter' | 'usage' | 'storedBytes'>;

export class Metrics {
  readonly #deps: MetricsDeps;
  readonly #settings: Pick<ServiceSettings, 'storageClasses'>;
  readonly #storage: StorageHistory;

  constructor(deps: MetricsDeps, settings: Pick<ServiceSettings, 'storageClasses'>) {
    this.#deps = deps;
    this.#settings = settings;
    this.#storage = new StorageHistory(deps);
  }

  /** @throws StoreError `invalid` */
  async account(set: AccountSet, request: MetricsRequest): Promise<readonly Metric[]> {
    const range = rangeOf(request, this.#now());
    const metrics: readonly Metric[] =
      set === 'active-basins'
        ? [{ kind: 'label', name: 'active_basins', values: await this.#activeBasins(range) }]
        : await this.#operations({ kind: 'account' }, set, request, range);
    this.#deps.meter.operation('account-metrics');
    return metrics;
  }

  /** @throws StoreError `invalid` */
  async basin(basin: string, set: BasinSet, request: MetricsRequest): Promise<readonly Metric[]> {
    const range = rangeOf(request, this.#now());
    const metrics = await this.#ofBasin(basin, set, request, range);
    this.#deps.meter.operation('basin-metrics', basin);
    return metrics;
  }

  /** @throws StoreError `invalid` */
  async stream(basin: string, stream: string, _set: StreamSet, request: MetricsRequest): Promise<readonly Metric[]> {
    const now = this.#now();
    const range = rangeOf(request, now);
    checkInterval(request, 'minute');
    const values = gaugePoints(await this.#storage.ofStream(basin, stream, range), range, MINUTE_SECS, now);
    this.#deps.meter.operation('stream-metrics', basin);
    return [{ kind: 'gauge', name: 'storage', unit: 'bytes', values }];
  }

  async #ofBasin(basin: string, set: BasinSet, request: MetricsRequest, range: TimeRange): Promise<readonly Metric[]> {
    const owner: UsageOwner = { kind: 'basin', basin };
    const byClass = (what: 'append-ops' | 'append-bytes'): readonly FixedSeries[] =>
      this.#settings.storageClasses.map((name) => ({ name, counter: `${what}/${name}` }));
    switch (set) {
      case 'storage': {
        checkInterval(request, 'hour');
        const now = this.#now();
        const values = gaugePoints(await this.#storage.ofBasin(basin, range), range, HOUR_SECS, now);
        return [{ kind: 'gauge', name: 'storage', unit: 'bytes', values }];
      }
      case 'append-ops':
        return this.#fixed(owner, set, 'operations', byClass('append-ops'), request, range);
      case 'append-throughput':
        return this.#fixed(owner, set, 'bytes', byClass('append-bytes'), request, range);
      case 'read-ops': {
        const kinds = (['streaming', 'unary'] as const).map((name): FixedSeries => ({ name, counter: `read-ops/${name}` }));
        return this.#fixed(owner, set, 'operations', kinds, request, range);
      }
      case 'read-throughput':
        return this.#fixed(owner, set, 'bytes', [{ name: 'read_throughput', counter: 'read-bytes' }], request, range);
      case 'basin-ops':
        return this.#operations(owner, set, request, range);
    }
  }

  async #fixed(
    owner: UsageOwner,
    set: BasinSet,
    unit: MetricUnit,
    wanted: readonly FixedSeries[],
    request: MetricsRequest,
    range: TimeRange,
  ): Promise<readonly Metric[]> {
    const interval = intervalOf(set, request, range);
    const series = new Series(range, interval);
    const counters = new Set<string>(wanted.map(({ counter }) => counter));
    for await (const hour of this.#hours(owner, range)) series.add(hour, (counter) => counters.has(counter));
    return wanted.map(({ name, counter }) => ({ kind: 'accumulation', name, unit, interval, values: series.points(counter) }));
  }

  /** One series for each operation that there was. */
  async #operations(
    owner: UsageOwner,
    set: 'account-ops' | 'basin-ops',
    request: MetricsRequest,
    range: TimeRange,
  ): Promise<readonly Metric[]> {
    const interval = intervalOf(set, request, range);
    const series = new Series(range, interval);
    for await (const hour of this.#hours(owner, range)) series.add(hour, isOperation);
    return series.counters.map((name) => ({
      kind: 'accumulation',
      name,
      unit: 'operations',
      interval,
      values: series.points(name),
    }));
  }

  /** What was counted in the hours that the range touches: what is held here, in place of what was written of it. */
  async *#hours(owner: UsageOwner, range: TimeRange): AsyncGenerator<UsageHour, void> {
    const { start, end } = hoursOf(range);
    const held = this.#deps.meter.held(owner, start, end);
    const ids = new Set(held.map(({ hour, id }) => `${hour}/${id}`));
    yield* held;
    let items = 0;
    for await (const written of this.#deps.usage.hours(owner, start, end)) {
      if (!ids.has(`${written.hour}/${written.id}`)) yield written;
      items += 1;
      if (items % ITEMS_A_TURN === 0) await this.#turn();
    }
  }

  /** Names of basins in which anything was done. A day that lies in the range as a whole needs no closer look. */
  async #activeBasins(range: TimeRange): Promise<readonly string[]> {
    const { usage, meter } = this.#deps;
    const active = new Set<string>();
    const perhaps = new Set(meter.heldBasins());
    const check = (): void => {
      if (active.size + perhaps.size > LABELS_MAX)
        throw refused('invalid', `those are more than ${LABELS_MAX} basins; ask for a shorter range`);
    };
    for await (const { day, basin } of usage.activeBasins(Math.floor(range.start / DAY_SECS), Math.ceil(range.end / DAY_SECS))) {
      const isWhole = day * DAY_SECS >= range.start && (day + 1) * DAY_SECS <= range.end;
      (isWhole ? active : perhaps).add(basin);
      check();
    }
    let looked = 0;
    for (const basin of perhaps) {
      if (active.has(basin)) continue;
      if (await this.#isActive(basin, range)) active.add(basin);
      looked += 1;
      if (looked % ITEMS_A_TURN === 0) await this.#turn();
    }
    return [...active].sort(compareBytes);
  }

  async #isActive(basin: string, range: TimeRange): Promise<boolean> {
    for await (const hour of this.#hours({ kind: 'basin', basin }, range)) if (isActiveIn(hour, range)) return true;
    return false;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.soon(resolve));
  }

  #now(): number {
    return Math.floor(this.#deps.clock.now() / 1_000);
  }
}
