// Makes what a cell keeps on emulators, as its template declares it: the table, the buckets, the queue with its dead letters, and the
// secrets. Whatever cannot be made as it is declared ends the run.

import { randomBytes } from 'node:crypto';
import { type AttributeDefinition, CreateTableCommand, DynamoDBClient, type KeySchemaElement } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutBucketLifecycleConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { TEST_CREDENTIALS, TEST_REGION } from '#test/support/aws/emulators.ts';
import type { Services } from './services.ts';
import { ACCOUNT, type Template, Values } from './template.ts';

const STACK_UUID = '1b3f5a70-0d4e-11f1-8e0a-0a58a9feac02';

/** @returns what everything is called, for the settings of the processes */
export async function provision(template: Template, { dynamo, s3, rest }: Services): Promise<Values> {
  const values = new Values();
  for (const [name, value] of Object.entries({
    'AWS::Region': TEST_REGION,
    'AWS::AccountId': ACCOUNT,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackId': `arn:aws:cloudformation:${TEST_REGION}:${ACCOUNT}:stack/Millrace/${STACK_UUID}`,
  })) {
    values.set(name, value);
  }
  const common = { region: TEST_REGION, credentials: TEST_CREDENTIALS };
  const tables = new DynamoDBClient({ ...common, endpoint: dynamo.endpoint });
  const buckets = new S3Client({ ...common, endpoint: s3.endpoint, forcePathStyle: true });
  const queues = new SQSClient({ ...common, endpoint: rest.endpoint, useQueueUrlAsEndpoint: false });
  const secrets = new SecretsManagerClient({ ...common, endpoint: rest.endpoint });
  try {
    await makeTables(template, values, tables);
    await makeBuckets(template, values, buckets);
    await makeQueues(template, values, queues);
    await makeSecrets(template, values, secrets);
  } finally {
    for (const client of [tables, buckets, queues, secrets]) client.destroy();
  }
  return values;
}

async function makeTables(template: Template, values: Values, client: DynamoDBClient): Promise<void> {
  for (const [id, { Properties }] of template.ofType('AWS::DynamoDB::GlobalTable')) {
    const { KeySchema, AttributeDefinitions, BillingMode } = values.resolve(Properties) as {
      readonly KeySchema: KeySchemaElement[];
      readonly AttributeDefinitions: AttributeDefinition[];
      readonly BillingMode: 'PAY_PER_REQUEST';
    };
    const TableName = `millrace-${id.toLowerCase()}`;
    await client.send(new CreateTableCommand({ TableName, KeySchema, AttributeDefinitions, BillingMode }));
    values.set(id, TableName);
    values.set(`${id}.Arn`, `arn:aws:dynamodb:${TEST_REGION}:${ACCOUNT}:table/${TableName}`);
  }
}

async function makeBuckets(template: Template, values: Values, client: S3Client): Promise<void> {
  for (const [id, { Properties }] of template.ofType('AWS::S3Express::DirectoryBucket')) {
    const { BucketName, LocationName, DataRedundancy } = values.resolve(Properties) as {
      readonly BucketName: string;
      readonly LocationName: string;
      readonly DataRedundancy: 'SingleAvailabilityZone';
    };
    if (!BucketName.includes(`--${LocationName}--`)) throw new Error(`${BucketName} does not lie in ${LocationName}`);
    const Location = { Type: 'AvailabilityZone', Name: LocationName } as const;
    const Bucket = { Type: 'Directory', DataRedundancy } as const;
    await client.send(new CreateBucketCommand({ Bucket: BucketName, CreateBucketConfiguration: { Location, Bucket } }));
    values.set(id, BucketName);
    values.set(`${id}.Arn`, `arn:aws:s3express:${TEST_REGION}:${ACCOUNT}:bucket/${BucketName}`);
  }
  for (const [id, { Properties }] of template.ofType('AWS::S3::Bucket')) {
    const Bucket = `millrace-${id.toLowerCase()}`;
    await client.send(new CreateBucketCommand({ Bucket }));
    const { LifecycleConfiguration } = values.resolve(Properties) as {
      readonly LifecycleConfiguration: {
        readonly Rules: { readonly Status: 'Enabled'; readonly AbortIncompleteMultipartUpload: { readonly DaysAfterInitiation: number } }[];
      };
    };
    const Rules = LifecycleConfiguration.Rules.map((rule, i) => ({ ...rule, ID: `rule-${i}`, Filter: { Prefix: '' } }));
    await client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
    values.set(id, Bucket);
    values.set(`${id}.Arn`, `arn:aws:s3:::${Bucket}`);
  }
}

async function makeQueues(template: Template, values: Values, client: SQSClient): Promise<void> {
  const all = template.ofType('AWS::SQS::Queue');
  // Dead letters first: the others name them.
  const redrives = ([, { Properties }]: (typeof all)[number]): number => (Properties?.['RedrivePolicy'] === undefined ? 0 : 1);
  for (const [id, { Properties = {} }] of all.toSorted((a, b) => redrives(a) - redrives(b))) {
    const declared = values.resolve(Properties) as Readonly<Record<string, unknown>>;
    const Attributes = Object.fromEntries(
      Object.entries(declared).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
    );
    const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: id, Attributes }));
    const found = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    values.set(id, QueueUrl);
    values.set(`${id}.Arn`, found.Attributes?.['QueueArn'] ?? '');
    values.set(`${id}.QueueName`, id);
  }
}

async function makeSecrets(template: Template, values: Values, client: SecretsManagerClient): Promise<void> {
  for (const [id, { Properties }] of template.ofType('AWS::SecretsManager::Secret')) {
    const { GenerateSecretString } = Properties as { readonly GenerateSecretString: { readonly PasswordLength: number } };
    const SecretString = randomBytes(GenerateSecretString.PasswordLength).toString('hex').slice(0, GenerateSecretString.PasswordLength);
    const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: id, SecretString }));
    values.set(id, ARN);
    // What ECS reads of it for a container.
    values.set(`${id}.SecretString`, SecretString);
  }
}
