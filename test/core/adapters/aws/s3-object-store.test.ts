import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { S3ObjectStore } from '#core/adapters/aws/s3-object-store.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import { chunkStoreContract } from '../../../contract/chunk-store.ts';
import { objectStoreContract, text } from '../../../contract/object-store.ts';
import { type Emulator, isMissing, missingMoto, startMoto, TEST_CREDENTIALS, TEST_REGION } from '../../../support/aws/emulators.ts';
import { type Front, startFront } from '../../../support/aws/front.ts';
import { tear } from '../support.ts';

// An emulator takes some milliseconds a request, and far more beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const attempts = { clock, random, attemptsMax: 4, attemptMsMax: 20_000, delayMs: { min: 5, max: 20 } };
const never = { afterMs: 60_000, shareMax: 0 };
const zone = { prefix: '', name: 'zone-a', checksum, random };

describe.skipIf(isMissing(missingMoto())).each([
  { name: 'a bucket of S3', isExpress: false },
  { name: 'a directory bucket of S3 Express', isExpress: true },
])('$name', ({ isExpress, name }) => {
  let emulator: Emulator;
  let front: Front;
  let client: S3Client;
  let buckets = 0;

  beforeAll(async () => {
    emulator = await startMoto();
    front = await startFront(emulator.endpoint);
    const { endpoint } = front;
    const common = { endpoint, region: TEST_REGION, credentials: TEST_CREDENTIALS, maxAttempts: 1 };
    client = new S3Client({ ...common, forcePathStyle: true });
  }, 90_000);
  afterEach(() => {
    front.fault = undefined;
  });
  afterAll(async () => {
    client?.destroy();
    await front?.stop();
    await emulator?.stop();
  });

  async function newBucket(): Promise<string> {
    buckets += 1;
    const bucket = isExpress ? `zone-${buckets}--use1-az4--x-s3` : `millrace-${buckets}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    return bucket;
  }

  const storeOf = (bucket: string, more: { attemptMsMax?: number; hedge?: { afterMs: number; shareMax: number } } = {}): S3ObjectStore =>
    new S3ObjectStore({
      client,
      bucket,
      checksum,
      attempts: { ...attempts, attemptMsMax: more.attemptMsMax ?? attempts.attemptMsMax },
      hedge: more.hedge ?? never,
    });

  // Segments lie in the one, chunks in the other; beyond their names and sessions both are alike, and each case takes a while.
  if (isExpress) {
    chunkStoreContract(`a zone in ${name}`, async () => {
      const objects = storeOf(await newBucket());
      return {
        store: await openObjectChunkStore({ ...zone, objects }),
        tear: (log, at) => tear(objects, log, at),
        reopen: () => openObjectChunkStore({ ...zone, objects }),
      };
    });
  } else {
    objectStoreContract(name, async () => {
      const bucket = await newBucket();
      return { store: storeOf(bucket), reopen: async () => storeOf(bucket) };
    });
  }

  test.each([
    ['SlowDown', 503],
    ['InternalError', 500],
    ['RequestTimeTooSkewed', 403],
  ])('%s is tried again', async (code, answer) => {
    const store = storeOf(await newBucket());
    front.failFirst(2, 'PutObject', { answer, code });
    expect(await store.put('k', [text('x')], { ifAbsent: true })).toBe('stored');
    front.failFirst(2, 'GetObject', { answer, code });
    expect(await store.get('k')).toEqual(text('x'));
  });

  test('a conditional put that met another one is tried again', async () => {
    const store = storeOf(await newBucket());
    front.failFirst(3, 'PutObject', { answer: 409, code: 'ConditionalRequestConflict' });
    expect(await store.put('k', [text('x')], { ifAbsent: true })).toBe('stored');
  });

  test('where it goes on being throttled, nothing was stored', async () => {
    const store = storeOf(await newBucket());
    front.failFirst(4, 'PutObject', { answer: 503, code: 'SlowDown' });
    await expect(store.put('k', [text('x')])).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
  });

  test('Z16: a put whose answer was lost is found taken by its next attempt, and says unknown where there is none', async () => {
    const store = storeOf(await newBucket());
    front.failFirst(1, 'PutObject', 'lost answer');
    expect(await store.put('k', [text('x')], { ifAbsent: true })).toBe('occupied');
    let attempt = 0;
    front.fault = () => (attempt++ === 0 ? 'lost answer' : { answer: 503, code: 'SlowDown' });
    await expect(store.put('l', [text('x')], { ifAbsent: true })).rejects.toMatchObject({ code: 'throttled', effect: 'unknown' });
    front.fault = undefined;
    expect(await store.get('l')).toEqual(text('x'));
  });

  test('an attempt that is not answered ends in time, and the next one is', async () => {
    const store = storeOf(await newBucket(), { attemptMsMax: 300 });
    front.failFirst(1, 'PutObject', 'silence');
    expect(await store.put('k', [text('x')])).toBe('stored');
    front.fault = () => 'silence';
    await expect(store.get('k')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no answer within 300 ms'),
    });
  });

  test('a slow request gets a second one beside it, and the first answer counts', async () => {
    const store = storeOf(await newBucket(), { hedge: { afterMs: 50, shareMax: 0.05 } });
    front.failFirst(1, 'PutObject', 'silence');
    expect(await store.put('k', [text('x')], { ifAbsent: true })).toBe('stored');
    front.failFirst(1, 'GetObject', 'silence');
    expect(await store.get('k')).toEqual(text('x'));
    expect(store.hedgesCount).toBe(2);
  });

  test.each([
    ['AccessDenied', 'unavailable'],
    ['InvalidAccessKeyId', 'unavailable'],
    ['NoSuchBucket', 'storage'],
  ])('%s ends it at once, by name, without effect', async (code, expected) => {
    const store = storeOf(await newBucket());
    const puts = front.seen.get('PutObject') ?? 0;
    front.failFirst(1, 'PutObject', { answer: code === 'NoSuchBucket' ? 404 : 403, code });
    const failure = { code: expected, effect: 'none', message: expect.stringContaining(code) };
    await expect(store.put('k', [text('x')])).rejects.toMatchObject(failure);
    expect(front.seen.get('PutObject')).toBe(puts + 1);
  });

  test('a bucket that vanished is no object that is absent', async () => {
    const gone = storeOf(isExpress ? 'gone--use1-az4--x-s3' : 'millrace-gone');
    const failure = { code: 'storage', effect: 'none', message: expect.stringContaining('gone') };
    await expect(gone.get('k')).rejects.toMatchObject(failure);
    await expect(gone.head('k')).rejects.toMatchObject(failure);
    await expect(gone.put('k', [text('x')])).rejects.toMatchObject(failure);
    await expect(gone.list('')).rejects.toMatchObject(failure);
    await expect(gone.delete(['k'])).rejects.toMatchObject(failure);
  });

  test('no one listens: nothing was sent', async () => {
    const bucket = await newBucket();
    const nobody = await startFront(emulator.endpoint);
    await nobody.stop();
    const common = { region: TEST_REGION, credentials: TEST_CREDENTIALS, maxAttempts: 1, disableS3ExpressSessionAuth: true };
    const lone = new S3Client({ ...common, endpoint: nobody.endpoint, forcePathStyle: true });
    const store = new S3ObjectStore({ client: lone, bucket, checksum, attempts, hedge: never });
    await expect(store.put('k', [text('x')])).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    lone.destroy();
  });
});
