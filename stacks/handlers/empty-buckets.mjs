// Empties the buckets of a cell that goes, so that they can go too: every version of every object, and uploads that were not finished.
// CloudFormation asks for it when it deletes a stack, after all that writes to them is gone.

import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { answering } from './answer.mjs';

/** So much is left of an invocation for the answer. */
const MARGIN_MS = 30_000;
/** S3 Express, which has no versions. */
const DIRECTORY_BUCKET = /--x-s3$/;

export async function emptyBucket(client, Bucket, remainingMs) {
  for (;;) {
    if (remainingMs() < MARGIN_MS) throw new Error(`${Bucket} is not empty yet; delete the stack again`);
    const found = DIRECTORY_BUCKET.test(Bucket)
      ? ((await client.send(new ListObjectsV2Command({ Bucket }))).Contents ?? [])
      : await versionsIn(client, Bucket);
    if (found.length === 0) break;
    const Objects = found.map(({ Key, VersionId }) => ({ Key, ...(VersionId === undefined ? {} : { VersionId }) }));
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    if (Errors.length > 0) throw new Error(`${Bucket}: ${Errors[0].Key}: ${Errors[0].Code}`);
  }
  for (;;) {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    if (Uploads.length === 0) return;
    for (const { Key, UploadId } of Uploads) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  }
}

async function versionsIn(client, Bucket) {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
  return [...Versions, ...DeleteMarkers];
}

export const handler = answering(async ({ RequestType, ResourceProperties }, context) => {
  if (RequestType !== 'Delete') return;
  const client = new S3Client({});
  for (const bucket of ResourceProperties.Buckets) {
    await emptyBucket(client, bucket, () => context.getRemainingTimeInMillis()).catch((error) => {
      if (error?.name !== 'NoSuchBucket') throw error;
    });
  }
});
