// A Lambda function that appends what a queue gives it to a stream: the whole handler, to copy. lambda.md beside it says how it is
// built, deployed and set up.
//
// 1. What it returns rests on acknowledgements: a message leaves the queue once its record is durable, and not before.
// 2. One TLS connection serves one invocation after the other: the client is made once a process, and fetch keeps its connection for
//    as long as the cell does (75 s without a request).
// 3. A message that comes twice makes two records with one `id`: queues deliver at least once, and so does whoever tries again.

import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AppendInput, AppendRecord, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, meteredBytes, S2 } from '@s2-dev/streamstore';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

/** Of an invocation's time: to tell the queue what was not appended. */
const ANSWER_MS = 500;

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

/** Read where it is kept, when the process starts: it stands in no setting, no template and no log. */
async function accessToken(): Promise<string> {
  const id = setting('MILLRACE_TOKEN_SECRET_ID');
  const { SecretString: secret } = await new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId: id }));
  if (secret === undefined || secret === '') throw new Error(`the secret ${id} is empty`);
  return secret;
}

const url = setting('MILLRACE_URL');
const client = new S2({ accessToken: await accessToken(), endpoints: { account: url, basin: url } });
const stream = client.basin(setting('MILLRACE_BASIN')).stream(setting('MILLRACE_STREAM'));

interface Pending {
  readonly message: SQSRecord;
  readonly record: AppendRecord;
}

/** As few appends as their limits allow, in order. */
function batches(messages: readonly SQSRecord[]): readonly Pending[][] {
  const made: Pending[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const record = AppendRecord.string({ body: message.body, headers: [['id', message.messageId]] });
    const size = meteredBytes(record);
    const last = made.at(-1);
    if (last === undefined || bytes + size > MAX_APPEND_BYTES || last.length === MAX_APPEND_RECORDS) {
      made.push([{ message, record }]);
      bytes = size;
    } else {
      last.push({ message, record });
      bytes += size;
    }
  }
  return made;
}

/** @returns the messages that were not acknowledged: the queue gives them again, and in the end to its dead letters. */
export async function handler(event: SQSEvent, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<SQSBatchResponse> {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - ANSWER_MS));
  const left = [...event.Records];
  try {
    for (const batch of batches(event.Records)) {
      // Resolves once the records are in two zones.
      await stream.append(AppendInput.create(batch.map(({ record }) => record)), { signal });
      left.splice(0, batch.length);
    }
  } catch (error) {
    // All behind the first failure come again, so that a queue that keeps an order keeps it here too.
    console.error(JSON.stringify({ event: 'append.failed', messages: left.length, message: String(error) }));
  }
  return { batchItemFailures: left.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}
