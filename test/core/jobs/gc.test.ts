import { describe, expect, test } from 'vitest';
import type { MetadataCall } from '#core/adapters/memory/memory-metadata-store.ts';
import { runChunkGc, runObjectGc } from '#core/jobs/gc.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { runTrim } from '#core/jobs/trim.ts';
import { StoreError } from '#core/model/errors.ts';
import { type OwnerNonce, position, type SeqNum } from '#core/model/ids.ts';
import { CHANNEL, frameOf, idOf, JobWorld } from './world.ts';

const BUDGET = 1_000;
const AGE = { safetyAgeMs: 60_000 };

async function worldOf(frames: number): Promise<JobWorld> {
  const world = new JobWorld();
  await world.own();
  for (let i = 0; i < frames; i += 1) await world.append(frameOf({ stream: 1, first: i, bodies: ['x'] }));
  return world;
}

async function offload(world: JobWorld): Promise<void> {
  await runOffload(world.ports, { channel: CHANNEL, hint: world.hint }, BUDGET);
}

describe('gc of chunks', () => {
  test('G1: deletes what lies below base, and nothing else', async () => {
    const world = await worldOf(3);
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    expect(world.stored()).toEqual([0, 1, 2]);
    await offload(world);
    await world.append(frameOf({ stream: 1, first: 3, bodies: ['x'] }));
    expect(await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ isDone: true, logsDropped: 0 });
    expect(world.stored()).toEqual([3]);
  });

  test('G1, G2: a closed log that is offloaded leaves M, and only its last seal stays', async () => {
    const world = await worldOf(2);
    await world.own();
    const sealedAt = (await world.register.read()).logs[0]?.sealedAt ?? -1;
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    expect((await world.register.read()).logs).toHaveLength(2);
    await offload(world);
    expect(await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ logsDropped: 1 });
    expect((await world.register.read()).logs.map(({ epoch }) => epoch)).toEqual([2]);
    expect(world.stored(1)).toEqual([sealedAt]);
  });

  test('deletes again what a zone that was gone still has, once base moves', async () => {
    const world = await worldOf(2);
    const broken = world.zones[0];
    if (broken === undefined) throw new Error('no zone');
    broken.faults = {
      before: () => {
        throw new Error('gone');
      },
    };
    await offload(world);
    const { deleted } = await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    expect(world.stored()).toEqual([0, 1]);
    broken.faults = undefined;
    await world.append(frameOf({ stream: 1, first: 2, bodies: ['x'] }));
    await offload(world);
    await runChunkGc(world.ports, { channel: CHANNEL, deleted }, BUDGET);
    expect(world.stored()).toEqual([]);
  });

  test('G4: stops dropping logs once somebody has claimed the channel', async () => {
    const world = await worldOf(1);
    for (const first of [1, 2]) {
      await world.own();
      await world.append(frameOf({ stream: 1, first, bodies: ['x'] }));
    }
    await offload(world);
    // The claim comes right behind the drop of the first log, and before its answer.
    world.metadata.faults = {
      after: async (call) => {
        if (call.operation !== 'commit') return;
        world.metadata.faults = undefined;
        await world.register.claim(await world.register.read(), 'f'.repeat(32) as OwnerNonce);
        throw new StoreError('unavailable', 'unknown', 'the answer got lost');
      },
    };
    expect(await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ isDone: false, logsDropped: 1 });
  });

  test('G4: does nothing while the channel is recovering', async () => {
    const world = await worldOf(2);
    await offload(world);
    await world.register.claim(await world.register.read(), 'f'.repeat(32) as never);
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    expect(world.stored()).toEqual([0, 1]);
  });
});

describe('gc of objects', () => {
  test('G3: an object goes once no row names it, and not before the age of a read plan', async () => {
    const world = await worldOf(2);
    await world.name(1);
    await offload(world);
    await world.append(frameOf({ stream: 1, first: 2, bodies: ['x'], trimPoint: 2 }));
    await offload(world);
    expect(world.objects.objects.size).toBe(2);
    await runObjectGc(world.ports, AGE, BUDGET);
    expect(world.objects.objects.size).toBe(2);
    expect(await runTrim(world.ports, {}, BUDGET)).toMatchObject({ rowsUnlinked: 1 });
    world.clock.advance(59_000);
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 0 });
    world.clock.advance(2_000);
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 1, isDone: true });
    expect([...world.objects.objects.keys()]).toEqual([(await world.rows(1))[0]?.object]);
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 0 });
  });

  test('G3: an object whose offload was applied and not finished stays for whoever finishes it, also when all its rows are gone', async () => {
    const world = await worldOf(2);
    await world.name(1);
    const isOfChannel = (call: MetadataCall): boolean =>
      call.operation === 'commit' && call.writes.some(({ key }) => key.partition.startsWith('channel/'));
    let named = 0;
    world.metadata.faults = {
      before: (call) => {
        if (isOfChannel(call) && named++ > 0) throw new StoreError('unavailable', 'unknown', 'no answer');
      },
    };
    await expect(offload(world)).rejects.toMatchObject({ code: 'unavailable' });
    world.metadata.faults = undefined;
    const [row] = await world.rows(1);
    expect((await world.register.read()).pending?.object).toBe(row?.object);
    await world.repository.segments.raiseTrimPoint(idOf(1), 2 as SeqNum);
    await runTrim(world.ports, {}, BUDGET);
    expect(await world.rows(1)).toEqual([]);
    world.clock.advance(61_000);
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 0 });
    await offload(world);
    expect((await world.register.read()).pending).toBeUndefined();
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 1 });
  });

  test('G4: a dead mark on an object that a row names deletes nothing', async () => {
    const world = await worldOf(1);
    await offload(world);
    const key = (await world.rows(1))[0]?.object ?? '';
    await world.metadata.commit([{ kind: 'put', key: { partition: 'dead-objects', sort: `${'0'.repeat(16)}/${key}` }, fields: {} }]);
    await runObjectGc(world.ports, AGE, BUDGET);
    expect(world.objects.objects.has(key)).toBe(true);
    expect(world.events).toContain('gc.object.doubtful');
  });

  test('goes on where a crash between object and metadata left it', async () => {
    const world = await worldOf(1);
    await world.write();
    await runOffload(world.ports, { channel: CHANNEL, hint: { epoch: world.hint.epoch, to: position(1) } }, BUDGET);
    await offload(world);
    world.clock.advance(61_000);
    const [dead] = await world.repository.segments.objects.dead(world.clock.now(), 10);
    await world.objects.delete([dead?.key ?? '']);
    expect(await runObjectGc(world.ports, AGE, BUDGET)).toMatchObject({ objectsDeleted: 1 });
    expect(await world.repository.segments.objects.dead(world.clock.now(), 10)).toEqual([]);
  });
});
