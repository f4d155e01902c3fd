import { describe, expect, test } from 'vitest';
import { readChannelEnv } from '#functions/channel/env.ts';

const BASE = {
  MILLRACE_TABLE: 'a-table',
  MILLRACE_BUCKET: 'a-bucket',
  MILLRACE_SIGNING_SECRET: 'x'.repeat(48),
  MILLRACE_ROOT_TOKEN: 'x'.repeat(48),
};
const MILLRACE_OFFLOAD_QUEUE_URL = 'https://sqs.us-east-1.amazonaws.com/123456789012/hints';

describe('who does the jobs of a channel task', () => {
  test('is the task, or functions that a queue tells', () => {
    expect(readChannelEnv(BASE)).toMatchObject({ offloadQueueUrl: undefined, config: { upkeep: 'here' } });
    expect(readChannelEnv({ ...BASE, MILLRACE_JOBS: 'task', MILLRACE_OFFLOAD_QUEUE_URL: '' })).toMatchObject({
      config: { upkeep: 'here' },
    });
    const elsewhere = readChannelEnv({ ...BASE, MILLRACE_JOBS: 'functions', MILLRACE_OFFLOAD_QUEUE_URL });
    expect(elsewhere).toMatchObject({ offloadQueueUrl: MILLRACE_OFFLOAD_QUEUE_URL, config: { upkeep: 'elsewhere' } });
  });

  test.each([
    [{ MILLRACE_JOBS: 'lambda' }, 'MILLRACE_JOBS is "lambda"; it must be "task"'],
    [{ MILLRACE_JOBS: 'functions' }, 'MILLRACE_OFFLOAD_QUEUE_URL is missing; it must be the URL of a queue of SQS'],
    [{ MILLRACE_JOBS: 'functions', MILLRACE_OFFLOAD_QUEUE_URL: 'hints' }, 'MILLRACE_OFFLOAD_QUEUE_URL is "hints"; it must be the URL'],
    [{ MILLRACE_OFFLOAD_QUEUE_URL }, 'MILLRACE_OFFLOAD_QUEUE_URL is set while MILLRACE_JOBS is "task"'],
  ])('%o is refused, and the variable is named', (more, message) => {
    expect(() => readChannelEnv({ ...BASE, ...more })).toThrow(message);
  });
});
