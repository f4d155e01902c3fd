import { describe, expect, test } from 'vitest';
import { runCompact } from '#core/jobs/compact.ts';
import { runTrim } from '#core/jobs/trim.ts';
import { refused } from '#core/model/errors.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { ReadBatch } from '#core/model/read.ts';
import { READER_LIMITS } from '#core/reader/reader-limits.ts';
import { idOf } from '../jobs/world.ts';
import { at, bodies, numbers, ReaderWorld } from './world.ts';

const notSatisfiable = (seqNum: number) => ({
  code: 'range_not_satisfiable',
  detail: { kind: 'range_not_satisfiable', tail: expect.objectContaining({ seqNum }) },
});
const heartbeat = (seqNum: number) => expect.objectContaining({ count: 0, tail: expect.objectContaining({ seqNum }) });

/** 0–4 in segments only, 5–9 in both, 10–14 in memory only; in frames of five. */
async function threeParts(): Promise<ReaderWorld> {
  const world = await ReaderWorld.make();
  await world.put(5);
  await world.put(5);
  await world.offload();
  world.tail.evict(1);
  await world.put(5);
  return world;
}

describe('where a read starts', () => {
  test('beyond the tail: refused with the tail, by number and by timestamp', async () => {
    const world = await threeParts();
    await expect(world.open({ start: at(16) })).rejects.toMatchObject(notSatisfiable(15));
    await expect(world.open({ start: { kind: 'timestamp', timestamp: 15n } })).rejects.toMatchObject(notSatisfiable(15));
    expect(world.tail.released).toBe(2);
  });

  test('at the tail: refused unless the read may wait', async () => {
    const world = await threeParts();
    await expect(world.open({ start: at(15) }, 'unary')).rejects.toMatchObject(notSatisfiable(15));
    await expect(world.open({ start: at(15), count: 3 })).rejects.toMatchObject(notSatisfiable(15));
    await expect(world.open({ start: at(15), waitSecs: 0 })).rejects.toMatchObject(notSatisfiable(15));
    await expect(world.open({ start: { kind: 'tailOffset', offset: 0 } }, 'unary')).rejects.toMatchObject(notSatisfiable(15));
    (await world.open({ start: at(15), waitSecs: 1 }, 'unary')).close();
    (await world.open({ start: at(15) })).close();
  });

  test('clamp brings it to the tail, where a read that cannot wait is refused all the same', async () => {
    const world = await threeParts();
    await expect(world.open({ start: at(99), clamp: true }, 'unary')).rejects.toMatchObject(notSatisfiable(15));
    const session = await world.open({ start: at(99), clamp: true });
    expect(await session.next()).toEqual(heartbeat(15));
    session.close();
  });

  test('some records before the tail, at most all', async () => {
    const world = await threeParts();
    expect(await world.unary({ start: { kind: 'tailOffset', offset: 2 } })).toEqual(['13', '14']);
    expect(await world.unary({ start: { kind: 'tailOffset', offset: 99 } })).toEqual(numbers(0, 15));
  });

  test.each([0, 3, 4, 5, 7, 9, 10, 12, 14])('at the first record with timestamp %i or later', async (timestamp) => {
    const world = await threeParts();
    expect(await world.unary({ start: { kind: 'timestamp', timestamp: BigInt(timestamp) } })).toEqual(numbers(timestamp, 15));
  });

  test('equal timestamps: at the first record that has it, wherever it lies', async () => {
    const world = await ReaderWorld.make();
    await world.put(3, { timestamp: 5 });
    await world.put(2, { timestamp: 9 });
    await world.offloadAndForget();
    await world.put(2, { timestamp: 9 });
    expect(await world.unary({ start: { kind: 'timestamp', timestamp: 9n } })).toEqual(numbers(3, 7));
    expect(await world.unary({ start: { kind: 'timestamp', timestamp: 6n } })).toEqual(numbers(3, 7));
  });

  test('an empty stream: by timestamp 0 an empty answer, by number refused', async () => {
    const world = await ReaderWorld.make();
    expect(await world.unary({ start: { kind: 'timestamp', timestamp: 0n } })).toEqual([]);
    await expect(world.open({ start: at(0) }, 'unary')).rejects.toMatchObject(notSatisfiable(0));
  });

  test('in a section long enough for its index, by number and by timestamp', async () => {
    const world = await ReaderWorld.make();
    world.limits = { ...READER_LIMITS, wholeSectionBytesMax: 64 * 1024, firstRangeBytes: 32 * 1024, rangeBytes: 128 * 1024 };
    for (let i = 0; i < 40; i += 1) await world.put(2, { bodies: [`${2 * i}:${'x'.repeat(8_000)}`, `${2 * i + 1}:${'x'.repeat(8_000)}`] });
    await world.offloadAndForget();
    const first = async (request: Parameters<ReaderWorld['unary']>[0]) => (await world.unary({ ...request, count: 1 }))[0]?.split(':')[0];
    for (const seqNum of [0, 1, 17, 40, 79]) {
      expect(await first({ start: at(seqNum) })).toBe(`${seqNum}`);
      expect(await first({ start: { kind: 'timestamp', timestamp: BigInt(seqNum) } })).toBe(`${seqNum}`);
    }
  });
});

describe('what was trimmed', () => {
  test('is passed over: the read begins at the first retained record', async () => {
    const world = await threeParts();
    await world.put(1, { trimPoint: 12 });
    expect(await world.unary({ start: at(3) })).toEqual(numbers(12, 16));
    expect(await world.unary({ start: { kind: 'timestamp', timestamp: 3n } })).toEqual(numbers(12, 16));
  });

  test('all of it: an empty answer, not a refusal', async () => {
    const world = await threeParts();
    await world.put(1, { trimPoint: 16 });
    expect(await world.unary({ start: at(3) })).toEqual([]);
  });

  test('by retention only on record: a reader that misses the segments learns it from there', async () => {
    const world = await ReaderWorld.make();
    await world.name(1, { ageSecs: 100 });
    await world.put(5, { arrival: world.clock.now() - 200_000 });
    await world.offloadAndForget();
    await world.put(2, { arrival: world.clock.now() });
    expect(await runTrim(world.ports, {}, 1_000)).toMatchObject({ rowsUnlinked: 1 });
    expect(await world.unary({ start: at(1) })).toEqual(numbers(5, 7));
  });
});

describe('a unary read', () => {
  test('crosses from segments into memory', async () => {
    const world = await threeParts();
    expect(await world.unary({ start: at(2) })).toEqual(numbers(2, 15));
    expect(world.tail.released).toBe(1);
  });

  test.each([
    [{ count: 0 }, []],
    [{ bytes: 0 }, []],
    [{ bytes: 8 }, []],
    [{ count: 7 }, numbers(0, 7)],
    [{ bytes: 9 * 3 + 8 }, numbers(0, 3)],
    [{ until: 6 }, numbers(0, 6)],
    [{ count: 5, until: 3 }, numbers(0, 3)],
    [{ until: 0 }, []],
  ])('%j gives only what keeps within', async (bounds: { count?: number; bytes?: number; until?: number }, expected) => {
    const world = await threeParts();
    const { until, ...rest } = bounds;
    expect(await world.unary(until === undefined ? rest : { ...rest, until: BigInt(until) })).toEqual(expected);
  });

  test('T7: never more than 1,000 records or 1 MiB metered', async () => {
    const world = await ReaderWorld.make();
    for (let i = 0; i < 3; i += 1) await world.put(400);
    expect(await world.unary({})).toHaveLength(1_000);
    const large = await ReaderWorld.make();
    for (let i = 0; i < 3; i += 1) await large.put(1, { bodies: ['x'.repeat(500_000)] });
    expect(await large.unary({})).toHaveLength(2);
  });

  test('waits for the first records, and gives them with the tail', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15), waitSecs: 10 }, 'unary');
    const answer = session.next();
    await new Promise(setImmediate);
    await world.put(2);
    const batch = (await answer) as ReadBatch;
    expect([bodies(batch), batch.tail?.seqNum]).toEqual([['15', '16'], 17]);
  });

  test('waits at most 60 s, then the answer is empty', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15), waitSecs: 3_600 }, 'unary');
    const answer = session.next();
    await new Promise(setImmediate);
    world.clock.advance(60_000);
    expect(bodies(await answer)).toEqual([]);
  });

  test('does not wait once it has anything', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(12), waitSecs: 10 }, 'unary');
    expect(bodies(await session.next())).toEqual(['12', '13', '14']);
    expect(world.tail.waits).toBe(0);
  });
});

describe('a session', () => {
  test('T8: with a bound ends at the tail, having given all', async () => {
    const world = await threeParts();
    const session = await world.open({ count: 100 });
    const batch = (await session.next()) as ReadBatch;
    expect([bodies(batch), batch.tail]).toEqual([numbers(0, 15), undefined]);
    expect(await session.next()).toBe('end');
    expect(await session.next()).toBe('end');
    expect(world.tail.released).toBe(1);
  });

  test('ends in the middle of a batch where a bound is met', async () => {
    const world = await threeParts();
    const session = await world.open({ count: 7 });
    expect(bodies(await session.next())).toEqual(numbers(0, 7));
    expect(await session.next()).toBe('end');
    const none = await world.open({ count: 0 });
    expect(await none.next()).toBe('end');
  });

  test('ends before the first record that `until` names, also among live ones', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(13), until: 17n, waitSecs: 5 });
    expect(bodies(await session.next())).toEqual(['13', '14']);
    expect(await session.next()).toEqual(heartbeat(15));
    await world.put(5);
    expect(bodies(await session.next())).toEqual(['15', '16']);
    expect(await session.next()).toBe('end');
  });

  test('goes on in batches of at most 1,000 records, splitting frames', async () => {
    const world = await ReaderWorld.make();
    for (let i = 0; i < 4; i += 1) await world.put(600);
    const session = await world.open({ count: 2_400 });
    const sizes: number[] = [];
    const all: string[] = [];
    for (let batch = await session.next(); batch !== 'end'; batch = await session.next()) {
      sizes.push(batch.count);
      all.push(...bodies(batch));
    }
    expect(sizes).toEqual([1_000, 1_000, 400]);
    expect(all).toEqual(numbers(0, 2_400));
  });

  test('gives what it has every 5 s where storage is slow, in smaller batches', async () => {
    const world = await ReaderWorld.make();
    for (let i = 0; i < 12; i += 1) {
      await world.put(2);
      await world.offloadAndForget();
    }
    world.objects.faults = {
      before({ operation }) {
        if (operation === 'get') world.clock.advance(1_000);
      },
    };
    const session = await world.open({});
    const all: string[] = [];
    let batches = 0;
    while (all.length < 24) {
      const before = world.clock.monotonic();
      const batch = await session.next();
      // Some reads may be under way already.
      expect(world.clock.monotonic() - before).toBeLessThan(9_000);
      all.push(...bodies(batch));
      batches += 1;
    }
    expect(all).toEqual(numbers(0, 24));
    expect(batches).toBeGreaterThan(1);
    expect(await session.next()).toEqual(heartbeat(24));
    session.close();
  });

  test('heartbeats at once when it caught up, and then after a random 5 to 15 s without output', async () => {
    const world = await threeParts();
    world.unit = 0.5;
    const session = await world.open({ start: at(15) });
    expect(await session.next()).toEqual(heartbeat(15));
    let isOut = false;
    const next = session.next().finally(() => {
      isOut = true;
    });
    await new Promise(setImmediate);
    world.clock.advance(9_999);
    await new Promise(setImmediate);
    expect(isOut).toBe(false);
    world.clock.advance(1);
    expect(await next).toEqual(heartbeat(15));
    session.close();
  });

  test('T9: a heartbeat gives way to records that came meanwhile', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15) });
    const { position } = world.tail;
    world.tail.position = async () => {
      world.tail.position = position;
      await world.put(1);
      return world.tail.tail;
    };
    expect(bodies(await session.next())).toEqual(['15']);
    expect(await session.next()).toEqual(heartbeat(16));
    session.close();
  });

  test('T9: a live batch carries the tail of the moment when it leaves, however long its records waited', async () => {
    const world = await threeParts();
    world.limits = { ...READER_LIMITS, batchRecordsMax: 2 };
    const session = await world.open({ start: at(15) });
    expect(await session.next()).toEqual(heartbeat(15));
    await world.put(4);
    expect(await session.next()).toMatchObject({ count: 2, tail: { seqNum: 19 } });
    await world.put(1);
    expect(await session.next()).toMatchObject({ count: 2, tail: { seqNum: 20 } });
    session.close();
  });

  test('T9: a live batch goes without its tail, and without a wait, where no lease vouches for it', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15) });
    expect(await session.next()).toEqual(heartbeat(15));
    await world.put(2);
    world.tail.hasLease = false;
    world.tail.position = () => expect.fail('a live batch waited for a barrier');
    const batch = (await session.next()) as ReadBatch;
    expect([bodies(batch), batch.tail]).toEqual([['15', '16'], undefined]);
    session.close();
  });

  test.each([
    ['a bounded read', { start: at(12), count: 100 }, 'session', 1],
    ['a wait', { start: at(15), waitSecs: 3 }, 'session', 1],
    ['a unary wait', { start: at(15), waitSecs: 3 }, 'unary', 0],
  ] as const)('T9: the end of %s is told only as the channel vouches for it', async (_, request, mode, batches) => {
    const world = await threeParts();
    const session = await world.open(request, mode);
    for (let i = 0; i < batches; i += 1) await session.next();
    world.tail.position = () => Promise.reject(refused('unavailable', 'another owner has claimed the channel'));
    const end = expect(session.next()).rejects.toMatchObject({ code: 'unavailable' });
    await new Promise(setImmediate);
    world.clock.advance(3_000);
    await end;
    expect(world.tail.released).toBe(1);
  });

  test.each([
    ['session', 1],
    ['unary', 0],
  ] as const)('T9: the end of a wait gives way to records that came meanwhile (%s)', async (mode, batches) => {
    const world = await threeParts();
    const session = await world.open({ start: at(15), waitSecs: 3 }, mode);
    for (let i = 0; i < batches; i += 1) await session.next();
    const { position } = world.tail;
    world.tail.position = async () => {
      world.tail.position = position;
      await world.put(1);
      return world.tail.tail;
    };
    const next = session.next();
    await new Promise(setImmediate);
    world.clock.advance(3_000);
    expect(bodies(await next)).toEqual(['15']);
    session.close();
  });

  test('live batches carry the tail', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(14) });
    expect(await session.next()).toMatchObject({ count: 1 });
    expect(await session.next()).toEqual(heartbeat(15));
    const live = session.next();
    await new Promise(setImmediate);
    await world.put(2);
    expect(await live).toMatchObject({ count: 2, tail: { seqNum: 17 } });
    session.close();
  });

  test('`wait` bounds the gap between records; heartbeats do not extend it', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15), waitSecs: 12 });
    expect(await session.next()).toEqual(heartbeat(15));
    const advance = async <T>(ms: number, pending: Promise<T>): Promise<T> => {
      await new Promise(setImmediate);
      world.clock.advance(ms);
      return await pending;
    };
    expect(await advance(5_000, session.next())).toEqual(heartbeat(15));
    await world.put(1);
    expect(bodies(await session.next())).toEqual(['15']);
    expect(await advance(5_000, session.next())).toEqual(heartbeat(16));
    expect(await advance(5_000, session.next())).toEqual(heartbeat(16));
    expect(await advance(2_000, session.next())).toBe('end');
  });

  test('a follower that falls off the tail goes on from segments, and hears the tail again', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15) });
    expect(await session.next()).toEqual(heartbeat(15));
    await world.put(3);
    await world.put(3);
    await world.offloadAndForget();
    await world.put(1);
    const behind = (await session.next()) as ReadBatch;
    expect([bodies(behind), behind.tail]).toEqual([numbers(15, 22), undefined]);
    expect(await session.next()).toEqual(heartbeat(22));
    session.close();
  });

  test('ends when it is aborted or closed while it waits, and lets go once', async () => {
    const world = await threeParts();
    const stop = new AbortController();
    const session = await world.open({ start: at(15) });
    await session.next();
    const next = session.next(stop.signal);
    await new Promise(setImmediate);
    stop.abort();
    expect(await next).toBe('end');
    session.close();
    expect(world.tail.released).toBe(1);
    const other = await world.open({ start: at(15) });
    await other.next();
    const waiting = other.next();
    await new Promise(setImmediate);
    other.close();
    expect(await waiting).toBe('end');
  });

  test('a lost channel ends a wait with its error', async () => {
    const world = await threeParts();
    const session = await world.open({ start: at(15) });
    await session.next();
    const next = session.next();
    await new Promise(setImmediate);
    world.tail.lose(refused('unavailable', 'gone'));
    await expect(next).rejects.toMatchObject({ code: 'unavailable' });
    expect(world.tail.released).toBe(1);
  });
});

describe('segments under a reader', () => {
  test('T6: an object that is gone is planned again, over what took its place', async () => {
    const world = await ReaderWorld.make();
    await world.name(1);
    for (let i = 0; i < 8; i += 1) {
      await world.put(2);
      await world.offloadAndForget();
    }
    world.limits = { ...READER_LIMITS, batchRecordsMax: 3 };
    const session = await world.open({ count: 100 });
    const all = bodies(await session.next());
    const before = (await world.rows(1)).map(({ object }) => object);
    expect(await runCompact(world.ports, { rowsMin: 2 }, 1_000)).toMatchObject({ compactions: 1, rowsJoined: 8 });
    await world.objects.delete(before);
    for (let batch = await session.next(); batch !== 'end'; batch = await session.next()) all.push(...bodies(batch));
    expect(all).toEqual(numbers(0, 16));
  });

  test('T6: rows that a stale read does not show yet are read strongly', async () => {
    const world = await threeParts();
    const { rowsFrom } = world.repository.segments;
    world.repository.segments.rowsFrom = async (id, from, limit, consistency) =>
      consistency === 'stale' ? [] : await rowsFrom.call(world.repository.segments, id, from, limit, consistency);
    expect(await world.unary({})).toEqual(numbers(0, 15));
  });

  test('T6: stale rows of objects that are gone are read again, strongly', async () => {
    const world = await threeParts();
    const { segments } = world.repository;
    const { rowsFrom } = segments;
    const stale = (await world.rows(1)).map((row) => ({ ...row, object: 'segments/gone' }));
    segments.rowsFrom = async (id, from, limit, consistency) =>
      consistency === 'stale' ? stale : await rowsFrom.call(segments, id, from, limit, consistency);
    expect(await world.unary({})).toEqual(numbers(0, 15));
  });

  test('T6: records that are nowhere are an error, never a gap', async () => {
    const world = await threeParts();
    world.metadata.commit([{ kind: 'delete', key: { partition: `stream/${idOf(1)}`, sort: 'row/0000000000000000' } }]);
    await expect(world.unary({})).rejects.toMatchObject({ code: 'unavailable' });
    expect(world.tail.released).toBe(1);
  });

  test('a damaged segment is an error that names its object', async () => {
    const world = await threeParts();
    const [key, bytes] = [...world.objects.objects][0] ?? ['', new Uint8Array(0)];
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await expect(world.unary({})).rejects.toThrow(key);
  });

  test('T5: a reader that goes on is served ahead, but not by more than the bound', async () => {
    const world = await ReaderWorld.make();
    world.limits = { ...READER_LIMITS, rangesAhead: 3, wholeSectionBytesMax: 1_000, firstRangeBytes: 1_000, rangeBytes: 70_000 };
    for (let i = 0; i < 100; i += 1) await world.put(1, { bodies: ['x'.repeat(16_000)] });
    await world.offloadAndForget();
    let inFlight = 0;
    let most = 0;
    world.objects.faults = {
      before: async () => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await new Promise(setImmediate);
      },
      after: () => {
        inFlight -= 1;
      },
    };
    const session = await world.open({ count: 100 });
    let count = 0;
    for (let batch = await session.next(); batch !== 'end'; batch = await session.next()) count += batch.count;
    expect(count).toBe(100);
    expect(most).toBe(3);
  });

  test('slices that were given stay as they are while the reader goes on', async () => {
    const world = await ReaderWorld.make();
    for (let i = 0; i < 50; i += 1) await world.put(10);
    await world.offloadAndForget();
    world.limits = { ...READER_LIMITS, batchRecordsMax: 50 };
    const session = await world.open({ count: 500 });
    const batches: ReadBatch[] = [];
    for (let batch = await session.next(); batch !== 'end'; batch = await session.next()) batches.push(batch);
    expect(batches.flatMap(bodies)).toEqual(numbers(0, 500));
    expect(batches.flatMap(({ runs }) => runs.map(({ first }) => first))).toEqual(Array.from({ length: 50 }, (_, i) => (i * 10) as SeqNum));
  });
});
