// `millrace metrics`: what the server counted for an account, a basin or a stream.

import type { Metric, MetricSetResponse, S2 } from '@s2-dev/streamstore';
import { Argument, type Command, Option } from 'commander';
import { type Context, jsonOption } from './context.ts';
import { usageError } from './exit-code.ts';
import { writeLine } from './output.ts';
import { type Place, parsePlace } from './place.ts';
import { printable, prose } from './printable.ts';
import { earlier } from './values.ts';

const ACCOUNT_SETS = ['active-basins', 'account-ops'] as const;
const BASIN_SETS = ['storage', 'append-ops', 'read-ops', 'read-throughput', 'append-throughput', 'basin-ops'] as const;
const STREAM_SETS = ['storage'] as const;
const SETS = [...new Set([...ACCOUNT_SETS, ...BASIN_SETS])];
const INTERVALS = ['minute', 'hour', 'day'] as const;
const DEFAULT_RANGE_MS = 3_600_000;

interface MetricsOptions {
  readonly start?: number;
  readonly end?: number;
  readonly interval?: (typeof INTERVALS)[number];
  readonly json?: true;
}

export function addMetrics(program: Command, context: Context): void {
  program
    .command('metrics')
    .summary('print what was counted')
    .description(
      prose(`
        Print a metric set of the account (${ACCOUNT_SETS.join(', ')}), of a basin (${BASIN_SETS.join(', ')}) or of a
        stream (${STREAM_SETS.join(', ')}).
      `),
    )
    .addArgument(new Argument('<set>').choices(SETS))
    .argument('[basin[/stream]]')
    .addOption(new Option('--start <when>', 'an instant, or how long ago (default: 1h)').argParser(earlier))
    .addOption(new Option('--end <when>', 'an instant, or how long ago (default: now)').argParser(earlier))
    .addOption(new Option('--interval <interval>', 'of one figure').choices(INTERVALS))
    .addOption(jsonOption())
    .action(async (set: string, argument: string | undefined, options: MetricsOptions, command: Command) => {
      const place = argument === undefined ? undefined : parsePlace(argument);
      const { values } = await ask(context.connect(command).s2(), set, place, options);
      for (const metric of values) {
        if (options.json === true) await writeLine(JSON.stringify(metric));
        else for (const line of metricLines(metric)) await writeLine(printable(line));
      }
    });
}

async function ask(s2: S2, set: string, place: Place | undefined, options: MetricsOptions): Promise<MetricSetResponse> {
  const end = options.end ?? Date.now();
  const { interval } = options;
  const range = { start: options.start ?? end - DEFAULT_RANGE_MS, end, ...(interval === undefined ? {} : { interval }) };
  if (place === undefined) return await s2.metrics.account({ set: oneOf(ACCOUNT_SETS, set, 'the account'), ...range });
  const { basin, stream } = place;
  if (stream === undefined) return await s2.metrics.basin({ basin, set: oneOf(BASIN_SETS, set, 'a basin'), ...range });
  return await s2.metrics.stream({ basin, stream, set: oneOf(STREAM_SETS, set, 'a stream'), ...range });
}

function oneOf<T extends string>(sets: readonly T[], set: string, whose: string): T {
  const found = sets.find((one) => one === set);
  if (found === undefined) throw usageError(`${whose} has no metric set "${set}"; it has ${sets.join(', ')}`);
  return found;
}

function metricLines(metric: Metric): string[] {
  if ('label' in metric) return metric.label.values.map((value) => `${metric.label.name}  ${value}`);
  if ('scalar' in metric) return [`${metric.scalar.name}  ${metric.scalar.value} ${metric.scalar.unit}`];
  const { name, unit, values } = 'gauge' in metric ? metric.gauge : metric.accumulation;
  return values.map(([at, value]) => `${at.toISOString()}  ${name}  ${value} ${unit}`);
}
