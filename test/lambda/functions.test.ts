// Functions as Lambda runs them, on emulators: their bundles as processes that are frozen between invocations, beside a channel task
// that leaves its upkeep to them.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import type { SQSBatchResponse } from 'aws-lambda';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DynamoMetadataStore } from '#core/adapters/aws/dynamo-metadata-store.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { Repository } from '#core/metadata/repository.ts';
import { bundleFunction, FUNCTION_NAMES, type FunctionName } from '#stacks/bundle.ts';
import { type Cloud, ROOT_TOKEN, startCloud } from '#test/support/aws/cloud.ts';
import { isMissing, missingDynamo, missingMoto, TEST_CREDENTIALS, TEST_REGION } from '#test/support/aws/emulators.ts';
import { createQueue, type TestQueue } from '#test/support/aws/queue.ts';
import { createLambda, type InvocationError, type Lambda } from '#test/support/lambda/lambda.ts';
import { type Server, startServer } from '#test/support/server.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const BASIN = 'cloud-basin';
const SCHEDULE = { source: 'aws.scheduler' };
const BUNDLE_BYTES_MAX = 2 * 1024 * 1024;
const MIB = 1024 * 1024;
const TIMEOUT_MS = 60_000;

const bundles = mkdtempSync(path.join(tmpdir(), 'millrace-functions-'));
const folderOf = (name: FunctionName): string => path.join(bundles, name);
const lambdas: Lambda[] = [];

async function lambdaOf(name: FunctionName, env: Readonly<Record<string, string>>): Promise<Lambda> {
  const lambda = await createLambda({ folder: folderOf(name), env, timeoutMs: TIMEOUT_MS });
  lambdas.push(lambda);
  return lambda;
}

beforeAll(() => {
  for (const name of FUNCTION_NAMES) bundleFunction(name, folderOf(name));
});
afterAll(async () => {
  for (const lambda of lambdas) await lambda.dispose();
  rmSync(bundles, { recursive: true });
});

test('each function is one file of at most 2 MB', () => {
  for (const name of FUNCTION_NAMES) {
    const { size } = statSync(path.join(folderOf(name), 'index.mjs'));
    console.log(`${name}: ${(size / MIB).toFixed(2)} MiB`);
    expect(size).toBeLessThan(BUNDLE_BYTES_MAX);
  }
});

describe('a function that is set up wrongly', () => {
  const env = { MILLRACE_TABLE: 'millrace', MILLRACE_BUCKET: 'millrace-data', AWS_REGION: TEST_REGION };
  test.each([
    ['MILLRACE_TABLE', '', 'MILLRACE_TABLE is ""; it must be the name of a table'],
    ['MILLRACE_BUCKET', 'Not A Bucket', 'MILLRACE_BUCKET is "Not A Bucket"; it must be the name of a bucket'],
    ['MILLRACE_EXPRESS_BUCKETS', 'one--use1-az1--x-s3', 'three directory buckets in three zones'],
  ])('does not start for a bad %s, and names it', async (name, value, message) => {
    const lambda = await lambdaOf('gc', { ...env, [name]: value });
    await expect(lambda.invoke(SCHEDULE)).rejects.toMatchObject({ type: 'SettingError', message: expect.stringContaining(message) });
  });
});

describe.skipIf(isMissing(missingDynamo(), missingMoto()))('functions', () => {
  let cloud: Cloud;
  let queue: TestQueue;
  let task: Server;
  let buckets: S3Client;
  let offload: Lambda;
  let env: Readonly<Record<string, string>>;
  let tables: DynamoDBClient;
  let repository: Repository;

  beforeAll(async () => {
    cloud = await startCloud();
    tables = new DynamoDBClient({ region: TEST_REGION, credentials: TEST_CREDENTIALS, endpoint: cloud.dynamo.endpoint });
    const attempts = { clock, random, attemptsMax: 3, attemptMsMax: 10_000, delayMs: { min: 20, max: 100 } };
    repository = new Repository(new DynamoMetadataStore({ client: tables, table: 'millrace', attempts }), clock, random);
    queue = await createQueue(cloud.s3.endpoint, 'offload');
    const common = { region: TEST_REGION, credentials: TEST_CREDENTIALS };
    buckets = new S3Client({ ...common, endpoint: cloud.s3.endpoint, forcePathStyle: true });
    const { MILLRACE_SIGNING_SECRET: _secret, MILLRACE_ROOT_TOKEN: _token, ...rest } = cloud.env;
    env = rest;
    task = await startServer({
      command: [process.execPath, 'functions/channel/main.ts'],
      env: { ...cloud.env, AWS_ENDPOINT_URL_SQS: cloud.s3.endpoint, MILLRACE_JOBS: 'functions', MILLRACE_OFFLOAD_QUEUE_URL: queue.url },
      readyTimeoutMs: 60_000,
    });
    await client().basins.create({ basin: BASIN });
    offload = await lambdaOf('offload', env);
  }, 120_000);
  afterEach(() => {
    cloud.s3.fault = undefined;
    cloud.dynamo.fault = undefined;
  });
  afterAll(async () => {
    queue?.close();
    buckets?.destroy();
    tables?.destroy();
    await task?.dispose();
    for (const lambda of lambdas) await lambda.dispose();
    await cloud?.stop();
  });

  const client = (): S2 => new S2({ accessToken: ROOT_TOKEN, endpoints: { account: task.url, basin: task.url } });

  async function newStream(name: string, config: object = {}): Promise<S2Stream> {
    const basin = client().basin(BASIN);
    await basin.streams.create({ stream: name, config: { storageClass: 'express', ...config } });
    return basin.stream(name);
  }

  async function append(stream: S2Stream, from: number, count: number): Promise<void> {
    for (let i = from; i < from + count; i += 1) await stream.append(AppendInput.create([AppendRecord.string({ body: `record ${i}` })]));
  }

  async function bodies(name: string): Promise<string[]> {
    const { records } = await client()
      .basin(BASIN)
      .stream(name)
      .read({ start: { from: { seqNum: 0 } } });
    return records.map((record) => record.body);
  }

  const expected = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

  async function gauge(name: string): Promise<number> {
    const answer = await fetch(`${task.url}/metrics`, { headers: { authorization: `Bearer ${ROOT_TOKEN}` } });
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await answer.text())?.[1] ?? Number.NaN);
  }

  const backlog = (): Promise<number> => gauge('millrace_channel_backlog_bytes\\{channel="express-0"\\}');
  const keysIn = async (bucket: string, prefix: string): Promise<string[]> => {
    const { Contents = [] } = await buckets.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  };
  const deliver = () => queue.deliver(async (event) => (await offload.invoke(event)) as SQSBatchResponse);

  /** Delivers messages until the owner knows that nothing waits any more. */
  async function offloadAll(): Promise<void> {
    const isDone = async (): Promise<boolean> => {
      expect((await deliver())?.batchItemFailures ?? []).toEqual([]);
      return (await backlog()) === 0;
    };
    await expect.poll(isDone, { timeout: 60_000, interval: 200 }).toBe(true);
  }

  test('offload moves what a task hints at into segments, and the task learns of it; it offloads nothing by itself', async () => {
    const stream = await newStream('offloaded');
    await append(stream, 0, 20);
    expect(await backlog()).toBeGreaterThan(0);
    await offloadAll();
    expect((await keysIn(cloud.bucket, 'segments/offload/')).length).toBeGreaterThan(0);
    await append(stream, 20, 5);
    await offloadAll();
    expect(task.output).not.toContain('job.offload.lagging');
    await task.stop();
    await task.start();
    expect(await bodies('offloaded')).toEqual(expected(25));
    console.log(`offload: ${offload.coldStart}`);
  });

  test('gc deletes the chunks of what is offloaded, in every zone', async () => {
    const gc = await lambdaOf('gc', env);
    const chunks = async (): Promise<number> => {
      const zones = await Promise.all(cloud.expressBuckets.map((bucket) => chunksIn(bucket)));
      return zones.reduce((sum, count) => sum + count, 0);
    };
    const before = await chunks();
    expect(before).toBeGreaterThan(20);
    expect(await gc.invoke(SCHEDULE)).toEqual({ 'gc/express-0': 'done', 'gc/standard-0': 'done', 'gc/objects': 'done' });
    expect(await chunks()).toBeLessThan(before / 4);
    expect(await bodies('offloaded')).toEqual(expected(25));
    expect(await gc.invoke(SCHEDULE)).toMatchObject({ 'gc/express-0': 'done' });
    console.log(`gc: ${gc.coldStart}`);
  });

  /** What a directory bucket holds: it lists only what a session asks for. */
  async function chunksIn(bucket: string): Promise<number> {
    const { Contents = [] } = await buckets.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'chunks/' }));
    return Contents.length;
  }

  test('trim removes what was deleted once the task has sealed it, and unlinks what retention ends', async () => {
    const trim = await lambdaOf('trim', env);
    await append(await newStream('deleted'), 0, 3);
    await append(await newStream('short', { retentionPolicy: { ageSecs: 1 } }), 0, 3);
    await offloadAll();
    await client().basin(BASIN).streams.delete({ stream: 'deleted' });
    await append(client().basin(BASIN).stream('offloaded'), 25, 1);
    await offloadAll();
    const names = async () => (await client().basin(BASIN).streams.list()).streams.map(({ name }) => name);
    expect(await names()).toContain('deleted');
    expect(await trim.invoke(SCHEDULE)).toEqual({ delete: 'done', trim: 'done', compact: 'done' });
    expect(await names()).not.toContain('deleted');
    // What its memory still holds the task goes on to serve.
    const { streamId } = (await repository.streams.find(BASIN, 'short')) ?? {};
    if (streamId === undefined) throw new Error('no stream');
    expect(await repository.segments.readState(streamId, 'strong')).toMatchObject({ tail: 3, trimPoint: 3 });
    console.log(`trim: ${trim.coldStart}`);
  });

  test('sweep deletes what no metadata names, and nothing else', async () => {
    const sweep = await lambdaOf('sweep', env);
    const kept = await keysIn(cloud.bucket, 'segments/');
    const orphan = `segments/offload/express-0/${'0'.repeat(15)}1/${'ab'.repeat(16)}`;
    await buckets.send(new PutObjectCommand({ Bucket: cloud.bucket, Key: orphan, Body: 'left by a crash' }));
    expect(await sweep.invoke(SCHEDULE)).toEqual({ 'sweep/express-0': 'done', 'sweep/standard-0': 'done', 'sweep/objects': 'done' });
    expect(await keysIn(cloud.bucket, 'segments/')).toEqual(kept);
    expect(await bodies('offloaded')).toEqual(expected(26));
    console.log(`sweep: ${sweep.coldStart}`);
  });

  test('two offloads at once do the work once', async () => {
    const other = await lambdaOf('offload', env);
    const stream = await newStream('twice');
    await append(stream, 0, 10);
    await expect.poll(backlog).toBeGreaterThan(0);
    const before = await keysIn(cloud.bucket, 'segments/offload/');
    const runs = await Promise.all([offload.invoke(SCHEDULE), other.invoke(SCHEDULE)]);
    // The one that started later may find nothing left to do.
    for (const run of runs) expect(['busy', 'done']).toContain((run as Record<string, string>)['express-0']);
    expect(await keysIn(cloud.bucket, 'segments/offload/')).toHaveLength(before.length + 1);
    expect(await bodies('twice')).toEqual(expected(10));
  });

  /** Calls `act` once a segment is put, before the store sees it. */
  function atPutOfSegment(act: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    cloud.s3.fault = ({ operation, path: key }) => {
      if (operation !== 'PutObject' || !key.includes('/segments/')) return undefined;
      cloud.s3.fault = undefined;
      act();
      resolve();
      return undefined;
    };
    return promise;
  }

  test('one that is frozen in the middle for longer than its lease, and thawed, harms nothing that another did meanwhile', async () => {
    const stream = await newStream('frozen');
    await append(stream, 0, 10);
    await queue.drain();
    const frozen = atPutOfSegment(() => offload.freeze());
    const slept = offload.invoke(SCHEDULE, { timeoutMs: 6_000, isTimed: false });
    await frozen;
    const other = await lambdaOf('offload', env);
    expect(await other.invoke(SCHEDULE)).toMatchObject({ 'express-0': 'busy' });
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(await other.invoke(SCHEDULE)).toMatchObject({ 'express-0': 'done' });
    await append(stream, 10, 5);
    offload.thaw();
    // Or it met a connection that was closed meanwhile, and says that it does not know what became of its change.
    const woken = slept.then((outcomes) => (outcomes as Record<string, string>)['express-0']).catch((error: InvocationError) => error.type);
    expect(['overtaken', 'StoreError']).toContain(await woken);
    // The process that slept serves on, also once every connection of it was closed while it was frozen.
    const { pid } = offload;
    await append(stream, 15, 5);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(await offload.invoke(SCHEDULE)).toMatchObject({ 'express-0': 'done' });
    expect(offload.pid).toBe(pid);
    await task.stop();
    await task.start();
    expect(await bodies('frozen')).toEqual(expected(20));
  });

  test('one that is cut off by its time is gone on with by the next, in a new process', async () => {
    const stream = await newStream('cut-off');
    await append(stream, 0, 10);
    const { pid } = offload;
    cloud.s3.fault = ({ operation, path: key }) => (operation === 'PutObject' && key.includes('/segments/') ? 'silence' : undefined);
    await expect(offload.invoke(SCHEDULE, { timeoutMs: 3_000 })).rejects.toMatchObject({ type: 'Sandbox.Timedout' });
    cloud.s3.fault = undefined;
    expect(await offload.invoke(SCHEDULE)).toMatchObject({ 'express-0': 'done' });
    expect(offload.pid).not.toBe(pid);
    await task.stop();
    await task.start();
    expect(await bodies('cut-off')).toEqual(expected(10));
  });

  test('J5: messages that nobody can follow are dead letters; those beside them are followed', async () => {
    await queue.drain();
    await append(await newStream('beside'), 0, 3);
    const poison = ['{"channel"', '{"version":1,"channel":"other-0","epoch":1,"to":1}'];
    for (const body of poison) await queue.send(body);
    const failures: number[] = [];
    const isEmpty = async (): Promise<boolean> => {
      const answer = await deliver();
      if (answer !== undefined) failures.push(answer.batchItemFailures.length);
      return (await queue.count()) === 0 && (await backlog()) === 0;
    };
    await expect.poll(isEmpty, { timeout: 60_000, interval: 500 }).toBe(true);
    expect(failures.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect((await queue.deadBodies()).toSorted()).toEqual(poison.toSorted());
    expect(offload.log).toContain('not a hint of what to offload');
    expect(offload.log).toContain('this cell has no channel other-0');
  });

  test('a table or a bucket that is not there is named, and looked for again by the next invocation', async () => {
    const gone = await lambdaOf('gc', { ...env, MILLRACE_TABLE: 'millrace-gone' });
    await expect(gone.invoke(SCHEDULE)).rejects.toMatchObject({ type: 'StoreError', message: expect.stringContaining('millrace-gone') });
    const { pid } = gone;
    await expect(gone.invoke(SCHEDULE)).rejects.toMatchObject({ message: expect.stringContaining('millrace-gone') });
    expect(gone.pid).toBe(pid);
  });
});
