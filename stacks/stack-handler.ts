// What CloudFormation cannot do by itself at a deployment, as a small function of the stack: its code lies in handlers/, and asks with
// the SDK that the runtime brings.

import path from 'node:path';
import { CustomResource, Duration, aws_iam as iam, aws_lambda as lambda, aws_logs as logs, type RemovalPolicy } from 'aws-cdk-lib';
import { Construct } from 'constructs';

export interface StackHandlerProps {
  readonly handler: 'empty-buckets' | 'keep-hosts';
  readonly properties: Readonly<Record<string, unknown>>;
  readonly removalPolicy: RemovalPolicy;
}

const TIMEOUT = Duration.minutes(15);

export class StackHandler extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, { handler, properties, removalPolicy }: StackHandlerProps) {
    super(scope, id);
    // Of its own, so that the log goes with the stack.
    const log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });
    this.role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    log.grantWrite(this.role);
    const code = new lambda.Function(this, 'Function', {
      code: lambda.Code.fromAsset(path.join(import.meta.dirname, 'handlers')),
      handler: `${handler}.handler`,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      timeout: TIMEOUT,
      role: this.role,
      logGroup: log,
      description: `Millrace: ${handler}, at deployments`,
    });
    const resource = new CustomResource(this, 'Resource', { serviceToken: code.functionArn, properties });
    // What it may do is there before it is asked, and until it was.
    resource.node.addDependency(this.role);
  }
}
