import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { InvariantError } from '#core/base/invariant.ts';
import { runChunkGc } from '#core/jobs/gc.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { StoreError } from '#core/model/errors.ts';
import type { ChunkLogs } from '#core/ports/chunk-log.ts';
import { readSection } from '#core/segment/reader.ts';
import { bodiesOf, CHANNEL, frameOf, idOf, JobWorld, sealOf } from './world.ts';

const BUDGET = 1_000;

async function offload(
  world: JobWorld,
  options: { bytesMax?: number; streamsMax?: number; largeStreamBytes?: number } = {},
  budgetMs = BUDGET,
) {
  return await runOffload(world.ports, { channel: CHANNEL, hint: world.hint, ...options }, budgetMs);
}

/** Every body that segments hold of a stream. */
async function segmentBodies(world: JobWorld, stream: number): Promise<string[]> {
  const found: string[] = [];
  let next = 0;
  for (const row of await world.rows(stream)) {
    const frames = await readSection(world.ports, idOf(stream), row);
    if (frames === 'absent') throw new Error('an object is gone');
    for (const frame of frames) {
      const bodies = bodiesOf(frame.body);
      found.push(...bodies.slice(Math.max(0, next - frame.first)));
      next = Math.max(next, frame.first + frame.count);
    }
  }
  return found;
}

describe('offload', () => {
  test('moves every committed record into segments, stream by stream, and base behind them', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a', 'b'] }), frameOf({ stream: 2, first: 0, bodies: ['x'] }));
    await world.append(frameOf({ stream: 1, first: 2, bodies: ['c'], token: 'mine', trimPoint: 1 }));
    expect(await offload(world)).toMatchObject({ isDone: true, chunks: 2, offloads: 1 });
    expect(await segmentBodies(world, 1)).toEqual(['a', 'b', 'c']);
    expect(await segmentBodies(world, 2)).toEqual(['x']);
    expect(await world.ranges(1)).toEqual(['0-3']);
    expect(await world.repository.segments.readState(idOf(1), 'strong')).toMatchObject({
      offloaded: 3,
      tail: 3,
      lastTimestamp: 2n,
      token: 'mine',
      trimPoint: 1,
      isSealed: false,
    });
    const state = await world.register.read();
    expect([state.logs[0]?.base, state.pending]).toEqual([2, undefined]);
  });

  test('O4: goes no further than the owner says, or else than the zones record', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    await world.append(frameOf({ stream: 1, first: 1, bodies: ['b'] }));
    await runOffload(world.ports, { channel: CHANNEL }, BUDGET);
    // Chunk 1 carries the commit point 1: nothing on record says that chunk 1 itself is committed.
    expect(await world.ranges(1)).toEqual(['0-1']);
    await offload(world);
    expect(await world.ranges(1)).toEqual(['0-1', '1-2']);
  });

  test('O4: takes the log of an earlier epoch to its end before the next, and tokens outlive it', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'], token: 'mine' }));
    await world.own();
    await world.append(frameOf({ stream: 1, first: 1, bodies: ['b'] }));
    expect(await offload(world)).toMatchObject({ isDone: true });
    expect(await segmentBodies(world, 1)).toEqual(['a', 'b']);
    await world.append(frameOf({ stream: 1, first: 2, bodies: ['c'] }));
    await offload(world);
    expect(await world.repository.segments.readState(idOf(1), 'strong')).toMatchObject({ offloaded: 3, token: 'mine' });
  });

  test('O4: what was read ahead of base does not count in a log that a takeover ended before it', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['x'.repeat(1_000)] }));
    for (const first of [1, 2]) await world.append(frameOf({ stream: 1, first, bodies: [`${first}`] }));
    let finishes = 0;
    const request = { channel: CHANNEL, hint: world.hint, bytesMax: 500 };
    // The commit of the last chunk is on no record: the next owner writes it again, as the first of its log.
    await runOffload(world.ports, request, BUDGET, async () => {
      finishes += 1;
      if (finishes === 1) expect((await world.own()).logs[0]).toMatchObject({ base: 1, end: 2 });
    });
    await offload(world);
    expect(await segmentBodies(world, 1)).toEqual(['x'.repeat(1_000), '1', '2']);
    expect((await world.register.read()).logs.map(({ base, end }) => [base, end])).toEqual([
      [2, 2],
      [1, undefined],
    ]);
  });

  test('looks again when what it was to read was offloaded and deleted by another run meanwhile', async () => {
    const world = new JobWorld();
    await world.own();
    for (const first of [0, 1]) await world.append(frameOf({ stream: 1, first, bodies: [`${first}`] }));
    const late: ChunkLogs = {
      ...world.chunkLogs,
      async *read(description, range) {
        await offload(world);
        await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
        yield* world.chunkLogs.read(description, range);
      },
    };
    const request = { channel: CHANNEL, hint: world.hint };
    expect(await runOffload({ ...world.ports, chunkLogs: late }, request, BUDGET)).toMatchObject({ isDone: true, offloads: 0 });
    expect(await segmentBodies(world, 1)).toEqual(['0', '1']);
  });

  test('still tells of chunks that are gone and were never offloaded', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    for (const zone of world.zones) zone.stored.clear();
    await expect(offload(world)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('O4: the word of the owner of another epoch does not count', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    const hint = { epoch: 7 as never, to: 1 as never };
    expect(await runOffload(world.ports, { channel: CHANNEL, hint }, BUDGET)).toMatchObject({ isDone: true, offloads: 0 });
  });

  test('is bounded in bytes and in streams: each run of chunks is an offload of its own', async () => {
    const world = new JobWorld();
    await world.own();
    for (let i = 0; i < 6; i += 1) await world.append(frameOf({ stream: i % 3, first: Math.floor(i / 3), bodies: ['x'.repeat(100)] }));
    expect(await offload(world, { bytesMax: 250 })).toMatchObject({ offloads: 3, chunks: 6 });
    expect(await world.ranges(0)).toEqual(['0-1', '1-2']);
    for (let i = 0; i < 4; i += 1) await world.append(frameOf({ stream: 10 + i, first: 0, bodies: ['x'] }));
    expect(await offload(world, { streamsMax: 2 })).toMatchObject({ offloads: 2, chunks: 4 });
  });

  test('a large stream gets an object of its own, small ones share', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(
      frameOf({ stream: 1, first: 0, bodies: ['x'.repeat(5_000)] }),
      frameOf({ stream: 2, first: 0, bodies: ['small'] }),
      frameOf({ stream: 3, first: 0, bodies: ['also'] }),
    );
    await offload(world, { largeStreamBytes: 4_000 });
    const [large, small, also] = await Promise.all([1, 2, 3].map(async (stream) => (await world.rows(stream))[0]?.object));
    expect(large).toBe(`${small}.1`);
    expect(also).toBe(small);
    expect(await segmentBodies(world, 1)).toEqual(['x'.repeat(5_000)]);
    expect(await world.repository.segments.objects.get(large ?? '')).toMatchObject({ rows: 1, isComplete: true });
    expect(await world.repository.segments.objects.get(small ?? '')).toMatchObject({ rows: 2, isComplete: true });
  });

  test('more streams than a transaction takes are applied in several', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(...Array.from({ length: 95 }, (_, stream) => frameOf({ stream, first: 0, bodies: [`${stream}`] })));
    await offload(world);
    for (const stream of [0, 40, 94]) expect(await segmentBodies(world, stream)).toEqual([`${stream}`]);
  });

  test('a seal passes into the state, with no row for it', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }), sealOf(1, 1), sealOf(2, 0));
    await offload(world);
    expect(await world.repository.segments.readState(idOf(1), 'strong')).toMatchObject({ offloaded: 1, isSealed: true });
    expect(await world.repository.segments.readState(idOf(2), 'strong')).toMatchObject({ offloaded: 0, isSealed: true });
    expect(await world.ranges(2)).toEqual([]);
  });

  test('chunks without frames move base too, and leave no object for ever', async () => {
    const world = new JobWorld();
    await world.own();
    await world.write();
    await offload(world);
    expect((await world.register.read()).logs[0]?.base).toBe(1);
    expect(await world.repository.segments.objects.dead(world.clock.now() + 1, 10)).toHaveLength(1);
  });

  test('O1: frames that are known already are skipped with their commands, overlap is clipped', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(
      frameOf({ stream: 1, first: 0, bodies: ['a', 'b'], token: 'new' }),
      frameOf({ stream: 1, first: 0, bodies: ['a'], token: 'old' }),
      frameOf({ stream: 1, first: 0, bodies: ['a', 'b'], token: 'again' }),
      frameOf({ stream: 1, first: 1, bodies: ['b', 'c'] }),
    );
    await offload(world);
    expect(await segmentBodies(world, 1)).toEqual(['a', 'b', 'c']);
    expect((await world.rows(1))[0]).toMatchObject({ first: 0, end: 3, records: 3 });
    expect(await world.repository.segments.readState(idOf(1), 'strong')).toMatchObject({ token: 'new', tail: 3 });
  });

  test('O1: a gap stops the offload, and base stays', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }), frameOf({ stream: 1, first: 2, bodies: ['c'] }));
    await expect(offload(world)).rejects.toMatchObject({ code: 'corrupt' });
    expect((await world.register.read()).logs[0]?.base).toBe(0);
  });

  test('stands still while the channel is recovering', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    await world.register.claim(await world.register.read(), 'f'.repeat(32) as never);
    expect(await offload(world)).toMatchObject({ isDone: true, offloads: 0 });
    expect(world.objects.objects.size).toBe(0);
  });

  test('O6: a pending offload is finished before another begins, and within the budget', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    world.metadata.faults = {
      before: (call) => {
        if (call.operation === 'commit' && call.writes.some(({ key }) => key.sort === 'state'))
          throw new StoreError('unavailable', 'none', 'no');
      },
    };
    await expect(offload(world)).rejects.toMatchObject({ code: 'unavailable' });
    world.metadata.faults = undefined;
    const named = (await world.register.read()).pending?.object;
    expect(named).toBeDefined();
    await world.append(frameOf({ stream: 1, first: 1, bodies: ['b'] }));
    expect(await offload(world, {}, 0)).toMatchObject({ isDone: false, offloads: 0 });
    expect(await offload(world)).toMatchObject({ isDone: true, offloads: 2 });
    expect((await world.rows(1))[0]?.object).toBe(named);
    expect(await segmentBodies(world, 1)).toEqual(['a', 'b']);
  });

  test('O5: an object that could not be named is deleted, and the records are offloaded again', async () => {
    const world = new JobWorld();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 0, bodies: ['a'] }));
    let isFirst = true;
    world.objects.faults = {
      after: async (call) => {
        if (call.operation !== 'put' || !isFirst) return;
        isFirst = false;
        await world.register.bump(await world.register.read());
      },
    };
    await offload(world);
    expect(world.objects.objects.size).toBe(1);
    expect(await segmentBodies(world, 1)).toEqual(['a']);
  });

  prop.prop(
    [
      fc.array(fc.tuple(fc.nat({ max: 3 }), fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 40 }),
      fc.boolean(),
    ],
    {
      numRuns: 60,
    },
  )(
    'O7: an offload that fails anywhere and runs again, also twice at once, moves every record exactly once',
    async (appends, failAt, isLost) => {
      const world = new JobWorld();
      await world.own();
      const expected = new Map<number, string[]>();
      for (const [i, [stream, count]] of appends.entries()) {
        const known = expected.get(stream) ?? [];
        const bodies = Array.from({ length: count }, (_, j) => `${i}.${j}`);
        await world.append(frameOf({ stream, first: known.length, bodies }));
        expected.set(stream, [...known, ...bodies]);
      }
      let calls = 0;
      const fail = (): void => {
        calls += 1;
        if (calls === failAt) throw new StoreError('unavailable', 'unknown', 'injected');
      };
      const faults = isLost ? { after: fail } : { before: fail };
      world.metadata.faults = faults;
      world.objects.faults = faults;
      const both = [offload(world, { bytesMax: 200 }), offload(world, { bytesMax: 300 })];
      for (const outcome of await Promise.allSettled(both)) {
        if (outcome.status === 'rejected' && outcome.reason instanceof InvariantError) throw outcome.reason;
      }
      world.metadata.faults = undefined;
      world.objects.faults = undefined;
      expect(await offload(world)).toMatchObject({ isDone: true });
      for (const [stream, bodies] of expected) expect(await segmentBodies(world, stream)).toEqual(bodies);
      const state = await world.register.read();
      expect([state.logs[0]?.base, state.pending]).toEqual([appends.length, undefined]);
    },
  );
});
