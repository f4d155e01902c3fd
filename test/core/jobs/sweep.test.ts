import { describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import { compactObjectKey, offloadObjectKey } from '#core/format/keys.ts';
import { runChunkGc } from '#core/jobs/gc.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { around, type ObjectCursor, runSweepLogs, runSweepObjects } from '#core/jobs/sweep.ts';
import { StoreError } from '#core/model/errors.ts';
import { epoch, ownerNonce, type Position, position, type SeqNum } from '#core/model/ids.ts';
import { chunkAt } from '../../contract/chunk-store.ts';
import { CHANNEL, frameOf, idOf, JobWorld } from './world.ts';

const BUDGET = 1_000;
const NONCE = 'ab'.repeat(16);

async function worldOf(): Promise<JobWorld> {
  const world = new JobWorld();
  await world.own();
  await world.append(frameOf({ stream: 1, first: 0, bodies: ['x'] }), frameOf({ stream: 2, first: 0, bodies: ['y'.repeat(500)] }));
  return world;
}

async function offload(world: JobWorld): Promise<void> {
  await runOffload(world.ports, { channel: CHANNEL, hint: world.hint, largeStreamBytes: 400 }, BUDGET);
}

describe('sweep of objects', () => {
  test('G7: deletes what an offload left that never named it, and makes sure it never will', async () => {
    const world = await worldOf();
    const before = await world.register.read();
    const orphan = offloadObjectKey(CHANNEL, before.version, NONCE);
    await world.objects.put(orphan, []);
    await world.objects.put(`${orphan}.1`, []);
    expect(await runSweepObjects(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, deleted: 2 });
    const pending = { object: orphan, epoch: epoch(1), from: position(0), to: position(1) };
    expect(await world.register.nameOffload(before, pending)).toBeUndefined();
  });

  test('a run that is out of time says where the next one goes on: what lies far behind is reached all the same', async () => {
    const world = await worldOf();
    const { version } = await world.register.read();
    const orphan = offloadObjectKey(CHANNEL, version, NONCE);
    for (const name of [orphan, ...Array.from({ length: 10 }, (_, i) => `${orphan}.${i + 1}`)]) await world.objects.put(name, []);
    let deleted = 0;
    let runs = 0;
    for (let cursor: ObjectCursor | undefined, isDone = false; !isDone; runs += 1) {
      const report = await runSweepObjects(world.ports, cursor === undefined ? {} : { cursor }, 0);
      expect(runs).toBeLessThan(8);
      ({ cursor, isDone } = report);
      deleted += report.deleted;
    }
    expect(runs).toBeGreaterThan(1);
    expect(deleted).toBe(11);
  });

  test('G7: keeps what rows name, and what is pending, siblings too', async () => {
    const world = await worldOf();
    await offload(world);
    await world.append(frameOf({ stream: 2, first: 1, bodies: ['y'.repeat(500)] }));
    world.metadata.faults = {
      before: (call) => {
        if (call.operation === 'commit' && call.writes.some(({ key }) => key.sort === 'state'))
          throw new StoreError('unavailable', 'none', 'no');
      },
    };
    await expect(offload(world)).rejects.toThrow();
    world.metadata.faults = undefined;
    expect(world.objects.objects.size).toBe(4);
    expect(await runSweepObjects(world.ports, {}, BUDGET)).toMatchObject({ listed: 4, deleted: 0 });
    await offload(world);
    expect(await runSweepObjects(world.ports, {}, BUDGET)).toMatchObject({ listed: 4, deleted: 0 });
  });

  test('G4: deletes nothing of a channel that is not active, nor what it does not know', async () => {
    const world = await worldOf();
    const state = await world.register.read();
    await world.register.claim(state, 'f'.repeat(32) as never);
    await world.objects.put(offloadObjectKey(CHANNEL, state.version, NONCE), []);
    await world.objects.put('segments/offload/something/else', []);
    expect(await runSweepObjects(world.ports, {}, BUDGET)).toMatchObject({ listed: 2, deleted: 0 });
  });

  test('G11: an object beyond what M knows is kept and told, and nothing is swept any more, also once M has passed it', async () => {
    const world = await worldOf();
    const { version } = await world.register.read();
    const [orphan, beyond] = [offloadObjectKey(CHANNEL, version, NONCE), offloadObjectKey(CHANNEL, version + 1, NONCE)];
    for (const key of [orphan, beyond]) await world.objects.put(key, []);
    const told: unknown[] = [];
    const trace = { event: (name: string, fields?: object) => told.push([name, fields]) };
    for (let run = 0; run < 3; run += 1) {
      expect(await runSweepObjects({ ...world.ports, trace }, {}, BUDGET)).toMatchObject({ isDone: true, deleted: 0 });
      expect(told.at(-1)).toMatchObject(['job.sweep.doubt.error', { message: expect.stringContaining(beyond) }]);
      await world.register.bump(await world.register.read());
    }
    expect([...world.objects.objects.keys()].sort()).toEqual([orphan, beyond].sort());
  });

  test('G8: keeps the output of a compaction that runs, and deletes that of one that was given up', async () => {
    const world = await worldOf();
    await offload(world);
    const running = compactObjectKey(idOf(1), 1, NONCE);
    await world.repository.segments.startCompaction(idOf(1), { object: running, first: 0 as SeqNum, end: 1 as SeqNum });
    await world.objects.put(running, []);
    await world.objects.put(compactObjectKey(idOf(1), 1, 'cd'.repeat(16)), []);
    expect(await runSweepObjects(world.ports, {}, BUDGET)).toMatchObject({ deleted: 1 });
    expect(world.objects.objects.has(running)).toBe(true);
  });
});

describe('sweep of logs', () => {
  test('G9: late chunks of a log that left M go, its last seal stays', async () => {
    const world = await worldOf();
    await world.own();
    await offload(world);
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    const [seal] = world.stored(1);
    const late = world.chunkLogs.openWriter({ channel: CHANNEL, epoch: epoch(1) }, ownerNonce('e'.repeat(32)), world.chunkLogs.zones(), {
      committed: () => undefined,
      deposed: () => undefined,
      stalled: () => undefined,
    });
    late.write([new Uint8Array(10)]);
    await late.stop();
    expect(world.stored(1)).toEqual([0, seal]);
    expect(await runSweepLogs(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ isDone: true, logsSwept: 3 });
    expect(world.stored(1)).toEqual([seal]);
    // A log of which only seals are left costs no more deletions.
    expect(await runSweepLogs(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ isDone: true, logsSwept: 0 });
    expect(world.stored(1)).toEqual([seal]);
  });

  test('G9: a seal that is on its way to a zone is spared there, where others hold it', async () => {
    const world = await worldOf();
    await world.own();
    await offload(world);
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    const [seal] = world.stored(1);
    const [, zone] = world.zones;
    const held = zone?.stored.get(`${CHANNEL}/1`);
    const bytes = held?.get(seal as Position);
    if (seal === undefined || zone === undefined || held === undefined || bytes === undefined) throw new Error('the log has no seal');
    held.delete(seal as Position);
    held.set(position(seal + 1), chunkAt({ channel: CHANNEL, epoch: epoch(1) }, seal + 1, 10));
    zone.faults = {
      before: ({ operation }) => {
        if (operation === 'delete') held.set(seal as Position, bytes);
      },
    };
    await runSweepLogs(world.ports, { channel: CHANNEL }, BUDGET);
    expect([...held.keys()]).toEqual([seal]);
  });

  test('G9: a log that is closed, offloaded and dropped while zones are listed is left alone, and keeps its last seal', async () => {
    const world = await worldOf();
    const log = { channel: CHANNEL, epoch: epoch(1) };
    const [, zone] = world.zones;
    const held = zone?.stored.get(`${CHANNEL}/1`);
    const end = world.stored(1).length;
    // Behind a position that nobody ever wrote: the last seal comes to lie below it.
    held?.set(position(end + 1), chunkAt(log, end + 1, 0));
    const meanwhile = async (): Promise<void> => {
      await world.own();
      await offload(world);
      await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    };
    const chunkLogs: typeof world.chunkLogs = {
      ...world.chunkLogs,
      stored: async (channel) => {
        const listed = await world.chunkLogs.stored(channel);
        await meanwhile();
        return listed;
      },
    };
    await runSweepLogs({ ...world.ports, chunkLogs }, { channel: CHANNEL }, BUDGET);
    expect((await world.register.read()).logs.map(({ epoch: of }) => of)).toEqual([2]);
    const seal = held?.get(position(end));
    expect(seal === undefined ? undefined : decodeChunk(seal, zlibChecksum)?.kind).toBe('seal');
  });

  test('G9: logs that M lists, and those of its epoch and later, are left alone', async () => {
    const world = await worldOf();
    await world.own();
    await world.append(frameOf({ stream: 1, first: 1, bodies: ['z'] }));
    expect(await runSweepLogs(world.ports, { channel: CHANNEL }, BUDGET)).toMatchObject({ logsSwept: 0 });
    expect([world.stored(1).length > 1, world.stored(2)]).toEqual([true, [0, 1]]);
  });

  test('G11: a log of an epoch that M does not know of is told, and no log is swept any more', async () => {
    const world = await worldOf();
    await world.own();
    await offload(world);
    await runChunkGc(world.ports, { channel: CHANNEL }, BUDGET);
    const later = world.chunkLogs.openWriter({ channel: CHANNEL, epoch: epoch(9) }, ownerNonce('e'.repeat(32)), world.chunkLogs.zones(), {
      committed: () => undefined,
      deposed: () => undefined,
      stalled: () => undefined,
    });
    later.write([new Uint8Array(10)]);
    await later.stop();
    const told: unknown[] = [];
    const trace = { event: (name: string, fields?: object) => told.push([name, fields]) };
    expect(await runSweepLogs({ ...world.ports, trace }, { channel: CHANNEL }, BUDGET)).toMatchObject({ logsSwept: 0 });
    expect(told).toMatchObject([['job.sweep.doubt.error', { message: expect.stringContaining('express-0/9') }]]);
    for (let i = 0; i < 8; i += 1) await world.own();
    expect(await runSweepLogs({ ...world.ports, trace }, { channel: CHANNEL }, BUDGET)).toMatchObject({ logsSwept: 0 });
    expect(told).toHaveLength(2);
    expect(world.stored(9)).toContain(0);
  });

  test.each([
    [[], 3, [[0, 3]]],
    [[0], 1, []],
    [
      [2],
      5,
      [
        [0, 2],
        [3, 5],
      ],
    ],
    [[4, 3], 5, [[0, 3]]],
  ])('around seals at %j of %i', (seals, end, expected) => {
    const ranges = around(seals as Position[], position(end));
    expect(ranges.map((range) => [range.start, range.end])).toEqual(expected);
  });
});
