import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createSqsClient } from '#core/adapters/aws/clients.ts';
import { decodeOffloadMessage, encodeOffloadMessage } from '#core/adapters/aws/offload-message.ts';
import { SqsOffloadQueue } from '#core/adapters/aws/sqs-offload-queue.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { hintOf, offloadQueueContract } from '../../../contract/offload-queue.ts';
import { type Emulator, isMissing, missingMoto, startMoto, TEST_CREDENTIALS, TEST_REGION } from '../../../support/aws/emulators.ts';
import { type Front, startFront } from '../../../support/aws/front.ts';
import { createQueue, type TestQueue } from '../../../support/aws/queue.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const attempts = { clock, random, attemptsMax: 3, attemptMsMax: 20_000, delayMs: { min: 5, max: 20 } };

describe.skipIf(isMissing(missingMoto()))('a queue of SQS', () => {
  let emulator: Emulator;
  let front: Front;
  let queues = 0;
  let client: ReturnType<typeof createSqsClient>;

  beforeAll(async () => {
    emulator = await startMoto();
    front = await startFront(emulator.endpoint);
    // As a task finds them: in its environment.
    vi.stubEnv('AWS_ENDPOINT_URL_SQS', front.endpoint);
    vi.stubEnv('AWS_REGION', TEST_REGION);
    vi.stubEnv('AWS_ACCESS_KEY_ID', TEST_CREDENTIALS.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', TEST_CREDENTIALS.secretAccessKey);
    client = createSqsClient();
  }, 90_000);
  afterEach(() => {
    front.fault = undefined;
  });
  afterAll(async () => {
    client?.destroy();
    await front?.stop();
    await emulator?.stop();
  });

  async function newQueue(): Promise<{ readonly test: TestQueue; readonly queue: SqsOffloadQueue }> {
    queues += 1;
    const made = await createQueue(emulator.endpoint, `hints-${queues}`);
    return { test: made, queue: new SqsOffloadQueue({ client, queueUrl: made.url, attempts }) };
  }

  offloadQueueContract('SqsOffloadQueue', async () => {
    const { test, queue } = await newQueue();
    return {
      queue,
      received: async () => (await test.drain()).map(decodeOffloadMessage),
      breakIt() {
        front.fault = () => ({ answer: 500, code: 'InternalError' });
      },
      close: async () => test.close(),
    };
  });

  test("asks the endpoint that is set, and not the host of the queue's URL", async () => {
    const { test: made } = await newQueue();
    const queueUrl = made.url.replace(/^http:\/\/[^/]+/, 'https://sqs.us-east-1.amazonaws.com');
    await new SqsOffloadQueue({ client, queueUrl, attempts }).send(hintOf('express-0', 1, 2));
    expect(front.seen.get('SendMessage')).toBeGreaterThan(0);
    expect((await made.drain()).map(decodeOffloadMessage)).toEqual([hintOf('express-0', 1, 2)]);
    made.close();
  });

  test('a service that throttles or is silent for a while is asked again', async () => {
    const { test: made, queue } = await newQueue();
    front.failFirst(2, 'SendMessage', { answer: 400, code: 'RequestThrottled' });
    await queue.send(hintOf('express-0', 1, 2));
    front.failFirst(1, 'SendMessage', 'silence');
    await new SqsOffloadQueue({ client, queueUrl: made.url, attempts: { ...attempts, attemptMsMax: 2_000 } }).send(hintOf('x', 1, 3));
    expect((await made.drain()).map(decodeOffloadMessage)).toHaveLength(2);
    made.close();
  });

  test('Z16: a hint whose earlier attempt may have been taken never fails with effect none', async () => {
    const { test: made, queue } = await newQueue();
    let calls = 0;
    front.fault = () => {
      calls += 1;
      return calls === 1 ? 'lost answer' : { answer: 400, code: 'RequestThrottled' };
    };
    await expect(queue.send(hintOf('express-0', 1, 2))).rejects.toMatchObject({ code: 'throttled', effect: 'unknown' });
    front.fault = undefined;
    expect(await made.drain()).toHaveLength(1);
    made.close();
  });

  test('a queue that is not there is named', async () => {
    const { queue } = await newQueue();
    const gone = new SqsOffloadQueue({ client, queueUrl: `${emulator.endpoint}/123456789012/gone`, attempts });
    await expect(gone.send(hintOf('express-0', 1, 2))).rejects.toMatchObject({ code: 'storage', effect: 'none' });
    await expect(gone.send(hintOf('express-0', 1, 2))).rejects.toThrow(/123456789012\/gone: send: QueueDoesNotExist/);
    await queue.send(hintOf('express-0', 1, 2));
  });
});

describe('the form of a hint', () => {
  test.each([
    ['', 'nothing'],
    ['{', 'no JSON'],
    ['null', 'null'],
    ['[1]', 'a list'],
    ['{"version":2,"channel":"a","epoch":1,"to":1}', 'a later version'],
    ['{"version":1,"channel":"A b","epoch":1,"to":1}', 'a bad channel'],
    ['{"version":1,"channel":"a","epoch":1.5,"to":1}', 'a bad epoch'],
    ['{"version":1,"channel":"a","epoch":1,"to":-1}', 'a bad position'],
    ['{"version":1,"channel":"a","epoch":1}', 'a part'],
  ])('%s (%s) is refused as invalid', (body) => {
    expect(() => decodeOffloadMessage(body)).toThrow(expect.objectContaining({ code: 'invalid', effect: 'none' }));
  });

  test('is what docs/aws.md says', () => {
    expect(encodeOffloadMessage(hintOf('express-0', 3, 17))).toBe('{"version":1,"channel":"express-0","epoch":3,"to":17}');
  });
});
