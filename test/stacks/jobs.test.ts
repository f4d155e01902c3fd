import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { readStorageEnv } from '#functions/aws/env.ts';
import { readChannelEnv } from '#functions/channel/env.ts';
import { JOB_NAMES } from '#stacks/bundle.ts';
import { Millrace } from '#stacks/millrace.ts';
import type { Zones } from '#stacks/zones.ts';

// A synthesis bundles four functions and hashes what goes into the image.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ZONES: Zones = [
  { name: 'us-east-1a', id: 'use1-az4' },
  { name: 'us-east-1b', id: 'use1-az5' },
  { name: 'us-east-1c', id: 'use1-az6' },
];

interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}

function synthesised(jobs: 'functions' | 'task'): { readonly template: Template; readonly folder: string } {
  const app = new App();
  const stack = new Stack(app, 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
  new Millrace(stack, 'Cell', { zones: ZONES, jobs });
  const { directory } = app.synth();
  return { template: Template.fromStack(stack), folder: directory };
}

describe('functions of a cell', () => {
  let template: Template;
  let folder: string;
  beforeAll(() => {
    ({ template, folder } = synthesised('functions'));
  });

  const resources = (type: string): [string, Resource][] => Object.entries(template.findResources(type)) as [string, Resource][];
  /** By the name of the function that they belong to. */
  const ofFunction = (type: string, name: string): Resource => {
    const found = resources(type).filter(([id]) => id.includes(`Jobs${name}`));
    if (found.length !== 1) throw new Error(`${found.length} of ${type} for ${name}`);
    return (found[0] as [string, Resource])[1];
  };

  test.each(JOB_NAMES)('%s runs on Node 24 on arm64, from one small file, with settings that it takes', (name) => {
    const { Properties } = ofFunction('AWS::Lambda::Function', name);
    expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
    const { S3Key } = Properties['Code'] as { S3Key: string };
    const file = path.join(folder, `asset.${S3Key.replace('.zip', '')}`, 'index.mjs');
    expect(statSync(file).size).toBeLessThan(2 * 1024 * 1024);
    expect(readFileSync(file, 'utf8')).toContain('job.ended');
    const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> };
    const text = (variable: string): string =>
      typeof Variables[variable] === 'string'
        ? Variables[variable]
        : variable === 'MILLRACE_EXPRESS_BUCKETS'
          ? ZONES.map(({ id }) => `millrace-0--${id}--x-s3`).join(',')
          : 'made-by-the-stack';
    expect(readStorageEnv(Object.fromEntries(Object.keys(Variables).map((variable) => [variable, text(variable)])))).toMatchObject({
      table: 'made-by-the-stack',
      expressBuckets: expect.arrayContaining([expect.stringContaining('use1-az4')]),
    });
  });

  test.each(JOB_NAMES)('%s has a schedule, keeps its log for a month, and may touch nothing but table and buckets', (name) => {
    const { Properties } = ofFunction('AWS::Events::Rule', name);
    expect(Properties['ScheduleExpression']).toBe(name === 'sweep' ? 'rate(1 hour)' : 'rate(5 minutes)');
    expect(ofFunction('AWS::Logs::LogGroup', name).Properties['RetentionInDays']).toBe(30);
    const { Statement } = ofFunction('AWS::IAM::Policy', name).Properties['PolicyDocument'] as {
      Statement: { Action: string | string[]; Resource: unknown }[];
    };
    const services = new Set(Statement.flatMap(({ Action }) => Action).map((action) => action.split(':')[0]));
    const expected = ['dynamodb', 'logs', 's3', 's3express', ...(name === 'offload' ? ['sqs'] : [])];
    expect([...services].toSorted()).toEqual(expected);
    for (const { Resource } of Statement) expect(JSON.stringify(Resource)).not.toBe('"*"');
  });

  test('offload takes hints from a queue whose messages become dead letters before they are forgotten', () => {
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: Match.anyValue() },
    });
    const [, queue] = resources('AWS::SQS::Queue').find(([id]) => id.includes('Hints')) as [string, Resource];
    const { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = queue.Properties as {
      VisibilityTimeout: number;
      MessageRetentionPeriod: number;
      RedrivePolicy: { maxReceiveCount: number };
    };
    const { Timeout } = ofFunction('AWS::Lambda::Function', 'offload').Properties as { Timeout: number };
    expect(VisibilityTimeout).toBeGreaterThan(Timeout);
    expect(MessageRetentionPeriod).toBeGreaterThan(2 * VisibilityTimeout * RedrivePolicy.maxReceiveCount);
  });

  test('nobody sends hints but the task, and everything in the queues is encrypted on the way and at rest', () => {
    const senders = resources('AWS::IAM::Policy').filter(([, each]) => JSON.stringify(each).includes('sqs:SendMessage'));
    expect(senders.map(([id]) => id)).toEqual([expect.stringContaining('ChannelsTask')]);
    for (const [, { Properties }] of resources('AWS::SQS::Queue')) expect(Properties['SqsManagedSseEnabled']).toBe(true);
    const policies = resources('AWS::SQS::QueuePolicy');
    expect(policies).toHaveLength(2);
    for (const [, policy] of policies) expect(JSON.stringify(policy)).toContain('"aws:SecureTransport":"false"');
  });

  test('each alarm names a section of docs/operations.md that is there', () => {
    const text = readFileSync('docs/operations.md', 'utf8');
    const sections = new Set([...text.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')));
    const alarms = resources('AWS::CloudWatch::Alarm').map(([, { Properties }]) => String(Properties['AlarmDescription']));
    expect(alarms).toHaveLength(11);
    for (const alarm of alarms) expect([...sections]).toContain(alarm.replace('docs/operations.md#', ''));
    const failing = alarms.filter((alarm) => alarm.endsWith('#a-function-fails'));
    expect(failing).toHaveLength(JOB_NAMES.length);
  });
});

describe('a cell whose task does the jobs', () => {
  test('has neither functions nor queues, and a task that knows', () => {
    const { template } = synthesised('task');
    for (const type of ['AWS::Lambda::EventSourceMapping', 'AWS::SQS::Queue', 'AWS::Events::Rule']) template.resourceCountIs(type, 0);
    const [task] = Object.values(template.findResources('AWS::ECS::TaskDefinition')) as Resource[];
    const containers = (task?.Properties['ContainerDefinitions'] ?? []) as { Environment: { Name: string }[] }[];
    const names = containers.flatMap(({ Environment }) => Environment.map(({ Name }) => Name));
    expect(names).toContain('MILLRACE_TABLE');
    expect(names.filter((name) => /JOBS|QUEUE/.test(name))).toEqual([]);
    const secrets = { MILLRACE_SIGNING_SECRET: 'x'.repeat(48), MILLRACE_ROOT_TOKEN: 'x'.repeat(48) };
    const env = readChannelEnv({ ...secrets, MILLRACE_TABLE: 'a-table', MILLRACE_BUCKET: 'a-bucket' });
    expect(env).toMatchObject({ offloadQueueUrl: undefined, config: { upkeep: 'here' } });
  });
});
