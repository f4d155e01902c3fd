// The CDK app: one cell. Zones, size and all else come from the context (cdk.json, or `-c size=small`).

import { App, aws_certificatemanager as acm, CfnOutput, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Millrace } from './millrace.ts';
import type { SizeName } from './sizes.ts';
import type { Zone, Zones } from './zones.ts';

const app = new App({ analyticsReporting: false });
const context = (name: string): string | undefined => app.node.tryGetContext(name) as string | undefined;

/** `us-east-1a=use1-az4,us-east-1b=use1-az6,us-east-1c=use1-az5` */
function zonesOf(text: string): Zones {
  const zones = text.split(',').map((part): Zone => {
    const [name = '', id = ''] = part.trim().split('=');
    return { name, id };
  });
  // The construct says what is wrong with them.
  return zones as unknown as Zones;
}

function yesOrNo(name: string, value: string): boolean {
  if (value === 'yes' || value === 'no') return value === 'yes';
  throw new Error(`${name} is "${value}"; it must be yes or no`);
}

function jobsOf(name: string): 'functions' | 'task' {
  if (name === 'functions' || name === 'task') return name;
  throw new Error(`jobs is "${name}"; it must be functions or task`);
}

const account = process.env['CDK_DEFAULT_ACCOUNT'] ?? context('account');
const region = context('region') ?? process.env['CDK_DEFAULT_REGION'];
const stack = new Stack(app, context('stack') ?? 'Millrace', {
  description: 'Millrace: serverless stream storage',
  env: { ...(account === undefined ? {} : { account }), ...(region === undefined ? {} : { region }) },
});
const certificate = context('certificate');
const hostName = context('hostName');
const controlPlane = context('controlPlane');
const channels = context('channels');
const jobs = context('jobs');
const chunkServers = context('chunkServers');
const cell = new Millrace(stack, 'Cell', {
  zones: zonesOf(context('zones') ?? ''),
  // The construct says what a size may be.
  size: (context('size') ?? 'development') as SizeName,
  ...(hostName === undefined ? {} : { hostName }),
  ...(controlPlane === undefined ? {} : { controlPlane: yesOrNo('controlPlane', controlPlane) }),
  ...(channels === undefined ? {} : { channels: Number(channels) }),
  ...(jobs === undefined ? {} : { jobs: jobsOf(jobs) }),
  ...(chunkServers === undefined ? {} : { chunkServers: { instanceType: chunkServers } }),
  ...(certificate === undefined ? {} : { certificate: acm.Certificate.fromCertificateArn(stack, 'Certificate', certificate) }),
  basinSuffixes: (context('basinSuffixes') ?? '').split(',').filter((suffix) => suffix !== ''),
  removalPolicy: context('removal') === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
});
new CfnOutput(stack, 'Endpoint', { value: cell.endpoint, description: 'Where clients reach it' });
if (cell.api !== undefined) new CfnOutput(stack, 'ControlPlane', { value: cell.api.url.url, description: 'The control plane, by HTTPS' });
new CfnOutput(stack, 'RootTokenSecret', { value: cell.channels.rootToken.secretArn, description: 'Holds the root token' });
new CfnOutput(stack, 'Cluster', { value: cell.cluster.clusterName, description: 'Of ECS' });
if (cell.zoneCheck !== undefined) {
  new CfnOutput(stack, 'ZoneCheck', { value: cell.zoneCheck.taskDefinitionArn, description: 'Says which chunk server may be replaced' });
  new CfnOutput(stack, 'TaskHosts', { value: cell.channels.hosts.provider.capacityProviderName, description: 'Where it runs' });
}

Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
