// The cells whose templates tests look at: from the smallest to one with everything.

import { App, aws_certificatemanager as acm, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Millrace, type MillraceProps } from '#stacks/millrace.ts';
import type { Zones } from '#stacks/zones.ts';

export const ZONES: Zones = [
  { name: 'us-east-1a', id: 'use1-az4' },
  { name: 'us-east-1b', id: 'use1-az5' },
  { name: 'us-east-1c', id: 'use1-az6' },
];

export const CELLS = {
  development: () => ({}),
  production: (stack: Stack) => ({
    size: 'large' as const,
    chunkServers: { instanceType: 'i8g.large' },
    certificate: acm.Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:us-east-1:123456789012:certificate/0'),
    hostName: 'streams.example.com',
    basinSuffixes: ['b.example.com'],
  }),
  /** To be removed without a trace. */
  trial: () => ({ size: 'small' as const, controlPlane: true, removalPolicy: RemovalPolicy.DESTROY as const }),
} satisfies Record<string, (stack: Stack) => Partial<MillraceProps>>;

export type CellName = keyof typeof CELLS;

export interface Resource {
  readonly Type: string;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
  readonly Properties: Record<string, unknown>;
}

const made = new Map<CellName, Template>();

export function templateOf(name: CellName): Template {
  const before = made.get(name);
  if (before !== undefined) return before;
  const stack = new Stack(new App(), 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
  new Millrace(stack, 'Cell', { zones: ZONES, ...CELLS[name](stack) });
  const template = Template.fromStack(stack);
  made.set(name, template);
  return template;
}

export function resourcesOf(name: CellName): readonly (readonly [string, Resource])[] {
  return Object.entries(templateOf(name).toJSON()['Resources'] as Record<string, Resource>);
}

/** As text, without what changes with each change of the code that is deployed. */
export function masked(template: object): string {
  return `${JSON.stringify(template, undefined, 2).replaceAll(/\b[0-9a-f]{64}\b/g, '<hash>')}\n`;
}
