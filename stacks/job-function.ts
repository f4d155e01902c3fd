// A job as a Lambda function: its code, its role, its log, its schedule, and the alarm that says that it fails.

import {
  type aws_cloudwatch as cloudwatch,
  Duration,
  aws_events as events,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  type RemovalPolicy,
  aws_events_targets as targets,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { createAlarm } from './alarm.ts';
import { codeOf, type JobName } from './bundle.ts';
import type { Storage } from './storage.ts';

export interface JobFunctionProps {
  readonly storage: Storage;
  readonly timeout: Duration;
  readonly memoryMiB: number;
  readonly every: Duration;
  readonly removalPolicy: RemovalPolicy;
}

/** Failures within so long that somebody should look: one alone is a service that was busy. */
const FAILURES = { minutes: 15, above: 2 } as const;

export class JobFunction extends Construct {
  readonly function: lambda.Function;
  readonly alarm: cloudwatch.Alarm;

  constructor(scope: Construct, name: JobName, props: JobFunctionProps) {
    super(scope, name);
    const { storage, removalPolicy } = props;
    const log = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy });
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    log.grantWrite(role);
    storage.grantReadWrite(role);
    this.function = new lambda.Function(this, 'Function', {
      code: codeOf(name),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      timeout: props.timeout,
      memorySize: props.memoryMiB,
      role,
      logGroup: log,
      description: `Millrace: ${name}`,
      environment: storage.environment,
      // A job that failed is tried again by its next schedule, from where it stood.
      retryAttempts: 0,
    });
    new events.Rule(this, 'Schedule', {
      schedule: events.Schedule.rate(props.every),
      targets: [new targets.LambdaFunction(this.function, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    });
    const errors = this.function.metricErrors({ period: Duration.minutes(FAILURES.minutes) });
    this.alarm = createAlarm(this, 'Fails', errors, { above: FAILURES.above, periods: 1, section: 'a-function-fails' });
  }
}
