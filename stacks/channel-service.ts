// The channel task on ECS: one, on a host of its own, behind a load balancer that passes connections through.
//
// One task serves at a time, by the leases of its channels. A new one cannot serve while the old one does, so a deployment ends the
// old one first: it drains, releases its channels, and the new one claims them at once. Clients try again meanwhile.

import path from 'node:path';
import {
  type aws_certificatemanager as acm,
  aws_ecr_assets as assets,
  aws_autoscaling as autoscaling,
  Duration,
  aws_ec2 as ec2,
  aws_ecs as ecs,
  aws_elasticloadbalancingv2 as elb,
  IgnoreMode,
  aws_iam as iam,
  aws_logs as logs,
  type RemovalPolicy,
  Stack,
  aws_secretsmanager as secrets,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import type { Jobs } from './jobs.ts';
import type { Size } from './sizes.ts';
import type { Storage } from './storage.ts';

export interface ChannelServiceProps {
  readonly vpc: ec2.Vpc;
  readonly storage: Storage;
  readonly size: Size;
  /** Absent: tasks do their upkeep by themselves. */
  readonly jobs?: Jobs | undefined;
  /** Absent: the load balancer speaks plaintext, on port 80. */
  readonly certificate?: acm.ICertificate | undefined;
  /** What leads to the load balancer, and the certificate is for. Absent: the name that AWS gave it. */
  readonly hostName?: string | undefined;
  /** Host names below which each basin has its own. */
  readonly basinSuffixes: readonly string[];
  readonly removalPolicy: RemovalPolicy;
}

const PORT = 8080;
const ROOT = path.join(import.meta.dirname, '..');
/** Exactly what the Dockerfile copies. */
const IMAGE_FILES = ['package.json', 'package-lock.json', 'LICENSE', 'core', 'functions'];
const OPEN_FILES_MAX = 65_536;
/** A drain takes 5 s at most; then ECS kills. */
const STOP_TIMEOUT = Duration.seconds(30);
const SECRET_CHARS = 48;

export class ChannelService extends Construct {
  readonly service: ecs.Ec2Service;
  readonly container: ecs.ContainerDefinition;
  readonly loadBalancer: elb.NetworkLoadBalancer;
  readonly targets: elb.NetworkTargetGroup;
  readonly log: logs.LogGroup;
  readonly rootToken: secrets.Secret;
  readonly signingSecret: secrets.Secret;
  readonly hasCertificate: boolean;
  readonly #hostName: string | undefined;

  constructor(scope: Construct, id: string, props: ChannelServiceProps) {
    super(scope, id);
    const { vpc, storage, size, removalPolicy } = props;
    this.hasCertificate = props.certificate !== undefined;
    this.#hostName = props.hostName;
    this.rootToken = this.#secret('RootToken', 'The access token that may do everything', removalPolicy);
    this.signingSecret = this.#secret('SigningSecret', 'What the key that signs access tokens is derived from', removalPolicy);
    this.log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });

    const task = new ecs.Ec2TaskDefinition(this, 'Task', { networkMode: ecs.NetworkMode.HOST });
    storage.grantReadWrite(task.taskRole);
    this.container = task.addContainer('channel', {
      image: ecs.ContainerImage.fromAsset(ROOT, {
        file: 'functions/channel/Dockerfile',
        exclude: ['**', ...IMAGE_FILES.map((name) => `!${name}`)],
        ignoreMode: IgnoreMode.DOCKER,
        platform: assets.Platform.LINUX_ARM64,
      }),
      memoryLimitMiB: size.taskMemoryMiB,
      stopTimeout: STOP_TIMEOUT,
      user: 'node',
      readonlyRootFilesystem: true,
      environment: {
        PORT: String(PORT),
        MILLRACE_HOST: '0.0.0.0',
        MILLRACE_AUTH: 'required',
        ...storage.environment,
        MILLRACE_BACKLOG_MIB: String(size.backlogMib),
        MILLRACE_LOCATION: `aws:${Stack.of(this).region}`,
        ...(props.basinSuffixes.length === 0 ? {} : { MILLRACE_BASIN_SUFFIX: props.basinSuffixes.join(',') }),
      },
      secrets: {
        MILLRACE_ROOT_TOKEN: ecs.Secret.fromSecretsManager(this.rootToken),
        MILLRACE_SIGNING_SECRET: ecs.Secret.fromSecretsManager(this.signingSecret),
      },
      portMappings: [{ containerPort: PORT }],
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'channel', logGroup: this.log }),
      healthCheck: {
        command: ['CMD', 'node', '-e', `fetch('http://127.0.0.1:${PORT}/ping').then(() => process.exit(0), () => process.exit(1))`],
        interval: Duration.seconds(10),
        retries: 3,
        startPeriod: Duration.seconds(60),
      },
    });
    acknowledge(task, { ECS2: 'They are names and bounds; what is secret comes from Secrets Manager' });
    acknowledge(task.obtainExecutionRole(), { 'IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no resource' });
    props.jobs?.serve(task, this.container);
    this.container.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: OPEN_FILES_MAX, hardLimit: OPEN_FILES_MAX });

    const cluster = new ecs.Cluster(this, 'Cluster', { vpc, containerInsightsV2: ecs.ContainerInsights.ENABLED });
    const hosts = new ec2.SecurityGroup(this, 'Hosts', { vpc, description: 'Hosts of channel tasks: only the load balancer comes in' });
    const provider = this.#capacity(cluster, vpc, size, hosts);
    this.service = new ecs.Ec2Service(this, 'Service', {
      cluster,
      taskDefinition: task,
      desiredCount: 1,
      capacityProviderStrategies: [{ capacityProvider: provider.capacityProviderName, weight: 1 }],
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriod: Duration.seconds(60),
      placementConstraints: [ecs.PlacementConstraint.distinctInstances()],
    });
    const entry = new ec2.SecurityGroup(this, 'Entry', { vpc, description: 'Where clients come in', allowAllOutbound: false });
    hosts.addIngressRule(entry, ec2.Port.tcp(PORT), 'from the load balancer');
    entry.addEgressRule(hosts, ec2.Port.tcp(PORT), 'to the channel tasks');
    ({ loadBalancer: this.loadBalancer, targets: this.targets } = this.#entry(vpc, entry, props.certificate));
    this.targets.addTarget(this.service);
  }

  /** Where clients reach it, without a path. */
  get endpoint(): string {
    return `${this.hasCertificate ? 'https' : 'http'}://${this.#hostName ?? this.loadBalancer.loadBalancerDnsName}`;
  }

  /** Lets a function check and issue access tokens. @returns the settings by which it finds what it needs (functions/api/env.ts) */
  grantSecrets(grantee: iam.IRole): Record<string, string> {
    this.rootToken.grantRead(grantee);
    this.signingSecret.grantRead(grantee);
    return { MILLRACE_ROOT_TOKEN_ID: this.rootToken.secretArn, MILLRACE_SIGNING_SECRET_ID: this.signingSecret.secretArn };
  }

  #secret(name: string, description: string, removalPolicy: RemovalPolicy): secrets.Secret {
    const generateSecretString = { passwordLength: SECRET_CHARS, excludePunctuation: true };
    const secret = new secrets.Secret(this, name, { description, generateSecretString, removalPolicy });
    acknowledge(secret, { SMG4: 'A new one revokes every access token, so it is for a person to decide when' });
    return secret;
  }

  #capacity(cluster: ecs.Cluster, vpc: ec2.Vpc, size: Size, hosts: ec2.SecurityGroup): ecs.AsgCapacityProvider {
    const role = new iam.Role(this, 'HostRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const template = new ec2.LaunchTemplate(this, 'Host', {
      instanceType: new ec2.InstanceType(size.instanceType),
      machineImage: ecs.EcsOptimizedImage.amazonLinux2023(ecs.AmiHardwareType.ARM),
      userData: ec2.UserData.forLinux(),
      role,
      requireImdsv2: true,
      securityGroup: hosts,
      associatePublicIpAddress: true,
      blockDevices: [
        { deviceName: '/dev/xvda', volume: ec2.BlockDeviceVolume.ebs(30, { encrypted: true, volumeType: ec2.EbsDeviceVolumeType.GP3 }) },
      ],
    });
    const group = new autoscaling.AutoScalingGroup(this, 'Group', {
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      launchTemplate: template,
      minCapacity: 0,
      maxCapacity: 2,
    });
    const provider = new ecs.AsgCapacityProvider(this, 'Capacity', {
      autoScalingGroup: group,
      enableManagedTerminationProtection: false,
      enableManagedDraining: true,
    });
    cluster.addAsgCapacityProvider(provider);
    const agent = 'What the agent of ECS needs, bound to the cluster where the action knows a resource';
    acknowledge(role, { 'IAM5[Resource::*]': agent, 'IAM5[Action::ecs:Submit*]': agent });
    acknowledge(group, { AS3: 'Hosts come and go with deployments; what matters is whether a task serves, which has an alarm' });
    return provider;
  }

  /** TLS ends here and ALPN goes on inside: the port of a task takes HTTP/1.1 and HTTP/2 alike. */
  #entry(vpc: ec2.Vpc, group: ec2.SecurityGroup, certificate: acm.ICertificate | undefined) {
    const loadBalancer = new elb.NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc,
      internetFacing: true,
      securityGroups: [group],
      crossZoneEnabled: true,
    });
    acknowledge(loadBalancer, { ELB2: 'It passes connections through and knows no request; the tasks count and log those' });
    acknowledge(group, { EC23: 'It is where clients come in' });
    const port = certificate === undefined ? 80 : 443;
    group.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), 'from clients');
    const targets = new elb.NetworkTargetGroup(this, 'Targets', {
      vpc,
      port: PORT,
      protocol: elb.Protocol.TCP,
      deregistrationDelay: Duration.seconds(5),
      healthCheck: {
        protocol: elb.Protocol.HTTP,
        path: '/health',
        interval: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    });
    loadBalancer.addListener('Listener', {
      port,
      ...(certificate === undefined
        ? { protocol: elb.Protocol.TCP }
        : {
            protocol: elb.Protocol.TLS,
            certificates: [certificate],
            alpnPolicy: elb.AlpnPolicy.HTTP2_PREFERRED,
            sslPolicy: elb.SslPolicy.TLS13_RES,
          }),
      defaultTargetGroups: [targets],
    });
    return { loadBalancer, targets };
  }
}
