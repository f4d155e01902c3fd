import { readFileSync } from 'node:fs';
import { App, aws_certificatemanager as acm, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test, vi } from 'vitest';
import { readApiSettings } from '#functions/api/env.ts';
import { Millrace, type MillraceProps } from '#stacks/millrace.ts';
import type { Zones } from '#stacks/zones.ts';

// A synthesis bundles the functions and hashes what goes into the image.
vi.setConfig({ testTimeout: 120_000 });

const ZONES: Zones = [
  { name: 'us-east-1a', id: 'use1-az4' },
  { name: 'us-east-1b', id: 'use1-az5' },
  { name: 'us-east-1c', id: 'use1-az6' },
];

interface Resource {
  readonly Properties: Record<string, unknown>;
}

function cellOf(props: (stack: Stack) => Partial<MillraceProps>): { readonly cell: Millrace; readonly stack: Stack } {
  const stack = new Stack(new App(), 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
  return { cell: new Millrace(stack, 'Cell', { zones: ZONES, jobs: 'task', ...props(stack) }), stack };
}

const certificateOf = (stack: Stack) =>
  acm.Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:us-east-1:123456789012:certificate/0');

describe('the control plane as a function', () => {
  const { cell, stack } = cellOf((stack) => ({
    certificate: certificateOf(stack),
    hostName: 'cell.example.com',
    basinSuffixes: ['b.example.com'],
  }));
  const template = Template.fromStack(stack);
  const only = (type: string): Resource => {
    const found = Object.entries(template.findResources(type)).filter(([id]) => id.startsWith('CellApi'));
    if (found.length !== 1) throw new Error(`${found.length} of ${type}`);
    return (found[0] as [string, Resource])[1];
  };

  test('is there where the way to the tasks is TLS under a name, with a URL and settings that it takes', () => {
    expect(cell.endpoint).toBe('https://cell.example.com');
    expect(only('AWS::Lambda::Url').Properties).toMatchObject({ AuthType: 'NONE' });
    const { Properties } = only('AWS::Lambda::Function');
    expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
    const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> };
    const text = (name: string, value: unknown): string => {
      if (typeof value === 'string') return value;
      return name === 'MILLRACE_EXPRESS_BUCKETS' ? ZONES.map(({ id }) => `millrace-0--${id}--x-s3`).join(',') : 'made-by-the-stack';
    };
    const variables = Object.fromEntries(Object.entries(Variables).map(([name, value]) => [name, text(name, value)]));
    expect(readApiSettings(variables)).toMatchObject({
      cellUrl: 'https://cell.example.com',
      secretIds: { rootToken: 'made-by-the-stack' },
    });
    expect(variables['MILLRACE_BASIN_SUFFIX']).toBe('b.example.com');
  });

  test('may change the table, read segments and two secrets, and nothing else', () => {
    const { Statement } = only('AWS::IAM::Policy').Properties['PolicyDocument'] as {
      Statement: { Action: string | string[]; Resource: unknown }[];
    };
    const actions = Statement.flatMap(({ Action }) => Action).filter((action) => !action.startsWith('dynamodb:'));
    expect([...new Set(actions)].toSorted()).toEqual([
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      's3:GetObject',
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
    ]);
    for (const { Resource } of Statement) expect(JSON.stringify(Resource)).not.toBe('"*"');
  });

  test('has no secret in its settings, and an alarm with a section of docs/operations.md', () => {
    expect(JSON.stringify(only('AWS::Lambda::Function'))).not.toContain('resolve:secretsmanager');
    const description = String(only('AWS::CloudWatch::Alarm').Properties['AlarmDescription']);
    expect(description).toBe('docs/operations.md#the-control-plane-fails');
    expect(readFileSync('docs/operations.md', 'utf8')).toContain('\n## The control plane fails\n');
  });
});

describe('a cell without', () => {
  test('is one whose endpoint speaks plaintext, unless it is asked for', () => {
    expect(cellOf(() => ({})).cell.api).toBeUndefined();
    expect(cellOf(() => ({ controlPlane: true })).cell.api).toBeDefined();
  });

  test('is one with a certificate and no name that it is for; asking for it there says what is missing', () => {
    expect(cellOf((stack) => ({ certificate: certificateOf(stack) })).cell.api).toBeUndefined();
    expect(() => cellOf((stack) => ({ certificate: certificateOf(stack), controlPlane: true }))).toThrow('controlPlane needs a hostName');
  });
});
