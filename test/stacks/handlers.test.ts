// What runs at deployments: the answers that CloudFormation waits for, buckets that are emptied, groups that keep their hosts.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answering } from '#stacks/handlers/answer.mjs';
import { emptyBucket } from '#stacks/handlers/empty-buckets.mjs';
import { keepHosts } from '#stacks/handlers/keep-hosts.mjs';
import { type Emulator, isMissing, missingMoto, startMoto, TEST_CREDENTIALS, TEST_REGION } from '#test/support/aws/emulators.ts';
import { type Front, startFront } from '#test/support/aws/front.ts';

const EVENT = { StackId: 'stack', RequestId: 'request', LogicalResourceId: 'resource', ResourceProperties: {} };

/** What CloudFormation is told. */
async function told(run: () => Promise<void>, event: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
    request.on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ResponseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer`;
  await answering(run)({ RequestType: 'Create', ...EVENT, ...event, ResponseURL }, {});
  server.close();
  return JSON.parse(bodies.join('')) as Record<string, unknown>;
}

describe('a handler', () => {
  test('answers what it did, under the name that the resource has', async () => {
    const { StackId, RequestId, LogicalResourceId } = EVENT;
    const common = { Status: 'SUCCESS', StackId, RequestId, LogicalResourceId };
    expect(await told(async () => undefined)).toMatchObject({ ...common, PhysicalResourceId: 'resource' });
    expect(await told(async () => undefined, { PhysicalResourceId: 'before' })).toMatchObject({ PhysicalResourceId: 'before' });
  });

  test('answers that it failed, and why, in place of letting a stack wait', async () => {
    const failing = () => Promise.reject(new Error('a bucket is not empty yet'));
    expect(await told(failing)).toMatchObject({ Status: 'FAILED', Reason: 'a bucket is not empty yet' });
  });
});

test('Z21: groups of hosts stop replacing those that seem ill, and nothing is asked when the stack goes', async () => {
  const asked: unknown[] = [];
  const suspend = async (input: unknown) => void asked.push(input);
  const ResourceProperties = { Groups: ['a', 'b'] };
  for (const RequestType of ['Create', 'Update', 'Delete']) await keepHosts({ RequestType, ResourceProperties }, suspend);
  const processes = { ScalingProcesses: ['ReplaceUnhealthy', 'AZRebalance'] };
  expect(asked).toEqual(['a', 'b', 'a', 'b'].map((AutoScalingGroupName) => ({ AutoScalingGroupName, ...processes })));
});

describe.skipIf(isMissing(missingMoto()))('a bucket that goes', () => {
  let moto: Emulator;
  let front: Front;
  let client: S3Client;
  beforeAll(async () => {
    moto = await startMoto();
    front = await startFront(moto.endpoint);
    client = new S3Client({ endpoint: front.endpoint, region: TEST_REGION, credentials: TEST_CREDENTIALS, forcePathStyle: true });
  }, 60_000);
  afterAll(async () => {
    client?.destroy();
    await front?.stop();
    await moto?.stop();
  });

  const put = async (Bucket: string, Key: string): Promise<unknown> => await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  const counted = async (Bucket: string): Promise<number> => {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    return Versions.length + DeleteMarkers.length + Uploads.length;
  };
  const forever = () => 600_000;

  test('is emptied of every version, marker and upload', async () => {
    const Bucket = 'millrace-versions';
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    for (const key of ['a', 'a', 'b/c']) await put(Bucket, key);
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
    await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'unfinished' }));
    expect(await counted(Bucket)).toBe(5);
    await emptyBucket(client, Bucket, forever);
    expect(await counted(Bucket)).toBe(0);
    await emptyBucket(client, Bucket, forever);
  });

  test('is emptied page by page, also a directory bucket', async () => {
    const Bucket = 'millrace-0--use1-az4--x-s3';
    await client.send(new CreateBucketCommand({ Bucket }));
    for (let i = 0; i < 30; i += 1) await put(Bucket, `log/${i}`);
    const before = front.seen.get('ListObjectsV2') ?? 0;
    await emptyBucket(client, Bucket, forever);
    expect((front.seen.get('ListObjectsV2') ?? 0) - before).toBe(2);
  });

  test('that is not empty in time says so, and goes on at the next deletion', async () => {
    const Bucket = 'millrace-large';
    await client.send(new CreateBucketCommand({ Bucket }));
    await put(Bucket, 'a');
    await expect(emptyBucket(client, Bucket, () => 1_000)).rejects.toThrow('millrace-large is not empty yet; delete the stack again');
    expect(await counted(Bucket)).toBe(1);
  });
});
