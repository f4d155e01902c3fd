// Objects in a bucket of S3: a general purpose one, or a directory bucket of S3 Express (whose name ends in `--x-s3`).
//
// Conditional puts decide who stores an object; checksums go with every put, and S3 refuses bytes that do not fit theirs. What is
// read is checked by the formats that lie in it (chunks, segments): here only that it is as long as was said.
//
// Of a directory bucket's listings nothing is expected: no order, no StartAfter, prefixes that end in `/`.

import type { S3Client } from '@aws-sdk/client-s3';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Range } from '../../base/range.ts';
import { StoreError } from '../../model/errors.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { ObjectPage, ObjectStore, ObjectSummary, PutOptions } from '../../ports/object-store.ts';
import { checkObjectKey, checkObjectKeys, checkObjectPrefix, OBJECT_PAGE_MAX } from '../object-key.ts';
import { type AttemptPolicy, withAttempts } from './attempts.ts';
import { isFailure } from './failure.ts';
import { Hedge, type HedgeSettings } from './hedge.ts';
import { collected } from './response-body.ts';

export interface S3ObjectStoreOptions {
  /** Made by `createS3Client`: one attempt a request. */
  readonly client: Pick<S3Client, 'send'>;
  readonly bucket: string;
  readonly checksum: Checksum;
  readonly attempts: AttemptPolicy;
  readonly hedge: HedgeSettings;
}

export class S3ObjectStore implements ObjectStore {
  readonly #client: Pick<S3Client, 'send'>;
  readonly #bucket: string;
  readonly #checksum: Checksum;
  readonly #attempts: AttemptPolicy;
  readonly #hedge: Hedge;

  constructor({ client, bucket, checksum, attempts, hedge }: S3ObjectStoreOptions) {
    this.#client = client;
    this.#bucket = bucket;
    this.#checksum = checksum;
    this.#attempts = attempts;
    this.#hedge = new Hedge(attempts.clock, hedge);
  }

  /** Requests that were sent twice because the first one was slow. */
  get hedgesCount(): number {
    return this.#hedge.count;
  }

  async put(key: string, parts: readonly Uint8Array[], options: PutOptions = {}): Promise<'stored' | 'occupied'> {
    checkObjectKey(key);
    const body = Buffer.concat(parts);
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
      ChecksumCRC32: this.#crc(body),
      ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
    });
    // Two puts of the same bytes are one: whichever is stored, it is this object. Only if both find it taken it was taken.
    return await this.#hedge.run(
      () =>
        this.#call('put', key, async (abortSignal) => {
          try {
            await this.#client.send(command, { abortSignal });
            return 'stored';
          } catch (error) {
            if (isFailure(error, 'PreconditionFailed', 412)) return 'occupied';
            throw error;
          }
        }),
      (answer) => answer === 'stored',
    );
  }

  async get(key: string, range?: Range): Promise<Uint8Array | 'absent'> {
    checkObjectKey(key);
    // HTTP has no empty range. What is asked for may still be absent.
    if (range !== undefined && range.end <= range.start) {
      return (await this.head(key)) === 'absent' ? 'absent' : new Uint8Array(0);
    }
    const Range = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` };
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key, ...Range });
    return await this.#hedge.run(() =>
      this.#call('get', key, async (abortSignal) => {
        try {
          const { Body, ContentLength } = await this.#client.send(command, { abortSignal });
          return await collected(Body, ContentLength, abortSignal);
        } catch (error) {
          if (isFailure(error, 'NoSuchKey')) return 'absent';
          // It starts at or behind the end of the object.
          if (isFailure(error, 'InvalidRange', 416)) return new Uint8Array(0);
          throw error;
        }
      }),
    );
  }

  async head(key: string): Promise<ObjectSummary | 'absent'> {
    checkObjectKey(key);
    return await this.#call('head', key, async (abortSignal) => {
      try {
        const { ContentLength } = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }), { abortSignal });
        return { key, bytes: ContentLength ?? 0 };
      } catch (error) {
        if (!isFailure(error, 'NotFound', 404)) throw error;
        // The answer to a HEAD has no body: it may as well be the bucket that is not there.
        await this.#checkBucket(abortSignal);
        return 'absent';
      }
    });
  }

  async list(prefix: string, cursor?: string): Promise<ObjectPage> {
    checkObjectPrefix(prefix);
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      MaxKeys: OBJECT_PAGE_MAX,
      ...(prefix === '' ? {} : { Prefix: prefix }),
      ...(cursor === undefined ? {} : { ContinuationToken: cursor }),
    });
    const page = await this.#call('list', prefix, (abortSignal) => this.#client.send(command, { abortSignal }));
    const objects = (page.Contents ?? []).map(({ Key = '', Size = 0 }) => ({ key: Key, bytes: Size }));
    if (page.IsTruncated !== true) return { objects };
    if (page.NextContinuationToken !== undefined) return { objects, cursor: page.NextContinuationToken };
    throw new StoreError('storage', 'none', `${this.#name(prefix)}: list: it goes on, and does not say where`);
  }

  async delete(keys: readonly string[]): Promise<void> {
    checkObjectKeys(keys);
    const [first] = keys;
    if (first === undefined) return;
    const command = new DeleteObjectsCommand({
      Bucket: this.#bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
    });
    await this.#call('delete', first, async (abortSignal) => {
      const { Errors = [] } = await this.#client.send(command, { abortSignal });
      const [failed] = Errors;
      if (failed === undefined) return;
      const failure = new Error(`${failed.Key}: ${failed.Message}, with ${Errors.length} of ${keys.length} keys`);
      // Deleting again what is gone is no error, so all of them are tried again where that may help.
      throw Object.assign(failure, { name: failed.Code ?? 'InternalError', $metadata: { httpStatusCode: statusOfCode(failed.Code) } });
    });
  }

  async #checkBucket(abortSignal: AbortSignal): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), { abortSignal });
    } catch (error) {
      if (!isFailure(error, 'NotFound', 404)) throw error;
      throw new StoreError('storage', 'none', `bucket ${this.#bucket} does not exist`);
    }
  }

  #call<T>(operation: string, key: string, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withAttempts(`${this.#name(key)}: ${operation}`, this.#attempts, call);
  }

  #name(key: string): string {
    return `s3://${this.#bucket}/${key}`;
  }

  #crc(body: Uint8Array): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#checksum.crc32(body));
    return bytes.toString('base64');
  }
}

/** A key of a delete fails with a code alone. */
function statusOfCode(code: string | undefined): number {
  return code === 'AccessDenied' ? 403 : 500;
}
