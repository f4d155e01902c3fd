// The control plane as a Lambda function behind a URL of its own, over HTTPS: basins, streams, tokens and metrics while no task is
// up, and without a share of the tasks' processors.

import {
  aws_cloudwatch as cloudwatch,
  Duration,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  type RemovalPolicy,
  Stack,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { createAlarm } from './alarm.ts';
import { codeOf } from './bundle.ts';
import type { ChannelService } from './channel-service.ts';
import type { Storage } from './storage.ts';

export interface ApiProps {
  readonly storage: Storage;
  /** Where the function passes on what has to be in order with appends. */
  readonly channels: ChannelService;
  readonly basinSuffixes: readonly string[];
  readonly removalPolicy: RemovalPolicy;
}

/** A read may wait for records for a minute, at the task that it is passed on to. */
const TIMEOUT = Duration.seconds(90);
const MEMORY_MIB = 512;
const FAILURES = { minutes: 5, above: 5 } as const;

export class Api extends Construct {
  readonly function: lambda.Function;
  readonly url: lambda.FunctionUrl;
  readonly alarms: readonly cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { storage, channels, basinSuffixes, removalPolicy }: ApiProps) {
    super(scope, id);
    const log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    log.grantWrite(role);
    storage.grantControl(role);
    this.function = new lambda.Function(this, 'Function', {
      code: codeOf('api'),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      timeout: TIMEOUT,
      memorySize: MEMORY_MIB,
      role,
      logGroup: log,
      description: 'Millrace: control plane',
      environment: {
        ...storage.environment,
        ...channels.grantSecrets(role),
        MILLRACE_CELL_URL: channels.endpoint,
        MILLRACE_LOCATION: `aws:${Stack.of(this).region}`,
        ...(basinSuffixes.length === 0 ? {} : { MILLRACE_BASIN_SUFFIX: basinSuffixes.join(',') }),
      },
    });
    // Who asks is told by the access token of each request, as everywhere.
    this.url = this.function.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });
    const failed = new cloudwatch.Metric({
      namespace: 'AWS/Lambda',
      metricName: 'Url5xxCount',
      dimensionsMap: { FunctionName: this.function.functionName },
      statistic: 'Sum',
      period: Duration.minutes(FAILURES.minutes),
    });
    this.alarms = [createAlarm(this, 'Fails', failed, { above: FAILURES.above, periods: 1, section: 'the-control-plane-fails' })];
  }
}
