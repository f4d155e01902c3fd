import { describe, expect, test } from 'vitest';
import { runDelete } from '#core/jobs/delete.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { runTrim } from '#core/jobs/trim.ts';
import { refused } from '#core/model/errors.ts';
import { CHANNEL, frameOf, idOf, JobWorld, sealOf } from './world.ts';

const BUDGET = 1_000;

async function offload(world: JobWorld): Promise<void> {
  await runOffload(world.ports, { channel: CHANNEL, hint: world.hint }, BUDGET);
}

/** Rows 0–2, 2–4, 4–6 of stream 1, which arrived 300, 200 and 100 seconds ago. */
async function threeRows(retention: { ageSecs: number } | 'infinite'): Promise<JobWorld> {
  const world = new JobWorld();
  await world.own();
  await world.name(1, retention);
  for (const i of [0, 1, 2]) {
    const arrival = world.clock.now() - 1_000 * (300 - 100 * i);
    await world.append(frameOf({ stream: 1, first: 2 * i, bodies: ['x', 'y'], arrival, timestamp: 1e9 }));
    await offload(world);
  }
  return world;
}

describe('trim', () => {
  test('unlinks rows that lie wholly below the trim point', async () => {
    const world = await threeRows('infinite');
    await world.append(frameOf({ stream: 1, first: 6, bodies: ['t'], trimPoint: 3, timestamp: 1e9 }));
    await offload(world);
    expect(await runTrim(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, rowsUnlinked: 1 });
    expect(await world.ranges(1)).toEqual(['2-4', '4-6', '6-7']);
  });

  test.each([
    [99, ['4-6'].slice(1)],
    [101, ['4-6']],
    [250, ['2-4', '4-6']],
    [301, ['0-2', '2-4', '4-6']],
  ])('G6: retention of %i s keeps by arrival, whatever the timestamps say', async (ageSecs, expected) => {
    const world = await threeRows({ ageSecs });
    await runTrim(world.ports, {}, BUDGET);
    expect(await world.ranges(1)).toEqual(expected);
    const trimPoint = expected.length === 0 ? 6 : Number(expected[0]?.split('-')[0]);
    expect(await world.repository.segments.readState(idOf(1), 'strong')).toMatchObject({ trimPoint, tail: 6 });
  });

  test('G5: the trim point stands before a row goes', async () => {
    const world = await threeRows({ ageSecs: 150 });
    const order: string[] = [];
    world.metadata.faults = {
      before: (call) => {
        if (call.operation === 'commit') order.push(...call.writes.map(({ kind, key }) => `${kind} ${key.sort.slice(0, 5)}`));
      },
    };
    await runTrim(world.ports, {}, BUDGET);
    expect(order[0]).toBe('put state');
    expect(order.filter((write) => write.startsWith('delete row'))).toHaveLength(2);
  });

  test('goes through many rows at once, and on where its budget ended', async () => {
    const world = new JobWorld();
    await world.own();
    for (const stream of [1, 2, 3]) await world.name(stream, { ageSecs: 10 });
    for (let i = 0; i < 70; i += 1) {
      await world.append(...[1, 2, 3].map((stream) => frameOf({ stream, first: i, bodies: ['x'], arrival: 0 })));
      await offload(world);
    }
    let report = await runTrim(world.ports, {}, 0);
    expect(report).toMatchObject({ isDone: false, rowsUnlinked: 0 });
    for (let runs = 0; !report.isDone && runs < 10; runs += 1) {
      report = await runTrim(world.ports, report.cursor === undefined ? {} : { cursor: report.cursor }, BUDGET);
    }
    expect(report.isDone).toBe(true);
    for (const stream of [1, 2, 3]) expect(await world.ranges(stream)).toEqual([]);
  });

  test('a deletion of which only the seal was made, and not the mark on the name, is completed', async () => {
    const world = await threeRows('infinite');
    await world.append(sealOf(1, 6));
    await offload(world);
    const { streams } = world.repository;
    expect(await streams.find('test-basin', 'stream-1')).toMatchObject({ streamId: idOf(1) });
    await runTrim(world.ports, {}, BUDGET);
    await runDelete(world.ports, {}, BUDGET);
    expect(await streams.find('test-basin', 'stream-1')).toBeUndefined();
    expect(await world.ranges(1)).toEqual([]);
  });

  test('two runs whose reads fall between each other: both end, and nothing is counted twice', async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      const world = await threeRows({ ageSecs: 10 });
      let calls = 0;
      // Every read and commit takes another number of turns of the event loop, so that the runs interleave in another way each time.
      world.metadata.faults = {
        before: async () => {
          calls += 1;
          for (let i = (calls * (turn + 3) * 7) % 5; i > 0; i -= 1) await new Promise((resolve) => setImmediate(resolve));
        },
      };
      const reports = await Promise.all([
        runTrim(world.ports, {}, BUDGET),
        runTrim(world.ports, {}, BUDGET),
        runTrim(world.ports, {}, BUDGET),
      ]);
      expect(reports.reduce((sum, { rowsUnlinked }) => sum + rowsUnlinked, 0)).toBe(3);
      expect(await world.ranges(1)).toEqual([]);
    }
  });
});

describe('streams that are to delete themselves', () => {
  const AGE_SECS = 100;
  const CLOCK_ERROR_MS = 5_000;
  const DUE_MS = 1_000 * AGE_SECS + CLOCK_ERROR_MS;

  /** Streams 1 to 3: ten records offloaded and trimmed, one record left, never written. */
  async function three(): Promise<JobWorld> {
    const world = new JobWorld();
    await world.own();
    for (const stream of [1, 2, 3]) await world.name(stream, { ageSecs: 10_000 }, AGE_SECS);
    for (const stream of [1, 2]) await world.append(frameOf({ stream, first: 0, bodies: ['x', 'y'], arrival: world.clock.now() }));
    await offload(world);
    const trims = [
      { stream: 1, trimPoint: 3 },
      { stream: 2, trimPoint: 2 },
    ];
    for (const trim of trims) await world.append(frameOf({ ...trim, first: 2, bodies: ['t'], arrival: world.clock.now() }));
    await offload(world);
    return world;
  }

  /** Whoever owns the channel, and agrees to everything but `refused`. */
  function owner(world: JobWorld, answer: (stream: string) => Promise<boolean> = async () => true) {
    const asked: string[] = [];
    const seal = ({ name }: { readonly name: string }): Promise<boolean> => {
      asked.push(name);
      return answer(name);
    };
    return { ports: { ...world.ports, emptyStreams: { clockErrorMs: CLOCK_ERROR_MS, seal } }, asked };
  }

  async function deleted(world: JobWorld): Promise<string[]> {
    const { streams } = await world.repository.streams.list('test-basin', { limit: 10 });
    return streams.filter(({ deletedAt }) => deletedAt !== undefined).map(({ name }) => name);
  }

  test('the owner is asked only about those that are due by metadata, and their names are marked', async () => {
    const world = await three();
    const { ports, asked } = owner(world);
    world.clock.advance(DUE_MS - 1);
    expect(await runTrim(ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsSealed: 0 });
    expect(asked).toEqual([]);
    world.clock.advance(1);
    expect(await runTrim(ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsSealed: 2 });
    expect([asked, await deleted(world)]).toEqual([
      ['stream-1', 'stream-3'],
      ['stream-1', 'stream-3'],
    ]);
    await runTrim(ports, {}, BUDGET);
    expect(asked).toHaveLength(2);
  });

  test('J4: an owner that leaves the rest to functions asks the same question, and unlinks nothing', async () => {
    const world = await three();
    const { ports, asked } = owner(world);
    await world.name(4, { ageSecs: 1 });
    await world.append(frameOf({ stream: 4, first: 0, bodies: ['x'], timestamp: 1e9 }));
    await offload(world);
    world.clock.advance(DUE_MS);
    expect(await runTrim(ports, { upkeep: 'elsewhere' }, BUDGET)).toMatchObject({ isDone: true, streamsSealed: 2, rowsUnlinked: 0 });
    expect([asked, await world.ranges(4)]).toEqual([['stream-1', 'stream-3'], ['0-1']]);
    expect(await runTrim(world.ports, {}, BUDGET)).toMatchObject({ rowsUnlinked: 2, streamsSealed: 0 });
    expect(asked).toHaveLength(2);
  });

  test('one that its owner does not seal stays, is trimmed as before, and asked about again', async () => {
    const world = await three();
    world.clock.advance(DUE_MS);
    const { ports, asked } = owner(world, async () => false);
    for (const rowsUnlinked of [2, 0]) expect(await runTrim(ports, {}, BUDGET)).toMatchObject({ rowsUnlinked, streamsSealed: 0 });
    expect([asked, await deleted(world)]).toEqual([['stream-1', 'stream-3', 'stream-1', 'stream-3'], []]);
    await runTrim(world.ports, {}, BUDGET);
    expect(await deleted(world)).toEqual([]);
  });

  test('one whose owner does not answer keeps no other from its turn', async () => {
    const world = await three();
    world.clock.advance(DUE_MS);
    const { ports } = owner(world, async (name) => {
      if (name === 'stream-1') throw refused('unavailable', 'the channel is being taken over');
      return true;
    });
    expect(await runTrim(ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsSealed: 1 });
    expect([await deleted(world), world.events]).toEqual([['stream-3'], expect.arrayContaining(['trim.seal.failed'])]);
  });

  test('D3: one of which it is not on record when it was last written counts from when that is found', async () => {
    const world = await three();
    world.clock.advance(DUE_MS);
    const key = { partition: `stream/${idOf(1)}`, sort: 'state' };
    await world.metadata.commit([{ kind: 'update', key, set: { lastArrival: undefined } }]);
    const { ports, asked } = owner(world);
    await runTrim(ports, {}, BUDGET);
    expect(asked).toEqual(['stream-3']);
    world.clock.advance(DUE_MS - 1);
    await runTrim(ports, {}, BUDGET);
    expect(asked).toEqual(['stream-3']);
    world.clock.advance(1);
    await runTrim(ports, {}, BUDGET);
    expect(asked).toEqual(['stream-3', 'stream-1']);
  });
});
