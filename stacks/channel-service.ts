// The channel tasks on ECS: each on a host of its own, spread over the zones, behind one load balancer (entry.ts).
//
// Any task takes any request, and passes on what another one owns. A deployment replaces one after the other: the old one drains,
// releases its channels, and another one claims them at once. Where there is but one, nothing serves until the new one does.

import {
  type aws_certificatemanager as acm,
  type aws_ecr_assets as assets,
  aws_cloudwatch as cloudwatch,
  Duration,
  aws_ec2 as ec2,
  aws_ecs as ecs,
  type aws_iam as iam,
  aws_logs as logs,
  type RemovalPolicy,
  Stack,
  type aws_secretsmanager as secrets,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import type { ChunkServers } from './chunk-servers.ts';
import { hardened } from './container.ts';
import { Entry } from './entry.ts';
import { Hosts } from './hosts.ts';
import type { Jobs } from './jobs.ts';
import { createSecret } from './secret.ts';
import type { Size } from './sizes.ts';
import type { Storage } from './storage.ts';

export interface ChannelServiceProps {
  readonly cluster: ecs.Cluster;
  readonly image: assets.DockerImageAsset;
  readonly storage: Storage;
  readonly size: Size;
  /** Absent: tasks do their upkeep by themselves. */
  readonly jobs?: Jobs | undefined;
  /** Absent: there is no storage class `native`. */
  readonly chunkServers?: ChunkServers | undefined;
  /** Absent: the load balancer speaks plaintext, on port 80. */
  readonly certificate?: acm.ICertificate | undefined;
  /** What leads to the load balancer, and the certificate is for. Absent: the name that AWS gave it. */
  readonly hostName?: string | undefined;
  /** Host names below which each basin has its own. */
  readonly basinSuffixes: readonly string[];
  readonly removalPolicy: RemovalPolicy;
}

const PORT = 8080;
/** Of tasks that stay while others are replaced. Rounded up as ECS does, it lets one go at a time, of 3, 4 or 5. */
const HEALTHY_PERCENT_MIN = 66;
/** What a task is to hold on average: a quarter of what it takes before appends wait. */
const BYTES_IN_FLIGHT_TARGET = 4 * 1024 * 1024;
const METRICS_NAMESPACE = 'Millrace';

export class ChannelService extends Construct {
  readonly service: ecs.Ec2Service;
  readonly container: ecs.ContainerDefinition;
  readonly hosts: Hosts;
  readonly entry: Entry;
  readonly log: logs.LogGroup;
  readonly rootToken: secrets.Secret;
  readonly signingSecret: secrets.Secret;
  /** Bytes of appends that are not acknowledged yet, of each task, once a second. */
  readonly bytesInFlight: cloudwatch.Metric;

  constructor(scope: Construct, id: string, props: ChannelServiceProps) {
    super(scope, id);
    const { cluster, storage, size, removalPolicy } = props;
    this.rootToken = createSecret(this, 'RootToken', 'The access token that may do everything', removalPolicy);
    this.signingSecret = createSecret(this, 'SigningSecret', 'What the key that signs access tokens is derived from', removalPolicy);
    for (const secret of [this.rootToken, this.signingSecret]) {
      acknowledge(secret, { SMG4: 'A new one revokes every access token, so it is for a person to decide when' });
    }
    this.log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });
    const cell = this.node.addr.slice(-8);
    this.bytesInFlight = new cloudwatch.Metric({
      namespace: METRICS_NAMESPACE,
      metricName: 'BytesInFlight',
      dimensionsMap: { Cell: cell },
      statistic: 'Average',
      period: Duration.minutes(1),
    });

    const task = new ecs.Ec2TaskDefinition(this, 'Task', { networkMode: ecs.NetworkMode.HOST });
    storage.grantReadWrite(task.taskRole);
    this.container = task.addContainer('channel', {
      image: ecs.ContainerImage.fromDockerImageAsset(props.image),
      memoryLimitMiB: size.taskMemoryMiB,
      ...hardened(task),
      environment: {
        PORT: String(PORT),
        MILLRACE_HOST: '0.0.0.0',
        MILLRACE_AUTH: 'required',
        ...storage.environment,
        MILLRACE_BACKLOG_MIB: String(size.backlogMib),
        MILLRACE_LOCATION: `aws:${Stack.of(this).region}`,
        MILLRACE_METRICS: `${METRICS_NAMESPACE}/${cell}`,
        ...(props.basinSuffixes.length === 0 ? {} : { MILLRACE_BASIN_SUFFIX: props.basinSuffixes.join(',') }),
      },
      secrets: {
        MILLRACE_ROOT_TOKEN: ecs.Secret.fromSecretsManager(this.rootToken),
        MILLRACE_SIGNING_SECRET: ecs.Secret.fromSecretsManager(this.signingSecret),
      },
      portMappings: [{ containerPort: PORT }],
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'channel', logGroup: this.log }),
    });
    acknowledge(task, { ECS2: 'They are names and bounds; what is secret comes from Secrets Manager' });
    acknowledge(task.obtainExecutionRole(), { 'IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no resource' });

    const securityGroup = new ec2.SecurityGroup(this, 'HostsGroup', {
      vpc: cluster.vpc,
      description: 'Hosts of channel tasks: only the load balancer comes in, and other tasks',
    });
    securityGroup.addIngressRule(securityGroup, ec2.Port.tcp(PORT), 'what another task passes on');
    props.jobs?.serve(task, this.container);
    props.chunkServers?.serve(this.container, securityGroup);
    this.hosts = new Hosts(this, 'Hosts', {
      cluster,
      instanceType: size.instanceType,
      subnets: { subnetType: ec2.SubnetType.PUBLIC },
      securityGroup,
      capacity: { min: 0, max: size.tasks.max + 1 },
    });
    this.service = this.#service(cluster, task, size);
    this.entry = new Entry(this, 'Entry', {
      vpc: cluster.vpc,
      hosts: securityGroup,
      port: PORT,
      certificate: props.certificate,
      hostName: props.hostName,
    });
    this.entry.targets.addTarget(this.service);
  }

  /** Where clients reach it, without a path. */
  get endpoint(): string {
    return this.entry.url;
  }

  /** Lets a function check and issue access tokens. @returns the settings by which it finds what it needs (functions/api/env.ts) */
  grantSecrets(grantee: iam.IRole): Record<string, string> {
    this.rootToken.grantRead(grantee);
    this.signingSecret.grantRead(grantee);
    return { MILLRACE_ROOT_TOKEN_ID: this.rootToken.secretArn, MILLRACE_SIGNING_SECRET_ID: this.signingSecret.secretArn };
  }

  #service(cluster: ecs.Cluster, taskDefinition: ecs.Ec2TaskDefinition, { tasks }: Size): ecs.Ec2Service {
    const service = new ecs.Ec2Service(this, 'Service', {
      cluster,
      taskDefinition,
      desiredCount: tasks.min,
      capacityProviderStrategies: [{ capacityProvider: this.hosts.provider.capacityProviderName, weight: 1 }],
      minHealthyPercent: tasks.min === 1 ? 0 : HEALTHY_PERCENT_MIN,
      maxHealthyPercent: 100,
      circuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriod: Duration.seconds(60),
      placementConstraints: [ecs.PlacementConstraint.distinctInstances()],
      placementStrategies: [ecs.PlacementStrategy.spreadAcross(ecs.BuiltInAttributes.AVAILABILITY_ZONE)],
    });
    if (tasks.max > tasks.min) {
      const scaling = service.autoScaleTaskCount({ minCapacity: tasks.min, maxCapacity: tasks.max });
      scaling.scaleToTrackCustomMetric('BytesInFlight', {
        metric: this.bytesInFlight,
        targetValue: BYTES_IN_FLIGHT_TARGET,
        scaleOutCooldown: Duration.minutes(2),
        scaleInCooldown: Duration.minutes(15),
      });
    }
    return service;
  }
}
