// Reads fields of an item as what they must be; anything else is a corrupt item, named by its key.

import { refused, type StoreError } from '../model/errors.ts';
import type { Fields, FieldValue, Item } from '../ports/metadata-store.ts';

export function corruptItem(item: Item, what: string): StoreError {
  return refused('corrupt', `metadata item "${item.partition}" "${item.sort}" is damaged: ${what}`);
}

/** One item, or one object within it, being read. */
export class FieldReader {
  readonly #item: Item;
  readonly #fields: Fields;

  constructor(item: Item, fields: Fields = item.fields) {
    this.#item = item;
    this.#fields = fields;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  isText(name: string): boolean {
    return typeof this.#fields[name] === 'string';
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== 'string') throw this.damaged(name, 'text');
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.#fields[name] === undefined ? undefined : this.text(name);
  }

  /** A safe integer from 0. */
  count(name: string): number {
    const value = this.#fields[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.damaged(name, 'a number');
    return value;
  }

  optionalCount(name: string): number | undefined {
    return this.#fields[name] === undefined ? undefined : this.count(name);
  }

  flag(name: string): boolean {
    const value = this.#fields[name];
    if (typeof value !== 'boolean') throw this.damaged(name, 'true or false');
    return value;
  }

  /** A u64, kept as a decimal string. */
  u64(name: string): bigint {
    const text = this.text(name);
    if (!/^[0-9]{1,20}$/.test(text)) throw this.damaged(name, 'a decimal number');
    return BigInt(text);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = values.find((candidate) => candidate === this.#fields[name]);
    if (value === undefined) throw this.damaged(name, `one of ${values.join(', ')}`);
    return value;
  }

  object(name: string): FieldReader {
    return new FieldReader(this.#item, this.#asObject(name, this.#fields[name]));
  }

  optionalObject(name: string): FieldReader | undefined {
    return this.#fields[name] === undefined ? undefined : this.object(name);
  }

  objects(name: string): readonly FieldReader[] {
    return this.#asArray(name).map((value) => new FieldReader(this.#item, this.#asObject(name, value)));
  }

  texts(name: string): readonly string[] {
    return this.#asArray(name).map((value) => {
      if (typeof value !== 'string') throw this.damaged(name, 'a list of texts');
      return value;
    });
  }

  /** Safe integers from 0. */
  counts(name: string): readonly number[] {
    return this.#asArray(name).map((value) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.damaged(name, 'a list of numbers');
      return value;
    });
  }

  /** The names of all fields. */
  names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  damaged(name: string, expected: string): StoreError {
    return corruptItem(this.#item, `field "${name}" is not ${expected}`);
  }

  #asArray(name: string): readonly FieldValue[] {
    const value = this.#fields[name];
    if (!Array.isArray(value)) throw this.damaged(name, 'a list');
    return value;
  }

  #asObject(name: string, value: FieldValue | undefined): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.damaged(name, 'an object');
    return value as Fields;
  }
}

/** `fields` without those that are undefined. */
export function present(fields: Readonly<Record<string, FieldValue | undefined>>): Fields {
  const out: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) out[name] = value;
  return out;
}
