// Three public subnets, one a zone, whose hosts nobody reaches but the load balancer, and gateway endpoints, which cost nothing,
// for everything that is asked on the path of a record.
//
// What hosts need besides (the image registry, ECS, logs) they reach through their public addresses: three at $3.65 a month each,
// where a NAT gateway is $33 a zone and $0.045 a GB, and interface endpoints are $22 each in three zones.

import { aws_ec2 as ec2, aws_logs as logs, type RemovalPolicy } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { Zones } from './zones.ts';

export interface NetworkProps {
  readonly zones: Zones;
  readonly removalPolicy: RemovalPolicy;
}

export class Network extends Construct {
  readonly vpc: ec2.Vpc;

  constructor(scope: Construct, id: string, { zones, removalPolicy }: NetworkProps) {
    super(scope, id);
    const { DYNAMODB, S3, S3_EXPRESS } = ec2.GatewayVpcEndpointAwsService;
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      availabilityZones: zones.map(({ name }) => name),
      natGateways: 0,
      subnetConfiguration: [{ name: 'hosts', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 20 }],
      gatewayEndpoints: { Table: { service: DYNAMODB }, Objects: { service: S3 }, Express: { service: S3_EXPRESS } },
      // The group that every VPC comes with admits only its own members, and has none.
      restrictDefaultSecurityGroup: false,
    });
    const flowLogs = new logs.LogGroup(this, 'RejectedTraffic', { retention: logs.RetentionDays.TWO_WEEKS, removalPolicy });
    this.vpc.addFlowLog('Rejected', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(flowLogs),
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }
}
