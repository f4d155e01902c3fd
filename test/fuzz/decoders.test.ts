// Every decoder of what clients send: 10,000 inputs each, most of them nearly good. An input gives a value or a refusal that blames
// whoever sent it; nothing else is thrown, and a good share of both is met.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { acceptedEncoding, answerEncoding } from '#core/api/http/body.ts';
import {
  decodeSegment,
  header,
  pageOf,
  parseQuery,
  parseQueryWith,
  parseRead,
  requestBasin,
  requestCustomerKey,
  requestFormat,
  requestStreamConfig,
  requestToken,
} from '#core/api/http/request.ts';
import {
  parseBasinReconfiguration,
  parseConfigJson,
  parseCreateBasin,
  parseCreateStream,
  parseEnsureBasin,
  parseStreamConfig,
  parseStreamReconfiguration,
} from '#core/api/http/schema/config.ts';
import { accountMetricsQuery } from '#core/api/http/schema/metrics.ts';
import { basinPageQuery, streamPageQuery, tokenPageQuery } from '#core/api/http/schema/query.ts';
import { parseIssueToken } from '#core/api/http/schema/tokens.ts';
import { accessTokenId, basinName as checkBasinName, streamName as checkStreamName } from '#core/api/names.ts';
import { StoreError } from '#core/model/errors.ts';
import { decodeClaims } from '#core/model/token-claims.ts';
import type { AppendInput } from '#core/wire/append-input.ts';
import { decodeAppendJson } from '#core/wire/append-json.ts';
import { decodeAppendInput } from '#core/wire/append-proto.ts';
import { decodeBase64 } from '#core/wire/base64.ts';
import { basinHosts } from '#core/wire/basin-host.ts';
import { mediaType } from '#core/wire/media-type.ts';
import { SessionFrameParser } from '#core/wire/session-frame.ts';
import { parseEventId } from '#core/wire/sse.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import { type Damage, damage, damaged, noise } from './damage.ts';
import { DESCRIPTION } from './described.ts';
import { CASES_MIN, PARAMETERS, SEED } from './fuzz-group.ts';
import { oneFrame, protoInput, sessionBody } from './messages.ts';
import { anyText, basinName, KEYS, oddText, often, streamName, tokenId, u64 } from './names.ts';
import { fromSchema, toJson } from './schema-arbitrary.ts';

const TIMEOUT_MS = 120_000;
/** Of 100: this many inputs at least are taken, and this many refused. */
const SHARE_MIN = 2;

interface Counts {
  taken: number;
  refused: number;
}

/** What a decoder makes of an input. @throws whatever it throws that is no refusal */
function outcome(decode: () => unknown): keyof Counts {
  try {
    return decode() === undefined ? 'refused' : 'taken';
  } catch (error) {
    if (!(error instanceof StoreError) || error.effect !== 'none') throw error;
    expect(['bad_frame', 'bad_header', 'bad_json', 'bad_path', 'bad_proto', 'bad_query', 'invalid', 'too_large']).toContain(error.code);
    return 'refused';
  }
}

/** Fuzzes one decoder: what it gives is looked at by `decode` itself. */
function fuzz<T>(input: fc.Arbitrary<T>, decode: (input: T) => unknown, share = SHARE_MIN): void {
  const counts: Counts = { taken: 0, refused: 0 };
  const property = fc.property(input, (one) => {
    counts[outcome(() => decode(one))] += 1;
  });
  fc.assert(property, { ...PARAMETERS, numRuns: CASES_MIN, endOnFailure: false });
  expect(counts.taken + counts.refused).toBeGreaterThanOrEqual(CASES_MIN);
  expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan((CASES_MIN * share) / 100);
}

const some = <T>(drawn: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> =>
  often<readonly T[]>([3, []], [2, drawn.map((one) => [one])], [1, fc.array(drawn, { minLength: 2, maxLength: 3 })]);
const bytesOf = (good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  often<Uint8Array>([12, fc.tuple(good, some(damage)).map(([bytes, harm]) => harm.reduce<Uint8Array>(damaged, bytes))], [1, noise]);
const textOf = (good: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  often<string>(
    [12, fc.tuple(good, some(damage)).map(([text, harm]) => harm.reduce<Uint8Array>(damaged, Buffer.from(text)).toString())],
    [1, anyText],
  );
const jsonOf = (name: string): fc.Arbitrary<Uint8Array> =>
  bytesOf(fromSchema(DESCRIPTION.components.schemas[name] ?? {}, name).map((value) => Uint8Array.from(Buffer.from(toJson(value)))));
const parsed = (bytes: Uint8Array): unknown => {
  try {
    return parseConfigJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Not the decoder's to refuse: it is told apart before.
    return undefined;
  }
};

/** A batch is whole: as many records as it says, each inside of its bytes. */
function walked({ batch }: AppendInput): number {
  expect(batch.count).toBeGreaterThan(0);
  const bytes = batch.bytes.slice();
  let count = 0;
  // A timestamp that is absent is marked in the length until the batch is stamped.
  for (let at = 0; at < bytes.length; count += 1) {
    const length = new DataView(bytes.buffer).getUint32(at) & 0x3fff_ffff;
    at += 12 + length;
    expect(at).toBeLessThanOrEqual(bytes.length);
  }
  expect(count).toBe(batch.count);
  return count;
}

describe(`appends (seed ${SEED})`, () => {
  test.each(['raw', 'base64'] as const)(
    'as JSON, %s',
    (format) => fuzz(jsonOf('AppendInput'), (bytes) => walked(decodeAppendJson(bytes, format))),
    TIMEOUT_MS,
  );
  test('as protobuf', () => fuzz(bytesOf(protoInput), (bytes) => walked(decodeAppendInput(bytes))), TIMEOUT_MS);

  test(
    'as frames, in pieces of any size',
    () => {
      const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 4 });
      fuzz(fc.tuple(bytesOf(sessionBody), cuts), ([bytes, at]) => {
        const parser = new SessionFrameParser(zlibCodec);
        let frames = 0;
        const edges = [0, ...at.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
        for (const [i, start] of edges.slice(0, -1).entries()) {
          parser.push(bytes.subarray(start, edges[i + 1]));
          for (let payload = parser.next(); payload !== undefined; payload = parser.next()) frames += 1;
          expect(parser.heldBytes).toBeLessThanOrEqual(bytes.length);
        }
        parser.finish();
        return frames;
      });
    },
    TIMEOUT_MS,
  );

  test(
    'a frame gives the same, however it is cut',
    () => {
      const payloads = (pieces: readonly Uint8Array[]): string => {
        const parser = new SessionFrameParser(zlibCodec);
        const found: string[] = [];
        try {
          for (const piece of pieces) {
            parser.push(piece);
            for (let payload = parser.next(); payload !== undefined; payload = parser.next())
              found.push(Buffer.from(payload).toString('hex'));
          }
          parser.finish();
        } catch (error) {
          found.push((error as StoreError).code);
        }
        return found.join();
      };
      fuzz(bytesOf(oneFrame), (bytes) => {
        const whole = payloads([bytes]);
        expect(payloads(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toBe(whole);
        return whole.includes('bad_frame') ? undefined : whole;
      });
    },
    TIMEOUT_MS,
  );
});

describe('compression', () => {
  const BYTES_MAX = 4_096;
  const content = often<Uint8Array>(
    [4, noise],
    [2, protoInput],
    [1, fc.nat({ max: 2 * BYTES_MAX }).map((length) => new Uint8Array(length))],
  );
  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)(
    '%s: gives the whole of it, within its bound, or nothing',
    (encoding, pack) => {
      const harm: fc.Arbitrary<Damage | undefined> = often<Damage | undefined>([1, undefined], [1, damage]);
      fuzz(fc.tuple(content, harm), ([plain, how]) => {
        const packed = pack(plain);
        const bytes = how === undefined ? packed : damaged(packed, how);
        const unpacked = zlibCodec.decompress(encoding, bytes, BYTES_MAX);
        expect(unpacked.length).toBeLessThanOrEqual(BYTES_MAX);
        if (how === undefined || how.kind === 'cut') expect(Buffer.compare(unpacked, plain)).toBe(0);
        return unpacked;
      });
    },
    TIMEOUT_MS,
  );

  test('accept-encoding', () => {
    const item = fc.tuple(
      fc.constantFrom('gzip', 'zstd', 'br', '*', 'identity', 'GZIP', ''),
      fc.constantFrom('', ';q=0', '; q=0.5', ';q=x'),
    );
    fuzz(textOf(fc.array(item, { maxLength: 4 }).map((all) => all.map((one) => one.join('')).join(', '))), (text) => {
      const best = answerEncoding(text);
      if (best !== undefined) expect(acceptedEncoding(text)).toBeDefined();
      return best;
    });
  });
});

describe('bodies in JSON', () => {
  test.each([
    ['CreateBasinRequest', parseCreateBasin],
    ['EnsureBasinRequest', parseEnsureBasin],
    ['BasinReconfiguration', parseBasinReconfiguration],
    ['CreateStreamRequest', parseCreateStream],
    ['StreamConfigRequest', parseStreamConfig],
    ['StreamConfigRequest', parseStreamReconfiguration],
    ['IssueAccessTokenRequest', parseIssueToken],
  ] as const)('%s', (name, parse) => fuzz(jsonOf(name), (bytes) => parse(parsed(bytes))), TIMEOUT_MS);
});

describe('queries, paths and headers', () => {
  const encoded = (text: string): string => encodeURIComponent(text.isWellFormed() ? text : '');
  const number = u64.map(String);
  const field = (name: string, value: fc.Arbitrary<string>) => value.map((text) => `${name}=${encoded(text)}`);
  const queryOf = (...fields: readonly fc.Arbitrary<string>[]) =>
    textOf(fc.array(fc.oneof(...fields), { maxLength: 4 }).map((all) => all.join('&')));

  test('of a read', () => {
    const flag = field('clamp', fc.constantFrom('true', 'false', 'yes'));
    const names = ['seq_num', 'timestamp', 'tail_offset', 'count', 'bytes', 'until', 'wait'].map((name) => field(name, number));
    fuzz(queryOf(flag, ...names), (text) => parseRead(parseQuery(text)));
  });

  test.each([
    ['basins', basinPageQuery, basinName],
    ['streams', streamPageQuery, streamName],
    ['tokens', tokenPageQuery, tokenId],
  ] as const)('of a listing of %s', (_, schema, name) => {
    fuzz(queryOf(field('prefix', name), field('start_after', name), field('limit', number)), (text) =>
      pageOf(parseQueryWith(schema, parseQuery(text))),
    );
  });

  test('of metrics', () => {
    const fields = [
      field('set', fc.constantFrom('account-ops', 'active-basins', 'storage')),
      field('start', number),
      field('interval', fc.constantFrom('hour', 'week')),
    ];
    fuzz(queryOf(...fields), (text) => parseQueryWith(accountMetricsQuery, parseQuery(text)));
  });

  test.each([
    ['basin', checkBasinName, basinName],
    ['stream', checkStreamName, streamName],
    ['access token', accessTokenId, tokenId],
  ] as const)('a path that names a %s', (_, check, name) => {
    fuzz(textOf(name.map(encoded)), (text) => check(decodeSegment(text), 'bad_path'));
  });

  const value = (good: fc.Arbitrary<string>) => textOf(good).map((text) => Buffer.from(text).toString('latin1'));
  test.each<[string, fc.Arbitrary<string>, (headers: Record<string, string>) => unknown]>([
    ['s2-basin', basinName, (headers) => requestBasin({ headers, hostBasin: undefined })],
    ['s2-format', fc.constantFrom('raw', 'base64', ' json '), (headers) => requestFormat(headers)],
    ['s2-request-token', oddText, (headers) => requestToken(headers)],
    ['s2-encryption-key', fc.constantFrom(...KEYS), (headers) => requestCustomerKey(headers)?.bytesFor('aegis-256')],
    [
      's2-stream-config',
      fromSchema(DESCRIPTION.components.schemas['StreamConfigRequest'] ?? {}, '').map(toJson),
      (headers) => requestStreamConfig(headers),
    ],
    ['last-event-id', fc.tuple(number, number, number).map(String), (headers) => parseEventId(header(headers, 'last-event-id') ?? '')],
  ])('the header %s', (name, good, decode) => fuzz(value(good), (text) => decode({ [name]: text })), TIMEOUT_MS);

  test('a media type, and a host', () => {
    const types = fc.constantFrom(
      'application/json',
      'application/x+json; charset=utf-8',
      's2s/proto',
      'text/event-stream',
      'application/protobuf',
      '',
    );
    fuzz(textOf(types), (text) => mediaType(text));
    const hosts = basinHosts(['b.test', 'deep.b.test']);
    fuzz(textOf(fc.constantFrom('fuzz-basin.b.test:80', 'fuzz-basin.deep.b.test.', 'b.test', 'x', '[::1]:8080')), (text) => hosts(text));
  });
});

describe('tokens', () => {
  const claims = JSON.stringify({
    v: 1,
    token: 'ab'.repeat(16),
    id: 'a',
    issued: 1,
    expires: 2,
    scope: { basins: { prefix: 'a' }, ops: ['read'] },
  });
  test('claims', () => fuzz(textOf(fc.constant(claims)), (text) => decodeClaims(text)));

  test(
    'that were changed are not ours',
    async () => {
      const { authority } = await openTokenAuthority({ dir: await temporaryFolder(), root: { token: 'root' } });
      const token = await authority.sign(claims);
      const bytesIn = (text: string) =>
        text
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('hex'))
          .join('.');
      let taken = 0;
      const property = fc.asyncProperty(textOf(fc.constant(token)), async (text) => {
        const found = await authority.verify(text);
        if (found !== undefined) taken += 1;
        // Base64 leaves bits of its last character open: what stands for the same bytes may be taken.
        expect([undefined, bytesIn(text) === bytesIn(token) ? claims : undefined]).toContain(found);
        expect(authority.isRoot(text)).toBe(text === 'root');
      });
      await fc.assert(property, { ...PARAMETERS, numRuns: CASES_MIN });
      expect(taken).toBeGreaterThan((CASES_MIN * SHARE_MIN) / 100);
    },
    TIMEOUT_MS,
  );

  test('base64', () => {
    fuzz(textOf(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64'))), (text) => {
      const bytes = Buffer.from(text);
      const out = new Uint8Array(bytes.length);
      const end = decodeBase64(bytes, 0, bytes.length, out, 0);
      if (end !== undefined) expect(Buffer.from(out.subarray(0, end)).toString('base64')).toBe(text);
      return end;
    });
  });
});
