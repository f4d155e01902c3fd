// Turns items of usage into fields and back. `flush` counts the writes of an item that one writer writes again and again. (U1)

import type { StorageSample, UsageHour } from '../model/usage.ts';
import { HOUR_SECS } from '../model/usage.ts';
import type { Fields, FieldValue, Item } from '../ports/metadata-store.ts';
import { corruptItem, FieldReader } from './fields.ts';
import type { UsageDay, UsageSubject } from './usage-schema.ts';

const KINDS: readonly UsageSubject['kind'][] = ['account', 'basin', 'stream', 'storage'];

export function encodeUsageHour(flush: number, { minutes, counts }: Pick<UsageHour, 'minutes' | 'counts'>): Fields {
  return { flush, minutes, counts: counts as { readonly [counter: string]: FieldValue } };
}

export function decodeUsageHour(item: Item): UsageHour {
  const fields = new FieldReader(item);
  const minutes = fields.counts('minutes');
  const counted = fields.object('counts');
  const counts = Object.fromEntries(counted.names().map((name) => [name, counted.counts(name)]));
  const isWhole = Object.values(counts).every((values) => values.length === minutes.length);
  if (!isWhole || minutes.some((minute) => minute >= 60)) throw corruptItem(item, 'its counts are not those of its minutes');
  return { ...placeOf(item), minutes, counts };
}

export function encodeSamples(flush: number, samples: readonly StorageSample[]): Fields {
  return { flush, seconds: samples.map(({ second }) => second % HOUR_SECS), bytes: samples.map(({ bytes }) => bytes) };
}

/** Of a stream, or the one of a basin in that hour. */
export function decodeSamples(item: Item): readonly StorageSample[] {
  const fields = new FieldReader(item);
  const { hour } = placeOf(item);
  const [seconds, bytes] = [fields.counts('seconds'), fields.counts('bytes')];
  if (seconds.length !== bytes.length || seconds.some((second) => second >= HOUR_SECS)) {
    throw corruptItem(item, 'its samples are not those of its hour');
  }
  return seconds.map((second, i) => ({ second: hour * HOUR_SECS + second, bytes: bytes[i] ?? 0 }));
}

/** Hours since 1970. */
export function hourOf(item: Item): number {
  return placeOf(item).hour;
}

/** The write that an item has come to. */
export function flushOf(item: Item | undefined): number {
  return item === undefined ? 0 : new FieldReader(item).count('flush');
}

export function parseUsageDay(item: Item): UsageDay {
  const [, day, kind, name] = /^(\d{6})\/([a-z]+)\/(.*)$/s.exec(item.sort) ?? [];
  const known = KINDS.find((candidate) => candidate === kind);
  if (known === undefined || name === undefined) throw corruptItem(item, 'it names no day of usage');
  return { day: Number(day), kind: known, name };
}

function placeOf(item: Item): { readonly hour: number; readonly id: string } {
  const [, hour, id] = /^(\d{8})(?:\/(.+))?$/.exec(item.sort) ?? [];
  if (hour === undefined) throw corruptItem(item, 'its key names no hour');
  return { hour: Number(hour), id: id ?? '' };
}
