import { describe, expect, test } from 'vitest';
import { appendCounters } from '#core/api/usage/meter.ts';
import { StoreError } from '#core/model/errors.ts';
import type { StreamId } from '#core/model/ids.ts';
import { idOf } from '../../jobs/world.ts';
import { DAY, sumsOf, UsageWorld } from './world.ts';

const EXPRESS = appendCounters('express');
const HOUR_MS = 3_600_000;

async function appendsOf(world: UsageWorld, basin: string): Promise<number> {
  const request = { start: DAY, end: Math.ceil(world.time / 1_000) + 60 };
  return sumsOf(await world.metrics(world.meter()).basin(basin, 'append-ops', request))['express'] ?? 0;
}

describe('Meter', () => {
  test('what is counted while a flush is under way is written by the next one', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const basin = meter.basin('the-basin');
    basin.appended(EXPRESS, 1);
    world.metadata.faults = {
      before({ operation }) {
        if (operation === 'commit') basin.appended(EXPRESS, 1);
      },
    };
    await world.flush(meter);
    world.metadata.faults = undefined;
    expect(await appendsOf(world, 'the-basin')).toBe(1);
    await world.flush(meter);
    expect(await appendsOf(world, 'the-basin')).toBe(2);
    expect(await world.flush(meter)).toMatchObject({ written: 0 });
  });

  test('a session that holds its counters for hours counts each append in its hour', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const session = meter.basin('the-basin');
    for (let hour = 0; hour < 5; hour += 1) {
      session.appended(EXPRESS, 1);
      await world.flush(meter);
      world.time += HOUR_MS;
      await world.flush(meter);
      expect(meter.unwritten()).toEqual([]);
      expect(meter.heldBasins()).toEqual([]);
    }
    expect(await appendsOf(world, 'the-basin')).toBe(5);
  });

  test('a clock that is set back counts in the hour that it says, and loses nothing', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const basin = meter.basin('the-basin');
    world.time += 2 * HOUR_MS;
    basin.appended(EXPRESS, 1);
    await world.flush(meter);
    world.time -= 2 * HOUR_MS;
    basin.appended(EXPRESS, 1);
    await world.flush(meter);
    world.time += 2 * HOUR_MS;
    basin.appended(EXPRESS, 1);
    await world.flush(meter);
    expect(await appendsOf(world, 'the-basin')).toBe(3);
  });

  test('U3: at its bound it lets go of what is written, and goes on in another item', async () => {
    const world = new UsageWorld();
    const meter = world.meter({ minutesMax: 4, streamsMax: 4 });
    const held = meter.basin('basin-no-0');
    for (let round = 0; round < 5; round += 1) {
      held.appended(EXPRESS, 1);
      for (let i = 1; i < 4; i += 1) meter.basin(`basin-no-${i}`).appended(EXPRESS, 1);
      expect(meter.isFull).toBe(true);
      await world.flush(meter);
      // One more than there is room for: the others are written, so they go.
      meter.basin('basin-no-4').appended(EXPRESS, 1);
      await world.flush(meter);
    }
    for (let i = 0; i < 5; i += 1) expect(await appendsOf(world, `basin-no-${i}`)).toBe(5);
    expect(world.events).toEqual([]);
  });

  test('U3: where nothing can be written it counts what it has room for, tells that the rest is lost, and fails nobody', async () => {
    const world = new UsageWorld();
    const meter = world.meter({ minutesMax: 3, streamsMax: 2 });
    world.metadata.faults = {
      before({ operation }) {
        if (operation === 'commit') throw new StoreError('disk_full', 'none', 'no space');
      },
    };
    for (let i = 0; i < 100; i += 1) {
      for (let n = 0; n < 5; n += 1) meter.basin(`basin-no-${n}`).appended(EXPRESS, 1);
      for (let n = 0; n < 5; n += 1) meter.changed(idOf(n));
      await expect(world.flush(meter)).rejects.toMatchObject({ code: 'disk_full' });
      expect(meter.heldBasins().length).toBeLessThanOrEqual(3);
      expect(meter.unwritten().length).toBeLessThanOrEqual(5);
    }
    world.metadata.faults = undefined;
    await world.flush(meter);
    expect(world.events).toEqual([{ name: 'usage.lost', count: expect.any(Number) }]);
    expect(await appendsOf(world, 'basin-no-0')).toBe(100);
    expect(await appendsOf(world, 'basin-no-4')).toBe(0);
    world.time += 60_000;
    meter.basin('basin-no-4').appended(EXPRESS, 1);
    await world.flush(meter);
    expect(await appendsOf(world, 'basin-no-4')).toBe(1);
  });

  test('what is held is told in place of what was written of it, never besides', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const told = async () => sumsOf(await world.metrics(meter).basin('the-basin', 'append-ops', { start: DAY, end: DAY + 60 }))['express'];
    meter.basin('the-basin').appended(EXPRESS, 1);
    expect(await told()).toBe(1);
    await world.flush(meter);
    expect(await told()).toBe(1);
    meter.basin('the-basin').appended(EXPRESS, 1);
    expect(await told()).toBe(2);
  });
});

describe('samples', () => {
  const STREAM = idOf(1);
  const samples = async (world: UsageWorld, streamId: StreamId) => {
    const found: (readonly [number, number])[] = [];
    for await (const { second, bytes } of world.repository.usage.samples({ kind: 'stream', name: streamId }, 0, 1_000_000)) {
      found.push([second - DAY, bytes]);
    }
    return found;
  };

  test('a stream that changed is sampled once a minute at most; one that did not costs nothing', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const change = (bytes: number): void => {
      world.stored.set(STREAM, bytes);
      meter.changed(STREAM);
    };
    change(10);
    expect(await world.flush(meter)).toMatchObject({ sampled: 1, written: 1 });
    world.time += 5_000;
    change(20);
    expect(await world.flush(meter)).toMatchObject({ sampled: 0, written: 0 });
    world.time += 60_000;
    expect(await world.flush(meter)).toMatchObject({ sampled: 1, written: 1 });
    world.time += 60_000;
    expect(await world.flush(meter)).toMatchObject({ sampled: 0, written: 0 });
    expect(await samples(world, STREAM)).toEqual([
      [0, 10],
      [65, 20],
    ]);
  });

  test('the last flush samples what changed in this minute, too', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    for (const bytes of [10, 20]) {
      world.stored.set(STREAM, bytes);
      meter.changed(STREAM);
      await world.flush(meter, { isLast: bytes === 20 });
      world.time += 1_000;
    }
    expect(await samples(world, STREAM)).toEqual([
      [0, 10],
      [1, 20],
    ]);
  });

  test('a stream that cannot be sampled stays marked', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    world.stored.set(STREAM, 10);
    meter.changed(STREAM);
    world.metadata.faults = {
      before({ operation }) {
        if (operation === 'get') throw new StoreError('unavailable', 'none', 'no answer');
      },
    };
    await expect(world.flush(meter)).rejects.toMatchObject({ code: 'unavailable' });
    world.metadata.faults = undefined;
    expect(await world.flush(meter)).toMatchObject({ sampled: 1 });
  });

  test('each hour has an item of its own', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    for (let i = 0; i < 3; i += 1) {
      world.stored.set(STREAM, i);
      meter.changed(STREAM);
      await world.flush(meter);
      world.time += HOUR_MS;
    }
    expect(await samples(world, STREAM)).toEqual([
      [0, 0],
      [3_600, 1],
      [7_200, 2],
    ]);
  });
});
