import { describe, expect, test } from 'vitest';
import { SampledHour } from '#core/api/usage/own-items.ts';
import { type MeasureRequest, runMeasureStorage, runPurgeUsage } from '#core/jobs/measure-storage.ts';
import type { StreamId } from '#core/model/ids.ts';
import type { StorageSample } from '#core/model/usage.ts';
import { BASIN_CONFIG, CONFIG, planned, type World, world } from '../metadata/support.ts';

const DAY_MS = 86_400_000;

async function basin(made: World, name: string, streams: number): Promise<void> {
  await made.repository.basins.create(name, BASIN_CONFIG);
  for (let i = 0; i < streams; i += 1) await made.repository.streams.create(name, `stream-${i}`, planned(CONFIG));
}

/** Every stream stores 7 bytes; each look at one takes a millisecond. */
function portsOf(made: World) {
  const { repository } = made;
  let ms = 0;
  const clock = {
    now: () => made.time,
    monotonic: () => ms,
    sleep: () => Promise.resolve(),
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
  const held = () => {
    ms += 1;
    return { frames: [{ first: 0 as never, count: 1, meteredBytes: 7 }], trimPoint: 0 as never };
  };
  const changes: StreamId[] = [];
  const changed = (streamId: StreamId) => void changes.push(streamId);
  return { repository, clock, held, changed, changes };
}

async function stored(made: World, name: string): Promise<StorageSample[]> {
  const found: StorageSample[] = [];
  for await (const sample of made.repository.usage.samples({ kind: 'storage', name }, 0, 10_000_000)) found.push(sample);
  return found;
}

describe('runMeasureStorage', () => {
  test('measures every basin once, also those without streams, however often its budget ends', async () => {
    const made = world();
    await basin(made, 'basin-empty', 0);
    await basin(made, 'basin-large', 250);
    await basin(made, 'basin-small', 3);
    await basin(made, 'basin-without', 0);
    const ports = portsOf(made);
    let request: MeasureRequest = {};
    let runs = 0;
    let measured = 0;
    for (;;) {
      const report = await runMeasureStorage(ports, request, 20);
      runs += 1;
      measured += report.basinsMeasured;
      if (report.cursor === undefined) break;
      expect(report.isDone).toBe(false);
      request = { cursor: report.cursor, bytes: report.bytes ?? 0 };
    }
    expect(runs).toBeGreaterThan(10);
    expect(measured).toBe(4);
    const second = made.time / 1_000;
    expect(await stored(made, 'basin-empty')).toEqual([{ second, bytes: 0 }]);
    expect(await stored(made, 'basin-large')).toEqual([{ second, bytes: 250 * 7 }]);
    expect(await stored(made, 'basin-small')).toEqual([{ second, bytes: 21 }]);
    expect(await stored(made, 'basin-without')).toEqual([{ second, bytes: 0 }]);
  });

  test('streams that are being deleted leave the sum, and what a look found before stays', async () => {
    const made = world();
    await basin(made, 'basin-small', 3);
    await runMeasureStorage(portsOf(made), {}, 1_000);
    const { streamId } = await made.repository.streams.resolve('basin-small', 'stream-1');
    await made.repository.streams.markDeleting('basin-small', 'stream-1', streamId);
    await runMeasureStorage(portsOf(made), {}, 1_000);
    made.time += 3_600_000;
    await runMeasureStorage(portsOf(made), {}, 1_000);
    expect((await stored(made, 'basin-small')).map(({ bytes }) => bytes)).toEqual([21, 14, 14]);
  });
});

test('the first walk of a process finds streams that its predecessor changed and did not sample, and no other', async () => {
  const made = world();
  await basin(made, 'basin-small', 4);
  const sampled = async (name: string, bytes: number): Promise<StreamId> => {
    const { streamId } = await made.repository.streams.resolve('basin-small', name);
    const item = new SampledHour(streamId, Math.floor(made.time / 3_600_000), 'a-1');
    item.add({ second: Math.floor(made.time / 1_000), bytes });
    await made.repository.usage.write([item]);
    return streamId;
  };
  await sampled('stream-0', 7);
  const changed = await sampled('stream-1', 3);
  await sampled('stream-2', 7);
  const { streamId: fresh } = await made.repository.streams.resolve('basin-small', 'stream-3');
  const ports = portsOf(made);
  await runMeasureStorage(ports, {}, 1_000);
  expect(ports.changes).toEqual([]);
  await runMeasureStorage(ports, { isFirst: true }, 1_000);
  expect(ports.changes).toEqual([changed, fresh]);
});

test('runPurgeUsage keeps the days that it is told to keep', async () => {
  const made = world();
  await basin(made, 'basin-small', 1);
  for (let day = 0; day <= 45; day += 1) {
    await runMeasureStorage(portsOf(made), {}, 1_000);
    made.time += DAY_MS;
  }
  expect(await stored(made, 'basin-small')).toHaveLength(46);
  expect(await runPurgeUsage(portsOf(made), { keptDays: 40 }, 1_000)).toEqual({ isDone: true });
  const kept = await stored(made, 'basin-small');
  expect(kept).toHaveLength(40);
  expect(Math.floor((kept[0]?.second ?? 0) / 86_400)).toBe(Math.floor(made.time / DAY_MS) - 40);
});
