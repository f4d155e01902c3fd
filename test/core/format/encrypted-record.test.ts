import { randomBytes } from 'node:crypto';
import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { InvariantError } from '#core/base/invariant.ts';
import { RecordEncryption } from '#core/format/encrypted-record.ts';
import { type RecordBatch, RecordBatchBuilder, RecordCursor, stampRecords } from '#core/format/record.ts';
import { StoreError } from '#core/model/errors.ts';
import type { SeqNum, StreamId } from '#core/model/ids.ts';
import { BATCH_METERED_BYTES_MAX } from '#core/model/limits.ts';
import { STREAM_CIPHERS, type StreamCipher } from '#core/model/stream-config.ts';
import { batchOf, type PlainRecord, plainRecords } from './arbitraries.ts';
import { expectGolden, golden } from './golden.ts';

const ciphers = await loadNodeCiphers();
const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)), unit: Math.random };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const OTHER_KEY = KEY.map((byte, i) => (i === 31 ? byte ^ 1 : byte));
const STREAM = '000102030405060708090a0b0c0d0e0f' as StreamId;
const OTHER_STREAM = '000102030405060708090a0b0c0d0e10' as StreamId;
const cipherName = fc.constantFrom(...STREAM_CIPHERS);

const EXAMPLE: readonly PlainRecord[] = [
  { timestamp: 1_712_345_678_901n, headers: [], body: text('hello') },
  { timestamp: undefined, headers: [[text('name'), text('value')]], body: text('') },
  { timestamp: undefined, headers: [], body: text('') },
];

function encryption(cipher: StreamCipher, key = KEY, stream = STREAM): RecordEncryption {
  return new RecordEncryption(ciphers, cipher, key, stream);
}

/** Encrypts as api/ does, and stamps as the channel does afterwards. */
function encrypted(cipher: StreamCipher, batch: RecordBatch): RecordBatch {
  const out = encryption(cipher).encrypt(batch, random);
  stampRecords(out.bytes, { mode: 'client-prefer', uncapped: true, now: 42n, floor: 0n });
  return out;
}

function runOf({ bytes, count }: Pick<RecordBatch, 'bytes' | 'count'>) {
  return { first: 7 as SeqNum, count, bytes };
}

function stamped(batch: RecordBatch): Uint8Array {
  const bytes = batch.bytes.slice();
  stampRecords(bytes, { mode: 'client-prefer', uncapped: true, now: 42n, floor: 0n });
  return bytes;
}

function withFence(): RecordBatch {
  const builder = new RecordBatchBuilder();
  const record = (name: string, value: string, body: string): void => {
    builder.begin();
    builder.header(text(name), 0, name.length, text(value), 0, value.length);
    builder.body(text(body), 0, body.length);
    builder.end();
  };
  record('a', 'b', 'before');
  record('', 'fence', 'token');
  return builder.finish();
}

describe('encrypted records', () => {
  prop.prop([cipherName, plainRecords])('come back as they were, byte by byte', (cipher, records) => {
    const batch = batchOf(records);
    const { run, meteredBytes, failedAt } = encryption(cipher).decrypt(runOf(encrypted(cipher, batch)));
    expect(failedAt).toBeUndefined();
    expect(Buffer.from(run.bytes).toString('hex')).toBe(Buffer.from(stamped(batch)).toString('hex'));
    expect([run.first, run.count, meteredBytes]).toEqual([7, batch.count, batch.meteredBytes]);
  });

  prop.prop([cipherName, plainRecords])('show what they weigh and when they were, without a key, and nothing else', (cipher, records) => {
    const batch = batchOf(records);
    const { bytes, count, meteredBytes, encryption: how } = encrypted(cipher, batch);
    expect([count, meteredBytes, how]).toEqual([batch.count, batch.meteredBytes, { cipher, end: batch.count }]);
    const plain = new RecordCursor(stamped(batch));
    const cursor = new RecordCursor(bytes);
    while (plain.next()) {
      expect(cursor.next()).toBe(true);
      expect([cursor.timestamp, cursor.meteredBytes, cursor.isEncrypted]).toEqual([plain.timestamp, plain.meteredBytes, true]);
      expect([cursor.headersCount, cursor.isCommand]).toEqual([0, false]);
    }
    expect(cursor.next()).toBe(false);
  });

  prop.prop([cipherName, plainRecords, fc.nat(), fc.nat({ max: 7 })])(
    'E1: do not open once a bit of them differs, but for the timestamp, which comes later',
    (cipher, records, place, bit) => {
      const { bytes, count } = encrypted(cipher, batchOf(records));
      const at = place % bytes.length;
      const cursor = new RecordCursor(bytes);
      while (cursor.next() && cursor.end <= at);
      const changed = bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
      const isTimestamp = at >= cursor.start + 4 && at < cursor.start + 12;
      const open = () => encryption(cipher).decrypt(runOf({ bytes: changed, count })).failedAt;
      if (isTimestamp) expect(open()).toBeUndefined();
      else expect(failure(open)).toBeDefined();
    },
  );

  prop.prop([cipherName, plainRecords])('E1: open under their own key, in their own stream, and no other', (cipher, records) => {
    const run = runOf(encrypted(cipher, batchOf(records)));
    expect(encryption(cipher, OTHER_KEY).decrypt(run)).toMatchObject({ failedAt: 7, meteredBytes: 0, run: { count: 0 } });
    expect(encryption(cipher, KEY, OTHER_STREAM).decrypt(run)).toMatchObject({ failedAt: 7 });
  });

  test('E1: of another cipher are corrupt: a stream has one', () => {
    const run = runOf(encrypted('aegis-256', batchOf(EXAMPLE)));
    expect(() => encryption('aes-256-gcm').decrypt(run)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test.each(STREAM_CIPHERS)('%s: are never the same twice', (cipher) => {
    const batch = batchOf(Array.from({ length: 100 }, () => ({ timestamp: 1n, headers: [], body: text('same') })));
    const seen = new Set<string>();
    for (const { bytes } of [encrypted(cipher, batch), encrypted(cipher, batch)]) {
      const cursor = new RecordCursor(bytes);
      while (cursor.next()) seen.add(Buffer.from(bytes.subarray(cursor.start + 17, cursor.end)).toString('hex'));
    }
    expect(seen.size).toBe(200);
  });

  test.each(STREAM_CIPHERS)('%s: leave commands as they are', (cipher) => {
    const batch = withFence();
    const out = encrypted(cipher, batch);
    expect(out.encryption).toEqual({ cipher, end: 1 });
    expect(out.commands).toEqual(batch.commands);
    const cursor = new RecordCursor(out.bytes);
    cursor.next();
    expect([cursor.isEncrypted, cursor.isCommand]).toEqual([true, false]);
    cursor.next();
    expect([cursor.isEncrypted, cursor.isCommand]).toEqual([false, true]);
    // Nobody needs a key to read one.
    const second = { first: 8 as SeqNum, count: 1, bytes: out.bytes.subarray(cursor.start, cursor.end) };
    expect(encryption(cipher, OTHER_KEY).decrypt(second)).toMatchObject({ run: { count: 1 } });
    expect(Buffer.from(encryption(cipher).decrypt(runOf(out)).run.bytes)).toEqual(Buffer.from(stamped(batch)));
  });

  test('E3: plain ones are not given, where all but commands are encrypted', () => {
    const run = runOf({ bytes: stamped(batchOf(EXAMPLE)), count: EXAMPLE.length });
    expect(() => encryption('aegis-256').decrypt(run)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test.each(STREAM_CIPHERS)('%s: those before the first that does not open are given', (cipher) => {
    const mine = encrypted(cipher, batchOf(EXAMPLE.slice(0, 2)));
    const theirs = encryption(cipher, OTHER_KEY).encrypt(batchOf(EXAMPLE.slice(0, 1)), random);
    stampRecords(theirs.bytes, { mode: 'client-prefer', uncapped: true, now: 42n, floor: 42n });
    const run = runOf({ bytes: Buffer.concat([mine.bytes, theirs.bytes, mine.bytes]), count: 5 });
    const opened = encryption(cipher).decrypt(run);
    expect(opened).toMatchObject({ failedAt: 9, run: { first: 7, count: 2 }, meteredBytes: mine.meteredBytes });
    expect(Buffer.from(opened.run.bytes)).toEqual(Buffer.from(stamped(batchOf(EXAMPLE.slice(0, 2)))));
  });

  test('are encrypted once', () => {
    const out = encryption('aegis-256').encrypt(batchOf(EXAMPLE), random);
    expect(() => encryption('aegis-256').encrypt(out, random)).toThrow(InvariantError);
  });

  test.each(STREAM_CIPHERS)('%s: the largest batch fits, and the plain one stays as it is', (cipher) => {
    const batch = batchOf([{ timestamp: 1n, headers: [], body: new Uint8Array(randomBytes(BATCH_METERED_BYTES_MAX - 8)) }]);
    const before = Buffer.from(batch.bytes);
    const { run } = encryption(cipher).decrypt(runOf(encrypted(cipher, batch)));
    expect(Buffer.compare(run.bytes, before)).toBe(0);
    expect(Buffer.compare(batch.bytes, before)).toBe(0);
  });

  test.each(STREAM_CIPHERS)('%s: version 1 bytes stay what they are', (cipher) => {
    const counting = { bytes: (count: number) => Uint8Array.from({ length: count }, (_, i) => i), unit: () => 0 };
    const { bytes } = encryption(cipher).encrypt(batchOf(EXAMPLE), counting);
    stampRecords(bytes, { mode: 'client-prefer', uncapped: true, now: 1_712_345_678_950n, floor: 0n });
    expectGolden(`records-${cipher}-v1`, bytes);
    const { run, failedAt } = encryption(cipher).decrypt(runOf({ bytes: golden(`records-${cipher}-v1`), count: 3 }));
    expect(failedAt).toBeUndefined();
    const cursor = new RecordCursor(run.bytes);
    cursor.next();
    expect(Buffer.from(run.bytes.subarray(cursor.bodyStart, cursor.end)).toString()).toBe('hello');
  });

  test('whoever does not know them takes them for corrupt, and not for plain ones', () => {
    const { bytes } = encrypted('aegis-256', batchOf(EXAMPLE));
    // How records were read before there were encrypted ones: 30 bits of length.
    const end = 12 + (Buffer.from(bytes).readUInt32BE(0) & 0x3fff_ffff);
    expect(end).toBeGreaterThan(bytes.length);
    expect(end).toBeGreaterThan(512 * 1024 * 1024);
  });
});

/** The refusal, or the place of the first record that does not open. */
function failure(open: () => SeqNum | undefined): unknown {
  try {
    return open();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'corrupt') return error;
    throw error;
  }
}
