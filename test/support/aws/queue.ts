// A queue of hints with its dead letters, on an emulator; and what Lambda does with it: it receives, invokes, and deletes what did
// not fail.

import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { TEST_CREDENTIALS, TEST_REGION } from './emulators.ts';

const BATCH_MAX = 10;

export interface TestQueue {
  readonly url: string;
  readonly deadUrl: string;
  send(body: string): Promise<void>;
  /** Takes messages from the queue for good. */
  drain(): Promise<readonly string[]>;
  /** Messages in the queue, received or not. */
  count(): Promise<number>;
  deadBodies(): Promise<readonly string[]>;
  /** One batch to `invoke`, as Lambda would; what failed comes again after the visibility timeout. Undefined: nothing was there. */
  deliver(invoke: (event: SQSEvent) => Promise<SQSBatchResponse>): Promise<SQSBatchResponse | undefined>;
  close(): void;
}

/** @param receiveMax a message that was received this often and not deleted goes to the dead letters */
export async function createQueue(
  endpoint: string,
  name: string,
  { visibilitySecs = 1, receiveMax = 2 }: { readonly visibilitySecs?: number; readonly receiveMax?: number } = {},
): Promise<TestQueue> {
  const client = clientOf(endpoint);
  const make = async (QueueName: string, Attributes: Record<string, string>): Promise<string> =>
    (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
  const deadUrl = await make(`${name}-dead`, {});
  const attributes = await client.send(new GetQueueAttributesCommand({ QueueUrl: deadUrl, AttributeNames: ['QueueArn'] }));
  const redrive = { deadLetterTargetArn: attributes.Attributes?.['QueueArn'], maxReceiveCount: receiveMax };
  const url = await make(name, { VisibilityTimeout: String(visibilitySecs), RedrivePolicy: JSON.stringify(redrive) });
  client.destroy();
  return openQueue(endpoint, url, deadUrl);
}

function clientOf(endpoint: string): SQSClient {
  return new SQSClient({ endpoint, region: TEST_REGION, credentials: TEST_CREDENTIALS, useQueueUrlAsEndpoint: false });
}

/** One that was made by somebody else. @param batchMax messages of one delivery */
export function openQueue(endpoint: string, url: string, deadUrl: string, batchMax = BATCH_MAX): TestQueue {
  const client = clientOf(endpoint);
  const receive = async (QueueUrl: string): Promise<readonly Message[]> =>
    (await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: batchMax, WaitTimeSeconds: 0 }))).Messages ?? [];
  const remove = async (QueueUrl: string, { ReceiptHandle }: Message): Promise<void> => {
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  };
  const drain = async (QueueUrl: string): Promise<readonly string[]> => {
    const bodies: string[] = [];
    for (let batch = await receive(QueueUrl); batch.length > 0; batch = await receive(QueueUrl)) {
      for (const message of batch) {
        bodies.push(message.Body ?? '');
        await remove(QueueUrl, message);
      }
    }
    return bodies;
  };
  return {
    url,
    deadUrl,
    async send(MessageBody) {
      await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
    },
    drain: () => drain(url),
    deadBodies: () => drain(deadUrl),
    async count() {
      const AttributeNames = ['ApproximateNumberOfMessages' as const, 'ApproximateNumberOfMessagesNotVisible' as const];
      const { Attributes = {} } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames }));
      return AttributeNames.reduce((sum, attribute) => sum + Number(Attributes[attribute] ?? 0), 0);
    },
    async deliver(invoke) {
      const messages = await receive(url);
      if (messages.length === 0) return undefined;
      const answer = await invoke(eventOf(messages));
      const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      for (const message of messages) if (!failed.has(message.MessageId ?? '')) await remove(url, message);
      return answer;
    },
    close: () => client.destroy(),
  };
}

export function eventOf(messages: readonly Pick<Message, 'MessageId' | 'Body'>[]): SQSEvent {
  return {
    Records: messages.map(
      ({ MessageId = '', Body = '' }): SQSRecord => ({
        messageId: MessageId,
        body: Body,
        receiptHandle: 'unused',
        attributes: { ApproximateReceiveCount: '1', SentTimestamp: '0', SenderId: 'test', ApproximateFirstReceiveTimestamp: '0' },
        messageAttributes: {},
        md5OfBody: 'unused',
        eventSource: 'aws:sqs',
        eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:test',
        awsRegion: TEST_REGION,
      }),
    ),
  };
}
