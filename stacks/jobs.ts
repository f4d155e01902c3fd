// The jobs of a cell as Lambda functions, and the queue by which channel tasks tell what to offload.

import {
  type aws_cloudwatch as cloudwatch,
  Duration,
  type aws_ecs as ecs,
  type RemovalPolicy,
  aws_lambda_event_sources as sources,
  aws_sqs as sqs,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { createAlarm } from './alarm.ts';
import { JobFunction } from './job-function.ts';
import type { Size } from './sizes.ts';
import type { Storage } from './storage.ts';

export interface JobsProps {
  readonly storage: Storage;
  readonly size: Size;
  readonly removalPolicy: RemovalPolicy;
}

/** As long as one offload of a backlog may take; a longer one is gone on with. */
const OFFLOAD_TIMEOUT = Duration.seconds(60);
const TIMEOUT = Duration.minutes(2);
/** Not before its invocation is over. */
const HINT_VISIBILITY = Duration.minutes(2);
/** An older hint says nothing that a newer one, or the schedule, does not. Long enough for three tries. */
const HINT_RETENTION = Duration.hours(1);
const RECEIVE_MAX = 3;
/** Hints of as many channels go into one invocation when many wait, and so many invocations run at once. */
const BATCH_SIZE = 4;
const CONCURRENCY_MAX = 10;
const SWEEP_EVERY = Duration.hours(1);
const MEMORY_MIB = 512;

export class Jobs extends Construct {
  readonly queue: sqs.Queue;
  readonly deadLetters: sqs.Queue;
  readonly functions: readonly JobFunction[];
  readonly alarms: readonly cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { storage, size, removalPolicy }: JobsProps) {
    super(scope, id);
    const common = { storage, removalPolicy, timeout: TIMEOUT, memoryMiB: MEMORY_MIB, every: size.jobsEvery };
    const kept = { encryption: sqs.QueueEncryption.SQS_MANAGED, enforceSSL: true, removalPolicy };
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', { ...kept, retentionPeriod: Duration.days(14) });
    this.queue = new sqs.Queue(this, 'Hints', {
      ...kept,
      visibilityTimeout: HINT_VISIBILITY,
      retentionPeriod: HINT_RETENTION,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: RECEIVE_MAX },
    });
    const offload = new JobFunction(this, 'offload', { ...common, timeout: OFFLOAD_TIMEOUT, memoryMiB: size.offloadMemoryMiB });
    offload.function.addEventSource(
      new sources.SqsEventSource(this.queue, {
        batchSize: BATCH_SIZE,
        maxConcurrency: CONCURRENCY_MAX,
        reportBatchItemFailures: true,
      }),
    );
    const others = [
      new JobFunction(this, 'gc', common),
      new JobFunction(this, 'trim', common),
      new JobFunction(this, 'sweep', { ...common, every: SWEEP_EVERY }),
    ];
    this.functions = [offload, ...others];
    const dead = this.deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5), statistic: 'Maximum' });
    const section = 'hints-that-nobody-can-follow';
    this.alarms = [...this.functions.map(({ alarm }) => alarm), createAlarm(this, 'DeadHints', dead, { above: 0, periods: 1, section })];
  }

  /** Has a task leave its upkeep to the functions, and tell them what to offload. */
  serve(task: ecs.TaskDefinition, container: ecs.ContainerDefinition): void {
    this.queue.grantSendMessages(task.taskRole);
    container.addEnvironment('MILLRACE_JOBS', 'functions');
    container.addEnvironment('MILLRACE_OFFLOAD_QUEUE_URL', this.queue.queueUrl);
  }
}
