import { readFileSync } from 'node:fs';
import { App, aws_certificatemanager as acm, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test, vi } from 'vitest';
import { readChannelEnv } from '#functions/channel/env.ts';
import { STOP_MS_MAX } from '#functions/local/signals.ts';
import { Millrace, type MillraceProps } from '#stacks/millrace.ts';
import { SIZES } from '#stacks/sizes.ts';
import type { Zones } from '#stacks/zones.ts';

// A synthesis hashes what goes into the image.
vi.setConfig({ testTimeout: 120_000 });

const ZONES: Zones = [
  { name: 'us-east-1a', id: 'use1-az4' },
  { name: 'us-east-1b', id: 'use1-az5' },
  { name: 'us-east-1c', id: 'use1-az6' },
];

function stackOf(props: Partial<MillraceProps> = {}): Stack {
  const stack = new Stack(new App(), 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
  new Millrace(stack, 'Cell', { zones: ZONES, ...props });
  return stack;
}

let plain: Template | undefined;

/** Of a cell with nothing but zones, made once: hashing what goes into the image takes a while. */
function templateOf(props?: Partial<MillraceProps>): Template {
  if (props !== undefined) return Template.fromStack(stackOf(props));
  plain ??= Template.fromStack(stackOf());
  return plain;
}

const certificateOf = (stack: Stack) =>
  acm.Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:us-east-1:123456789012:certificate/0');

interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly Properties: Record<string, unknown>;
}

function resources(template: Template, ...types: string[]): Resource[] {
  const all = Object.values(template.toJSON()['Resources'] as Record<string, Resource>);
  return all.filter(({ Type }) => types.includes(Type));
}

function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) throw new Error(`${list.length} in the place of one`);
  return first;
}

describe('zones', () => {
  const [a, b, c] = ZONES;
  test.each([
    ['two', [a, b], 'there are 2'],
    ['the same name twice', [a, { ...b, name: a.name }, c], 'two have the same name'],
    ['the same id twice', [a, { ...b, id: a.id }, c], 'two have the same id'],
    ['an id in the place of a name', [a, b, { name: 'use1-az6', id: 'use1-az6' }], '"use1-az6" is not the name of a zone'],
    ['a name in the place of an id', [a, b, { name: 'us-east-1c', id: 'us-east-1c' }], '"us-east-1c" is not the id of a zone'],
    ['one of another region', [a, b, { name: 'eu-north-1a', id: 'eun1-az1' }], 'does not lie in us-east-1'],
  ])('%s are refused, and it is said why', (_title, zones, why) => {
    expect(() => stackOf({ zones: zones as unknown as Zones })).toThrow(why);
  });

  test('one that is not known to have S3 Express is warned of', () => {
    const stack = stackOf({ zones: [a, b, { name: 'us-east-1d', id: 'use1-az1' }] });
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('use1-az1 in us-east-1 is not known'));
    Annotations.fromStack(stackOf()).hasNoWarning('*', Match.stringLikeRegexp('not known'));
  });
});

describe('a size', () => {
  test('that is none is refused, and so is a number of channels', () => {
    expect(() => stackOf({ size: 'enormous' as 'small' })).toThrow('size is "enormous"; it must be one of development, small, large');
    for (const channels of [0, 65, 1.5, Number.NaN]) expect(() => stackOf({ channels })).toThrow('it must be a whole number from 1 to 64');
  });

  test('says how many channels tasks and functions share, unless that is given', () => {
    const countsOf = (props: Partial<MillraceProps>): Set<unknown> => {
      const all = resources(templateOf(props), 'AWS::ECS::TaskDefinition', 'AWS::Lambda::Function').map((each) => JSON.stringify(each));
      return new Set(
        all.flatMap((text) => /"MILLRACE_CHANNELS":"(\d+)"|"MILLRACE_CHANNELS","Value":"(\d+)"/.exec(text)?.slice(1).filter(Boolean) ?? []),
      );
    };
    expect(countsOf({ size: 'small' })).toEqual(new Set(['3']));
    expect(countsOf({ size: 'small', channels: 5 })).toEqual(new Set(['5']));
  });
});

describe('storage', () => {
  test('is one table on demand that can be brought back, and keyed as the adapter wants it', () => {
    templateOf().hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'p', KeyType: 'HASH' },
        { AttributeName: 's', KeyType: 'RANGE' },
      ],
      Replicas: [
        Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }, DeletionProtectionEnabled: true }),
      ],
    });
  });

  test('has a directory bucket in each zone, under a name that no other stack has', () => {
    const buckets = resources(templateOf(), 'AWS::S3Express::DirectoryBucket');
    expect(buckets.map(({ Properties }) => Properties['LocationName'])).toEqual(ZONES.map(({ id }) => id));
    for (const { Properties } of buckets) expect(JSON.stringify(Properties['BucketName'])).toContain('AWS::StackId');
  });

  const KEPT = [
    'AWS::DynamoDB::GlobalTable',
    'AWS::S3::Bucket',
    'AWS::S3Express::DirectoryBucket',
    'AWS::SecretsManager::Secret',
    'AWS::Logs::LogGroup',
  ];
  test('stays when the stack goes, and goes too when that was asked for', () => {
    const kept = resources(templateOf(), ...KEPT);
    expect(kept).toHaveLength(13);
    for (const { Type, DeletionPolicy } of kept) expect(DeletionPolicy, Type).toBe('Retain');
    for (const { Type, DeletionPolicy } of resources(templateOf({ removalPolicy: RemovalPolicy.DESTROY }), ...KEPT)) {
      expect(DeletionPolicy, Type).toBe('Delete');
    }
  });
});

describe('the channel task', () => {
  const containerOf = (template: Template): Record<string, unknown> => {
    const task = only(resources(template, 'AWS::ECS::TaskDefinition'));
    return only(task.Properties['ContainerDefinitions'] as Record<string, unknown>[]);
  };

  test('gets an environment that it takes', () => {
    const container = containerOf(templateOf({ basinSuffixes: ['b.example.com'] }));
    const list = container['Environment'] as { Name: string; Value: unknown }[];
    const text = (name: string, value: unknown): string => {
      if (typeof value === 'string') return value;
      if (name === 'MILLRACE_OFFLOAD_QUEUE_URL') return 'https://sqs.us-east-1.amazonaws.com/123456789012/made-by-the-stack';
      if (name === 'MILLRACE_EXPRESS_BUCKETS') return ZONES.map(({ id }) => `millrace-0--${id}--x-s3`).join(',');
      return 'made-by-the-stack';
    };
    const variables = Object.fromEntries(list.map(({ Name, Value }) => [Name, text(Name, Value)]));
    const secrets = (container['Secrets'] as { Name: string }[]).map(({ Name }) => [Name, 'x'.repeat(48)]);
    expect(readChannelEnv({ ...variables, ...Object.fromEntries(secrets) })).toMatchObject({
      port: 8080,
      host: '0.0.0.0',
      basinSuffixes: ['b.example.com'],
      config: { location: 'aws:us-east-1', access: { mode: 'required' }, upkeep: 'elsewhere' },
    });
  });

  test('runs as a user without rights, on a file system that it cannot write to, with time to drain', () => {
    const container = containerOf(templateOf());
    expect(container).toMatchObject({
      User: '1000:1000',
      ReadonlyRootFilesystem: true,
      LinuxParameters: { InitProcessEnabled: true },
      Ulimits: [{ Name: 'nofile', SoftLimit: 65_536, HardLimit: 65_536 }],
    });
    expect(Number(container['StopTimeout']) * 1_000).toBeGreaterThanOrEqual(2 * STOP_MS_MAX);
  });

  test('is asked whether it is alive, and runs as the user, as its image says', () => {
    const dockerfile = readFileSync('functions/image/Dockerfile', 'utf8');
    const { User, HealthCheck } = containerOf(templateOf()) as { User: string; HealthCheck: Record<string, unknown> };
    expect(dockerfile).toContain(`\nUSER ${User}\n`);
    const { Command, Interval, Timeout, Retries, StartPeriod } = HealthCheck as { Command: string[] } & Record<string, number>;
    const times = `--interval=${Interval}s --timeout=${Timeout}s --retries=${Retries} --start-period=${StartPeriod}s`;
    const command = Command.slice(1)
      .map((word) => JSON.stringify(word))
      .join(', ');
    expect(dockerfile).toContain(`HEALTHCHECK ${times} CMD [${command}]`);
  });

  test('may do what it does with its own table and buckets, and nothing else', () => {
    const policies = resources(templateOf(), 'AWS::IAM::Policy').filter((each) => JSON.stringify(each).includes('dynamodb:'));
    const policy = only(policies.filter((each) => JSON.stringify(each.Properties['Roles']).includes('Channels')));
    const { Statement } = policy.Properties['PolicyDocument'] as { Statement: { Action: string | string[]; Resource: unknown }[] };
    const actions = Statement.flatMap(({ Action }) => Action).sort();
    expect(actions).toEqual([
      ...['ConditionCheckItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'].map((name) => `dynamodb:${name}`),
      ...['DeleteObject', 'GetObject', 'ListBucket', 'PutObject'].map((name) => `s3:${name}`),
      's3express:CreateSession',
      ...['GetQueueAttributes', 'GetQueueUrl', 'SendMessage'].map((name) => `sqs:${name}`),
    ]);
    for (const { Resource } of Statement) expect(JSON.stringify(Resource)).not.toBe('"*"');
  });

  test('is replaced by ending the old one first where it is the only one, as its host has room for one', () => {
    templateOf().hasResourceProperties('AWS::ECS::Service', {
      DesiredCount: 1,
      DeploymentConfiguration: {
        MinimumHealthyPercent: 0,
        MaximumPercent: 100,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      },
    });
  });

  test.each(['small', 'large'] as const)('of size %s is one of three in three zones, replaced one at a time', (size) => {
    const service = only(resources(templateOf({ size }), 'AWS::ECS::Service'));
    const { DeploymentConfiguration, PlacementStrategies, PlacementConstraints } = service.Properties;
    expect(PlacementStrategies).toEqual([{ Type: 'spread', Field: 'attribute:ecs.availability-zone' }]);
    expect(PlacementConstraints).toEqual([{ Type: 'distinctInstance' }]);
    expect(DeploymentConfiguration).toMatchObject({ MaximumPercent: 100, DeploymentCircuitBreaker: { Enable: true, Rollback: true } });
    const { MinimumHealthyPercent } = DeploymentConfiguration as { MinimumHealthyPercent: number };
    const { min, max } = SIZES[size].tasks;
    // ECS rounds up what must stay.
    for (let count: number = min; count <= max; count += 1) expect(count - Math.ceil((count * MinimumHealthyPercent) / 100)).toBe(1);
  });

  test('is added and taken away by the bytes in flight that it writes into its log', () => {
    const template = templateOf({ size: 'large' });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 3, MaxCapacity: 5 });
    const policy = only(resources(template, 'AWS::ApplicationAutoScaling::ScalingPolicy'));
    const { CustomizedMetricSpecification: metric } = policy.Properties['TargetTrackingScalingPolicyConfiguration'] as {
      CustomizedMetricSpecification: { Namespace: string; MetricName: string; Dimensions: { Name: string; Value: string }[] };
    };
    const list = containerOf(template)['Environment'] as { Name: string; Value: string }[];
    const written = list.find(({ Name }) => Name === 'MILLRACE_METRICS')?.Value;
    expect(written).toBe(`${metric.Namespace}/${metric.Dimensions[0]?.Value}`);
    expect(metric).toMatchObject({ MetricName: 'BytesInFlight', Dimensions: [{ Name: 'Cell' }] });
    templateOf().resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  });

  test('is reached only through the load balancer, and by other tasks', () => {
    const ingress = resources(templateOf(), 'AWS::EC2::SecurityGroupIngress');
    expect(ingress.map(({ Properties }) => Properties['FromPort'])).toEqual([8080, 8080]);
    const self = ingress.filter(
      ({ Properties }) => JSON.stringify(Properties['SourceSecurityGroupId']) === JSON.stringify(Properties['GroupId']),
    );
    expect(self).toHaveLength(1);
    for (const { Properties } of ingress) expect(Properties['SourceSecurityGroupId']).toBeDefined();
  });
});

describe('the load balancer', () => {
  test('speaks TLS with HTTP/2 where it has a certificate, and else plaintext', () => {
    const stack = new Stack(new App(), 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
    const cell = new Millrace(stack, 'Cell', { zones: ZONES, certificate: certificateOf(stack) });
    Template.fromStack(stack).hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Port: 443,
      Protocol: 'TLS',
      AlpnPolicy: ['HTTP2Preferred'],
    });
    expect(cell.endpoint).toMatch(/^https:/);
    templateOf().hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', { Port: 80, Protocol: 'TCP' });
  });
});

describe('the whole', () => {
  test('every alarm names a section of the runbook that is there', () => {
    const runbook = readFileSync('docs/operations.md', 'utf8');
    const sections = new Set(
      [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')),
    );
    const alarms = resources(templateOf(), 'AWS::CloudWatch::Alarm');
    expect(alarms.length).toBeGreaterThan(3);
    for (const { Properties } of alarms) {
      const [, section = ''] = /^docs\/operations\.md#(.+)$/.exec(String(Properties['AlarmDescription'])) ?? [];
      expect(sections).toContain(section);
    }
  });

  test('has no secret in its template', () => {
    const text = JSON.stringify(templateOf().toJSON());
    expect(text).not.toMatch(/"SecretString"/);
    expect(text).toContain('GenerateSecretString');
  });
});
