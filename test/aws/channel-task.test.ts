// A channel task as it runs in the cloud, on emulators: three zones of S3 Express, S3 Standard, DynamoDB,
// three chunk servers, and the official SDK.

import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cloud, ROOT_TOKEN, startCloud } from '#test/support/aws/cloud.ts';
import { isMissing, missingDynamo, missingMoto } from '#test/support/aws/emulators.ts';
import { type ChunkServers, startChunkServers } from '#test/support/chunk-servers.ts';
import { type Server, startServer } from '#test/support/server.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const BASIN = 'cloud-basin';
const COMMAND = [process.execPath, 'functions/channel/main.ts'] as const;

describe.skipIf(isMissing(missingDynamo(), missingMoto()))('a channel task', () => {
  let cloud: Cloud;
  let native: ChunkServers;
  let env: Readonly<Record<string, string>>;
  let task: Server;

  beforeAll(async () => {
    [cloud, native] = await Promise.all([startCloud(), startChunkServers()]);
    env = { ...cloud.env, ...native.env };
    task = await startServer({ command: COMMAND, env, readyTimeoutMs: 60_000 });
    await clientOf(task).basins.create({ basin: BASIN });
  }, 120_000);
  afterAll(async () => {
    await task?.dispose();
    await native?.dispose();
    await cloud?.stop();
  });

  const clientOf = ({ url }: Server): S2 => new S2({ accessToken: ROOT_TOKEN, endpoints: { account: url, basin: url } });

  async function newStream(name: string, storageClass: 'express' | 'standard' | 'native'): Promise<S2Stream> {
    const basin = clientOf(task).basin(BASIN);
    // The SDK knows the classes of S2 alone, and passes on what it is given.
    await basin.streams.create({ stream: name, config: { storageClass: storageClass as 'express' } });
    return basin.stream(name);
  }

  async function append(stream: S2Stream, from: number, count: number): Promise<void> {
    for (let i = from; i < from + count; i += 1) {
      const ack = await stream.append(AppendInput.create([AppendRecord.string({ body: `record ${i}` })]));
      expect(ack.start.seqNum).toBe(i);
    }
  }

  async function bodies(server: Server, name: string): Promise<string[]> {
    const { records } = await clientOf(server)
      .basin(BASIN)
      .stream(name)
      .read({ start: { from: { seqNum: 0 } } });
    return records.map((record) => record.body);
  }

  const expected = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

  test.each(['express', 'standard', 'native'] as const)('appends to and reads a stream of class %s', async (storageClass) => {
    const stream = await newStream(storageClass, storageClass);
    await append(stream, 0, 10);
    expect(await bodies(task, storageClass)).toEqual(expected(10));
  });

  test('what it acknowledged is there after a kill, on another task that waited for the lease, and after a release at once', async () => {
    const stream = await newStream('taken-over', 'express');
    await append(stream, 0, 5);
    await task.kill();
    const heir = await startServer({ command: COMMAND, env, readyTimeoutMs: 60_000 });
    await task.dispose();
    task = heir;
    // It serves at once, and has the channel once the lease has run out.
    await expect.poll(() => bodies(task, 'taken-over').catch(String), { timeout: 30_000 }).toEqual(expected(5));
    await append(clientOf(task).basin(BASIN).stream('taken-over'), 5, 5);
    await task.stop();
    const stopped = performance.now();
    await task.start();
    console.log(`after a release another task served in ${Math.round(performance.now() - stopped)} ms`);
    expect(await bodies(task, 'taken-over')).toEqual(expected(10));
  }, 120_000);

  test('one zone that fails stops nothing', async () => {
    const stream = await newStream('two-zones', 'express');
    await append(stream, 0, 3);
    cloud.s3.fault = ({ path }) =>
      path.startsWith(`/${cloud.expressBuckets[1]}`) ? { answer: 503, code: 'ServiceUnavailable' } : undefined;
    await append(stream, 3, 10);
    cloud.s3.fault = undefined;
    await append(stream, 13, 3);
    expect(await bodies(task, 'two-zones')).toEqual(expected(16));
  }, 60_000);

  test('history is offloaded into segments, its chunks are deleted, and it is read from there', async () => {
    const stream = await newStream('offloaded', 'express');
    await append(stream, 0, 20);
    const isOffloaded = async (): Promise<boolean> => {
      const answer = await fetch(`${task.url}/metrics`, { headers: { authorization: `Bearer ${ROOT_TOKEN}` } });
      return /millrace_channel_backlog_bytes\{channel="express-0"\} 0\n/.test(await answer.text());
    };
    await expect.poll(isOffloaded, { timeout: 30_000, interval: 200 }).toBe(true);
    await expect.poll(() => cloud.s3.seen.get('DeleteObjects') ?? 0, { timeout: 30_000 }).toBeGreaterThan(0);
    await task.stop();
    await task.start();
    expect(await bodies(task, 'offloaded')).toEqual(expected(20));
  }, 90_000);

  test('each of the services was asked', () => {
    console.log('S3:', Object.fromEntries(cloud.s3.seen), 'DynamoDB:', Object.fromEntries(cloud.dynamo.seen));
    for (const operation of ['CreateSession', 'PutObject', 'GetObject', 'ListObjectsV2', 'DeleteObjects']) {
      expect(cloud.s3.seen.get(operation) ?? 0, operation).toBeGreaterThan(0);
    }
    for (const operation of ['GetItem', 'PutItem', 'UpdateItem', 'Query', 'TransactWriteItems']) {
      expect(cloud.dynamo.seen.get(operation) ?? 0, operation).toBeGreaterThan(0);
    }
  });

  test.each([
    ['MILLRACE_TABLE', '', 'MILLRACE_TABLE is ""'],
    ['MILLRACE_BUCKET', 'Not A Bucket', 'MILLRACE_BUCKET is "Not A Bucket"'],
    ['MILLRACE_EXPRESS_BUCKETS', 'one--use1-az1--x-s3', 'three directory buckets'],
    ['MILLRACE_ZONE_SECRET', '', 'MILLRACE_ZONE_SECRET is missing'],
    ['MILLRACE_SIGNING_SECRET', '', 'MILLRACE_SIGNING_SECRET is missing'],
    ['MILLRACE_SIGNING_SECRET', 'too short', 'at least 32 characters'],
    ['MILLRACE_TABLE', 'millrace-gone', 'millrace-gone'],
    ['MILLRACE_BUCKET', 'millrace-gone', 'millrace-gone'],
  ])('a bad %s ends it with 1 and names what is wrong, and no secret', async (name, value, message) => {
    const bad = await startServer({ command: COMMAND, env: { ...env, [name]: value } }).catch((error: unknown) => String(error));
    expect(bad).toContain('ended (1)');
    expect(bad).toContain(message);
    expect(bad).not.toContain(ROOT_TOKEN);
  });
});
