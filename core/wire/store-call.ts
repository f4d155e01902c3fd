// The operations of a MetadataStore and an ObjectStore as calls, for a development cluster: JSON, beside the bytes of objects.
//
//   head of a request := JSON of the call; its body: the bytes of an object that is put, or JSON of what may be long (writes, keys)
//   head of an answer := JSON of the outcome; its body: the bytes of an object, or JSON of what may be long (items, objects)
//
// JSON has no `undefined`, which means something in conditions and updates: named values travel as [name] or [name, value].
// Both sides are of one version, and believe each other: what the stores themselves check is all that is checked.

import type { Condition, FieldValue, Item, Key, Purpose, Write } from '../ports/metadata-store.ts';

export type StoreCall =
  | { readonly op: 'metadata.get'; readonly key: Key; readonly consistency: 'strong' | 'stale' }
  | {
      readonly op: 'metadata.query';
      readonly partition: string;
      readonly range: { readonly start: string; readonly end?: string; readonly reverse?: boolean };
      readonly limit: number;
      readonly consistency: 'strong' | 'stale';
    }
  /** Body: the writes. */
  | { readonly op: 'metadata.commit'; readonly purpose: Purpose }
  /** Body: the object. */
  | { readonly op: 'object.put'; readonly key: string; readonly ifAbsent: boolean; readonly isUpkeep: boolean }
  | { readonly op: 'object.get'; readonly key: string; readonly start?: number; readonly end?: number }
  | { readonly op: 'object.head'; readonly key: string }
  | { readonly op: 'object.list'; readonly prefix: string; readonly cursor?: string }
  /** Body: the keys. */
  | { readonly op: 'object.delete' };

type Named = readonly (readonly [string] | readonly [string, FieldValue])[];

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export function toJson(value: unknown): Uint8Array {
  return ENCODER.encode(JSON.stringify(value));
}

/** What the other side encoded; of one version with it, so that its type is known. */
export function fromJson<T>(bytes: Uint8Array): T {
  return JSON.parse(DECODER.decode(bytes)) as T;
}

export function encodeWrites(writes: readonly Write[]): Uint8Array {
  const plain = writes.map((write) => ({
    ...write,
    ...('set' in write ? { set: named(write.set) } : {}),
    ...(write.when !== undefined && 'equals' in write.when ? { when: { equals: named(write.when.equals) } } : {}),
  }));
  return toJson(plain);
}

type PlainCondition = { readonly absent: true } | { readonly equals: Named };
type PlainWrite = Omit<Write, 'set' | 'when'> & { readonly set?: Named; readonly when?: PlainCondition };

export function decodeWrites(bytes: Uint8Array): readonly Write[] {
  return fromJson<readonly PlainWrite[]>(bytes).map(({ set, when, ...rest }) => {
    const condition: Condition | undefined = when === undefined || 'absent' in when ? when : { equals: values(when.equals) };
    return {
      ...rest,
      ...(set === undefined ? {} : { set: values(set) }),
      ...(condition === undefined ? {} : { when: condition }),
    } as Write;
  });
}

function named(fields: Readonly<Record<string, FieldValue | undefined>>): Named {
  return Object.entries(fields).map(([name, value]) => (value === undefined ? [name] : [name, value]));
}

function values(named: Named): Record<string, FieldValue | undefined> {
  return Object.fromEntries(named.map(([name, value]) => [name, value]));
}

/** Items of which some are not there. */
export type Items = readonly (Item | null)[];

export function encodeItems(items: readonly (Item | undefined)[]): Items {
  return items.map((item) => item ?? null);
}

export function decodeItems(items: Items): readonly (Item | undefined)[] {
  return items.map((item) => item ?? undefined);
}
