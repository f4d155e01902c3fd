import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { RecordBatchBuilder, RecordCursor, stampRecords } from '#core/format/record.ts';
import { StoreError } from '#core/model/errors.ts';
import { batchOf, damage, damaged, type PlainRecord, plainRecords, u64 } from './arbitraries.ts';
import { expectGolden, golden } from './golden.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const EXAMPLE: readonly PlainRecord[] = [
  { timestamp: 1_712_345_678_901n, headers: [], body: text('hello') },
  {
    timestamp: undefined,
    headers: [
      [text('name'), text('value')],
      [text('n2'), text('')],
    ],
    body: text(''),
  },
  { timestamp: 0xffff_ffff_ffff_ffffn, headers: [[text('k'), new Uint8Array(200).fill(7)]], body: new Uint8Array([0, 255]) },
];

function read(bytes: Uint8Array): PlainRecord[] {
  const cursor = new RecordCursor(bytes);
  const records: PlainRecord[] = [];
  while (cursor.next()) {
    const headers: [Uint8Array, Uint8Array][] = [];
    cursor.headers((ns, ne, vs, ve) => headers.push([bytes.slice(ns, ne), bytes.slice(vs, ve)]));
    records.push({ timestamp: cursor.timestamp, headers, body: bytes.slice(cursor.bodyStart, cursor.end) });
  }
  return records;
}

describe('record envelopes', () => {
  prop.prop([plainRecords, u64])('come back as they were given, with the assigned timestamps', (records, now) => {
    const batch = batchOf(records);
    stampRecords(batch.bytes, { mode: 'client-prefer', uncapped: true, now, floor: 0n });
    let floor = 0n;
    const expected = records.map((record) => {
      const own = record.timestamp ?? now;
      floor = own > floor ? own : floor;
      return { ...record, timestamp: floor };
    });
    expect(read(batch.bytes)).toEqual(expected);
  });

  prop.prop([plainRecords])('weigh what the batch says, record by record', (records) => {
    const batch = batchOf(records);
    const cursor = new RecordCursor(batch.bytes);
    let metered = 0;
    let count = 0;
    for (; cursor.next(); count += 1) metered += cursor.meteredBytes;
    expect(metered).toBe(batch.meteredBytes);
    expect(count).toBe(batch.count);
  });

  prop.prop([plainRecords, u64, u64, fc.boolean()])('F1: never step back in time, whatever the rule', (records, now, floor, uncapped) => {
    const batch = batchOf(records);
    const stamped = stampRecords(batch.bytes, { mode: 'client-prefer', uncapped, now, floor });
    const times = read(batch.bytes).map(({ timestamp }) => timestamp ?? 0n);
    expect(times.every((time, i) => time >= (times[i - 1] ?? floor))).toBe(true);
    expect([stamped.first, stamped.last]).toEqual([times[0], times.at(-1)]);
    if (!uncapped && floor <= now) expect(times.every((time) => time <= now)).toBe(true);
  });

  test('take the one arrival time where the mode says so', () => {
    const batch = batchOf(EXAMPLE);
    stampRecords(batch.bytes, { mode: 'arrival', uncapped: true, now: 42n, floor: 7n });
    expect(read(batch.bytes).map(({ timestamp }) => timestamp)).toEqual([42n, 42n, 42n]);
  });

  prop.prop([plainRecords, damage])('a damaged envelope never leads the cursor out of its bytes, nor around for ever', (records, how) => {
    const bytes = damaged(batchOf(records).bytes, how);
    if (bytes === undefined) return;
    const cursor = new RecordCursor(bytes);
    try {
      for (let steps = 0; cursor.next(); steps += 1) {
        expect(cursor.end).toBeLessThanOrEqual(bytes.length);
        expect(cursor.bodyStart).toBeLessThanOrEqual(cursor.end);
        expect(steps).toBeLessThanOrEqual(bytes.length);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'corrupt' });
    }
  });

  prop.prop([fc.uint8Array({ maxLength: 200 })])('arbitrary bytes are read within bounds or refused', (bytes) => {
    const cursor = new RecordCursor(bytes);
    try {
      while (cursor.next()) expect(cursor.end).toBeLessThanOrEqual(bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
    }
  });

  test('version 1 bytes stay what they are', () => {
    const batch = batchOf(EXAMPLE);
    stampRecords(batch.bytes, { mode: 'client-prefer', uncapped: true, now: 1_712_345_678_950n, floor: 0n });
    expectGolden('records-v1', batch.bytes);
    expect(read(golden('records-v1'))[1]?.headers).toEqual([
      [text('name'), text('value')],
      [text('n2'), text('')],
    ]);
  });
});

describe('RecordBatchBuilder', () => {
  const command = (op: string, payload: Uint8Array, more = false): RecordBatchBuilder => {
    const builder = new RecordBatchBuilder();
    builder.begin();
    builder.header(text(''), 0, 0, text(op), 0, op.length);
    if (more) builder.header(text('a'), 0, 1, text('b'), 0, 1);
    builder.body(payload, 0, payload.length);
    builder.end();
    return builder;
  };

  test('finds fence and trim commands', () => {
    expect(command('fence', text('tok')).finish().commands).toEqual([{ kind: 'fence', index: 0, token: 'tok' }]);
    const earliest = new Uint8Array([0, 0, 0, 0, 0, 0, 1, 2]);
    expect(command('trim', earliest).finish().commands).toEqual([{ kind: 'trim', index: 0, earliest: 258 }]);
  });

  test.each([
    ['an unknown command', () => command('nope', text(''))],
    ['a trim point of the wrong length', () => command('trim', text('123'))],
    ['a fencing token beyond 36 bytes', () => command('fence', text('x'.repeat(37)))],
    ['a fencing token that is no text', () => command('fence', new Uint8Array([0xff]))],
    ['an empty name beside others', () => command('fence', text(''), true)],
    ['an empty batch', () => new RecordBatchBuilder().finish()],
    [
      'more than 1,000 records',
      () => batchOf(Array.from({ length: 1_001 }, () => ({ timestamp: undefined, headers: [], body: text('') }))),
    ],
    ['more than 1 MiB metered', () => batchOf([{ timestamp: undefined, headers: [], body: new Uint8Array(1024 * 1024 - 7) }])],
  ])('refuses %s', (_, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'invalid', effect: 'none' }));
  });

  test('accepts exactly 1 MiB metered', () => {
    expect(batchOf([{ timestamp: undefined, headers: [], body: new Uint8Array(1024 * 1024 - 8) }]).meteredBytes).toBe(1024 * 1024);
  });
});
