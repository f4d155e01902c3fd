import { describe, expect, test } from 'vitest';
import { runDelete } from '#core/jobs/delete.ts';
import { runOffload } from '#core/jobs/offload.ts';
import type { StreamRef } from '#core/model/append.ts';
import { refused } from '#core/model/errors.ts';
import { DEFAULT_STREAM_CONFIG } from '#core/model/stream-config.ts';
import { CHANNEL, frameOf, idOf, JobWorld, sealOf } from './world.ts';

const BUDGET = 5_000;
const PLAN = () => ({ config: DEFAULT_STREAM_CONFIG, channel: CHANNEL });
const BASIN_CONFIG = { createStreamOnAppend: false, createStreamOnRead: false };

async function owned(): Promise<JobWorld> {
  const world = new JobWorld();
  await world.own();
  return world;
}

async function offload(world: JobWorld): Promise<void> {
  await runOffload(world.ports, { channel: CHANNEL, hint: world.hint }, BUDGET);
}

/** Seals as the owner of the channel would. */
function sealing(world: JobWorld) {
  const sealed: string[] = [];
  // One chunk after the other, as the writer has a bounded window.
  let last = Promise.resolve();
  const seal = ({ streamId }: StreamRef): Promise<void> => {
    sealed.push(streamId);
    last = last.then(() => world.append(sealOf(streamId, 0)));
    return last;
  };
  return { ports: { ...world.ports, seal }, sealed };
}

describe('deletion', () => {
  test('G10: a stream goes with all its rows, and only once its seal is offloaded', async () => {
    const world = await owned();
    await world.name(1);
    for (const first of [0, 2, 4]) {
      await world.append(frameOf({ stream: 1, first, bodies: ['a', 'b'] }));
      await offload(world);
    }
    const { streams } = world.repository;
    await streams.markDeleting('test-basin', 'stream-1', idOf(1));
    expect(await runDelete(world.ports, {}, BUDGET)).toMatchObject({ streamsRemoved: 0 });
    expect(await world.ranges(1)).toHaveLength(3);
    await world.append(sealOf(1, 6));
    await offload(world);
    expect(await runDelete(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsRemoved: 1 });
    expect([await streams.find('test-basin', 'stream-1'), await world.ranges(1)]).toEqual([undefined, []]);
  });

  test('asks the owner for the seal that a crash prevented', async () => {
    const world = await owned();
    await world.name(1);
    await world.repository.streams.markDeleting('test-basin', 'stream-1', idOf(1));
    const { ports, sealed } = sealing(world);
    expect(await runDelete(ports, {}, BUDGET)).toMatchObject({ streamsSealed: 1 });
    expect(sealed).toEqual([idOf(1)]);
  });

  test('a stream whose channel does not answer keeps no other from its turn', async () => {
    const world = await owned();
    const { streams } = world.repository;
    for (const stream of [1, 2, 3]) {
      await world.name(stream);
      await streams.markDeleting('test-basin', `stream-${stream}`, idOf(stream));
    }
    const asked: string[] = [];
    const seal = async ({ streamId }: StreamRef): Promise<void> => {
      asked.push(streamId);
      if (streamId === idOf(1)) throw refused('unavailable', 'the channel is being taken over');
    };
    await expect(runDelete({ ...world.ports, seal }, {}, BUDGET)).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked.sort()).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  test('G10: a deleted basin goes with its streams, however many basins and streams there are', async () => {
    const world = await owned();
    const { basins, streams } = world.repository;
    for (let i = 0; i < 130; i += 1) await basins.ensure(`aaaa-${String(i).padStart(4, '0')}`, BASIN_CONFIG);
    await basins.ensure('zzzz-basin', BASIN_CONFIG);
    for (let i = 0; i < 250; i += 1) await streams.ensure('zzzz-basin', `s-${i}`, PLAN);
    await basins.markDeleted('zzzz-basin');
    const { ports, sealed } = sealing(world);
    expect(await runDelete(ports, {}, BUDGET)).toMatchObject({ streamsMarked: 250, streamsSealed: 250, basinsRemoved: 0 });
    expect(new Set(sealed).size).toBe(250);
    expect(await basins.get('zzzz-basin')).toBeDefined();
    await offload(world);
    expect(await runDelete(ports, {}, BUDGET)).toMatchObject({ streamsRemoved: 250 });
    expect(await runDelete(ports, {}, BUDGET)).toMatchObject({ isDone: true, basinsRemoved: 1 });
    expect([await basins.get('zzzz-basin'), await basins.deleting(10)]).toEqual([undefined, []]);
  });

  test('stops at its budget, and goes on with the next run', async () => {
    const world = await owned();
    const { basins, streams } = world.repository;
    await basins.ensure('test-basin', BASIN_CONFIG);
    await streams.ensure('test-basin', 's', PLAN);
    await basins.markDeleted('test-basin');
    const { ports } = sealing(world);
    expect(await runDelete(ports, {}, 0)).toMatchObject({ isDone: false, streamsMarked: 0 });
    expect(await runDelete(ports, {}, BUDGET)).toMatchObject({ streamsMarked: 1 });
  });

  test('G12: a stream of a deleted basin is marked only once it is sealed, and not at all by who cannot ask for that', async () => {
    const world = await owned();
    const { basins, streams } = world.repository;
    for (const stream of [1, 2]) await world.name(stream);
    await basins.markDeleted('test-basin');
    const marked = async () => (await streams.list('test-basin', { limit: 10 })).streams.map(({ deletedAt }) => deletedAt !== undefined);
    expect(await runDelete(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsMarked: 0, basinsRemoved: 0 });
    const first: unknown[] = [];
    const seal = async ({ name }: StreamRef): Promise<void> => {
      if (first.length < 2) first.push((await streams.find('test-basin', name))?.deletedAt);
      if (name === 'stream-2') throw refused('unavailable', 'the channel is being taken over');
    };
    await expect(runDelete({ ...world.ports, seal }, {}, BUDGET)).rejects.toMatchObject({ code: 'unavailable' });
    expect([first, await marked()]).toEqual([
      [undefined, undefined],
      [true, false],
    ]);
  });

  test('J4: who leaves the rest to functions seals and marks, and removes neither what is sealed nor basins', async () => {
    const world = await owned();
    for (const stream of [1, 2]) await world.name(stream);
    await world.repository.basins.markDeleted('test-basin');
    await world.repository.basins.ensure('other-basin', BASIN_CONFIG);
    await world.repository.basins.markDeleted('other-basin');
    const { ports, sealed } = sealing(world);
    const request = { upkeep: 'elsewhere' } as const;
    const nothing = { streamsRemoved: 0, basinsRemoved: 0 };
    expect(await runDelete(ports, request, BUDGET)).toMatchObject({ isDone: true, streamsMarked: 2, ...nothing });
    expect(new Set(sealed)).toEqual(new Set([idOf(1), idOf(2)]));
    await offload(world);
    expect(await runDelete(ports, request, BUDGET)).toMatchObject({ isDone: true, ...nothing });
    expect(await runDelete(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, streamsRemoved: 2, basinsRemoved: 1 });
    expect(await runDelete(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, basinsRemoved: 1 });
  });
});
