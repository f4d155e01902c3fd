// What one process counted or sampled in one hour of one subject, as it lies in memory and is written again and again.

import { type OwnItem, subjectOf } from '../../metadata/usage.ts';
import { encodeSamples, encodeUsageHour } from '../../metadata/usage-codec.ts';
import type { UsageSubject } from '../../metadata/usage-schema.ts';
import { addSample, COUNTERS, minuteOfSample, type StorageSample, type UsageHour, type UsageOwner } from '../../model/usage.ts';
import type { Fields } from '../../ports/metadata-store.ts';

/** Counts of an owner in the minutes of an hour. */
export class CountedHour implements OwnItem {
  readonly owner: UsageOwner;
  readonly subject: UsageSubject;
  readonly hour: number;
  readonly id: string;
  flush = 0;
  isDirty = false;
  /** It is written and let go of: nothing may be added to it any more. */
  isOver = false;
  /** By minute of the hour, one number a counter. */
  readonly #minutes = new Map<number, Float64Array>();

  constructor(owner: UsageOwner, hour: number, id: string) {
    this.owner = owner;
    this.subject = subjectOf(owner);
    this.hour = hour;
    this.id = id;
  }

  get minutesCount(): number {
    return this.#minutes.size;
  }

  minute(minute: number): Float64Array | undefined {
    return this.#minutes.get(minute);
  }

  addMinute(minute: number): Float64Array {
    const counts = new Float64Array(COUNTERS.length);
    this.#minutes.set(minute, counts);
    return counts;
  }

  /** As it is now; counters that count nothing are left out. */
  snapshot(): UsageHour {
    const minutes = [...this.#minutes.keys()].sort((a, b) => a - b);
    const arrays = minutes.map((minute) => this.#minutes.get(minute));
    const counts: Record<string, readonly number[]> = {};
    COUNTERS.forEach((name, index) => {
      const values = arrays.map((array) => array?.[index] ?? 0);
      if (values.some((value) => value > 0)) counts[name] = values;
    });
    return { hour: this.hour, id: this.id, minutes, counts };
  }

  encode(flush: number): Fields {
    return encodeUsageHour(flush, this.snapshot());
  }
}

/** Samples of a stream's storage in an hour, at most one a minute. */
export class SampledHour implements OwnItem {
  readonly subject: UsageSubject;
  readonly hour: number;
  readonly id: string;
  flush = 0;
  isDirty = false;
  readonly #samples: StorageSample[] = [];

  constructor(streamId: string, hour: number, id: string) {
    this.subject = { kind: 'stream', name: streamId };
    this.hour = hour;
    this.id = id;
  }

  /** Minutes since 1970; undefined: none yet. */
  get lastMinute(): number | undefined {
    const last = this.#samples.at(-1);
    return last === undefined ? undefined : minuteOfSample(last);
  }

  add(sample: StorageSample): void {
    addSample(this.#samples, sample);
    this.isDirty = true;
  }

  encode(flush: number): Fields {
    return encodeSamples(flush, this.#samples);
  }
}
