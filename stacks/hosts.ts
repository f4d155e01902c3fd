// Hosts of one kind on EC2, as a capacity provider of the cluster: nobody logs in to them, and nothing reaches them that their security
// group does not let in.

import { aws_autoscaling as autoscaling, aws_ec2 as ec2, aws_ecs as ecs, aws_iam as iam } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';

export interface HostsProps {
  readonly cluster: ecs.Cluster;
  readonly instanceType: string;
  readonly subnets: ec2.SubnetSelection;
  readonly securityGroup: ec2.SecurityGroup;
  /** The same twice: as many as that, always, and never another in the place of one that seems ill. Else ECS starts and ends them. */
  readonly capacity: { readonly min: number; readonly max: number };
  /** What lies on them is worth something: nothing ends one but who says so. */
  readonly isKept?: boolean;
  /** What runs at their first start, before they join the cluster. */
  readonly commands?: readonly string[];
}

const ROOT_GIB = 30;

export class Hosts extends Construct {
  readonly group: autoscaling.AutoScalingGroup;
  readonly provider: ecs.AsgCapacityProvider;

  constructor(scope: Construct, id: string, props: HostsProps) {
    super(scope, id);
    const { cluster, subnets, securityGroup, capacity, isKept = false, commands = [] } = props;
    const role = this.#role(cluster);
    const userData = ec2.UserData.forLinux();
    userData.addCommands(...commands);
    const volume = ec2.BlockDeviceVolume.ebs(ROOT_GIB, { encrypted: true, volumeType: ec2.EbsDeviceVolumeType.GP3 });
    const template = new ec2.LaunchTemplate(this, 'Template', {
      instanceType: new ec2.InstanceType(props.instanceType),
      machineImage: ecs.EcsOptimizedImage.amazonLinux2023(ecs.AmiHardwareType.ARM),
      userData,
      role,
      requireImdsv2: true,
      securityGroup,
      associatePublicIpAddress: true,
      blockDevices: [{ deviceName: '/dev/xvda', volume }],
      ...(isKept ? { disableApiTermination: true } : {}),
    });
    if (isKept) {
      const resource = template.node.defaultChild as ec2.CfnLaunchTemplate;
      resource.addPropertyOverride('LaunchTemplateData.DisableApiStop', true);
    }
    const isFixed = capacity.min === capacity.max;
    this.group = new autoscaling.AutoScalingGroup(this, 'Group', {
      vpc: cluster.vpc,
      vpcSubnets: subnets,
      launchTemplate: template,
      minCapacity: capacity.min,
      maxCapacity: capacity.max,
      newInstancesProtectedFromScaleIn: isKept,
    });
    this.provider = new ecs.AsgCapacityProvider(this, 'Capacity', {
      autoScalingGroup: this.group,
      enableManagedScaling: !isFixed,
      enableManagedTerminationProtection: false,
      enableManagedDraining: true,
    });
    cluster.addAsgCapacityProvider(this.provider);
    acknowledge(this.group, { AS3: 'Hosts come and go with deployments; what matters is whether a task serves, which has an alarm' });
  }

  /** What the agent of ECS asks, and no more: the CDK would let it write to every log, which tasks do by a role of their own. */
  #role({ clusterArn }: ecs.Cluster): iam.IRole {
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const grant = (actions: string[], resource: string, conditions: Record<string, unknown> = {}): void =>
      void role.addToPolicy(new iam.PolicyStatement({ actions, resources: [resource], conditions }));
    const states = ['SubmitAttachmentStateChanges', 'SubmitContainerStateChange', 'SubmitTaskStateChange'];
    const ofCluster = ['RegisterContainerInstance', 'DeregisterContainerInstance', ...states];
    grant(
      ofCluster.map((action) => `ecs:${action}`),
      clusterArn,
    );
    grant(['ecs:Poll', 'ecs:StartTelemetrySession', 'ecs:UpdateContainerInstancesState'], '*', {
      ArnEquals: { 'ecs:cluster': clusterArn },
    });
    grant(['ecs:DiscoverPollEndpoint', 'ecr:GetAuthorizationToken'], '*');
    acknowledge(role, { 'IAM5[Resource::*]': 'What the agent of ECS needs: bound to the cluster, or of actions that know no resource' });
    return role.withoutPolicyUpdates();
  }
}
