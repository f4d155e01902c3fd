// Hints of what to offload in a queue of SQS. They go to the region's endpoint, or to the one that is set, never to the host that
// stands in the queue's URL: with an emulator these differ.

import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { OffloadHint, OffloadQueue } from '../../ports/offload-queue.ts';
import { type AttemptPolicy, withAttempts } from './attempts.ts';
import { encodeOffloadMessage } from './offload-message.ts';

export interface SqsOffloadQueueOptions {
  /** Made by `createSqsClient`: one attempt a request. */
  readonly client: Pick<SQSClient, 'send'>;
  readonly queueUrl: string;
  readonly attempts: AttemptPolicy;
}

export class SqsOffloadQueue implements OffloadQueue {
  readonly #client: Pick<SQSClient, 'send'>;
  readonly #queueUrl: string;
  readonly #attempts: AttemptPolicy;

  constructor({ client, queueUrl, attempts }: SqsOffloadQueueOptions) {
    this.#client = client;
    this.#queueUrl = queueUrl;
    this.#attempts = attempts;
  }

  async send(hint: OffloadHint): Promise<void> {
    const command = new SendMessageCommand({ QueueUrl: this.#queueUrl, MessageBody: encodeOffloadMessage(hint) });
    await withAttempts(`${this.#queueUrl}: send`, this.#attempts, async (abortSignal) => {
      await this.#client.send(command, { abortSignal });
    });
  }
}
