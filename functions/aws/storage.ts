// What a cell keeps in AWS, opened: metadata in DynamoDB, segments and standard chunks in a bucket of S3, express chunks in three
// directory buckets of S3 Express, native chunks at three chunk servers. Channel tasks and functions open it in the same way, and
// keep nothing of their own.

import { createDynamoClient, createS3Client } from '#core/adapters/aws/clients.ts';
import { DynamoMetadataStore } from '#core/adapters/aws/dynamo-metadata-store.ts';
import type { HedgeSettings } from '#core/adapters/aws/hedge.ts';
import { S3ObjectStore, type S3ObjectStoreOptions } from '#core/adapters/aws/s3-object-store.ts';
import { checkTableFormat } from '#core/adapters/aws/table-format.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import type { UpkeepPorts } from '#core/cell/upkeep.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { Trace } from '#core/ports/trace.ts';
import { openRemoteZones } from '#functions/channel/remote-zones.ts';
import { zoneAtServer, zoneInBucket } from '#functions/channel/zone-places.ts';
import type { StorageEnv } from './env.ts';

/** What S3 Standard takes at the 99th percentile for an object of 4 MiB; a put of S3 Express has its quorum in place of a hedge. */
const STANDARD_HEDGE: HedgeSettings = { afterMs: 1_500, shareMax: 0.05 };
const EXPRESS_HEDGE: HedgeSettings = { afterMs: 250, shareMax: 0.05 };
const STANDARD = { attemptsMax: 5, attemptMsMax: 10_000 };
const EXPRESS = { attemptsMax: 3, attemptMsMax: 1_500 };
const TABLE = { attemptsMax: 5, attemptMsMax: 3_000 };
const DELAY_MS = { min: 20, max: 1_000 };

/** Table and bucket: all that the control plane needs. */
export interface AwsMetadata {
  readonly ports: Omit<UpkeepPorts, 'zones'>;
  readonly standard: S3ObjectStoreOptions;
  close(): void;
}

export interface AwsStorage {
  readonly ports: UpkeepPorts;
  close(): Promise<void>;
}

/** @throws StoreError that names the table, and what is wrong with it */
export async function openAwsMetadata(env: StorageEnv, trace: Trace, clock: Clock): Promise<AwsMetadata> {
  const dynamo = createDynamoClient();
  const s3 = createS3Client(env.isPathStyle);
  const policy = { clock, random, delayMs: DELAY_MS };
  const metadata = new DynamoMetadataStore({ client: dynamo, table: env.table, attempts: { ...policy, ...TABLE } });
  await checkTableFormat(metadata, env.table);
  const standard = { client: s3, bucket: env.bucket, checksum, attempts: { ...policy, ...STANDARD }, hedge: STANDARD_HEDGE };
  return {
    ports: { clock, random, checksum, trace, metadata, objects: new S3ObjectStore(standard) },
    standard,
    close() {
      dynamo.destroy();
      s3.destroy();
    },
  };
}

/** @throws StoreError that names the table or the bucket, and what is wrong with it */
export async function openAwsStorage(env: StorageEnv, trace: Trace, clock: Clock = systemClock): Promise<AwsStorage> {
  const { ports, standard, close } = await openAwsMetadata(env, trace, clock);
  const attempts = { ...standard.attempts, ...EXPRESS };
  const expressOf = (bucket: string): S3ObjectStoreOptions => ({ ...standard, bucket, attempts, hedge: EXPRESS_HEDGE });
  const { express: expressKind, native: nativeKind, objects: standardKind } = CHUNK_STORE_KINDS;
  const express = env.expressBuckets.map((bucket, i) =>
    zoneInBucket({ name: `zone-${'abc'[i]}`, prefix: '', objects: expressOf(bucket) }, trace),
  );
  const native = env.nativeZones.map(({ url, secret }) => zoneAtServer(url, secret));
  const sets = await Promise.all([
    ...(express.length === 0 ? [] : [openRemoteZones('express', expressKind, express, trace)]),
    ...(native.length === 0 ? [] : [openRemoteZones('native', nativeKind, native, trace)]),
    openRemoteZones('standard', standardKind, [zoneInBucket({ name: 'standard', prefix: 'chunks/', objects: standard }, trace)], trace),
  ]);
  return {
    ports: { ...ports, zones: sets.map(({ zones }) => zones) },
    async close() {
      await Promise.all(sets.map((set) => set.close()));
      close();
    },
  };
}
