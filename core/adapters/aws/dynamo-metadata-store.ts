// Metadata in one table of DynamoDB, on demand. docs/dynamodb.md has its keys and how they are used.
//
// One write is a conditional put, update or delete; only several at once are a transaction, which costs twice as much. A write that
// is alone has no token by which DynamoDB could tell a repetition from another write, so after an attempt that may have been
// applied it is not repeated: its own condition would fail, and say that nothing was written (M21).
//
//   M21 A commit that may have been applied is never answered with `committed: false`.

import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { compareBytes } from '../../base/byte-order.ts';
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import type { CommitResult, Consistency, Item, Key, MetadataStore, Write } from '../../ports/metadata-store.ts';
import { applied, checkKey, checkQuery, checkWrites, mayApply } from '../metadata-writes.ts';
import { type AttemptPolicy, withAttempts } from './attempts.ts';
import { type DynamoItem, dynamoKey, fromItem } from './dynamo-values.ts';
import { transactItem } from './dynamo-writes.ts';
import type { Failure } from './failure.ts';

export interface DynamoMetadataOptions {
  /** Made by `createDynamoClient`: one attempt a request. */
  readonly client: Pick<DynamoDBClient, 'send'>;
  readonly table: string;
  readonly attempts: AttemptPolicy;
}

/** DynamoDB remembers a transaction's token for ten minutes: longer than all attempts together. */
const TOKEN_BYTES = 16;

export class DynamoMetadataStore implements MetadataStore {
  readonly #client: Pick<DynamoDBClient, 'send'>;
  readonly #table: string;
  readonly #attempts: AttemptPolicy;

  constructor({ client, table, attempts }: DynamoMetadataOptions) {
    this.#client = client;
    this.#table = table;
    this.#attempts = attempts;
  }

  async get(key: Key, consistency: Consistency): Promise<Item | undefined> {
    checkKey(key);
    const command = new GetItemCommand({ TableName: this.#table, Key: dynamoKey(key), ConsistentRead: consistency === 'strong' });
    const { Item } = await this.#call('get', (abortSignal) => this.#client.send(command, { abortSignal }));
    return Item === undefined ? undefined : fromItem(Item);
  }

  async query(
    partition: string,
    range: { readonly start: string; readonly end?: string; readonly reverse?: boolean },
    limit: number,
    consistency: Consistency,
  ): Promise<readonly Item[]> {
    checkQuery(partition, limit);
    const { start, end, reverse = false } = range;
    if (end !== undefined && compareBytes(start, end) >= 0) return [];
    const items: Item[] = [];
    let from: DynamoItem | undefined;
    do {
      const command = new QueryCommand({
        TableName: this.#table,
        ...keyCondition(partition, start, end),
        ConsistentRead: consistency === 'strong',
        ScanIndexForward: !reverse,
        // BETWEEN includes its end, which the port does not.
        Limit: limit - items.length + 1,
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#call('query', (abortSignal) => this.#client.send(command, { abortSignal }));
      for (const item of Items) if (item['s']?.S !== end || end === undefined) items.push(fromItem(item));
      from = LastEvaluatedKey;
    } while (from !== undefined && items.length < limit);
    return items.slice(0, limit);
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    checkWrites(writes);
    const [first, ...others] = writes;
    invariant(first !== undefined, 'a commit has a write');
    if (others.length > 0) return await this.#transact(writes);
    return first.kind === 'check' ? await this.#check(first) : await this.#writeOne(first);
  }

  async #check(write: Write): Promise<CommitResult> {
    const current = await this.get(write.key, 'strong');
    return mayApply(write, current?.fields)
      ? { committed: true, items: [undefined] }
      : { committed: false, failed: [0], current: [current] };
  }

  async #writeOne(write: Exclude<Write, { kind: 'check' }>): Promise<CommitResult> {
    const { Put, Update, Delete } = transactItem(this.#table, write);
    const mayRepeat = (failure: Failure): boolean => failure.effect === 'none';
    return await this.#call(
      'commit',
      async (abortSignal): Promise<CommitResult> => {
        try {
          if (Put !== undefined) {
            await this.#client.send(new PutItemCommand(Put), { abortSignal });
            return { committed: true, items: [itemAfter(write)] };
          }
          if (Update !== undefined) {
            const command = new UpdateItemCommand({ ...Update, ReturnValues: 'ALL_NEW' });
            const { Attributes } = await this.#client.send(command, { abortSignal });
            invariant(Attributes !== undefined, 'an update answers with the item');
            return { committed: true, items: [fromItem(Attributes)] };
          }
          invariant(Delete !== undefined, 'a write is a put, an update or a delete');
          await this.#client.send(new DeleteItemCommand(Delete), { abortSignal });
          return { committed: true, items: [undefined] };
        } catch (error) {
          if (!isNamed(error, 'ConditionalCheckFailedException')) throw error;
          return { committed: false, failed: [0], current: [itemOf(error)] };
        }
      },
      mayRepeat,
    );
  }

  async #transact(writes: readonly Write[]): Promise<CommitResult> {
    const command = new TransactWriteItemsCommand({
      TransactItems: writes.map((write) => transactItem(this.#table, write)),
      // M21: whatever the first attempt did, a repetition of it does nothing else, and says the same.
      ClientRequestToken: toHex(this.#attempts.random.bytes(TOKEN_BYTES)),
    });
    const refused = await this.#call('commit', async (abortSignal): Promise<CommitResult | undefined> => {
      try {
        await this.#client.send(command, { abortSignal });
        return undefined;
      } catch (error) {
        const failed = failedConditions(error);
        if (failed.length === 0) throw error;
        return { committed: false, failed: failed.map(({ at }) => at), current: failed.map(({ current }) => current) };
      }
    });
    if (refused !== undefined) return refused;
    // A transaction does not answer with what an update made.
    const items = await Promise.all(writes.map((write) => (write.kind === 'update' ? this.get(write.key, 'strong') : itemAfter(write))));
    return { committed: true, items };
  }

  #call<T>(operation: string, call: (signal: AbortSignal) => Promise<T>, mayRepeat?: (failure: Failure) => boolean): Promise<T> {
    return withAttempts(`table ${this.#table}: ${operation}`, this.#attempts, call, mayRepeat);
  }
}

function keyCondition(partition: string, start: string, end: string | undefined): Partial<QueryCommandInput> {
  const bounds: DynamoItem = { ':p': { S: partition } };
  let text = 'p = :p';
  // A value of a key is never empty, and nothing sorts before all of them.
  if (start !== '' && end !== undefined) text += ' AND s BETWEEN :start AND :end';
  else if (start !== '') text += ' AND s >= :start';
  else if (end !== undefined) text += ' AND s < :end';
  if (start !== '') bounds[':start'] = { S: start };
  if (end !== undefined) bounds[':end'] = { S: end };
  return { KeyConditionExpression: text, ExpressionAttributeValues: bounds };
}

function itemAfter(write: Write): Item | undefined {
  const fields = write.kind === 'put' ? applied(write, undefined) : undefined;
  // The caller may go on to change what it gave.
  return fields === undefined ? undefined : { ...write.key, fields: structuredClone(fields) };
}

function isNamed(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name;
}

function itemOf(holder: object): Item | undefined {
  const item = 'Item' in holder ? (holder.Item as DynamoItem | undefined) : undefined;
  return item === undefined || Object.keys(item).length === 0 ? undefined : fromItem(item);
}

/** Which conditions of a cancelled transaction failed; none where it was cancelled for another reason. */
function failedConditions(error: unknown): { readonly at: number; readonly current: Item | undefined }[] {
  if (!isNamed(error, 'TransactionCanceledException')) return [];
  const reasons = 'CancellationReasons' in error && Array.isArray(error.CancellationReasons) ? error.CancellationReasons : [];
  return reasons.flatMap((reason: { Code?: string } | undefined, at) =>
    reason?.Code === 'ConditionalCheckFailed' ? [{ at, current: itemOf(reason) }] : [],
  );
}
