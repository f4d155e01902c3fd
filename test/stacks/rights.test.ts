// Who may do what: nothing but what it does, on nothing but what is its own; and what is left when a cell was to go without a trace.

import { describe, expect, test, vi } from 'vitest';
import { type CellName, type Resource, resourcesOf } from '#test/stacks/cells.ts';

vi.setConfig({ testTimeout: 120_000 });

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Effect: string;
  readonly Condition?: object;
}

const flat = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

function statementsOf([id, { Type, Properties }]: readonly [string, Resource]): [string, Statement][] {
  const documents =
    Type === 'AWS::IAM::Policy'
      ? [Properties['PolicyDocument']]
      : ((Properties['Policies'] ?? []) as { PolicyDocument: unknown }[]).map(({ PolicyDocument }) => PolicyDocument);
  return documents.flatMap((document) => (document as { Statement: Statement[] }).Statement.map((each): [string, Statement] => [id, each]));
}

/** Actions that know no resource, or that the agent of ECS asks of its cluster. */
const ON_ANYTHING = new Set(['ecr:GetAuthorizationToken', 'ecs:DiscoverPollEndpoint']);

describe('rights', () => {
  test.each(['development', 'production', 'trial'] as CellName[])('of a cell for %s name what they are for', (name) => {
    const statements = resourcesOf(name).flatMap((each) => (/^AWS::IAM::(Policy|Role)$/.test(each[1].Type) ? statementsOf(each) : []));
    expect(statements.length).toBeGreaterThan(10);
    const broad = statements.filter(([, { Effect, Action, Resource, Condition }]) => {
      if (Effect !== 'Allow') return false;
      const isOfAgent = Condition !== undefined && JSON.stringify(Condition).includes('ecs:cluster');
      const onAnything = flat(Resource).some((resource) => resource === '*') && !isOfAgent;
      return flat(Action).some((action) => (onAnything && !ON_ANYTHING.has(action)) || /^\*|:\*/.test(action));
    });
    expect(broad).toEqual([]);
  });

  test('of managed policies are none', () => {
    for (const [id, { Type, Properties }] of resourcesOf('production')) {
      if (Type === 'AWS::IAM::Role') expect(Properties['ManagedPolicyArns'], id).toBeUndefined();
    }
  });
});

describe('a cell that was to go without a trace', () => {
  const STATEFUL = /^AWS::(DynamoDB::GlobalTable|S3::Bucket|S3Express::DirectoryBucket|SecretsManager::Secret|Logs::LogGroup|SQS::Queue)$/;

  test('keeps nothing', () => {
    const all = resourcesOf('trial');
    for (const [id, { Type, DeletionPolicy }] of all) {
      expect(DeletionPolicy ?? 'Delete', id).toBe('Delete');
      if (STATEFUL.test(Type)) expect(DeletionPolicy, id).toBe('Delete');
    }
    expect(JSON.stringify(all)).not.toContain('"DeletionProtectionEnabled":true');
  });

  test('empties its buckets, all of them, after everything that writes to them is gone', () => {
    const all = resourcesOf('trial');
    const buckets = all.filter(([, { Type }]) => /^AWS::S3(Express)?::(Directory)?Bucket$/.test(Type)).map(([id]) => ({ Ref: id }));
    expect(buckets).toHaveLength(4);
    const emptiers = all.filter(([id, { Type }]) => Type === 'AWS::CloudFormation::CustomResource' && id.includes('Emptier'));
    expect(emptiers.map(([, { Properties }]) => Properties['Buckets'])).toEqual([buckets]);
    const writers = all.filter(
      ([id, { Type }]) => Type === 'AWS::ECS::Service' || (Type === 'AWS::Lambda::Function' && /Jobs|Api/.test(id)),
    );
    expect(writers).toHaveLength(6);
    for (const [id, { DependsOn }] of writers) expect(DependsOn, id).toContain(emptiers[0]?.[0]);
  });

  test('has no log that nobody deletes: each function and container writes to one of the stack', () => {
    const all = resourcesOf('trial');
    const groups = new Set(all.filter(([, { Type }]) => Type === 'AWS::Logs::LogGroup').map(([id]) => id));
    const functions = all.filter(([, { Type }]) => Type === 'AWS::Lambda::Function');
    expect(functions).toHaveLength(6);
    for (const [id, { Properties }] of functions) {
      const { LogGroup } = (Properties['LoggingConfig'] ?? {}) as { LogGroup?: { Ref: string } };
      expect(groups.has(LogGroup?.Ref ?? ''), id).toBe(true);
    }
    // Container Insights would make one.
    expect(all.filter(([, { Type }]) => Type === 'AWS::ECS::Cluster')).toHaveLength(1);
    expect(JSON.stringify(all)).not.toContain('containerInsights');
  });

  test('else keeps all that holds anything', () => {
    for (const [id, { Type, DeletionPolicy }] of resourcesOf('production')) {
      if (STATEFUL.test(Type)) expect(DeletionPolicy, id).toBe('Retain');
    }
  });
});
