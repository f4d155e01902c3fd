import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { compactObjectKey } from '#core/format/keys.ts';
import { firstRun, runCompact } from '#core/jobs/compact.ts';
import { runOffload } from '#core/jobs/offload.ts';
import type { SegmentRow } from '#core/metadata/schema.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { readSection } from '#core/segment/reader.ts';
import { bodiesOf, CHANNEL, frameOf, idOf, JobWorld } from './world.ts';

const BUDGET = 1_000;

async function worldOf(rows: number): Promise<JobWorld> {
  const world = new JobWorld();
  await world.own();
  await world.name(1);
  for (let i = 0; i < rows; i += 1) {
    await world.append(frameOf({ stream: 1, first: 2 * i, bodies: [`${2 * i}`, `${2 * i + 1}`] }));
    await runOffload(world.ports, { channel: CHANNEL, hint: world.hint }, BUDGET);
  }
  return world;
}

function rowOf(first: number, bytes: number): SegmentRow {
  const none = { object: 'o', byteStart: 0, firstTimestamp: 0n, lastTimestamp: 0n, arrivalMax: 0, meteredBytes: 0, records: 1 };
  return { ...none, first: first as SeqNum, end: (first + 1) as SeqNum, byteEnd: bytes };
}

describe('compaction', () => {
  test('joins small rows side by side into one, with every record', async () => {
    const world = await worldOf(9);
    expect(await runCompact(world.ports, {}, BUDGET)).toMatchObject({ isDone: true, compactions: 1, rowsJoined: 9 });
    const [row] = await world.rows(1);
    if (row === undefined) throw new Error('no row');
    expect(row).toMatchObject({ first: 0, end: 18, records: 18, firstTimestamp: 0n, lastTimestamp: 17n });
    const frames = await readSection(world.ports, idOf(1), row);
    expect(frames === 'absent' ? [] : frames.flatMap(({ body }) => bodiesOf(body))).toEqual(Array.from({ length: 18 }, (_, i) => `${i}`));
    expect(await world.repository.segments.readState(idOf(1), 'strong')).not.toHaveProperty('compacting');
    expect(await world.repository.segments.objects.dead(world.clock.now() + 1, 100)).toHaveLength(9);
  });

  test('leaves few rows alone', async () => {
    const world = await worldOf(7);
    expect(await runCompact(world.ports, {}, BUDGET)).toMatchObject({ compactions: 0 });
    expect(await world.rows(1)).toHaveLength(7);
  });

  test('O8: names its output before it writes it', async () => {
    const world = await worldOf(8);
    let named: string | undefined;
    world.objects.faults = {
      before: async (call) => {
        if (call.operation !== 'put') return;
        named = (await world.repository.segments.readState(idOf(1), 'strong'))?.compacting?.object;
        expect(named).toBe(call.key);
      },
    };
    await runCompact(world.ports, {}, BUDGET);
    expect(named).toBeDefined();
  });

  test('O8: a row that goes meanwhile stops it, and what it wrote is dead', async () => {
    const world = await worldOf(8);
    world.objects.faults = {
      after: async (call) => {
        if (call.operation !== 'put') return;
        await world.repository.segments.raiseTrimPoint(idOf(1), 2 as SeqNum);
        await world.repository.segments.unlinkRows(idOf(1), (await world.rows(1)).slice(0, 1));
      },
    };
    expect(await runCompact(world.ports, {}, BUDGET)).toMatchObject({ compactions: 0 });
    expect(await world.rows(1)).toHaveLength(7);
    expect(await world.repository.segments.readState(idOf(1), 'strong')).not.toHaveProperty('compacting');
    expect(await world.repository.segments.objects.dead(world.clock.now() + 1, 100)).toHaveLength(2);
  });

  test('leaves one that runs alone, and gives up one that crashed', async () => {
    const world = await worldOf(8);
    const object = compactObjectKey(idOf(1), world.clock.now(), 'a'.repeat(32));
    await world.repository.segments.startCompaction(idOf(1), { object, first: 0 as SeqNum, end: 16 as SeqNum });
    expect(await runCompact(world.ports, {}, BUDGET)).toMatchObject({ compactions: 0 });
    world.clock.advance(601_000);
    expect(await runCompact(world.ports, {}, BUDGET)).toMatchObject({ compactions: 1 });
  });

  prop.prop([fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 60 })])(
    'no row of a run outweighs those behind it, so that bytes are not written again without end',
    (sizes) => {
      const rows = sizes.map((bytes, i) => rowOf(i, bytes));
      const run = firstRun(rows, 900, 4);
      if (run === undefined) return;
      expect(run.length).toBeGreaterThanOrEqual(4);
      expect(run.length).toBeLessThanOrEqual(32);
      run.forEach((row, i) => {
        const behind = run.slice(i + 1).reduce((sum, { byteEnd }) => sum + byteEnd, 0);
        const before = run.slice(0, i).reduce((sum, { byteEnd }) => sum + byteEnd, 0);
        expect(row.byteEnd).toBeLessThan(900);
        expect(row.byteEnd).toBeLessThanOrEqual(before + behind);
        expect(row.first).toBe((run[0]?.first ?? 0) + i);
      });
    },
  );
});
