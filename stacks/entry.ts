// Where clients come in: a load balancer that passes connections through, and knows no request, so that HTTP/1.1 and HTTP/2, bodies
// and sessions of any length go as they come.
//
// TLS ends here, by a certificate that AWS renews, and ALPN goes on inside: the port of a task takes HTTP/1.1 and HTTP/2 alike, told
// apart by their first bytes. TLS at the tasks would need the key of the certificate on every host.

import { type aws_certificatemanager as acm, Duration, aws_ec2 as ec2, aws_elasticloadbalancingv2 as elb } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';

export interface EntryProps {
  readonly vpc: ec2.IVpc;
  /** Whose port is opened to it, and to which it goes. */
  readonly hosts: ec2.SecurityGroup;
  readonly port: number;
  readonly certificate: acm.ICertificate | undefined;
  /** What leads to the load balancer. Undefined: the name that AWS gave it. */
  readonly hostName: string | undefined;
}

export class Entry extends Construct {
  readonly loadBalancer: elb.NetworkLoadBalancer;
  readonly targets: elb.NetworkTargetGroup;
  /** Without a path. */
  readonly url: string;

  constructor(scope: Construct, id: string, { vpc, hosts, port, certificate, hostName }: EntryProps) {
    super(scope, id);
    const group = new ec2.SecurityGroup(this, 'Group', { vpc, description: 'Where clients come in', allowAllOutbound: false });
    hosts.addIngressRule(group, ec2.Port.tcp(port), 'from the load balancer');
    group.addEgressRule(hosts, ec2.Port.tcp(port), 'to the channel tasks');
    this.loadBalancer = new elb.NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc,
      internetFacing: true,
      securityGroups: [group],
      crossZoneEnabled: true,
    });
    acknowledge(this.loadBalancer, { ELB2: 'It passes connections through and knows no request; the tasks count and log those' });
    acknowledge(group, { EC23: 'It is where clients come in' });
    const outside = certificate === undefined ? 80 : 443;
    group.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(outside), 'from clients');
    this.targets = new elb.NetworkTargetGroup(this, 'Targets', {
      vpc,
      port,
      protocol: elb.Protocol.TCP,
      deregistrationDelay: Duration.seconds(5),
      healthCheck: {
        protocol: elb.Protocol.HTTP,
        path: '/health',
        interval: Duration.seconds(5),
        // By itself it would be longer than the interval, which is refused.
        timeout: Duration.seconds(4),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    });
    this.loadBalancer.addListener('Listener', {
      port: outside,
      ...(certificate === undefined
        ? { protocol: elb.Protocol.TCP }
        : {
            protocol: elb.Protocol.TLS,
            certificates: [certificate],
            alpnPolicy: elb.AlpnPolicy.HTTP2_PREFERRED,
            sslPolicy: elb.SslPolicy.TLS13_RES,
          }),
      defaultTargetGroups: [this.targets],
    });
    this.url = `${certificate === undefined ? 'http' : 'https'}://${hostName ?? this.loadBalancer.loadBalancerDnsName}`;
  }
}
