// Writes of the MetadataStore port as requests of DynamoDB: the item, the condition and what is set, in its expressions.

import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { unreachable } from '../../base/invariant.ts';
import type { Condition, FieldValue, Write } from '../../ports/metadata-store.ts';
import { type DynamoItem, dynamoKey, toAttribute, toMap } from './dynamo-values.ts';

/** Collects the names and values of one request; DynamoDB refuses any that its expressions do not use. */
class Expression {
  readonly #names = new Map<string, string>();
  readonly #values: DynamoItem = {};
  #count = 0;

  /** The path of a field. */
  field(name: string): string {
    const short = this.#names.get(name) ?? `#${this.#names.size}`;
    this.#names.set(name, short);
    return `f.${short}`;
  }

  value(value: FieldValue): string {
    const short = `:${this.#count}`;
    this.#count += 1;
    this.#values[short] = toAttribute(value);
    return short;
  }

  get parts(): { ExpressionAttributeNames?: Record<string, string>; ExpressionAttributeValues?: DynamoItem } {
    const names = Object.fromEntries([...this.#names].map(([name, short]) => [short, name]));
    return {
      ...(this.#names.size === 0 ? {} : { ExpressionAttributeNames: names }),
      ...(this.#count === 0 ? {} : { ExpressionAttributeValues: this.#values }),
    };
  }
}

/** The fields of one write, under the name of what DynamoDB calls it. All ask for what is there where the condition fails. */
export function transactItem(table: string, write: Write): TransactWriteItem {
  const expression = new Expression();
  const update = write.kind === 'update' ? setting(expression, write.set) : undefined;
  const condition = conditionOf(expression, write);
  const common = {
    TableName: table,
    ...(condition === undefined ? {} : { ConditionExpression: condition }),
    ...expression.parts,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
  const Key = dynamoKey(write.key);
  switch (write.kind) {
    case 'put':
      return { Put: { ...common, Item: { ...Key, f: { M: toMap(write.fields) } } } };
    case 'update':
      return { Update: { ...common, Key, UpdateExpression: update } };
    case 'delete':
      return { Delete: { ...common, Key } };
    case 'check':
      return { ConditionCheck: { ...common, Key, ConditionExpression: condition } };
    default:
      return unreachable(write);
  }
}

function conditionOf(expression: Expression, write: Write): string | undefined {
  if (write.when !== undefined) return conditionText(expression, write.when);
  return write.kind === 'update' ? 'attribute_exists(p)' : undefined;
}

function conditionText(expression: Expression, condition: Condition): string {
  if ('absent' in condition) return 'attribute_not_exists(p)';
  const terms = Object.entries(condition.equals).map(([name, value]) => {
    const field = expression.field(name);
    return value === undefined ? `attribute_not_exists(${field})` : `${field} = ${expression.value(value)}`;
  });
  return ['attribute_exists(p)', ...terms].join(' AND ');
}

/** An update that names nothing sets the fields' map to itself: its condition still counts, and its answer is the item. */
function setting(expression: Expression, set: Readonly<Record<string, FieldValue | undefined>>): string {
  const sets: string[] = [];
  const removes: string[] = [];
  for (const [name, value] of Object.entries(set)) {
    const field = expression.field(name);
    if (value === undefined) removes.push(field);
    else sets.push(`${field} = ${expression.value(value)}`);
  }
  if (sets.length + removes.length === 0) return 'SET f = f';
  return [sets.length === 0 ? '' : `SET ${sets.join(', ')}`, removes.length === 0 ? '' : `REMOVE ${removes.join(', ')}`].join(' ').trim();
}
