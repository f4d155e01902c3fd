// A cloud on this machine: the table, the buckets, and fronts that count what reaches them; and the environment of a channel task in it.

import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type Emulator, startDynamo, startMoto, TEST_CREDENTIALS, TEST_REGION } from './emulators.ts';
import { type Front, startFront } from './front.ts';

export const ROOT_TOKEN = 'root-token-of-the-tests';
const BUCKET = 'millrace-data';
const TABLE = 'millrace';

export interface Cloud {
  readonly s3: Front;
  readonly dynamo: Front;
  readonly bucket: string;
  readonly expressBuckets: readonly string[];
  /** What a channel task is started with. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** The key schema of the table: nothing else is fixed when it is made. */
export async function createTable(client: DynamoDBClient, table: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['p', 's'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'p', KeyType: 'HASH' },
        { AttributeName: 's', KeyType: 'RANGE' },
      ],
    }),
  );
}

export async function startCloud(): Promise<Cloud> {
  const emulators: Emulator[] = await Promise.all([startDynamo(), startMoto()]);
  const [dynamo, s3] = await Promise.all(emulators.map(({ endpoint }) => startFront(endpoint)));
  if (dynamo === undefined || s3 === undefined) throw new Error('no fronts');
  const expressBuckets = [1, 2, 3].map((zone) => `millrace-chunks--use1-az${zone}--x-s3`);
  const common = { region: TEST_REGION, credentials: TEST_CREDENTIALS };
  const tables = new DynamoDBClient({ ...common, endpoint: dynamo.endpoint });
  const buckets = new S3Client({ ...common, endpoint: s3.endpoint, forcePathStyle: true });
  await createTable(tables, TABLE);
  for (const Bucket of [BUCKET, ...expressBuckets]) await buckets.send(new CreateBucketCommand({ Bucket }));
  tables.destroy();
  buckets.destroy();
  return {
    s3,
    dynamo,
    bucket: BUCKET,
    expressBuckets,
    env: {
      AWS_REGION: TEST_REGION,
      AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
      MILLRACE_TABLE: TABLE,
      MILLRACE_BUCKET: BUCKET,
      MILLRACE_EXPRESS_BUCKETS: expressBuckets.join(','),
      MILLRACE_SIGNING_SECRET: 'a secret of the tests, and of nothing else',
      MILLRACE_ROOT_TOKEN: ROOT_TOKEN,
    },
    async stop() {
      await Promise.all([s3.stop(), dynamo.stop(), ...emulators.map((emulator) => emulator.stop())]);
    },
  };
}
