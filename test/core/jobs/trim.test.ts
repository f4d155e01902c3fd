import { describe, expect, test } from 'vitest';
import { runDelete } from '#core/jobs/delete.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { runTrim } from '#core/jobs/trim.ts';
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
