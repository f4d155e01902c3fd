import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DynamoMetadataStore } from '#core/adapters/aws/dynamo-metadata-store.ts';
import { checkTableFormat } from '#core/adapters/aws/table-format.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import type { Write } from '#core/ports/metadata-store.ts';
import { metadataStoreContract } from '../../../contract/metadata-store.ts';
import { createTable } from '../../../support/aws/cloud.ts';
import { type Emulator, isMissing, missingDynamo, startDynamo, TEST_CREDENTIALS, TEST_REGION } from '../../../support/aws/emulators.ts';
import { type Front, startFront } from '../../../support/aws/front.ts';

// An emulator takes some milliseconds a request, and far more beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const attempts = { clock, random, attemptsMax: 8, attemptMsMax: 5_000, delayMs: { min: 10, max: 200 } };

describe.skipIf(isMissing(missingDynamo()))('DynamoDB', () => {
  let emulator: Emulator;
  let front: Front;
  let client: DynamoDBClient;
  let tables = 0;

  beforeAll(async () => {
    emulator = await startDynamo();
    front = await startFront(emulator.endpoint);
    client = new DynamoDBClient({ endpoint: front.endpoint, region: TEST_REGION, credentials: TEST_CREDENTIALS, maxAttempts: 1 });
  }, 90_000);
  afterEach(() => {
    front.fault = undefined;
  });
  afterAll(async () => {
    client?.destroy();
    await front?.stop();
    await emulator?.stop();
  });

  async function newTable(): Promise<string> {
    tables += 1;
    const table = `millrace-${tables}`;
    await createTable(client, table);
    return table;
  }

  metadataStoreContract('the table of DynamoDB', async () => {
    const table = await newTable();
    const open = (): DynamoMetadataStore => new DynamoMetadataStore({ client, table, attempts });
    return { store: open(), reopen: async () => open() };
  });

  test('a query of more than a page of DynamoDB goes on to its limit', async () => {
    const store = new DynamoMetadataStore({ client, table: await newTable(), attempts });
    const text = 'x'.repeat(100_000);
    for (let i = 0; i < 25; i += 1) {
      await store.commit([{ kind: 'put', key: { partition: 'p', sort: `k${String(i).padStart(2, '0')}` }, fields: { text } }]);
    }
    const found = await store.query('p', { start: 'k03', end: 'k20', reverse: true }, 16, 'strong');
    expect(found.map(({ sort }) => sort)).toEqual(Array.from({ length: 16 }, (_, i) => `k${String(19 - i).padStart(2, '0')}`));
  });

  const put = (sort: string, n: number, when?: { absent: true }): Write =>
    ({ kind: 'put', key: { partition: 'p', sort }, fields: { n }, ...(when === undefined ? {} : { when }) }) as Write;
  const newStore = async (attemptMsMax = attempts.attemptMsMax): Promise<DynamoMetadataStore> =>
    new DynamoMetadataStore({ client, table: await newTable(), attempts: { ...attempts, attemptMsMax } });
  const numberAt = async (store: DynamoMetadataStore, sort: string): Promise<unknown> =>
    (await store.get({ partition: 'p', sort }, 'strong'))?.fields['n'];

  test.each(['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded', 'TransactionConflictException'])(
    '%s is tried again, and in the end means that nothing was written',
    async (code) => {
      const store = await newStore();
      front.failFirst(3, 'PutItem', { answer: 400, code });
      expect((await store.commit([put('a', 1)])).committed).toBe(true);
      front.failFirst(8, 'PutItem', { answer: 400, code });
      await expect(store.commit([put('a', 2)])).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
      expect(await numberAt(store, 'a')).toBe(1);
    },
  );

  test('M21: one write whose answer was lost is unknown, and is not repeated', async () => {
    const store = await newStore();
    const puts = front.seen.get('PutItem') ?? 0;
    front.failFirst(1, 'PutItem', 'lost answer');
    await expect(store.commit([put('a', 1, { absent: true })])).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    expect(front.seen.get('PutItem')).toBe(puts + 1);
    expect(await numberAt(store, 'a')).toBe(1);
  });

  test('M21: a transaction whose answer was lost is repeated, and answers as if it had been one', async () => {
    const store = await newStore();
    front.failFirst(2, 'TransactWriteItems', 'lost answer');
    const answer = await store.commit([put('a', 1, { absent: true }), put('b', 2, { absent: true })]);
    expect(answer).toEqual({ committed: true, items: [expect.objectContaining({ sort: 'a' }), expect.objectContaining({ sort: 'b' })] });
    expect(await numberAt(store, 'b')).toBe(2);
  });

  test('an update among others answers with the item that it made', async () => {
    const store = await newStore();
    await store.commit([{ kind: 'put', key: { partition: 'p', sort: 'a' }, fields: { n: 1, kept: true } }]);
    const update: Write = { kind: 'update', key: { partition: 'p', sort: 'a' }, set: { n: 2 } };
    const answer = await store.commit([update, put('b', 1)]);
    expect(answer.committed && answer.items[0]?.fields).toEqual({ n: 2, kept: true });
  });

  test('many transactions on one item at once are all answered, each all or nothing', async () => {
    const store = await newStore();
    const answers = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => store.commit([put('shared', i), put(`own-${i}`, i)])));
    const committed = answers.flatMap((answer, i) => (answer.status === 'fulfilled' && answer.value.committed ? [i] : []));
    expect(committed.length).toBeGreaterThan(0);
    for (let i = 0; i < 12; i += 1) expect(await numberAt(store, `own-${i}`)).toBe(committed.includes(i) ? i : undefined);
  });

  test('reads are tried again after whatever may pass, and not after what stays', async () => {
    const store = await newStore(300);
    await store.commit([put('a', 1)]);
    for (const fault of [{ answer: 500, code: 'InternalServerError' }, 'lost answer', 'silence'] as const) {
      front.failFirst(2, 'GetItem', fault);
      expect(await numberAt(store, 'a')).toBe(1);
    }
    const reads = front.seen.get('GetItem') ?? 0;
    front.failFirst(1, 'GetItem', { answer: 400, code: 'AccessDeniedException' });
    await expect(numberAt(store, 'a')).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(front.seen.get('GetItem')).toBe(reads + 1);
  });

  test('a table that is not there is told by its name, and nothing was written', async () => {
    const store = new DynamoMetadataStore({ client, table: 'millrace-gone', attempts });
    const failure = { code: 'storage', effect: 'none', message: expect.stringContaining('millrace-gone') };
    await expect(store.get({ partition: 'p', sort: 'a' }, 'strong')).rejects.toMatchObject(failure);
    await expect(store.commit([put('a', 1)])).rejects.toMatchObject(failure);
    await expect(store.commit([put('a', 1), put('b', 1)])).rejects.toMatchObject(failure);
  });

  test('text that UTF-8 cannot say is refused before it is stored as something else', async () => {
    const store = await newStore();
    const fields = { text: '\ud800' };
    await expect(store.commit([{ kind: 'put', key: { partition: 'p', sort: 'a' }, fields }])).rejects.toMatchObject({ code: 'invalid' });
  });

  test('M22: a new table is marked; one of a newer version, or of something else, is refused by its name', async () => {
    const store = await newStore();
    await checkTableFormat(store, 'some-table');
    await checkTableFormat(store, 'some-table');
    const key = { partition: 'table', sort: 'format' };
    await store.commit([{ kind: 'put', key, fields: { version: 2 } }]);
    await expect(checkTableFormat(store, 'some-table')).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('some-table has format 2'),
    });
    await store.commit([{ kind: 'put', key, fields: {} }]);
    await expect(checkTableFormat(store, 'some-table')).rejects.toThrow('is not a table of Millrace');
  });
});
