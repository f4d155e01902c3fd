// Clients of AWS as the adapters want them: pooled connections, one attempt a request, no log of what they send.
//
// Region, credentials and endpoint come from where the SDK looks for them: AWS_REGION, the role of the task or function or the
// usual variables, and AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3, _DYNAMODB, _SQS) for anything else that speaks their wire.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';

/** Requests of one client to one host at a time; more wait for a connection. */
const CONNECTIONS_MAX = 256;
const CONNECT_MS_MAX = 1_000;

function requestHandler() {
  const pool = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
  return { connectionTimeout: CONNECT_MS_MAX, httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool) };
}

/** @param isPathStyle the bucket stands in the path: for endpoints that are no AWS */
export function createS3Client(isPathStyle: boolean): S3Client {
  return new S3Client({ maxAttempts: 1, forcePathStyle: isPathStyle, requestHandler: requestHandler() });
}

export function createDynamoClient(): DynamoDBClient {
  return new DynamoDBClient({ maxAttempts: 1, requestHandler: requestHandler() });
}

/** By itself a client of SQS asks the host of the queue's URL, whatever endpoint is set: an emulator's queue would be asked at AWS. */
export function createSqsClient(): SQSClient {
  return new SQSClient({ maxAttempts: 1, useQueueUrlAsEndpoint: false, requestHandler: requestHandler() });
}
