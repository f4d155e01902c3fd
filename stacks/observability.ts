// What an operator looks at, and what wakes one: each alarm says which section of docs/operations.md to read.

import { aws_cloudwatch as cloudwatch, Duration, aws_dynamodb as dynamodb, aws_logs as logs } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { ChannelService } from './channel-service.ts';
import type { Storage } from './storage.ts';

export interface ObservabilityProps {
  readonly channels: ChannelService;
  readonly storage: Storage;
}

const NAMESPACE = 'Millrace';
const MINUTE = Duration.minutes(1);
const { PUT_ITEM, UPDATE_ITEM, TRANSACT_WRITE_ITEMS, GET_ITEM, QUERY } = dynamodb.Operation;

export class Observability extends Construct {
  readonly alarms: readonly cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { channels, storage }: ObservabilityProps) {
    super(scope, id);
    const serving = channels.targets.metrics.healthyHostCount({ period: MINUTE, statistic: 'Maximum' });
    const halted = this.#events(channels.log, 'Halted', '{ $.event = "channel.halted" }');
    const damaged = this.#events(channels.log, 'Damaged', '{ $.event = "*damaged" || $.event = "*corrupt" }');
    const crashed = this.#events(channels.log, 'Crashed', '{ $.event = "server.crashed" }');
    const throttled = storage.table.metricThrottledRequestsForOperations({
      operations: [PUT_ITEM, UPDATE_ITEM, TRANSACT_WRITE_ITEMS, GET_ITEM, QUERY],
      period: MINUTE,
    });
    this.alarms = [
      this.#alarm('NotServing', serving, { below: 1, minutes: 3, section: 'nothing-serves' }),
      this.#alarm('ChannelHalted', halted, { above: 0, minutes: 1, section: 'a-channel-halted' }),
      this.#alarm('ZoneDamaged', damaged, { above: 0, minutes: 1, section: 'a-zone-is-damaged' }),
      this.#alarm('TaskCrashed', crashed, { above: 0, minutes: 1, section: 'a-task-crashed' }),
      this.#alarm('TableThrottled', throttled, { above: 10, minutes: 5, section: 'the-table-is-throttled' }),
    ];
    const graph = (title: string, ...left: cloudwatch.IMetric[]): cloudwatch.GraphWidget =>
      new cloudwatch.GraphWidget({ title, left, width: 12 });
    new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: [...this.alarms], width: 24 })],
        [
          graph('Tasks that serve', serving),
          graph('Bytes of clients', channels.loadBalancer.metrics.processedBytes(), channels.loadBalancer.metrics.activeFlowCount()),
        ],
        [
          graph('Table: units', storage.table.metricConsumedWriteCapacityUnits(), storage.table.metricConsumedReadCapacityUnits()),
          graph('Task', channels.service.metricCpuUtilization(), channels.service.metricMemoryUtilization()),
        ],
      ],
    });
  }

  #events(log: logs.ILogGroup, name: string, pattern: string): cloudwatch.Metric {
    const filter = new logs.MetricFilter(this, `${name}Events`, {
      logGroup: log,
      filterPattern: logs.FilterPattern.literal(pattern),
      metricNamespace: NAMESPACE,
      metricName: `${this.node.addr.slice(-8)}-${name}`,
    });
    return filter.metric({ statistic: 'Sum', period: MINUTE });
  }

  #alarm(
    name: string,
    metric: cloudwatch.IMetric,
    when: { readonly above?: number; readonly below?: number; readonly minutes: number; readonly section: string },
  ): cloudwatch.Alarm {
    const isBelow = when.below !== undefined;
    const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
    return new cloudwatch.Alarm(this, name, {
      metric,
      threshold: when.below ?? when.above ?? 0,
      comparisonOperator: isBelow ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
      evaluationPeriods: when.minutes,
      // Where nothing is told, nothing is logged or throttled; but a task that is not counted does not serve.
      treatMissingData: isBelow ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
      alarmDescription: `docs/operations.md#${when.section}`,
    });
  }
}
