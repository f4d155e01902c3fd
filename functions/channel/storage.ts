// What a channel task works with: the table and the buckets of its cell, the ciphers, what signs tokens, and where functions do its
// upkeep, the queue that tells them. It has no disk of its own.

import type { AttemptPolicy } from '#core/adapters/aws/attempts.ts';
import { createSqsClient } from '#core/adapters/aws/clients.ts';
import { SqsOffloadQueue } from '#core/adapters/aws/sqs-offload-queue.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { createTokenAuthority } from '#core/adapters/node/token-authority.ts';
import type { CellPorts } from '#core/cell/cell.ts';
import type { Trace } from '#core/ports/trace.ts';
import { openAwsStorage } from '#functions/aws/storage.ts';
import type { ChannelEnv } from './env.ts';

/** A hint that is not taken soon is left to the next one. */
const QUEUE: AttemptPolicy = { clock, random, attemptsMax: 2, attemptMsMax: 2_000, delayMs: { min: 50, max: 200 } };

export interface ChannelStorage {
  readonly ports: CellPorts;
  close(): Promise<void>;
}

/** @throws StoreError that names the table or the bucket, and what is wrong with it */
export async function openChannelStorage(env: ChannelEnv, trace: Trace): Promise<ChannelStorage> {
  const storage = await openAwsStorage(env, trace);
  const { offloadQueueUrl: queueUrl } = env;
  const sqs = queueUrl === undefined ? undefined : createSqsClient();
  const queue =
    sqs === undefined || queueUrl === undefined ? {} : { offloadQueue: new SqsOffloadQueue({ client: sqs, queueUrl, attempts: QUEUE }) };
  return {
    ports: {
      ...storage.ports,
      ...queue,
      cipher: await loadNodeCiphers(),
      authority: createTokenAuthority(env.signingSecret, env.rootToken),
    },
    async close() {
      await storage.close();
      sqs?.destroy();
    },
  };
}
