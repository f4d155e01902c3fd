// A whole cell as one construct: `new Millrace(stack, 'Streams', { zones })`.

import { Annotations, type aws_certificatemanager as acm, aws_ecs as ecs, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import { Api } from './api.ts';
import { ChannelService } from './channel-service.ts';
import { ChunkServers } from './chunk-servers.ts';
import { imageAsset } from './image.ts';
import { Jobs } from './jobs.ts';
import { Network } from './network.ts';
import { Observability } from './observability.ts';
import { type SizeName, sizeOf } from './sizes.ts';
import { Storage } from './storage.ts';
import { checkZones, type Zones } from './zones.ts';

export interface MillraceProps {
  /** Three zones of the stack's region that have S3 Express, each with this account's name for it and its id. */
  readonly zones: Zones;
  /** How large the channel task is. Default: `development`. */
  readonly size?: SizeName;
  /** Channels of each storage class, which the tasks share: 1 to 64. Default: as many as the size has tasks. Never less than before. */
  readonly channels?: number;
  /** What the load balancer shows to clients. Default: none; it speaks plaintext on port 80, so records and tokens can be read on the way. */
  readonly certificate?: acm.ICertificate;
  /** Host names below which each basin has one of its own (`<basin>.<suffix>`). Default: none. */
  readonly basinSuffixes?: readonly string[];
  /** Who does the jobs of the background: Lambda functions, or the channel tasks. Default: `functions`; with chunk servers, tasks. */
  readonly jobs?: 'functions' | 'task';
  /** Three chunk servers, one a zone, for storage class `native`: the type of their hosts, on arm64, with one NVMe disk. Default: none. */
  readonly chunkServers?: { readonly instanceType: string };
  /** A name of yours that leads to the load balancer, and that the certificate is for. Default: none; the endpoint has the name that AWS gave it. */
  readonly hostName?: string;
  /**
   * Whether the control plane has a function with a URL of its own besides; the endpoint serves it, too. The function passes requests on
   * to the endpoint, with their tokens. Default: where the endpoint speaks TLS under a `hostName`.
   */
  readonly controlPlane?: boolean;
  /** What becomes of records, metadata, secrets and logs when the construct goes. Default: they stay. */
  readonly removalPolicy?: RemovalPolicy.RETAIN | RemovalPolicy.DESTROY;
}

export class Millrace extends Construct {
  readonly network: Network;
  readonly storage: Storage;
  readonly cluster: ecs.Cluster;
  /** Undefined where there is no storage class `native`. */
  readonly chunkServers: ChunkServers | undefined;
  /** Says which chunk server may be replaced: for a person to run (docs/operations.md#replace-a-chunk-server). */
  readonly zoneCheck: ecs.Ec2TaskDefinition | undefined;
  /** Undefined where the channel task does the jobs. */
  readonly jobs: Jobs | undefined;
  readonly channels: ChannelService;
  readonly api: Api | undefined;
  readonly observability: Observability;

  /** @throws Error that names the prop, and what it must be */
  constructor(scope: Construct, id: string, props: MillraceProps) {
    super(scope, id);
    const { zones, certificate, hostName, basinSuffixes = [], removalPolicy = RemovalPolicy.RETAIN } = props;
    for (const warning of checkZones(zones, Stack.of(this).region)) {
      Annotations.of(this).addWarningV2('millrace:zone-without-express', warning);
    }
    const size = sizeOf(props.size ?? 'development');
    this.network = new Network(this, 'Network', { zones, removalPolicy });
    this.storage = new Storage(this, 'Storage', { zones, channels: channelsOf(props), removalPolicy });
    const { vpc } = this.network;
    const { storage } = this;
    this.cluster = new ecs.Cluster(this, 'Cluster', { vpc });
    acknowledge(this.cluster, {
      ECS4: 'Its metrics cost more than a small cell; tasks and chunk servers are counted, and say what they do',
    });
    const image = imageAsset(this);
    const { cluster } = this;
    this.jobs = jobsBy(props) === 'task' ? undefined : new Jobs(this, 'Jobs', { storage, size, removalPolicy });
    const { jobs } = this;
    this.chunkServers =
      props.chunkServers === undefined
        ? undefined
        : new ChunkServers(this, 'ChunkServers', { ...props.chunkServers, zones, cluster, image, storage, removalPolicy });
    const { chunkServers } = this;
    const common = { cluster, image, storage, size, jobs, chunkServers };
    this.channels = new ChannelService(this, 'Channels', { ...common, certificate, hostName, basinSuffixes, removalPolicy });
    const { channels } = this;
    this.api = hasControlPlane(props) ? new Api(this, 'Api', { storage, channels, basinSuffixes, removalPolicy }) : undefined;
    this.zoneCheck = chunkServers?.addCheck(channels.log);
    // Tasks start when a quorum of chunk servers does, and write until they are gone.
    if (chunkServers !== undefined) channels.node.addDependency(...chunkServers.services);
    if (storage.emptier !== undefined) for (const writer of [channels, jobs, this.api]) writer?.node.addDependency(storage.emptier);
    this.observability = new Observability(this, 'Observability', { channels, storage, jobs, api: this.api, chunkServers });
  }

  /** Where clients reach it, without a path. */
  get endpoint(): string {
    return this.channels.endpoint;
  }
}

function jobsBy({ jobs, chunkServers }: MillraceProps): 'functions' | 'task' {
  if (chunkServers === undefined) return jobs ?? 'functions';
  if (jobs === 'functions') {
    throw new Error('jobs is "functions" where there are chunkServers; it must be "task": functions do not reach chunk servers');
  }
  return 'task';
}

function hasControlPlane({ controlPlane, certificate, hostName }: MillraceProps): boolean {
  const isReached = certificate === undefined || hostName !== undefined;
  if (controlPlane === true && !isReached) {
    throw new Error(
      'controlPlane needs a hostName where there is a certificate: the function reaches the endpoint by the name that it is for',
    );
  }
  return controlPlane ?? (certificate !== undefined && isReached);
}

const CHANNELS_MAX = 64;

function channelsOf({ channels, size = 'development' }: MillraceProps): number {
  if (channels === undefined) return sizeOf(size).channels;
  if (Number.isInteger(channels) && channels >= 1 && channels <= CHANNELS_MAX) return channels;
  throw new Error(`channels is ${channels}; it must be a whole number from 1 to ${CHANNELS_MAX}, and never less than before`);
}
