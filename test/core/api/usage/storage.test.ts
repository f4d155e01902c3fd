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

  const LATER = 10_000;

  test('tells the value at each full step, and at the end', () => {
    expect(gaugePoints(samples, { start: 110, end: 310 }, 60, LATER)).toEqual([
      [120, 1],
      [180, 3],
      [240, 3],
      [300, 0],
      [310, 0],
    ]);
  });

  test('leaves out what lies before the first sample, and is one point for one moment', () => {
    expect(gaugePoints(samples, { start: 0, end: 130 }, 60, LATER)).toEqual([
      [120, 1],
      [130, 1],
    ]);
    expect(gaugePoints(samples, { start: 160, end: 160 }, 60, LATER)).toEqual([[160, 2]]);
    expect(gaugePoints([], { start: 0, end: 600 }, 60, LATER)).toEqual([]);
  });

  test('ends now, whatever is asked of the time to come', () => {
    expect(gaugePoints(samples, { start: 170, end: 290 }, 60, 230)).toEqual([
      [180, 3],
      [230, 3],
    ]);
    expect(gaugePoints(samples, { start: 231, end: 290 }, 60, 230)).toEqual([]);
  });

  property.prop([
    fc.array(fc.record({ second: fc.nat(5_000), bytes: fc.nat(9) })),
    fc.nat(5_000),
    fc.nat(5_000),
    fc.constantFrom(60, 3_600),
    fc.nat(6_000),
  ])('each point is what the last sample until then says', (some, a, b, step, now) => {
    const ordered = some.toSorted((x, y) => x.second - y.second);
    const range = { start: Math.min(a, b), end: Math.max(a, b) };
    const points = gaugePoints(ordered, range, step, now);
    const last = Math.min(range.end, now);
    for (const [second, value] of points) {
      expect(ordered.filter((sample) => sample.second <= second).at(-1)?.bytes).toBe(value);
      expect(second === last || second % step === 0).toBe(true);
      expect(second >= range.start && second <= last).toBe(true);
    }
    const moments = new Set(Array.from({ length: 6_001 }, (_, at) => at).filter((at) => at === last || at % step === 0));
    const told = [...moments].filter((at) => at >= range.start && at <= last && ordered.some(({ second }) => second <= at));
    expect(points.map(([second]) => second)).toEqual(told);
  });
});

/** A basin with streams, which store what the test says. */
class Stored extends UsageWorld {
  counter = this.meter();
  #isFirst = true;
  readonly #ids = new Map<string, StreamId>();

  async create(...names: string[]): Promise<void> {
    await this.repository.basins.ensure(BASIN, BASIN_CONFIG);
    for (const name of names) {
      const { stream } = await this.repository.streams.create(BASIN, name, planned(CONFIG));
      this.#ids.set(name, stream.streamId);
    }
  }

  change(name: string, bytes: number, kind: 'append' | 'trim' | 'crash' = 'append'): void {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`no stream ${name}`);
    this.stored.set(id, bytes);
    if (kind === 'trim') this.counter.changed(id);
    else this.counter.changed(id, BASIN);
  }

  /** The process ends at once, and another one begins. */
  crash(): void {
    this.counter = this.meter();
    this.#isFirst = true;
  }

  async delete(name: string): Promise<void> {
    await this.repository.streams.markDeleting(BASIN, name, this.#ids.get(name) as StreamId);
  }

  async measure() {
    const held = (streamId: string) => ({
      frames: [{ first: 0 as never, count: 1, meteredBytes: this.stored.get(streamId) ?? 0 }],
      trimPoint: 0 as never,
    });
    const changed = (streamId: StreamId) => this.counter.changed(streamId);
    await runMeasureStorage({ repository: this.repository, clock: this.clock, held, changed }, { isFirst: this.#isFirst }, 1_000);
    this.#isFirst = false;
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

describe('the past', () => {
  /** Of a sample: a stream has one a minute at most, soon after it changed, a basin too; a walk begins a minute after the last. */
  const SAMPLED_SECS_MAX = 70;
  const STEP_SECS = 5;
  const STREAMS = ['a', 'b', 'c'];
  const change = fc.record({
    afterSteps: fc.integer({ min: 1, max: 60 }),
    stream: fc.constantFrom(...STREAMS),
    bytes: fc.nat(1_000),
    /** Whether those who know of it say so: a trim does not name the basin. */
    kind: fc.constantFrom('append', 'trim', 'crash'),
  });

  property.prop([fc.array(change, { maxLength: 12 })], { numRuns: 30 })(
    'is told of basins and of streams as it was, a sampling period late at most, also after a crash',
    async (changes) => {
      const world = new Stored();
      await world.create(...STREAMS);
      const truth: { second: number; bytes: Readonly<Record<string, number>> }[] = [{ second: DAY, bytes: { a: 0, b: 0, c: 0 } }];
      let measuredAt = Number.NEGATIVE_INFINITY;
      const pass = async (steps: number) => {
        for (let i = 0; i < steps; i += 1) {
          world.time += STEP_SECS * 1_000;
          await world.flush(world.counter);
          if (world.time - measuredAt < 60_000) continue;
          measuredAt = world.time;
          await world.measure();
        }
      };
      for (const { afterSteps, stream, bytes, kind } of changes) {
        await pass(afterSteps);
        world.time += 1_000;
        world.change(stream, bytes, kind);
        truth.push({ second: world.time / 1_000, bytes: { ...truth.at(-1)?.bytes, [stream]: bytes } });
        if (kind !== 'crash') continue;
        world.crash();
        measuredAt = Number.NEGATIVE_INFINITY;
      }
      await pass(30);
      const end = Math.floor(world.time / 1_000) - 60;
      for (let at = DAY; at < end; at += 41) {
        const maybe = truth.filter(({ second }, i) => second <= at && (truth[i + 1]?.second ?? at + 1) > at - SAMPLED_SECS_MAX);
        const streams = await Promise.all(STREAMS.map((name) => world.stream(name, at, at)));
        for (const [i, name] of STREAMS.entries()) expect(maybe.map(({ bytes }) => bytes[name])).toContain(streams[i]?.[0]?.[1]);
        const sums = maybe.map(({ bytes }) => Object.values(bytes).reduce((sum, value) => sum + value, 0));
        const [point] = (await world.basin(at, at)) ?? [];
        expect(point?.[0]).toBe(at);
        expect(sums).toContain(point?.[1]);
        if (maybe.length > 1) continue;
        expect(point?.[1]).toBe(streams.reduce((sum, told) => sum + (told?.[0]?.[1] ?? 0), 0));
      }
    },
  );
});
