// What a cell keeps: the table, the bucket of segments and standard chunks, and a directory bucket in each of three zones.
//
// All of it stays when the stack goes, unless it was asked to go too: then buckets are emptied first, after all that writes to them is
// gone. A directory bucket's name has a suffix of the stack's own: a zone is never made again under the name of one that is gone.

import {
  Aws,
  type CfnElement,
  Duration,
  aws_dynamodb as dynamodb,
  Fn,
  aws_iam as iam,
  RemovalPolicy,
  Stack,
  aws_s3 as s3,
  aws_s3express as s3express,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import { StackHandler } from './stack-handler.ts';
import type { Zones } from './zones.ts';

export interface StorageProps {
  readonly zones: Zones;
  /** Of each storage class: the same for all that work on them. */
  readonly channels: number;
  readonly removalPolicy: RemovalPolicy;
}

/** How long what was deleted from the table can be brought back, and uploads that were given up stay. */
const ABANDONED_UPLOADS = Duration.days(1);
const TABLE_ACTIONS = ['GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'];

export class Storage extends Construct {
  readonly table: dynamodb.TableV2;
  readonly bucket: s3.Bucket;
  readonly expressBuckets: readonly s3express.CfnDirectoryBucket[];
  /** What empties the buckets when the stack goes: whoever writes to them depends on it, to be gone before. Undefined: they stay. */
  readonly emptier: StackHandler | undefined;

  readonly #channels: number;

  constructor(scope: Construct, id: string, { zones, channels, removalPolicy }: StorageProps) {
    super(scope, id);
    this.#channels = channels;
    const isKept = removalPolicy !== RemovalPolicy.DESTROY;
    this.table = new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: 'p', type: dynamodb.AttributeType.STRING },
      sortKey: { name: 's', type: dynamodb.AttributeType.STRING },
      billing: dynamodb.Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: isKept,
      removalPolicy,
    });
    this.bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: ABANDONED_UPLOADS }],
      removalPolicy,
    });
    acknowledge(this.bucket, { S1: 'Access logs of every chunk would cost more than the chunks; CloudTrail data events can be turned on' });
    const suffix = Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', Aws.STACK_ID))));
    this.expressBuckets = zones.map((zone, i) => {
      const bucket = new s3express.CfnDirectoryBucket(this, `Express${i + 1}`, {
        bucketName: `millrace-${suffix}--${zone.id}--x-s3`,
        locationName: zone.id,
        dataRedundancy: 'SingleAvailabilityZone',
        lifecycleConfiguration: {
          rules: [{ status: 'Enabled', abortIncompleteMultipartUpload: { daysAfterInitiation: ABANDONED_UPLOADS.toDays() } }],
        },
      });
      bucket.applyRemovalPolicy(removalPolicy);
      return bucket;
    });
    this.emptier = isKept ? undefined : this.#emptier(removalPolicy);
  }

  /** The settings by which a process finds them (functions/aws/env.ts). */
  get environment(): Record<string, string> {
    return {
      MILLRACE_TABLE: this.table.tableName,
      MILLRACE_BUCKET: this.bucket.bucketName,
      MILLRACE_EXPRESS_BUCKETS: this.expressBuckets.map(({ ref }) => ref).join(','),
      MILLRACE_CHANNELS: String(this.#channels),
    };
  }

  /** What a channel task, or a job in its place, does with them. */
  grantReadWrite(grantee: iam.IRole): void {
    this.#grantTable(grantee);
    this.#grantObjects(grantee, ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], 'it writes and deletes all of them');
    grant(grantee, ['s3:ListBucket'], [this.bucket.bucketArn]);
    grant(
      grantee,
      ['s3express:CreateSession'],
      this.expressBuckets.map((bucket) => bucket.attrArn),
    );
  }

  /** What the control plane does with them: it changes metadata, reads segments, and sees no chunk. */
  grantControl(grantee: iam.IRole): void {
    this.#grantTable(grantee);
    this.#grantObjects(grantee, ['s3:GetObject'], 'it reads any of them');
  }

  #grantTable(grantee: iam.IRole): void {
    const actions = TABLE_ACTIONS.map((action) => `dynamodb:${action}`);
    grant(grantee, actions, [this.table.tableArn]);
  }

  #grantObjects(grantee: iam.IRole, actions: readonly string[], why: string): void {
    acknowledge(grantee, { [`IAM5[Resource::<${this.#bucketId}.Arn>/*]`]: `Every object of the bucket: ${why}` });
    grant(grantee, actions, [this.bucket.arnForObjects('*')]);
  }

  /** What the check of chunk servers looks at: the items of channels. */
  grantLook(grantee: iam.IRole): void {
    const actions = ['GetItem', 'PutItem'].map((action) => `dynamodb:${action}`);
    grant(grantee, actions, [this.table.tableArn]);
  }

  #emptier(removalPolicy: RemovalPolicy): StackHandler {
    const { bucket, expressBuckets } = this;
    const names = [bucket.bucketName, ...expressBuckets.map(({ ref }) => ref)];
    const emptier = new StackHandler(this, 'Emptier', { handler: 'empty-buckets', properties: { Buckets: names }, removalPolicy });
    const { role } = emptier;
    grant(role, ['s3:ListBucketVersions', 's3:ListBucketMultipartUploads'], [bucket.bucketArn]);
    this.#grantObjects(role, ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:AbortMultipartUpload'], 'it empties the bucket');
    grant(
      role,
      ['s3express:CreateSession'],
      expressBuckets.map(({ attrArn }) => attrArn),
    );
    return emptier;
  }

  get #bucketId(): string {
    return Stack.of(this).getLogicalId(this.bucket.node.defaultChild as CfnElement);
  }
}

function grant(grantee: iam.IRole, actions: readonly string[], resources: readonly string[]): void {
  grantee.addToPrincipalPolicy(new iam.PolicyStatement({ actions: [...actions], resources: [...resources] }));
}
