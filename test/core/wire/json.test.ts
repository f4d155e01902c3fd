// Records as JSON: exact numbers, both formats, and every malformed body refused with the code that belongs to it.

import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import type { RecordBatch } from '#core/format/record.ts';
import { RecordCursor } from '#core/format/record.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { appendAckJson, decodeAppendJson, type JsonFormat } from '#core/wire/append-json.ts';
import { decodeAppendInput } from '#core/wire/append-proto.ts';
import { encodeReadJson } from '#core/wire/read-json.ts';
import { batchOf, type PlainRecord, runOf } from './records.ts';

const decode = (text: string | Uint8Array, format: JsonFormat = 'raw') =>
  decodeAppendJson(typeof text === 'string' ? new TextEncoder().encode(text) : text, format);
const encode = (records: readonly PlainRecord[], format: JsonFormat = 'raw', first = 0): string => {
  const run = runOf(first, records);
  return new TextDecoder().decode(encodeReadJson({ runs: [run], count: run.count, meteredBytes: 0 }, format));
};

function plain(batch: RecordBatch): { timestamp: bigint; headers: string[][]; body: string }[] {
  const cursor = new RecordCursor(batch.bytes);
  const text = (start: number, end: number) => Buffer.from(batch.bytes.subarray(start, end)).toString('latin1');
  const found = [];
  // An absent timestamp's bit would make the prefix look larger than the record: these batches give all of them.
  while (cursor.next()) {
    const headers: string[][] = [];
    cursor.headers((a, b, c, d) => headers.push([text(a, b), text(c, d)]));
    found.push({ timestamp: cursor.timestamp, headers, body: text(cursor.bodyStart, cursor.end) });
  }
  return found;
}

describe('decodeAppendJson', () => {
  test('takes records, conditions and unknown fields in any order', () => {
    const { batch, conditions } = decode(
      ' { "extra" : [1,{"a":null}], "match_seq_num":0 , "records":[{"body":"hi","x":true,"headers":[["k","v"],["é",""]],"timestamp":5}], "fencing_token":"" } ',
    );
    expect(conditions).toEqual({ matchSeqNum: 0, fencingToken: '' });
    expect(plain(batch)).toEqual([
      {
        timestamp: 5n,
        headers: [
          ['k', 'v'],
          [Buffer.from('é').toString('latin1'), ''],
        ],
        body: 'hi',
      },
    ]);
  });

  test('keeps every u64 timestamp exact', () => {
    for (const timestamp of [0n, 1_712_345_678_901_234_567n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      expect(plain(decode(`{"records":[{"timestamp":${timestamp}}]}`).batch)[0]?.timestamp).toBe(timestamp);
      expect(encode([{ timestamp }])).toBe(`{"records":[{"seq_num":0,"timestamp":${timestamp}}]}`);
    }
  });

  test.each(['{"records":[{"timestamp":007}]}', '{"records":[{}],"match_seq_num":01}', '{"records":[{"timestamp":00}]}'])(
    'knows no number with leading zeros: %s',
    (text) => expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'bad_json', effect: 'none' })),
  );

  test('null is as good as absent', () => {
    const { batch, conditions } = decode(
      '{"records":[{"timestamp":null,"headers":null,"body":null}],"match_seq_num":null,"fencing_token":null}',
    );
    expect(batch).toMatchObject({ count: 1, meteredBytes: 8, hasAllTimestamps: false });
    expect(conditions).toEqual({});
  });

  test('a match_seq_num that no stream can reach stays one that never matches', () => {
    expect(decode('{"records":[{}],"match_seq_num":18446744073709551615}').conditions).toEqual({ matchSeqNum: Number.MAX_SAFE_INTEGER });
  });

  test('base64 fence and trim are commands', () => {
    const text = '{"records":[{"headers":[["","ZmVuY2U="]],"body":"dG9rMQ=="},{"headers":[["","dHJpbQ=="]],"body":"AAAAAAAAASw="}]}';
    expect(decode(text, 'base64').batch.commands).toEqual([
      { kind: 'fence', index: 0, token: 'tok1' },
      { kind: 'trim', index: 1, earliest: 300 },
    ]);
  });

  test.each([
    ['', 'bad_json'],
    ['{', 'bad_json'],
    ['[]', 'bad_json'],
    ['{}', 'bad_json'],
    ['{"records":{}}', 'bad_json'],
    ['{"records":[{}]} x', 'bad_json'],
    ['{"records":[{}],}', 'bad_json'],
    ['{"records":[{"timestamp":-1}]}', 'bad_json'],
    ['{"records":[{"timestamp":1.5}]}', 'bad_json'],
    ['{"records":[{"timestamp":1e3}]}', 'bad_json'],
    ['{"records":[{"timestamp":18446744073709551616}]}', 'bad_json'],
    ['{"records":[{"timestamp":"1"}]}', 'bad_json'],
    ['{"records":[{"body":1}]}', 'bad_json'],
    ['{"records":[{"body":"\\x"}]}', 'bad_json'],
    ['{"records":[{"body":"\\ud800"}]}', 'bad_json'],
    ['{"records":[{"body":"a\nb"}]}', 'bad_json'],
    ['{"records":[{"headers":[["a"]]}]}', 'bad_json'],
    ['{"records":[{"headers":[["a","b","c"]]}]}', 'bad_json'],
    ['{"records":[{}],"match_seq_num":-1}', 'bad_json'],
    [`{"records":[{}],"fencing_token":"${'x'.repeat(37)}"}`, 'bad_json'],
    [`{"a":${'['.repeat(1_000)}`, 'bad_json'],
    ['{"records":[]}', 'invalid'],
    ['{"records":[{"headers":[["","nonsense"]]}]}', 'invalid'],
    ['{"records":[{"headers":[["","fence"],["a","b"]]}]}', 'invalid'],
    ['{"records":[{"headers":[["","trim"]],"body":"short"}]}', 'invalid'],
    [`{"records":[${Array.from({ length: 1_001 }, () => '{}').join(',')}]}`, 'invalid'],
    [`{"records":[{"body":"${'x'.repeat(1_048_576)}"}]}`, 'invalid'],
  ])('refuses %.60s as %s', (text, code) => {
    expect(() => decode(text)).toThrowError(expect.objectContaining({ code, effect: 'none' }));
  });

  test.each(['a', 'ab', 'abc', 'a===', 'ab=c', 'a b=', 'YR==', 'YWJ=', '____'])('refuses %j as base64', (text) => {
    expect(() => decode(`{"records":[{"body":"${text}"}]}`, 'base64')).toThrowError(expect.objectContaining({ code: 'invalid' }));
  });

  prop.prop([fc.uint8Array({ maxLength: 200 })], { numRuns: 10_000 })('any bytes end in a batch or in a refusal', (bytes) => {
    const seeded = Buffer.concat([Buffer.from('{"records":[{"body":"'), bytes]);
    for (const input of [bytes, seeded]) {
      try {
        decode(input);
      } catch (error) {
        expect(error).toMatchObject({ name: 'StoreError', effect: 'none' });
      }
    }
  });
});

const plainRecord = fc.record({
  timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  headers: fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.uint8Array({ maxLength: 30 })), { maxLength: 3 }),
  body: fc.uint8Array({ maxLength: 300 }),
});
const textRecord = fc.record({
  timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  headers: fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'binary' })), { maxLength: 3 }),
  body: fc.string({ unit: 'binary' }),
});
const records = <T extends { timestamp: bigint }>(record: fc.Arbitrary<T>) =>
  fc.array(record, { minLength: 1, maxLength: 5 }).map((all) => all.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1)));

describe('a record through JSON', () => {
  prop.prop([records(plainRecord)])('comes back the same in base64, whatever its bytes', (given) => {
    const text = encode(given, 'base64');
    const withoutSeqNum = text.replaceAll(/"seq_num":[0-9]+,/g, '');
    expect(plain(decode(withoutSeqNum, 'base64').batch)).toEqual(plain({ ...batchOf(given) }));
  });

  prop.prop([records(textRecord)])('comes back the same in raw, if it is text', (given) => {
    const text = encode(given);
    expect(JSON.parse(text).records.map((record: { body?: string }) => record.body ?? '')).toEqual(given.map(({ body }) => body));
    expect(plain(decode(text.replaceAll(/"seq_num":[0-9]+,/g, '')).batch)).toEqual(plain(batchOf(given)));
  });

  test('bytes that are not text are replaced in raw, and the rest of the answer is whole', () => {
    const text = encode([{ timestamp: 1n, headers: [['a', Uint8Array.of(0xff)]], body: Uint8Array.of(0x61, 0xc3, 0x28, 0x22) }]);
    expect(JSON.parse(text).records).toEqual([{ seq_num: 0, timestamp: 1, headers: [['a', '\ufffd']], body: 'a\ufffd("' }]);
  });
});

describe('decodeAppendInput', () => {
  prop.prop([fc.uint8Array({ maxLength: 200 })], { numRuns: 10_000 })('A1: any bytes end in a batch or in a refusal', (bytes) => {
    for (const input of [bytes, Buffer.concat([Uint8Array.of(0x0a, bytes.length & 0x7f), bytes])]) {
      try {
        decodeAppendInput(input);
      } catch (error) {
        expect(error).toMatchObject({ name: 'StoreError', effect: 'none' });
      }
    }
  });

  test('refuses a message that is cut, a length beyond its end, groups, and tokens that are too long or not text', () => {
    const refuses = (bytes: number[], code: string) =>
      expect(() => decodeAppendInput(Uint8Array.from(bytes))).toThrowError(expect.objectContaining({ code }));
    refuses([0x0a], 'bad_proto');
    refuses([0x0a, 0x05, 0x1a], 'bad_proto');
    refuses([0x0a, 0x02, 0x1a, 0x7f], 'bad_proto');
    refuses([0x0b], 'bad_proto');
    refuses([0x00], 'bad_proto');
    refuses([0x10, ...Array.from({ length: 11 }, () => 0x80)], 'bad_proto');
    refuses([0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 'bad_proto');
    refuses([0x0a, 0x00, 0x1a, 0x01, 0xff], 'bad_proto');
    refuses([0x0a, 0x00, 0x1a, 37, ...Array.from({ length: 37 }, () => 0x61)], 'invalid');
    refuses([], 'invalid');
  });

  test('passes over fields that it does not know', () => {
    const known = [0x0a, 0x04, 0x1a, 0x02, 0x68, 0x69];
    const unknown = [0x20, 0x01, 0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x32, 0x02, 9, 9, 0x3d, 1, 2, 3, 4];
    expect(decodeAppendInput(Uint8Array.from([...unknown, ...known, ...unknown])).batch.count).toBe(1);
  });
});

test('appendAckJson prints positions exactly', () => {
  const position = { seqNum: 3 as SeqNum, timestamp: 2n ** 64n - 1n };
  const json = '{"seq_num":3,"timestamp":18446744073709551615}';
  expect(appendAckJson({ start: position, end: position, tail: position })).toBe(`{"start":${json},"end":${json},"tail":${json}}`);
});
