// What every MetadataStore adapter does with a write: check it against the port's bounds, judge its condition, apply it.

import { equalData } from '../base/equal.ts';
import { invariant, unreachable } from '../base/invariant.ts';
import { METADATA_WRITES_MAX } from '../model/limits.ts';
import type { Condition, Fields, FieldValue, Key, Write } from '../ports/metadata-store.ts';

const KEY_BYTES_MAX = 1_024;
const QUERY_LIMIT_MAX = 1_000;
const ENCODER = new TextEncoder();

export function checkKey({ partition, sort }: Key): void {
  checkPart(partition);
  checkPart(sort);
}

function checkPart(part: string): void {
  invariant(part.length > 0 && part.isWellFormed(), 'a key is well-formed text');
  // A UTF-16 unit takes at most 3 bytes, so most keys need no count.
  const isShort = part.length * 3 <= KEY_BYTES_MAX || ENCODER.encode(part).length <= KEY_BYTES_MAX;
  invariant(isShort, 'both parts of a key have at most 1,024 bytes');
}

export function checkQuery(partition: string, limit: number): void {
  checkPart(partition);
  invariant(Number.isInteger(limit) && limit >= 1 && limit <= QUERY_LIMIT_MAX, 'a query asks for 1 to 1,000 items');
}

export function checkWrites(writes: readonly Write[]): void {
  invariant(writes.length >= 1 && writes.length <= METADATA_WRITES_MAX, 'a commit has 1 to 100 writes');
  const seen = new Set<string>();
  for (const write of writes) {
    checkKey(write.key);
    seen.add(`${write.key.partition}\0${write.key.sort}`);
    if (write.kind === 'put') checkValues(write.fields);
    if (write.kind === 'update') checkValues(definite(write.set));
  }
  invariant(seen.size === writes.length, 'no two writes of a commit name the same key');
}

function checkValues(value: FieldValue | undefined): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      invariant(Number.isSafeInteger(value), `a number that is stored is a safe integer, not ${value}`);
      return;
    case 'object':
      if (value !== null) for (const inner of Object.values(value)) checkValues(inner);
      return;
    default:
      invariant(false, `a field cannot hold ${typeof value}`);
  }
}

/** The fields that get a value. */
function definite(set: Readonly<Record<string, FieldValue | undefined>>): Fields {
  const fields: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(set)) if (value !== undefined) fields[name] = value;
  return fields;
}

/** Whether a write may take effect on what is there: its condition holds, and an update finds its item. */
export function mayApply(write: Write, current: Fields | undefined): boolean {
  if (write.kind === 'update' && current === undefined) return false;
  return write.when === undefined || holds(write.when, current);
}

function holds(condition: Condition, current: Fields | undefined): boolean {
  if ('absent' in condition) return current === undefined;
  if (current === undefined) return false;
  return Object.entries(condition.equals).every(([name, value]) => equalData(fieldOf(current, name), value));
}

function fieldOf(fields: Fields, name: string): FieldValue | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** What is there after the write. */
export function applied(write: Write, current: Fields | undefined): Fields | undefined {
  switch (write.kind) {
    case 'put':
      return write.fields;
    case 'update': {
      const kept = Object.entries(current ?? {}).filter(([name]) => !Object.hasOwn(write.set, name));
      return { ...Object.fromEntries(kept), ...definite(write.set) };
    }
    case 'delete':
      return undefined;
    case 'check':
      return current;
    default:
      return unreachable(write);
  }
}
