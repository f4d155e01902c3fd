// Items of usage: what each process counted and sampled, hour by hour, and what each basin stored.
//
//   U1  What is counted is written as absolute values, each item by one writer alone, and only over the write before: a write that is
//       repeated, or that comes late, changes nothing. Whoever reads adds up the items of all writers.
//
// Where the disk is full these writes are refused like anything that grows, so that what is left goes to what makes space.

import { invariant } from '../base/invariant.ts';
import type { StorageSample, UsageHour, UsageOwner } from '../model/usage.ts';
import { addSample, HOUR_SECS } from '../model/usage.ts';
import type { Fields, Item, Key, MetadataStore, Write } from '../ports/metadata-store.ts';
import { transact } from './conditional.ts';
import { decodeSamples, decodeUsageHour, encodeSamples, flushOf, hourOf, parseUsageDay } from './usage-codec.ts';
import { USAGE_DAYS, type UsageDay, type UsageSubject, usageDayKey, usageDaySort, usageHourSort, usagePartition } from './usage-schema.ts';

const HOURS_A_DAY = 24;
/** Items that one transaction writes, each with its day. */
export const USAGE_ITEMS_MAX = 40;
/** An item of a busy hour has some kilobytes. */
const READ_PAGE = 200;
const DAYS_PAGE = 1_000;
const PURGE_PAGE = 90;

/** An item that its process holds in memory, and writes whenever it changed. Its sort key is of this process alone. */
export interface OwnItem {
  readonly subject: UsageSubject;
  readonly hour: number;
  readonly id: string;
  /** The write that is known to be there; 0: none. Kept here. */
  flush: number;
  /** Whether it changed since it was last encoded, or may not have been written. Kept here, and set with every change. */
  isDirty: boolean;
  /** What it holds now, as the `flush`-th write. */
  encode(flush: number): Fields;
}

export class Usage {
  readonly #store: MetadataStore;

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  /**
   * Writes items as they are now. (U1)
   *
   * @param items at most USAGE_ITEMS_MAX.
   * @throws StoreError: then they may have been written, and are to be written again.
   */
  async write(items: readonly OwnItem[]): Promise<void> {
    invariant(items.length <= USAGE_ITEMS_MAX, 'U1: a flush writes a bounded number of items at once');
    try {
      await this.#write(items);
    } catch (error) {
      for (const item of items) item.isDirty = true;
      throw error;
    }
  }

  #write(items: readonly OwnItem[]): Promise<void> {
    return transact<void>(this.#store, async () => {
      for (const item of items) item.isDirty = false;
      const writes = items.map((item): Write => {
        const when = item.flush === 0 ? { absent: true as const } : { equals: { flush: item.flush } };
        return { kind: 'put', key: keyOf(item), fields: item.encode(item.flush + 1), when };
      });
      const days = items.filter(({ flush }) => flush === 0).map((item) => putDay(item.subject, item.hour));
      const answer = await this.#store.commit([...writes, ...distinct(days)], 'growth');
      if (answer.committed) {
        for (const item of items) item.flush += 1;
        return { result: undefined };
      }
      // A write of which no answer came was applied after all.
      answer.failed.forEach((index, i) => {
        const item = items[index];
        if (item !== undefined) item.flush = flushOf(answer.current[i]);
      });
      return 'again';
    });
  }

  /** What was counted in the hours [start, end), by all writers. */
  async *hours(owner: UsageOwner, start: number, end: number): AsyncGenerator<UsageHour, void> {
    for await (const item of this.#items(subjectOf(owner), start, end)) yield decodeUsageHour(item);
  }

  /** Samples of the storage of a stream or a basin in the hours [start, end), by hour; within one hour writer by writer. */
  async *samples(subject: UsageSubject, start: number, end: number): AsyncGenerator<StorageSample, void> {
    for await (const item of this.#items(subject, start, end)) yield* decodeSamples(item);
  }

  /** The last sample of a stream or basin before an hour; undefined: none that is kept. */
  async lastSample(subject: UsageSubject, before: number): Promise<StorageSample | undefined> {
    const range = { start: '', end: usageHourSort(before), reverse: true };
    const [item] = await this.#store.query(usagePartition(subject), range, 1, 'stale');
    if (item === undefined) return undefined;
    // Of an hour there may be items of several writers, which are in no order of time.
    let last: StorageSample | undefined;
    const hour = hourOf(item);
    for await (const sample of this.samples(subject, hour, hour + 1)) if (last === undefined || sample.second >= last.second) last = sample;
    return last;
  }

  /** Whether anything was sampled in that hour or later. */
  async hasSamples(subject: UsageSubject, from: number): Promise<boolean> {
    return (await this.#store.query(usagePartition(subject), { start: usageHourSort(from) }, 1, 'stale')).length > 0;
  }

  /**
   * What a basin stores. Kept are the first look of an hour, and each that found something else than the one before it; of a minute
   * the first and the last. Several may look.
   */
  async putStorage(basin: string, sample: StorageSample): Promise<void> {
    const subject: UsageSubject = { kind: 'storage', name: basin };
    const hour = Math.floor(sample.second / HOUR_SECS);
    const key = { partition: usagePartition(subject), sort: usageHourSort(hour) };
    await transact<void>(this.#store, async () => {
      const item = await this.#store.get(key, 'strong');
      const samples = item === undefined ? [] : [...decodeSamples(item)];
      if (samples.at(-1)?.bytes === sample.bytes) return { result: undefined };
      addSample(samples, sample);
      const flush = flushOf(item);
      const fields = encodeSamples(flush + 1, samples);
      const when = item === undefined ? { absent: true as const } : { equals: { flush } };
      const writes: Write[] = [{ kind: 'put', key, fields, when }, ...(item === undefined ? [putDay(subject, hour)] : [])];
      return { writes, result: undefined, purpose: 'growth' };
    });
  }

  /** Days of [start, end) on which something was counted in a basin. */
  async *activeBasins(start: number, end: number): AsyncGenerator<{ readonly day: number; readonly basin: string }, void> {
    for (let day = start; day < end; day += 1) {
      const prefix = `${usageDaySort(day)}/basin/`;
      for (let from = prefix; ; ) {
        const page = await this.#store.query(USAGE_DAYS, { start: from, end: `${usageDaySort(day)}/basin0` }, DAYS_PAGE, 'stale');
        for (const item of page) yield { day, basin: parseUsageDay(item).name };
        const last = page.at(-1);
        if (last === undefined || page.length < DAYS_PAGE) break;
        from = `${last.sort}\0`;
      }
    }
  }

  /**
   * Deletes what is about days before `day`, as far as the budget reaches.
   *
   * @returns whether nothing of them is left.
   */
  async purge(day: number, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      const days = await this.#store.query(USAGE_DAYS, { start: '', end: usageDaySort(day) }, PURGE_PAGE, 'strong');
      for (const item of days) {
        const aged = parseUsageDay(item);
        invariant(aged.day < day, 'U1: what is young enough stays');
        if (isOver() || !(await this.#purgeItems(aged, isOver))) return false;
        await this.#store.commit([{ kind: 'delete', key: usageDayKey(aged) }]);
      }
      if (days.length < PURGE_PAGE) return true;
    }
  }

  /** Its items up to the end of its day. False: the budget was over. */
  async #purgeItems(aged: UsageDay, isOver: () => boolean): Promise<boolean> {
    const partition = usagePartition(aged);
    const end = usageHourSort((aged.day + 1) * HOURS_A_DAY);
    for (;;) {
      const items = await this.#store.query(partition, { start: '', end }, PURGE_PAGE, 'strong');
      if (items.length === 0) return true;
      await this.#store.commit(items.map(({ sort }): Write => ({ kind: 'delete', key: { partition, sort } })));
      if (items.length < PURGE_PAGE) return true;
      if (isOver()) return false;
    }
  }

  async *#items(subject: UsageSubject, start: number, end: number): AsyncGenerator<Item, void> {
    const partition = usagePartition(subject);
    for (let from = usageHourSort(start); ; ) {
      const page = await this.#store.query(partition, { start: from, end: usageHourSort(end) }, READ_PAGE, 'stale');
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < READ_PAGE) return;
      from = `${last.sort}\0`;
    }
  }
}

export function subjectOf(owner: UsageOwner): UsageSubject {
  return owner.kind === 'account' ? { kind: 'account', name: '' } : { kind: 'basin', name: owner.basin };
}

function keyOf({ subject, hour, id }: OwnItem): Key {
  return { partition: usagePartition(subject), sort: `${usageHourSort(hour)}/${id}` };
}

function putDay(subject: UsageSubject, hour: number): Write {
  return { kind: 'put', key: usageDayKey({ ...subject, day: Math.floor(hour / HOURS_A_DAY) }), fields: {} };
}

/** No two writes of a transaction name the same key. */
function distinct(writes: readonly Write[]): readonly Write[] {
  return [...new Map(writes.map((write) => [write.key.sort, write])).values()];
}
