import { readFileSync } from 'node:fs';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { readStorageEnv } from '#functions/aws/env.ts';
import { readChunkServerEnv } from '#functions/chunk-server/env.ts';
import { STOP_MS_MAX } from '#functions/local/signals.ts';
import { readZonesEnv } from '#functions/zones/env.ts';
import { Millrace } from '#stacks/millrace.ts';
import type { Zones } from '#stacks/zones.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ZONES: Zones = [
  { name: 'us-east-1a', id: 'use1-az4' },
  { name: 'us-east-1b', id: 'use1-az5' },
  { name: 'us-east-1c', id: 'use1-az6' },
];
const SECRET = 'x'.repeat(48);

interface Resource {
  readonly Type: string;
  readonly DependsOn?: readonly string[];
  readonly Properties: Record<string, unknown>;
}
interface Container {
  readonly Command?: readonly string[];
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly Secrets: readonly { readonly Name: string }[];
  readonly StopTimeout: number;
}

function synthesised(removalPolicy?: RemovalPolicy.DESTROY): Template {
  const stack = new Stack(new App(), 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
  new Millrace(stack, 'Cell', {
    zones: ZONES,
    chunkServers: { instanceType: 'i8g.large' },
    ...(removalPolicy === undefined ? {} : { removalPolicy }),
  });
  return Template.fromStack(stack);
}

describe('chunk servers', () => {
  let template: Template;
  let all: [string, Resource][];
  beforeAll(() => {
    template = synthesised();
    all = Object.entries(template.toJSON()['Resources'] as Record<string, Resource>);
  });

  const of = (type: string, part = 'ChunkServers'): [string, Resource][] =>
    all.filter(([id, { Type }]) => Type === type && id.includes(part));
  const containerOf = (part: string): Container => {
    const containers = of('AWS::ECS::TaskDefinition', part).flatMap(
      ([, { Properties }]) => Properties['ContainerDefinitions'] as Container[],
    );
    return containers[0] as Container;
  };
  const variablesOf = ({ Environment, Secrets }: Container): Record<string, string> =>
    Object.fromEntries([
      ...Environment.map(({ Name, Value }) => [Name, typeof Value === 'string' ? Value : 'made-by-the-stack'] as const),
      ...Secrets.map(({ Name }) => [Name, SECRET] as const),
    ]);

  test('are one a zone, each on one host of its own zone, which has the disk', () => {
    const groups = of('AWS::AutoScaling::AutoScalingGroup');
    expect(groups).toHaveLength(3);
    const subnets = groups.map(([, { Properties }]) => JSON.stringify(Properties['VPCZoneIdentifier']));
    expect(new Set(subnets).size).toBe(3);
    for (const [, { Properties }] of groups) {
      expect(Properties).toMatchObject({ MinSize: '1', MaxSize: '1', NewInstancesProtectedFromScaleIn: true });
      expect(Properties['VPCZoneIdentifier']).toHaveLength(1);
    }
    for (const [, { Properties }] of of('AWS::EC2::LaunchTemplate')) {
      expect(Properties['LaunchTemplateData']).toMatchObject({
        InstanceType: 'i8g.large',
        DisableApiTermination: true,
        DisableApiStop: true,
      });
      const text = JSON.stringify(Properties['LaunchTemplateData']);
      // The disk is there before the host is one of the cluster.
      expect(text.indexOf('enable --now millrace-zone-disk.service')).toBeGreaterThan(0);
      expect(text.indexOf('ECS_CLUSTER')).toBeGreaterThan(text.indexOf('enable --now millrace-zone-disk.service'));
      expect(text).toContain('RequiredBy=ecs.service');
    }
  });

  test('Z21: their groups end no host that seems ill, as it is for a person to give a zone up', () => {
    const [[, keeper] = ['', undefined]] = of('AWS::CloudFormation::CustomResource', 'KeepHosts');
    expect(keeper?.Properties['Groups']).toEqual(of('AWS::AutoScaling::AutoScalingGroup').map(([id]) => ({ Ref: id })));
  });

  test('change one after the other, end before they begin, and are there before the tasks', () => {
    const services = of('AWS::ECS::Service');
    expect(services).toHaveLength(3);
    services.forEach(([, { Properties, DependsOn }], i) => {
      expect(Properties).toMatchObject({
        DesiredCount: 1,
        DeploymentConfiguration: {
          MinimumHealthyPercent: 0,
          MaximumPercent: 100,
          DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        },
      });
      for (const [before] of services.slice(0, i).slice(-1)) expect(DependsOn).toContain(before);
    });
    const [[, tasks] = ['', undefined]] = of('AWS::ECS::Service', 'Channels');
    for (const [id] of services) expect(tasks?.DependsOn).toContain(id);
  });

  test('get an environment that they take, and time to end', () => {
    const names = ZONES.map((_, i) => {
      const container = containerOf(`ChunkServersZone${i + 1}`);
      expect(container.Command).toEqual(['node', 'chunk-server.mjs']);
      expect(container.StopTimeout * 1_000).toBeGreaterThanOrEqual(2 * STOP_MS_MAX);
      expect(container).toMatchObject({ User: '1000:1000', ReadonlyRootFilesystem: true });
      return readChunkServerEnv(variablesOf(container));
    });
    expect(names.map(({ zoneName }) => zoneName)).toEqual(ZONES.map(({ id }) => id));
    expect(names).toMatchObject(Array(3).fill({ port: 8090, host: '0.0.0.0', dataDir: '/data' }));
  });

  test('are found by their names, by tasks and by the check, with one secret', () => {
    const names = of('AWS::ServiceDiscovery::Service').map(([, { Properties }]) => `http://${Properties['Name']}.millrace.internal:8090`);
    const variables = variablesOf(containerOf('Channels'));
    const express = ZONES.map(({ id }) => `millrace-0--${id}--x-s3`).join(',');
    const { nativeZones } = readStorageEnv({ ...variables, MILLRACE_EXPRESS_BUCKETS: express });
    expect(nativeZones).toEqual(names.map((url) => ({ url, secret: SECRET })));
    expect(readZonesEnv({ ...variablesOf(containerOf('Check')), MILLRACE_EXPRESS_BUCKETS: express }).nativeZones).toEqual(nativeZones);
  });

  test('let in nobody but the hosts of channel tasks, and go nowhere', () => {
    const rules = of('AWS::EC2::SecurityGroupIngress').map(([, { Properties }]) => Properties);
    expect(rules).toHaveLength(1);
    expect(rules[0]).toMatchObject({ FromPort: 8090, ToPort: 8090 });
    expect(JSON.stringify(rules[0]?.['SourceSecurityGroupId'])).toContain('ChannelsHostsGroup');
    const groups = of('AWS::EC2::SecurityGroup').map(([, { Properties }]) => Properties);
    for (const group of groups) expect(group['SecurityGroupIngress']).toBeUndefined();
    expect(JSON.stringify(groups[0]?.['SecurityGroupEgress'])).toContain('255.255.255.255/32');
  });

  test('may do nothing in AWS, and the check may look at items alone', () => {
    const policies = of('AWS::IAM::Policy').filter(([id]) => !id.includes('ExecutionRole') && /Zone\dTask|Check/.test(id));
    expect(policies.map(([id]) => id)).toEqual([expect.stringContaining('CheckTaskRole')]);
    const statements = policies.flatMap(
      ([, { Properties }]) => (Properties['PolicyDocument'] as { Statement: { Action: string[] }[] }).Statement,
    );
    expect(statements.flatMap(({ Action }) => Action)).toEqual(['dynamodb:GetItem', 'dynamodb:PutItem']);
  });

  test('have an alarm each, with a section of the runbook', () => {
    const alarms = of('AWS::CloudWatch::Alarm', 'Away').map(([, { Properties }]) => Properties);
    expect(alarms).toHaveLength(3);
    expect(readFileSync('docs/operations.md', 'utf8')).toContain('\n## A chunk server is away\n');
    for (const alarm of alarms) {
      const AlarmDescription = 'docs/operations.md#a-chunk-server-is-away';
      expect(alarm).toMatchObject({ Statistic: 'SampleCount', TreatMissingData: 'breaching', AlarmDescription });
    }
  });

  test('leave the jobs to the tasks, which reach them', () => {
    template.resourceCountIs('AWS::SQS::Queue', 0);
    const stack = new Stack(new App(), 'Test');
    const props = { zones: ZONES, chunkServers: { instanceType: 'i8g.large' }, jobs: 'functions' } as const;
    expect(() => new Millrace(stack, 'Cell', props)).toThrow('functions do not reach chunk servers');
  });
});

test('hosts of a cell that is to go are not kept', () => {
  const text = JSON.stringify(synthesised(RemovalPolicy.DESTROY).toJSON());
  expect(text).not.toContain('"DisableApiTermination"');
  expect(text).not.toContain('"NewInstancesProtectedFromScaleIn":true');
});
