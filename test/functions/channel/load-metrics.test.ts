import { expect, test } from 'vitest';
import { readChannelEnv } from '#functions/channel/env.ts';
import { LoadMetrics } from '#functions/channel/load-metrics.ts';

const NAME = { namespace: 'Millrace', cell: 'abc' };

test('a minute of samples is one line, as CloudWatch reads it', () => {
  const lines: string[] = [];
  const metrics = new LoadMetrics(NAME, (line) => void lines.push(line));
  for (let second = 0; second < 119; second += 1) metrics.add(second, 1_000 * second);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]+\n$/);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    _aws: {
      Timestamp: 59_000,
      CloudWatchMetrics: [{ Namespace: 'Millrace', Dimensions: [['Cell']], Metrics: [{ Name: 'BytesInFlight', Unit: 'Bytes' }] }],
    },
    event: 'load',
    Cell: 'abc',
    BytesInFlight: Array.from({ length: 60 }, (_, second) => second),
  });
  metrics.flush(200_000);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ _aws: { Timestamp: 200_000 }, BytesInFlight: { length: 59 } });
  metrics.flush(300_000);
  expect(lines).toHaveLength(2);
});

test.each(['Millrace', '/cell', 'Millrace/', 'AWS/a/b', 'a b/c'])('a bad MILLRACE_METRICS is refused: %s', (MILLRACE_METRICS) => {
  const env = { MILLRACE_AUTH: 'off', MILLRACE_TABLE: 'table', MILLRACE_BUCKET: 'bucket' };
  expect(readChannelEnv(env).metrics).toBeUndefined();
  expect(readChannelEnv({ ...env, MILLRACE_METRICS: 'Millrace/abc' }).metrics).toEqual(NAME);
  expect(() => readChannelEnv({ ...env, MILLRACE_METRICS })).toThrow('MILLRACE_METRICS is "');
});
