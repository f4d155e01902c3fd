// What an operator looks at, and what wakes one: each alarm says which section of docs/operations.md to read.

import { aws_cloudwatch as cloudwatch, Duration, aws_dynamodb as dynamodb, aws_logs as logs } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { createAlarm } from './alarm.ts';
import type { Api } from './api.ts';
import type { ChannelService } from './channel-service.ts';
import type { ChunkServers } from './chunk-servers.ts';
import type { Jobs } from './jobs.ts';
import type { Storage } from './storage.ts';

export interface ObservabilityProps {
  readonly channels: ChannelService;
  readonly storage: Storage;
  readonly jobs: Jobs | undefined;
  readonly api: Api | undefined;
  readonly chunkServers: ChunkServers | undefined;
}

const NAMESPACE = 'Millrace';
const MINUTE = Duration.minutes(1);
const { PUT_ITEM, UPDATE_ITEM, TRANSACT_WRITE_ITEMS, GET_ITEM, QUERY } = dynamodb.Operation;

export class Observability extends Construct {
  readonly alarms: readonly cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { channels, storage, jobs, api, chunkServers }: ObservabilityProps) {
    super(scope, id);
    const serving = channels.entry.targets.metrics.healthyHostCount({ period: MINUTE, statistic: 'Maximum' });
    const halted = this.#events(channels.log, 'Halted', '{ $.event = "channel.halted" }');
    const damaged = this.#events(channels.log, 'Damaged', '{ $.event = "*damaged" || $.event = "*corrupt" }');
    const crashed = this.#events(channels.log, 'Crashed', '{ $.event = "server.crashed" }');
    const lagging = this.#events(channels.log, 'Lagging', '{ $.event = "job.offload.lagging" }');
    const throttled = storage.table.metricThrottledRequestsForOperations({
      operations: [PUT_ITEM, UPDATE_ITEM, TRANSACT_WRITE_ITEMS, GET_ITEM, QUERY],
      period: MINUTE,
    });
    this.alarms = [
      createAlarm(this, 'NotServing', serving, { below: 1, periods: 3, section: 'nothing-serves' }),
      createAlarm(this, 'ChannelHalted', halted, { above: 0, periods: 1, section: 'a-channel-halted' }),
      createAlarm(this, 'ZoneDamaged', damaged, { above: 0, periods: 1, section: 'a-zone-is-damaged' }),
      createAlarm(this, 'TaskCrashed', crashed, { above: 0, periods: 1, section: 'a-task-crashed' }),
      createAlarm(this, 'TableThrottled', throttled, { above: 10, periods: 5, section: 'the-table-is-throttled' }),
      ...(jobs === undefined
        ? []
        : [createAlarm(this, 'FunctionsLag', lagging, { above: 0, periods: 1, section: 'functions-lag' }), ...jobs.alarms]),
      ...(api?.alarms ?? []),
      ...(chunkServers === undefined ? [] : this.#ofChunkServers(chunkServers)),
    ];
    const graph = (title: string, ...left: cloudwatch.IMetric[]): cloudwatch.GraphWidget =>
      new cloudwatch.GraphWidget({ title, left, width: 12 });
    new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: [...this.alarms], width: 24 })],
        [
          graph('Tasks that serve', serving),
          graph(
            'Bytes of clients',
            channels.entry.loadBalancer.metrics.processedBytes(),
            channels.entry.loadBalancer.metrics.activeFlowCount(),
          ),
        ],
        [
          graph('Table: units', storage.table.metricConsumedWriteCapacityUnits(), storage.table.metricConsumedReadCapacityUnits()),
          graph('Bytes in flight, of a task', channels.bytesInFlight, channels.bytesInFlight.with({ statistic: 'Maximum' })),
          graph('Tasks', channels.service.metricCpuUtilization(), channels.service.metricMemoryUtilization()),
        ],
        ...(jobs === undefined ? [] : [functionGraphs(jobs, graph)]),
      ],
    });
  }

  /** A task that runs says how busy it is; what says nothing does not run. */
  #ofChunkServers({ services, log }: ChunkServers): cloudwatch.Alarm[] {
    const damaged = this.#events(log, 'ChunksDamaged', '{ $.event = "*damaged" || $.event = "*corrupt" }');
    return [
      createAlarm(this, 'ChunksDamaged', damaged, { above: 0, periods: 1, section: 'a-zone-is-damaged' }),
      ...services.map((service, i) => {
        const running = service.metricCpuUtilization({ period: MINUTE, statistic: 'SampleCount' });
        return createAlarm(this, `Zone${i + 1}Away`, running, { below: 1, periods: 5, section: 'a-chunk-server-is-away' });
      }),
    ];
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
}

function functionGraphs(
  { functions, queue }: Jobs,
  graph: (title: string, ...left: cloudwatch.IMetric[]) => cloudwatch.IWidget,
): cloudwatch.IWidget[] {
  return [
    graph('Functions: time of a run', ...functions.map((each) => each.function.metricDuration({ statistic: 'Maximum' }))),
    graph(
      'Functions: failures, and hints that wait',
      ...functions.map((each) => each.function.metricErrors()),
      queue.metricApproximateNumberOfMessagesVisible(),
    ),
  ];
}
