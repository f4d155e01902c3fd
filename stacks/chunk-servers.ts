// The chunk servers of storage class `native`: one a zone, each on a host of its own whose NVMe disk is the zone.
//
// A host that goes takes its zone with it. So nothing but a person ends one (docs/operations.md#replace-a-chunk-server): its group
// replaces none that seems ill, EC2 refuses to stop or to end it, and a deployment starts its container again on the same host, one
// zone after the other. The check of Z21 runs beside the channel tasks, for whoever is about to end one.

import {
  type aws_ecr_assets as assets,
  type aws_autoscaling as autoscaling,
  type CfnElement,
  Duration,
  aws_servicediscovery as discovery,
  aws_ec2 as ec2,
  aws_ecs as ecs,
  aws_iam as iam,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  type aws_secretsmanager as secrets,
  Token,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import { hardened } from './container.ts';
import { Hosts } from './hosts.ts';
import { createSecret } from './secret.ts';
import { StackHandler } from './stack-handler.ts';
import type { Storage } from './storage.ts';
import { ZONE_FOLDER, zoneDiskCommands } from './zone-disk.ts';
import type { Zone, Zones } from './zones.ts';

export interface ChunkServersProps {
  readonly zones: Zones;
  readonly cluster: ecs.Cluster;
  readonly image: assets.DockerImageAsset;
  readonly storage: Storage;
  /** On arm64, with one NVMe disk. */
  readonly instanceType: string;
  readonly removalPolicy: RemovalPolicy;
}

const PORT = 8090;
/** Of the private zone of DNS. */
const DOMAIN = 'millrace.internal';
/** A server that was started again has another address. */
const DNS_TTL = Duration.seconds(5);
/** It holds 128 MiB of calls, and what the processes of Node take. */
const MEMORY_MIB = 2_048;
const DATA = '/data';

export class ChunkServers extends Construct {
  readonly services: readonly ecs.Ec2Service[];
  readonly groups: readonly string[];
  readonly log: logs.LogGroup;
  readonly secret: secrets.Secret;
  readonly #securityGroup: ec2.SecurityGroup;
  readonly #props: ChunkServersProps;

  constructor(scope: Construct, id: string, props: ChunkServersProps) {
    super(scope, id);
    const { cluster, zones, removalPolicy } = props;
    this.#props = props;
    this.secret = createSecret(this, 'Secret', 'What chunk servers and channel tasks share', removalPolicy);
    acknowledge(this.secret, { SMG4: 'Chunk servers and tasks read it when they start: to change it is to restart all of them' });
    this.log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });
    const { vpc } = cluster;
    this.#securityGroup = new ec2.SecurityGroup(this, 'Servers', {
      vpc,
      description: 'Chunk servers: only channel tasks come in, and they go nowhere',
      allowAllOutbound: false,
    });
    const hosts = new ec2.SecurityGroup(this, 'Hosts', { vpc, description: 'Hosts of chunk servers: nobody comes in' });
    const namespace = new discovery.PrivateDnsNamespace(this, 'Names', { vpc, name: DOMAIN, description: 'Chunk servers' });
    const made = zones.map((zone, i) => this.#zone(zone, i, hosts, namespace));
    this.services = made.map(({ service }) => service);
    this.groups = made.map(({ group }) => group.autoScalingGroupName);
    // One zone after the other, when they are made and when they change.
    made.forEach(({ service }, i) => {
      const before = made[i - 1];
      if (before !== undefined) service.node.addDependency(before.service);
    });
    const keeper = new StackHandler(this, 'KeepHosts', { handler: 'keep-hosts', properties: { Groups: this.groups }, removalPolicy });
    for (const { group } of made) {
      const resources = [group.autoScalingGroupArn];
      keeper.role.addToPolicy(new iam.PolicyStatement({ actions: ['autoscaling:SuspendProcesses'], resources }));
      acknowledge(keeper.role, {
        [`IAM5[Resource::${shownArn(group)}]`]: 'The wildcard is the id of one group, which is known by its name',
      });
    }
  }

  /** Has tasks of `hosts` use them, and gives the check of Z21 what it needs. */
  serve(container: ecs.ContainerDefinition, hosts: ec2.SecurityGroup): void {
    this.#securityGroup.addIngressRule(hosts, ec2.Port.tcp(PORT), 'from channel tasks');
    for (const [name, value] of Object.entries(this.#settings)) container.addEnvironment(name, value);
    container.addSecret('MILLRACE_ZONE_SECRET', ecs.Secret.fromSecretsManager(this.secret));
  }

  /** The task that says which server may be replaced: run by a person, on a host of channel tasks. */
  addCheck(log: logs.ILogGroup): ecs.Ec2TaskDefinition {
    const { image, storage } = this.#props;
    const task = new ecs.Ec2TaskDefinition(this, 'Check', { networkMode: ecs.NetworkMode.HOST });
    storage.grantLook(task.taskRole);
    const { stopTimeout, user, readonlyRootFilesystem } = hardened(task);
    task.addContainer('check', {
      image: ecs.ContainerImage.fromDockerImageAsset(image),
      command: ['node', 'zones.mjs'],
      memoryLimitMiB: 256,
      stopTimeout,
      user,
      readonlyRootFilesystem,
      environment: { ...storage.environment, ...this.#settings },
      secrets: { MILLRACE_ZONE_SECRET: ecs.Secret.fromSecretsManager(this.secret) },
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'zone-check', logGroup: log }),
    });
    acknowledge(task, { ECS2: 'They are names; what is secret comes from Secrets Manager' });
    acknowledge(task.obtainExecutionRole(), { 'IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no resource' });
    return task;
  }

  get #settings(): Record<string, string> {
    return { MILLRACE_NATIVE_ZONES: this.#props.zones.map((_, i) => `http://${nameOf(i)}.${DOMAIN}:${PORT}`).join(',') };
  }

  #zone(zone: Zone, i: number, securityGroup: ec2.SecurityGroup, namespace: discovery.PrivateDnsNamespace) {
    const { cluster, instanceType, removalPolicy } = this.#props;
    const scope = new Construct(this, `Zone${i + 1}`);
    const subnets = { subnetType: ec2.SubnetType.PUBLIC, availabilityZones: [zone.name] };
    const { group, provider } = new Hosts(scope, 'Hosts', {
      cluster,
      instanceType,
      subnets,
      securityGroup,
      capacity: { min: 1, max: 1 },
      isKept: removalPolicy !== RemovalPolicy.DESTROY,
      // Containers have no use for the rights of their host.
      commands: [...zoneDiskCommands(), 'echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config'],
    });
    const service = new ecs.Ec2Service(scope, 'Service', {
      cluster,
      taskDefinition: this.#task(scope, zone),
      desiredCount: 1,
      capacityProviderStrategies: [{ capacityProvider: provider.capacityProviderName, weight: 1 }],
      // The disk is one process's alone: the old one ends first.
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { enable: true, rollback: true },
      placementConstraints: [ecs.PlacementConstraint.distinctInstances()],
      vpcSubnets: subnets,
      securityGroups: [this.#securityGroup],
      cloudMapOptions: { cloudMapNamespace: namespace, name: nameOf(i), dnsRecordType: discovery.DnsRecordType.A, dnsTtl: DNS_TTL },
    });
    return { service, group };
  }

  #task(scope: Construct, { id }: Zone): ecs.Ec2TaskDefinition {
    // An address of its own, with a security group of its own; it asks nothing of AWS.
    const task = new ecs.Ec2TaskDefinition(scope, 'Task', {
      networkMode: ecs.NetworkMode.AWS_VPC,
      volumes: [{ name: 'zone', host: { sourcePath: ZONE_FOLDER } }],
    });
    const container = task.addContainer('chunk-server', {
      image: ecs.ContainerImage.fromDockerImageAsset(this.#props.image),
      command: ['node', 'chunk-server.mjs'],
      memoryLimitMiB: MEMORY_MIB,
      ...hardened(task),
      environment: {
        PORT: String(PORT),
        MILLRACE_HOST: '0.0.0.0',
        MILLRACE_DATA_DIR: DATA,
        MILLRACE_ZONE_NAME: id,
      },
      secrets: { MILLRACE_ZONE_SECRET: ecs.Secret.fromSecretsManager(this.secret) },
      portMappings: [{ containerPort: PORT }],
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: id, logGroup: this.log }),
    });
    container.addMountPoints({ sourceVolume: 'zone', containerPath: DATA, readOnly: false });
    acknowledge(task, { ECS2: 'They are names and bounds; what is secret comes from Secrets Manager' });
    acknowledge(task.obtainExecutionRole(), { 'IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no resource' });
    return task;
  }
}

function nameOf(i: number): string {
  return `zone-${i + 1}`;
}

/** As cdk-nag writes it. */
function shownArn(group: autoscaling.AutoScalingGroup): string {
  const { region, account, partition } = Stack.of(group);
  const shown = (value: string, name: string): string => (Token.isUnresolved(value) ? `<AWS::${name}>` : value);
  const id = Stack.of(group).getLogicalId(group.node.defaultChild as CfnElement);
  const start = ['arn', shown(partition, 'Partition'), 'autoscaling', shown(region, 'Region'), shown(account, 'AccountId')].join(':');
  return `${start}:autoScalingGroup:*:autoScalingGroupName/<${id}>`;
}
