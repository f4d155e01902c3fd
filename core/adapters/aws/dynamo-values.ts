// Items of the MetadataStore port as items of DynamoDB, and back.
//
//   item := { p: S partition, s: S sort, f: M fields }
//
// Fields lie in a map of their own, so that no name of a field can meet the two of the key.

import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { invariant } from '../../base/invariant.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { Fields, FieldValue, Item, Key } from '../../ports/metadata-store.ts';

export type DynamoItem = Record<string, AttributeValue>;

export function dynamoKey({ partition, sort }: Key): DynamoItem {
  return { p: { S: partition }, s: { S: sort } };
}

/** @throws StoreError `invalid` for text that UTF-8 cannot say: DynamoDB would keep something else */
export function toAttribute(value: FieldValue): AttributeValue {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw refused('invalid', 'a field holds half of a surrogate pair');
      return { S: value };
    case 'number':
      return { N: String(value) };
    case 'boolean':
      return { BOOL: value };
    default:
      if (value === null) return { NULL: true };
      return isList(value) ? { L: value.map(toAttribute) } : { M: toMap(value) };
  }
}

export function toMap(fields: Fields): DynamoItem {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, toAttribute(value)]));
}

/** @throws StoreError `corrupt` for an item that no adapter of the port wrote */
export function fromItem(item: DynamoItem): Item {
  const partition = item['p']?.S;
  const sort = item['s']?.S;
  const fields = item['f']?.M;
  if (partition === undefined || sort === undefined || fields === undefined) {
    throw new StoreError('corrupt', 'none', `an item of the table is none of ours: "${partition}" "${sort}"`);
  }
  return { partition, sort, fields: fromMap(fields, { partition, sort }) };
}

function fromMap(map: DynamoItem, key: Key): Fields {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, fromAttribute(value, key)]));
}

function fromAttribute(value: AttributeValue, key: Key): FieldValue {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return toNumber(value.N, key);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  if (value.L !== undefined) return value.L.map((each) => fromAttribute(each, key));
  if (value.M !== undefined) return fromMap(value.M, key);
  throw new StoreError('corrupt', 'none', `"${key.partition}" "${key.sort}" has a field of a type that is never written`);
}

function toNumber(text: string, { partition, sort }: Key): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new StoreError('corrupt', 'none', `"${partition}" "${sort}" has the number ${text}`);
  return number;
}

function isList(value: FieldValue): value is readonly FieldValue[] {
  invariant(typeof value === 'object' && value !== null, 'a list or a map');
  return Array.isArray(value);
}
