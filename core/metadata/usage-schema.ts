// Keys of the items of usage, which schema.ts lists.

import type { Key } from '../ports/metadata-store.ts';

export const USAGE_DAYS = 'usage-days';

/** What items of usage are about; `name`: the basin or the stream id, nothing for the account. */
export interface UsageSubject {
  readonly kind: 'account' | 'basin' | 'stream' | 'storage';
  readonly name: string;
}

/** A day of which there are items about a subject. Days since 1970. */
export interface UsageDay extends UsageSubject {
  readonly day: number;
}

const USAGE_PARTITIONS = { account: 'usage-account', basin: 'usage/', stream: 'usage-stream/', storage: 'usage-storage/' } as const;

export function usagePartition({ kind, name }: UsageSubject): string {
  return `${USAGE_PARTITIONS[kind]}${name}`;
}

/** Begins every sort key of items of that hour: their order is that of time. */
export function usageHourSort(hour: number): string {
  return String(Math.max(0, hour)).padStart(8, '0');
}

export function usageDaySort(day: number): string {
  return String(Math.max(0, day)).padStart(6, '0');
}

export function usageDayKey({ day, kind, name }: UsageDay): Key {
  return { partition: USAGE_DAYS, sort: `${usageDaySort(day)}/${kind}/${name}` };
}
