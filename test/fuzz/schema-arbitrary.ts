// Values that follow a JSON schema of the API's description, most of the time: any node may be something else. A new route's body is
// drawn from its schema without a word here.

import fc from 'fast-check';
import { anyText, basinName, namePart, oddText, often, streamName, time, tokenId, u64 } from './names.ts';

export interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
}

/** What is meant by a text, by the name of the field that holds it. */
const TEXTS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  basin: basinName,
  stream: streamName,
  id: tokenId,
  exact: often<string>([2, ''], [2, basinName], [2, streamName], [1, tokenId]),
  prefix: namePart,
  location: often<string>([6, 'local'], [1, 'elsewhere'], [1, oddText]),
  LocationName: often<string>([6, 'local'], [1, 'elsewhere'], [1, oddText]),
  expires_at: time,
  fencing_token: often<string>([3, ''], [2, 'lock'], [1, 'x'.repeat(37)], [1, oddText]),
  headers: often<string>(
    [8, 'k'],
    [6, fc.string({ minLength: 1, maxLength: 5 })],
    [1, ''],
    [1, 'fence'],
    [1, 'trim'],
    [1, 'Zg=='],
    [1, oddText],
  ),
  body: often<string>([4, anyText], [2, 'aGk='], [1, '\0\0\0\0\0\0\0\x05'], [1, oddText]),
};

/** Conditions hold seldom: most appends come without. How often of 16 an optional field is there. */
const PRESENCE: Readonly<Record<string, number>> = {
  match_seq_num: 2,
  fencing_token: 1,
  expires_at: 4,
  location: 4,
  auto_prefix_streams: 3,
};
const PRESENCE_ELSE = 8;
const LIST_LENGTH_MAX = 3;

/** Anything in place of what is expected, once in so many nodes. */
const WRONG = 1;
const RIGHT = 150;

const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 0.5, 1e300, '', [], {}, [[]], { a: { b: 1 } }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** @param name of the field, or of the schema at the top. */
export function fromSchema(schema: Schema, name: string): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: RIGHT, arbitrary: rightValue(schema, name) }, { weight: WRONG, arbitrary: anything });
}

function rightValue(schema: Schema, name: string): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => weighed(one, name)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if ('const' in schema) return fc.constant(schema.const);
  switch (schema.type) {
    case 'object':
      return objectOf(schema);
    case 'array':
      return arrayOf(schema, name);
    case 'integer':
      return u64;
    case 'number':
      return fc.double();
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return schema.format === 'date-time' ? time : (TEXTS[name] ?? oddText);
    default:
      return anything;
  }
}

/** Null is as good as absent: it comes less often. */
function weighed(schema: Schema, name: string): { weight: number; arbitrary: fc.Arbitrary<unknown> } {
  return { weight: schema.type === 'null' ? 1 : 5, arbitrary: rightValue(schema, name) };
}

const ABSENT = Symbol('absent');

function objectOf({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const value = fromSchema(schema, name);
    const present = required.includes(name) ? 100 : (PRESENCE[name] ?? PRESENCE_ELSE);
    const absent = required.includes(name) ? 1 : 16 - present;
    return often<unknown>([present, value], [absent, ABSENT]).map((drawn) => [name, drawn] as const);
  });
  return fc.tuple(...fields).map((drawn) => Object.fromEntries(drawn.filter(([, value]) => value !== ABSENT)));
}

function arrayOf({ items, prefixItems }: Schema, name: string): fc.Arbitrary<unknown> {
  if (prefixItems !== undefined) return fc.tuple(...prefixItems.map((item) => fromSchema(item, name)));
  const item = fromSchema(items ?? {}, name);
  return often<unknown>([30, fc.array(item, { minLength: 1, maxLength: LIST_LENGTH_MAX })], [2, fc.constant([])]);
}

/** JSON with whole numbers of any size. */
export function toJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${toJson(member)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
