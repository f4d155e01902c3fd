// Counts what is done, in memory: per owner and minute. Use cases count; a job of the cell writes what was counted every few seconds.
//
//   U3  Counting is bounded in memory, and never fails or delays what it counts: at the bound, what is written is let go of; where
//       nothing can be written, what does not fit is not counted, and that is told.
//
// A crash loses what was counted since the last flush. On the hot path there is no object, no string and no look-up for each
// append: whoever counts often holds the Counters, which hold the numbers of the current minute.

import { toHex } from '../../base/bytes.ts';
import type { OwnItem } from '../../metadata/usage.ts';
import type { StreamId } from '../../model/ids.ts';
import type { Operation } from '../../model/operations.ts';
import type { StorageClass } from '../../model/stream-config.ts';
import {
  COUNTERS,
  counterIndex,
  HOUR_SECS,
  isOfAccount,
  MINUTE_SECS,
  type StorageSample,
  type UsageHour,
  type UsageOwner,
} from '../../model/usage.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Random } from '../../ports/random.ts';
import { CountedHour, SampledHour } from './own-items.ts';

const MINUTES_AN_HOUR = 60;
const MINUTE_MS = 1_000 * MINUTE_SECS;

export interface MeterBounds {
  /** Minutes of any owner that are held; each takes about half a KiB. */
  readonly minutesMax: number;
  /** Streams that changed and are not sampled, and streams with samples: each. */
  readonly streamsMax: number;
}

export interface UsageGauges {
  readonly minutes: number;
  readonly changedStreams: number;
  readonly sampledStreams: number;
  readonly changedBasins: number;
}

export class Meter {
  readonly account: Counters;
  readonly #clock: Clock;
  readonly #bounds: MeterBounds;
  /** Of this process, drawn at its start. */
  readonly #writer: string;
  #items = 0;
  readonly #basins = new Map<string, Counters>();
  /** By owner and hour. */
  readonly #hours = new Map<string, Map<number, CountedHour>>();
  #minutesCount = 0;
  readonly #changed = new Set<StreamId>();
  readonly #samples = new Map<StreamId, SampledHour>();
  readonly #changedBasins = new Set<string>();
  /** Those that were taken in the minute that was asked about last. */
  readonly #takenBasins = new Set<string>();
  #takenMinute = Number.NaN;
  #lost = 0;

  constructor(clock: Clock, random: Random, bounds: MeterBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#writer = toHex(random.bytes(8));
    this.account = new Counters(this, clock, { kind: 'account' });
  }

  /** What is done in a basin is counted there. */
  basin(name: string): Counters {
    const known = this.#basins.get(name);
    if (known !== undefined) return known;
    // Whoever holds one goes on with it: it adds to the same numbers.
    if (this.#basins.size >= this.#bounds.minutesMax) this.#basins.clear();
    const counters = new Counters(this, this.#clock, { kind: 'basin', basin: name });
    this.#basins.set(name, counters);
    return counters;
  }

  /** An operation succeeded; `basin`: the one that it named, if any. */
  operation(operation: Operation, basin?: string): void {
    const counters = basin === undefined || isOfAccount(operation) ? this.account : this.basin(basin);
    counters.add(counterIndex(operation));
  }

  /** What the stream stores has changed, and is sampled soon; with it what its basin stores, where that is known. */
  changed(streamId: StreamId, basin?: string): void {
    if (this.#changed.size < this.#bounds.streamsMax) this.#changed.add(streamId);
    else if (!this.#changed.has(streamId)) this.#lost += 1;
    if (basin !== undefined) this.basinChanged(basin);
  }

  /** What finds no room is found by the walk over all basins. */
  basinChanged(basin: string): void {
    if (this.#changedBasins.size < this.#bounds.streamsMax) this.#changedBasins.add(basin);
  }

  /** The numbers of a minute (since 1970). Numbers that are let go of are never given again. */
  open(owner: UsageOwner, minute: number): { readonly item: CountedHour; readonly counts: Float64Array } {
    const hour = Math.floor(minute / MINUTES_AN_HOUR);
    const key = keyOf(owner);
    const item = this.#hours.get(key)?.get(hour) ?? new CountedHour(owner, hour, this.#newId());
    const known = item.minute(minute % MINUTES_AN_HOUR);
    if (known !== undefined) return { item, counts: known };
    if (this.#minutesCount >= this.#bounds.minutesMax) {
      this.tidy(Number.POSITIVE_INFINITY);
      if (this.#minutesCount >= this.#bounds.minutesMax) {
        this.#lost += 1;
        return { item: NOWHERE, counts: new Float64Array(COUNTERS.length) };
      }
      return this.open(owner, minute);
    }
    const hours = this.#hours.get(key) ?? new Map<number, CountedHour>();
    this.#hours.set(key, hours.set(hour, item));
    this.#minutesCount += 1;
    return { item, counts: item.addMinute(minute % MINUTES_AN_HOUR) };
  }

  /** Whether it is to be written soon, as it comes near a bound. */
  get isFull(): boolean {
    return 2 * this.#minutesCount >= this.#bounds.minutesMax || 2 * this.#changed.size >= this.#bounds.streamsMax;
  }

  /** What is held now; each is bounded (`MeterBounds`). */
  get gauges(): UsageGauges {
    return {
      minutes: this.#minutesCount,
      changedStreams: this.#changed.size,
      sampledStreams: this.#samples.size,
      changedBasins: Math.max(this.#changedBasins.size, this.#takenBasins.size),
    };
  }

  /** Minutes and streams that found no room since this was asked last: what was counted of them is lost. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** What changed since it was written. */
  unwritten(): readonly OwnItem[] {
    const counted = [...this.#hours.values()].flatMap((hours) => [...hours.values()]);
    return [...counted, ...this.#samples.values()].filter(({ isDirty }) => isDirty);
  }

  /** What this process counted of an owner in the hours [start, end) and still holds: as items that hold it, or will. */
  held(owner: UsageOwner, start: number, end: number): readonly UsageHour[] {
    const hours = [...(this.#hours.get(keyOf(owner))?.values() ?? [])];
    return hours.filter(({ hour }) => hour >= start && hour < end).map((item) => item.snapshot());
  }

  /** Basins of which anything is held. */
  heldBasins(): readonly string[] {
    return [...this.#hours.values()].flatMap((hours) => {
      const [first] = hours.values();
      return first?.owner.kind === 'basin' ? [first.owner.basin] : [];
    });
  }

  /** Forgets what is written, of hours before `hour`: numbers that come yet, as a clock was set, begin another item. */
  tidy(hour: number): void {
    for (const [key, hours] of this.#hours) {
      for (const item of hours.values()) {
        if (item.isDirty || item.hour >= hour) continue;
        hours.delete(item.hour);
        this.#minutesCount -= item.minutesCount;
        item.isOver = true;
      }
      if (hours.size === 0) this.#hours.delete(key);
    }
    for (const [streamId, item] of this.#samples) {
      if (!item.isDirty && item.hour < hour) this.#samples.delete(streamId);
    }
  }

  /** Streams that changed and were not sampled since, nor in this minute (since 1970). They are sampled now, or `changed` again. */
  takeChanged(minute?: number): readonly StreamId[] {
    const due = [...this.#changed].filter((streamId) => minute === undefined || this.#samples.get(streamId)?.lastMinute !== minute);
    for (const streamId of due) this.#changed.delete(streamId);
    return due;
  }

  /** Basins that changed, and were not taken in this minute (since 1970) before; none: in no minute. */
  takeChangedBasins(minute?: number): readonly string[] {
    if (minute !== this.#takenMinute) this.#takenBasins.clear();
    this.#takenMinute = minute ?? Number.NaN;
    const due = [...this.#changedBasins].filter((basin) => !this.#takenBasins.has(basin));
    for (const basin of due) {
      this.#changedBasins.delete(basin);
      if (this.#takenBasins.size < this.#bounds.streamsMax) this.#takenBasins.add(basin);
    }
    return due;
  }

  sampled(streamId: StreamId, sample: StorageSample): void {
    const hour = Math.floor(sample.second / HOUR_SECS);
    const known = this.#samples.get(streamId);
    if (known?.hour === hour) {
      known.add(sample);
      return;
    }
    if (known?.isDirty || (known === undefined && this.#samples.size >= this.#bounds.streamsMax)) {
      this.#lost += 1;
      return;
    }
    const item = new SampledHour(streamId, hour, this.#newId());
    item.add(sample);
    this.#samples.set(streamId, item);
  }

  #newId(): string {
    this.#items += 1;
    return `${this.#writer}-${this.#items}`;
  }
}

function keyOf(owner: UsageOwner): string {
  return owner.kind === 'account' ? '' : owner.basin;
}

/** Where appends of one storage class are counted. */
export interface AppendCounters {
  readonly operations: number;
  readonly metered: number;
}

export function appendCounters(storageClass: StorageClass): AppendCounters {
  return { operations: counterIndex(`append-ops/${storageClass}`), metered: counterIndex(`append-bytes/${storageClass}`) };
}

const APPEND = counterIndex('append');

/** Where goes what there is no room for. */
const NOWHERE = new CountedHour({ kind: 'account' }, 0, 'nowhere');

/** The counters of one owner. */
export class Counters {
  readonly #meter: Meter;
  readonly #clock: Clock;
  readonly #owner: UsageOwner;
  #minute = Number.NaN;
  #item: CountedHour = NOWHERE;
  #counts: Float64Array = new Float64Array(COUNTERS.length);

  constructor(meter: Meter, clock: Clock, owner: UsageOwner) {
    this.#meter = meter;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** @param index of the counter. */
  add(index: number, count = 1): void {
    this.#turn();
    this.#count(index, count);
  }

  /** A batch of `bytes` was acknowledged. */
  appended({ operations, metered }: AppendCounters, bytes: number): void {
    this.#turn();
    this.#count(APPEND, 1);
    this.#count(operations, 1);
    this.#count(metered, bytes);
  }

  #count(index: number, count: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }

  #turn(): void {
    const minute = Math.floor(this.#clock.now() / MINUTE_MS);
    if (minute !== this.#minute || this.#item.isOver) {
      this.#minute = minute;
      ({ item: this.#item, counts: this.#counts } = this.#meter.open(this.#owner, minute));
    }
    this.#item.isDirty = true;
  }
}
