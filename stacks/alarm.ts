// An alarm, as all of this app are: its description is the section of docs/operations.md that says what it means and what to do.

import { aws_cloudwatch as cloudwatch } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

export interface AlarmCondition {
  readonly above?: number;
  readonly below?: number;
  /** How many periods of the metric in a row. */
  readonly periods: number;
  /** Of docs/operations.md. */
  readonly section: string;
}

export function createAlarm(scope: Construct, name: string, metric: cloudwatch.IMetric, when: AlarmCondition): cloudwatch.Alarm {
  const isBelow = when.below !== undefined;
  const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
  return new cloudwatch.Alarm(scope, name, {
    metric,
    threshold: when.below ?? when.above ?? 0,
    comparisonOperator: isBelow ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
    evaluationPeriods: when.periods,
    // Where nothing is told, nothing is logged or throttled; but a task that is not counted does not serve.
    treatMissingData: isBelow ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
    alarmDescription: `docs/operations.md#${when.section}`,
  });
}
