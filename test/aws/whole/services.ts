// The services of a cell on emulators: DynamoDB Local, and moto for S3, SQS and Secrets Manager, each behind a front that counts what
// reaches it.

import { startDynamo, startMoto, TEST_CREDENTIALS, TEST_REGION } from '#test/support/aws/emulators.ts';
import { type Front, startFront } from '#test/support/aws/front.ts';
import { Ledger } from './ledger.ts';

export interface Services {
  readonly dynamo: Front;
  readonly s3: Front;
  /** SQS, and Secrets Manager. */
  readonly rest: Front;
  readonly ledger: Ledger;
  /** S3 past its front: what is asked here is not counted. */
  readonly objectsUrl: string;
  /** Where programs find them that use the AWS SDK. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startServices(): Promise<Services> {
  const starting = await Promise.allSettled([startDynamo(), startMoto()]);
  const emulators = starting.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const [tables, objects] = emulators;
  if (tables === undefined || objects === undefined) {
    for (const emulator of emulators) await emulator.stop();
    throw starting.find((each) => each.status === 'rejected')?.reason;
  }
  const [dynamo, s3, rest] = await Promise.all([startFront(tables.endpoint), startFront(objects.endpoint), startFront(objects.endpoint)]);
  const ledger = new Ledger();
  for (const front of [dynamo, s3, rest]) front.onRequest = (request) => ledger.add(request);
  return {
    dynamo,
    s3,
    rest,
    ledger,
    objectsUrl: objects.endpoint,
    env: {
      ...environmentOf(TEST_REGION),
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
      AWS_ENDPOINT_URL_SQS: rest.endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: rest.endpoint,
    },
    async stop() {
      await Promise.all([dynamo, s3, rest].map((front) => front.stop()));
      await Promise.all(emulators.map((emulator) => emulator.stop()));
    },
  };
}

/** Whatever the SDK would find on the machine of a developer stays out. */
export function environmentOf(region: string): Readonly<Record<string, string>> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
