import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { gaugePoints } from '#core/api/usage/gauge.ts';
import { runMeasureStorage } from '#core/jobs/measure-storage.ts';
import type { StreamId } from '#core/model/ids.ts';
import { BASIN_CONFIG, CONFIG, planned } from '../../metadata/support.ts';
import { DAY, pointsOf, UsageWorld } from './world.ts';

const BASIN = 'the-basin';
const DAYS = 86_400;

describe('gaugePoints', () => {
  const samples = [
    { second: 100, bytes: 1 },
    { second: 160, bytes: 2 },
    { second: 161, bytes: 3 },
    { second: 300, bytes: 0 },
  ];

  test('tells the value at the start, at each full step, and at the end', () => {
    expect(gaugePoints(samples, { start: 110, end: 310 }, 60)).toEqual([
      [110, 1],
      [120, 1],
      [180, 3],
      [240, 3],
      [300, 0],
      [310, 0],
    ]);
  });

  test('leaves out what lies before the first sample, and is one point for one moment', () => {
    expect(gaugePoints(samples, { start: 0, end: 130 }, 60)).toEqual([
      [120, 1],
      [130, 1],
    ]);
    expect(gaugePoints(samples, { start: 160, end: 160 }, 60)).toEqual([[160, 2]]);
    expect(gaugePoints([], { start: 0, end: 600 }, 60)).toEqual([]);
  });

  property.prop([
    fc.array(fc.record({ second: fc.nat(5_000), bytes: fc.nat(9) })),
    fc.nat(5_000),
    fc.nat(5_000),
    fc.constantFrom(60, 3_600),
  ])('each point is what the last sample until then says', (some, a, b, step) => {
    const ordered = some.toSorted((x, y) => x.second - y.second);
    const range = { start: Math.min(a, b), end: Math.max(a, b) };
    const points = gaugePoints(ordered, range, step);
    for (const [second, value] of points) {
      expect(ordered.filter((sample) => sample.second <= second).at(-1)?.bytes).toBe(value);
      expect(second === range.start || second === range.end || second % step === 0).toBe(true);
    }
    expect(points.length > 0).toBe(ordered.some(({ second }) => second <= range.end));
  });
});

/** A basin with streams, which store what the test says. */
class Stored extends UsageWorld {
  readonly counter = this.meter();
  readonly #ids = new Map<string, StreamId>();

  async create(...names: string[]): Promise<void> {
    await this.repository.basins.ensure(BASIN, BASIN_CONFIG);
    for (const name of names) {
      const { stream } = await this.repository.streams.create(BASIN, name, planned(CONFIG));
      this.#ids.set(name, stream.streamId);
    }
  }

  change(name: string, bytes: number): void {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`no stream ${name}`);
    this.stored.set(id, bytes);
    this.counter.changed(id);
  }

  async delete(name: string): Promise<void> {
    await this.repository.streams.markDeleting(BASIN, name, this.#ids.get(name) as StreamId);
  }

  measure() {
    const held = (streamId: string) => ({
      frames: [{ first: 0 as never, count: 1, meteredBytes: this.stored.get(streamId) ?? 0 }],
      trimPoint: 0 as never,
    });
    return runMeasureStorage({ repository: this.repository, clock: this.clock, held }, {}, 1_000);
  }

  async stream(name: string, start: number, end: number) {
    return pointsOf(await this.metrics(this.counter).stream(BASIN, name, 'storage', { start, end }))['storage'];
  }

  async basin(start: number, end: number) {
    return pointsOf(await this.metrics(this.counter).basin(BASIN, 'storage', { start, end }))['storage'];
  }
}

describe('storage of a stream', () => {
  test('is nothing before its first sample, what was sampled since, and what is stored now at the end', async () => {
    const world = new Stored();
    await world.create('s');
    world.time += 30_000;
    world.change('s', 10);
    await world.flush(world.counter);
    world.time += 100_000;
    world.change('s', 25);
    expect(await world.stream('s', DAY - 60, DAY + 130)).toEqual([
      [DAY, 0],
      [DAY + 60, 10],
      [DAY + 120, 10],
      [DAY + 130, 25],
    ]);
    expect(await world.stream('s', DAY + 130, DAY + 130)).toEqual([[DAY + 130, 25]]);
  });

  test('of a range long ago is what the last sample before it says, however long the stream was idle', async () => {
    const world = new Stored();
    await world.create('s');
    world.change('s', 10);
    await world.flush(world.counter);
    world.time += 20 * DAYS * 1_000;
    world.change('s', 50);
    await world.flush(world.counter);
    const at = DAY + 15 * DAYS;
    expect(await world.stream('s', at, at + 60)).toEqual([
      [at, 10],
      [at + 60, 10],
    ]);
  });

  test('that is idle for longer than samples are kept is what it is now', async () => {
    const world = new Stored();
    await world.create('s');
    world.change('s', 10);
    await world.flush(world.counter);
    world.time += 60 * DAYS * 1_000;
    await world.repository.usage.purge(Math.floor(DAY / DAYS) + 50, () => false);
    const now = DAY + 60 * DAYS;
    expect(await world.stream('s', now - 60, now)).toEqual([
      [now - 60, 10],
      [now, 10],
    ]);
    expect(await world.stream('s', now - 20 * DAYS, now - 20 * DAYS + 60)).toEqual([
      [now - 20 * DAYS, 10],
      [now - 20 * DAYS + 60, 10],
    ]);
  });

  test('a stream that is being deleted stores nothing any more; one that is gone has no data', async () => {
    const world = new Stored();
    await world.create('s');
    world.change('s', 10);
    await world.flush(world.counter);
    world.time += 60_000;
    await world.delete('s');
    expect((await world.stream('s', DAY + 60, DAY + 60))?.at(-1)).toEqual([DAY + 60, 0]);
    expect(await world.stream('t', DAY, DAY + 60)).toEqual([]);
  });

  test('a month by the minute is told whole', async () => {
    const world = new Stored();
    await world.create('s');
    world.time += 30 * DAYS * 1_000;
    expect(await world.stream('s', DAY, DAY + 30 * DAYS)).toHaveLength(30 * 1_440 + 1);
  });
});

describe('storage of a basin', () => {
  test('is the sum of its streams, by the hour as it was measured, and now', async () => {
    const world = new Stored();
    await world.create('a', 'b', 'c');
    world.change('a', 1);
    world.change('b', 20);
    world.change('c', 300);
    world.time += 1_800_000;
    await world.measure();
    world.time += 3_600_000;
    world.change('a', 2);
    await world.measure();
    world.time += 3_600_000;
    world.change('b', 70);
    const now = DAY + 9_000;
    expect(await world.basin(DAY - 60, now)).toEqual([
      [DAY, 0],
      [DAY + 3_600, 321],
      [DAY + 7_200, 322],
      [now, 372],
    ]);
    await world.delete('c');
    expect((await world.basin(now, now))?.at(-1)).toEqual([now, 72]);
    await world.measure();
    expect((await world.basin(now, now))?.at(-1)).toEqual([now, 72]);
  });

  test('of so many streams that they are not added up for each answer is as it was measured', async () => {
    const world = new Stored();
    const names = Array.from({ length: 300 }, (_, i) => `stream-${i}`);
    await world.create(...names);
    for (const name of names) world.change(name, 2);
    world.time += 60_000;
    await world.measure();
    world.change('stream-0', 100);
    world.time += 60_000;
    expect((await world.basin(DAY, DAY + 120))?.at(-1)).toEqual([DAY + 120, 600]);
    await world.measure();
    expect((await world.basin(DAY, DAY + 120))?.at(-1)).toEqual([DAY + 120, 698]);
  });

  test('that was there before under the same name does not count', async () => {
    const world = new Stored();
    await world.create('a');
    world.change('a', 5);
    await world.measure();
    await world.delete('a');
    for (const item of world.metadata.items()) {
      if (/^(streams\/|basin)/.test(item.partition)) await world.metadata.commit([{ kind: 'delete', key: item }]);
    }
    expect(await world.basin(DAY, DAY)).toEqual([]);
    world.time += 600_000;
    await world.create();
    expect(await world.basin(DAY, DAY + 600)).toEqual([[DAY + 600, 0]]);
    world.time += 600_000;
    expect(await world.basin(DAY, DAY + 660)).toEqual([[DAY + 660, 0]]);
  });
});
