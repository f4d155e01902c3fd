// Bodies that come packed, and answers that go out so: nothing of them is dropped, and no more memory is taken than they may have.

import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { answerEncoding } from '#core/api/http/body.ts';
import { SESSION_FRAME_BYTES_MAX } from '#core/model/limits.ts';
import { Api } from '#test/support/api.ts';
import { startServer, type TestServer } from './server.ts';

const MIB = 1024 * 1024;

let server: TestServer;
let api: Api;
beforeAll(async () => {
  server = await startServer();
  api = new Api(server.origin, 'packed-basin');
  await api.createBasin();
  await api.createStream('s');
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.close();
});

const append = async (body: Uint8Array, encoding: string) => {
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
  const { status, json } = await api.call('POST', '/streams/s/records', { body, headers });
  return status === 200 ? status : `${status} ${(json as { code: string }).code}`;
};

const text = JSON.stringify({ records: [{ body: 'x'.repeat(3_000) }] });
const [left, right] = [Buffer.from(text.slice(0, 1_000)), Buffer.from(text.slice(1_000))];
/** A frame that holds 0 bytes, and one that decoders pass over. */
const empty = zstdCompressSync(Buffer.alloc(0));
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
/** A frame of 3 bytes that says that a decoder needs 2^windowLog bytes of memory. */
const windowed = (windowLog: number) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3, 0x19, 0, 0, 97, 98, 99]);

describe('a body in zstd', () => {
  test('may have several frames, as one that is packed in parallel, and frames that are passed over', async () => {
    const before = await api.tail('s');
    expect(await append(Buffer.concat([zstdCompressSync(left), zstdCompressSync(right)]), 'zstd')).toBe(200);
    expect(await append(Buffer.concat([skippable, zstdCompressSync(left), empty, zstdCompressSync(right), skippable]), 'zstd')).toBe(200);
    expect(await api.tail('s')).toBe(before + 2);
    expect((await api.readBodies('s')).at(-1)?.length).toBe(3_000);
  });

  test.each<[string, Uint8Array, string]>([
    ['noise behind it', Buffer.concat([zstdCompressSync(text), Buffer.from('noise')]), '400 bad_header'],
    ['half a frame behind it', Buffer.concat([zstdCompressSync(text), zstdCompressSync(text).subarray(0, 20)]), '400 bad_header'],
    [
      'more frames than there may be',
      Buffer.concat([zstdCompressSync(text), ...Array.from({ length: 64 }, () => empty)]),
      '400 bad_header',
    ],
    ['a window that would take 128 MiB', windowed(27), '400 bad_header'],
    ['a window of 8 MiB, and no JSON in it', windowed(23), '400 bad_json'],
    [
      'frames that hold too much together',
      Buffer.concat(Array.from({ length: 3 }, () => zstdCompressSync(Buffer.alloc(3 * MIB, 0x20)))),
      '413 too_large',
    ],
    ['exactly 8 MiB and a byte', Buffer.concat([zstdCompressSync(Buffer.alloc(8 * MIB, 0x20)), zstdCompressSync(' ')]), '413 too_large'],
    ['exactly 8 MiB, and a frame of nothing', Buffer.concat([zstdCompressSync(Buffer.alloc(8 * MIB, 0x20)), empty]), '400 bad_json'],
    ['nothing in it', empty, '400 bad_json'],
  ])('with %s is refused, or taken whole', async (_, body, expected) => {
    const before = await api.tail('s');
    expect(await append(body, 'zstd')).toBe(expected);
    expect(await api.tail('s')).toBe(before);
  });
});

test.each<[string, string, Uint8Array]>([
  ['gzip', 'noise behind it', Buffer.concat([gzipSync(text), Buffer.from('noise')])],
  ['gzip', 'its end cut', gzipSync(text).subarray(0, -1)],
  ['zstd', 'its end cut', zstdCompressSync(text).subarray(0, -1)],
  ['zstd', 'gzip in it', gzipSync(text)],
  ['gzip', 'zstd in it', zstdCompressSync(text)],
  ['gzip, zstd', 'both', zstdCompressSync(gzipSync(text))],
  ['gzip', 'nothing that is gzip', Buffer.from(text)],
])('a body in %s with %s is refused', async (encoding, _, body) => {
  expect(await append(body, encoding)).toBe('400 bad_header');
});

describe('a frame of a session', () => {
  const unpack = (bytes: Uint8Array) => zlibCodec.decompress('zstd', bytes, SESSION_FRAME_BYTES_MAX - 1);
  const refusal = (code: string) => expect.objectContaining({ code, effect: 'none' });

  test('holds all frames of its zstd, or is refused', () => {
    expect(Buffer.from(unpack(Buffer.concat([zstdCompressSync(left), empty, zstdCompressSync(right)]))).toString()).toBe(text);
    expect(() => unpack(Buffer.concat([zstdCompressSync(text), Buffer.from('noise')]))).toThrow(refusal('bad_frame'));
    expect(() => unpack(Buffer.concat(Array.from({ length: 65 }, () => empty)))).toThrow(refusal('bad_frame'));
    expect(() => unpack(Buffer.alloc(0))).toThrow(refusal('bad_frame'));
    expect(() => unpack(windowed(27))).toThrow(refusal('bad_frame'));
    const half = zstdCompressSync(Buffer.alloc(MIB));
    expect(() => unpack(Buffer.concat([half, half]))).toThrow(refusal('too_large'));
    expect(unpack(Buffer.concat([half, zstdCompressSync(Buffer.alloc(MIB - 1))])).length).toBe(2 * MIB - 1);
    expect(() => unpack(Buffer.concat([zstdCompressSync(Buffer.alloc(2 * MIB - 1)), zstdCompressSync('x')]))).toThrow(refusal('too_large'));
  });

  test('of a client that packs as well as it can is taken', () => {
    const params = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_checksumFlag]: 1 };
    expect(Buffer.from(unpack(zstdCompressSync(text, { params }))).toString()).toBe(text);
  });
});

describe('an answer', () => {
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['br, identity', undefined],
    ['gzip', 'gzip'],
    ['gzip, zstd', 'zstd'],
    ['gzip;q=0', undefined],
    ['gzip;q=0, zstd;q=0.0', undefined],
    ['zstd;q=0.1, gzip;q=0.9', 'gzip'],
    ['GZIP ; Q=0.5, ZSTD;q=0.5', 'zstd'],
    ['gzip;q=x', undefined],
  ])('to a client that accepts %j is packed with %j', (accept, expected) => {
    expect(answerEncoding(accept)).toBe(expected);
  });

  test('is not packed for a client that refuses it', async () => {
    await api.appendBodies('s', 'y'.repeat(5_000));
    const encodings: (string | null)[] = [];
    for (const accept of ['zstd;q=0', 'gzip;q=1, zstd;q=0']) {
      const answer = await api.read('s', `?seq_num=${(await api.tail('s')) - 1}`, { 'accept-encoding': accept });
      encodings.push(answer.headers.get('content-encoding'));
      expect(answer.json).toMatchObject({ records: [{ body: 'y'.repeat(5_000) }] });
    }
    expect(encodings).toEqual([null, 'gzip']);
  });
});
