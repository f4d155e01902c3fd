import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { NEW_STREAM, ResidentStream } from '#core/channel/resident-stream.ts';
import { sequence } from '#core/channel/sequencer.ts';
import { RecordBatchBuilder, RecordCursor } from '#core/format/record.ts';
import type { SeqNum, StreamId, StreamletNumber } from '#core/model/ids.ts';
import { DEFAULT_STREAM_CONFIG, type StreamCipher } from '#core/model/stream-config.ts';

const TEXT = new TextEncoder();

function batchOf(records: readonly { timestamp?: bigint; headers?: [string, string][]; body?: string | Uint8Array }[]) {
  const builder = new RecordBatchBuilder();
  for (const { timestamp, headers = [], body = '' } of records) {
    builder.begin();
    if (timestamp !== undefined) builder.timestamp(Number(timestamp >> 32n), Number(timestamp & 0xffff_ffffn));
    for (const [name, value] of headers) {
      const [n, v] = [TEXT.encode(name), TEXT.encode(value)];
      builder.header(n, 0, n.length, v, 0, v.length);
    }
    const bytes = typeof body === 'string' ? TEXT.encode(body) : body;
    builder.body(bytes, 0, bytes.length);
    builder.end();
  }
  return builder.finish();
}

function newStream(): ResidentStream {
  return new ResidentStream('0'.repeat(32) as StreamId, 0 as StreamletNumber, NEW_STREAM);
}

function timestampsOf(bytes: Uint8Array): bigint[] {
  const cursor = new RecordCursor(bytes);
  const found: bigint[] = [];
  while (cursor.next()) found.push(cursor.timestamp);
  return found;
}

const config = DEFAULT_STREAM_CONFIG;

describe('sequence', () => {
  test('S1: of two conditions that both fail, the fencing token is the one reported', () => {
    const stream = newStream();
    const conditions = { fencingToken: 'other', matchSeqNum: 7 as SeqNum };
    expect(sequence(stream, config, batchOf([{ body: 'a' }]), conditions, 1)).toMatchObject({ error: { code: 'fencing_token_mismatch' } });
  });

  test('S1: conditions see what is assigned and not yet committed', () => {
    const stream = newStream();
    sequence(stream, config, batchOf([{ body: 'a' }, { body: 'b' }]), {}, 1);
    expect(stream.committed.tail).toBe(0);
    expect(sequence(stream, config, batchOf([{ body: 'c' }]), { matchSeqNum: 2 as SeqNum }, 1)).toMatchObject({ first: 2, count: 1 });
    expect(sequence(stream, config, batchOf([{ body: 'c' }]), { matchSeqNum: 2 as SeqNum }, 1)).toMatchObject({
      error: { code: 'seq_num_mismatch', detail: { tail: 3 } },
    });
  });

  test('S2: timestamps never go back, under a clock that does', () => {
    const stream = newStream();
    sequence(stream, config, batchOf([{ body: 'a' }]), {}, 1_000);
    const late = batchOf([{ body: 'b' }, { timestamp: 5n }]);
    expect(sequence(stream, config, late, {}, 400)).toMatchObject({ firstTimestamp: 1_000n, lastTimestamp: 1_000n });
    expect(timestampsOf(late.bytes)).toEqual([1_000n, 1_000n]);
  });

  test('a client timestamp beyond the clock is capped, unless the stream is uncapped', () => {
    const nanoseconds = 1_712_345_678_901_234_567n;
    const capped = batchOf([{ timestamp: nanoseconds }]);
    sequence(newStream(), config, capped, {}, 1_000);
    expect(timestampsOf(capped.bytes)).toEqual([1_000n]);
    const uncapped = batchOf([{ timestamp: nanoseconds }]);
    sequence(newStream(), { ...config, timestamping: { mode: 'client-prefer', uncapped: true } }, uncapped, {}, 1_000);
    expect(timestampsOf(uncapped.bytes)).toEqual([nanoseconds]);
  });

  test('S3: a batch without the timestamps that its stream requires changes nothing', () => {
    const stream = newStream();
    const strict = { ...config, timestamping: { mode: 'client-require', uncapped: false } } as const;
    expect(sequence(stream, strict, batchOf([{ timestamp: 1n }, {}]), {}, 9)).toMatchObject({ error: { code: 'invalid' } });
    expect(stream.assigned).toEqual(NEW_STREAM);
  });

  test('E6: under aes-256-gcm no record but commands gets a number above 2^32 − 1, and a batch that would changes nothing', () => {
    const at = (tail: number) =>
      new ResidentStream('0'.repeat(32) as StreamId, 0 as StreamletNumber, { ...NEW_STREAM, tail: tail as SeqNum });
    const encrypted = (end: number, count: number, cipher: StreamCipher = 'aes-256-gcm') => ({
      ...batchOf(Array.from({ length: count }, () => ({}))),
      encryption: { cipher, end },
    });
    const last = 2 ** 32 - 1;
    expect(sequence(at(last - 1), config, encrypted(2, 2), {}, 1)).toMatchObject({ first: last - 1 });
    expect(sequence(at(last), config, encrypted(1, 1), {}, 1)).toMatchObject({ first: last });
    // Two commands behind the last record.
    expect(sequence(at(last), config, encrypted(1, 3), {}, 1)).toMatchObject({ first: last });
    const refused = { error: { code: 'invalid', effect: 'none' }, isStatement: true };
    for (const [tail, end] of [
      [last, 2],
      [last + 1, 1],
      [2 * last, 1],
    ] as const) {
      const stream = at(tail);
      expect(sequence(stream, config, encrypted(end, 2), {}, 1)).toMatchObject(refused);
      expect(stream.assigned.tail).toBe(tail);
    }
    expect(sequence(at(2 * last), config, encrypted(0, 2), {}, 1)).toMatchObject({ first: 2 * last });
    expect(sequence(at(2 * last), config, encrypted(2, 2, 'aegis-256'), {}, 1)).toMatchObject({ first: 2 * last });
    expect(sequence(at(2 * last), config, batchOf([{}]), {}, 1)).toMatchObject({ first: 2 * last });
    // What a condition says comes first.
    expect(sequence(at(2 * last), config, encrypted(1, 1), { matchSeqNum: 3 as SeqNum }, 1)).toMatchObject({
      error: { code: 'seq_num_mismatch' },
    });
  });

  test('commands apply in order: a fence holds for the next append, a trim stops behind its own record', () => {
    const stream = newStream();
    const trim = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    const commands = batchOf([{ body: 'a' }, { headers: [['', 'trim']], body: trim }, { headers: [['', 'fence']], body: 'tok' }, {}]);
    expect(sequence(stream, config, commands, { fencingToken: '' }, 1)).toMatchObject({ token: 'tok', trimPoint: 2 });
    expect(sequence(stream, config, batchOf([{}]), { fencingToken: '' }, 1)).toMatchObject({ error: { detail: { token: 'tok' } } });
    expect(sequence(stream, config, batchOf([{}]), {}, 1)).toMatchObject({ first: 4 });
  });

  prop.prop([
    fc.array(fc.array(fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), { minLength: 1, maxLength: 5 }), { maxLength: 8 }),
    fc.boolean(),
  ])('S2: sequence numbers are dense and timestamps monotone, whatever clients send', (batches, uncapped) => {
    const stream = newStream();
    const all: bigint[] = [];
    for (const timestamps of batches) {
      const batch = batchOf(timestamps.map((timestamp) => (timestamp === null ? {} : { timestamp })));
      const before = stream.assigned.tail;
      expect(sequence(stream, { ...config, timestamping: { mode: 'client-prefer', uncapped } }, batch, {}, 77)).toMatchObject({
        first: before,
      });
      all.push(...timestampsOf(batch.bytes));
    }
    expect(stream.assigned.tail).toBe(all.length);
    expect([...all].sort((a, b) => (a < b ? -1 : 1))).toEqual(all);
  });
});
