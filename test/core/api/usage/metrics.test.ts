import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { appendCounters } from '#core/api/usage/meter.ts';
import { POINTS_MAX } from '#core/api/usage/series.ts';
import type { Interval } from '#core/model/metrics.ts';
import { OPERATION_NAMES } from '#core/model/operations.ts';
import { counterIndex } from '#core/model/usage.ts';
import { loseAnswers } from '../../metadata/support.ts';
import { DAY, pointsOf, sumsOf, UsageWorld } from './world.ts';

const HOUR = 3_600;
const BASIN = 'the-basin';
const EXPRESS = appendCounters('express');
const STANDARD = appendCounters('standard');

describe('accumulations', () => {
  test('each minute, hour and day gets what was counted in it, to the second', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const at = (second: number, operations: number): void => {
      world.time = (DAY + second) * 1_000;
      for (let i = 0; i < operations; i += 1) meter.basin(BASIN).appended(EXPRESS, 10);
    };
    at(0, 1);
    at(59, 2);
    at(60, 4);
    at(HOUR - 1, 8);
    at(HOUR, 16);
    at(24 * HOUR - 1, 32);
    at(24 * HOUR, 64);
    const told = async (interval: Interval) =>
      pointsOf(await world.metrics(meter).basin(BASIN, 'append-ops', { start: DAY, end: DAY + 24 * HOUR + 60, interval }))['express'];
    expect(await told('minute')).toEqual([
      [DAY, 3],
      [DAY + 60, 4],
      [DAY + HOUR - 60, 8],
      [DAY + HOUR, 16],
      [DAY + 24 * HOUR - 60, 32],
      [DAY + 24 * HOUR, 64],
    ]);
    expect(await told('hour')).toEqual([
      [DAY, 15],
      [DAY + HOUR, 16],
      [DAY + 23 * HOUR, 32],
      [DAY + 24 * HOUR, 64],
    ]);
    expect(await told('day')).toEqual([
      [DAY, 63],
      [DAY + 24 * HOUR, 64],
    ]);
  });

  test('every set has its series, their names and units', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const basin = meter.basin(BASIN);
    basin.appended(EXPRESS, 100);
    basin.appended(STANDARD, 7);
    basin.appended(STANDARD, 8);
    basin.add(counterIndex('read-ops/unary'), 3);
    basin.add(counterIndex('read-ops/streaming'), 4);
    basin.add(counterIndex('read-bytes'), 5_000);
    meter.operation('create-stream', BASIN);
    meter.operation('create-basin');
    meter.operation('create-basin');
    world.time += 1_000;
    const request = { start: DAY, end: DAY + 1 };
    const metrics = world.metrics(meter);
    const shapes = async (set: Parameters<typeof metrics.basin>[1]) =>
      (await metrics.basin(BASIN, set, request)).map(({ values, ...shape }) => [shape, values]);
    const series = (name: string, unit: string, value: number, interval = 'minute') => [
      { kind: 'accumulation', name, unit, interval },
      [[DAY, value]],
    ];
    expect(await shapes('append-ops')).toEqual([series('express', 'operations', 1), series('standard', 'operations', 2)]);
    expect(await shapes('append-throughput')).toEqual([series('express', 'bytes', 100), series('standard', 'bytes', 15)]);
    expect(await shapes('read-ops')).toEqual([series('streaming', 'operations', 4), series('unary', 'operations', 3)]);
    expect(await shapes('read-throughput')).toEqual([series('read_throughput', 'bytes', 5_000)]);
    expect(await shapes('basin-ops')).toEqual([
      series('append', 'operations', 3, 'hour'),
      series('create-stream', 'operations', 1, 'hour'),
    ]);
    // The five above are the account's, as is what was asked of it before.
    expect(sumsOf(await metrics.account('account-ops', request))).toEqual({ 'basin-metrics': 5, 'create-basin': 2 });
    expect(sumsOf(await metrics.account('account-ops', request))).toEqual({ 'account-metrics': 1, 'basin-metrics': 5, 'create-basin': 2 });
  });

  test('an unknown basin, a range without anything, and one without length have no data', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    meter.basin(BASIN).appended(EXPRESS, 1);
    const metrics = world.metrics(meter);
    const empty = { express: [], standard: [] };
    expect(pointsOf(await metrics.basin('nobody-knows', 'append-ops', { start: DAY, end: DAY + 60 }))).toEqual(empty);
    expect(pointsOf(await metrics.basin(BASIN, 'append-ops', { start: 0, end: HOUR }))).toEqual(empty);
    expect(pointsOf(await metrics.basin(BASIN, 'append-ops', { start: DAY, end: DAY }))).toEqual(empty);
    expect(await metrics.account('account-ops', { start: 0, end: HOUR })).toEqual([]);
    expect(await metrics.account('active-basins', { start: 0, end: HOUR })).toEqual([{ kind: 'label', name: 'active_basins', values: [] }]);
    expect(pointsOf(await metrics.basin('nobody-knows', 'storage', { start: DAY, end: DAY + 60 }))).toEqual({ storage: [] });
    expect(pointsOf(await metrics.stream(BASIN, 'nobody-knows', 'storage', { start: DAY, end: DAY + 60 }))).toEqual({ storage: [] });
  });

  test('an answer has a bounded number of points: what is longer is refused, and told in longer steps', async () => {
    const world = new UsageWorld();
    const meter = world.meter();
    const minutes = Math.ceil(POINTS_MAX / OPERATION_NAMES.length);
    const counters = OPERATION_NAMES.map(counterIndex);
    for (let minute = 0; minute < minutes; minute += 1) {
      world.time = (DAY + 60 * minute) * 1_000;
      for (const counter of counters) meter.basin(BASIN).add(counter);
    }
    const metrics = world.metrics(meter);
    const told = (count: number, interval: Interval) =>
      metrics.basin(BASIN, 'basin-ops', { start: DAY, end: DAY + 60 * count, interval }).then(sumsOf);
    expect((await told(minutes - 1, 'minute'))['fence']).toBe(minutes - 1);
    await expect(told(minutes, 'minute')).rejects.toMatchObject({ code: 'invalid' });
    expect((await told(minutes, 'hour'))['fence']).toBe(minutes);
  });
});

describe('active basins', () => {
  test('are those in which anything was done in the range, by the minute, also as other processes wrote it', async () => {
    const world = new UsageWorld();
    const [mine, others] = [world.meter(), world.meter()];
    others.basin('basin-early').appended(EXPRESS, 1);
    world.time = (DAY + 26 * HOUR) * 1_000;
    others.basin('basin-next-day').appended(EXPRESS, 1);
    await world.flush(others);
    world.time = (DAY + 50 * HOUR) * 1_000;
    mine.basin('basin-held').appended(EXPRESS, 1);
    const metrics = world.metrics(mine);
    const active = async (start: number, end: number) => {
      const [label] = await metrics.account('active-basins', { start: DAY + start, end: DAY + end });
      return label?.values;
    };
    expect(await active(0, 50 * HOUR + 60)).toEqual(['basin-early', 'basin-held', 'basin-next-day']);
    expect(await active(60, 50 * HOUR)).toEqual(['basin-next-day']);
    expect(await active(0, 60)).toEqual(['basin-early']);
    expect(await active(26 * HOUR, 26 * HOUR + 60)).toEqual(['basin-next-day']);
    expect(await active(26 * HOUR + 60, 50 * HOUR)).toEqual([]);
    expect(await active(24 * HOUR, 48 * HOUR)).toEqual(['basin-next-day']);
  });
});

describe('ranges and intervals', () => {
  const world = new UsageWorld();
  const metrics = world.metrics(world.meter());
  const now = DAY;

  test.each([
    ['no start', { end: now }],
    ['no end', { start: now }],
    ['neither', {}],
  ])('%s: both are required, for every set', async (_, request) => {
    const message = 'start and end params required';
    const refusal = { code: 'invalid', message };
    await expect(metrics.account('active-basins', request)).rejects.toMatchObject(refusal);
    await expect(metrics.account('account-ops', request)).rejects.toMatchObject(refusal);
    for (const set of ['storage', 'append-ops', 'read-ops', 'read-throughput', 'append-throughput', 'basin-ops'] as const) {
      await expect(metrics.basin(BASIN, set, request)).rejects.toMatchObject(refusal);
    }
    await expect(metrics.stream(BASIN, 's', 'storage', request)).rejects.toMatchObject(refusal);
  });

  test.each([
    ['a start behind its end', { start: now, end: now - 1 }],
    ['an end that lies ahead', { start: now - 10, end: now + 61 }],
    ['more than 30 days', { start: now - 30 * 86_400 - 1, end: now }],
  ])('%s is refused', async (_, request) => {
    await expect(metrics.account('active-basins', request)).rejects.toMatchObject({ code: 'invalid' });
    await expect(metrics.basin(BASIN, 'read-ops', request)).rejects.toMatchObject({ code: 'invalid' });
    await expect(metrics.stream(BASIN, 's', 'storage', request)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('a minute ahead, 30 days, and 1970 are taken', async () => {
    for (const request of [
      { start: now - 10, end: now + 60 },
      { start: now - 30 * 86_400, end: now },
      { start: 0, end: 0 },
    ]) {
      await expect(metrics.account('account-ops', request)).resolves.toEqual(expect.any(Array));
    }
  });

  test('storage is told by the hour in a basin and by the minute in a stream, and in no other way', async () => {
    const request = { start: now - 60, end: now };
    for (const interval of ['minute', 'day'] as const) {
      await expect(metrics.basin(BASIN, 'storage', { ...request, interval })).rejects.toMatchObject({ code: 'invalid' });
    }
    for (const interval of ['hour', 'day'] as const) {
      await expect(metrics.stream(BASIN, 's', 'storage', { ...request, interval })).rejects.toMatchObject({ code: 'invalid' });
    }
    await expect(metrics.basin(BASIN, 'storage', { ...request, interval: 'hour' })).resolves.toHaveLength(1);
    await expect(metrics.stream(BASIN, 's', 'storage', { ...request, interval: 'minute' })).resolves.toHaveLength(1);
  });

  test.each([
    ['append-ops', HOUR, 'minute'],
    ['append-ops', 2 * 86_400, 'hour'],
    ['basin-ops', HOUR, 'hour'],
    ['basin-ops', 20 * 86_400, 'day'],
  ] as const)('without an interval %s over %i s is told by the %s', async (set, length, interval) => {
    for (const metric of await metrics.basin(BASIN, set, { start: now - length, end: now })) expect(metric).toMatchObject({ interval });
    const meter = world.meter();
    meter.operation('append', 'basin-interval');
    const [told] = await world.metrics(meter).basin('basin-interval', set, { start: now - length, end: now + 60 });
    expect(told).toMatchObject({ interval });
  });
});

interface Counted {
  readonly second: number;
  readonly writer: number;
  readonly counter: 'append' | 'read';
  readonly count: number;
}

const RANGE_SECS = 3 * 86_400;
const counted: fc.Arbitrary<Counted> = fc.record({
  second: fc.nat(RANGE_SECS - 1),
  writer: fc.nat(2),
  counter: fc.constantFrom('append', 'read'),
  count: fc.integer({ min: 1, max: 1_000 }),
});
const step = fc.oneof({ weight: 4, arbitrary: counted }, { weight: 1, arbitrary: fc.record({ flush: fc.nat(2), lostAnswers: fc.nat(2) }) });

property.prop([
  fc.array(step, { maxLength: 60 }),
  fc.array(fc.nat(RANGE_SECS), { maxLength: 6 }),
  fc.constantFrom('minute', 'hour', 'day'),
])(
  'U4: whatever several processes counted, wrote, wrote again or still hold is what the parts of the range, cut at full minutes, add up to',
  async (steps, cuts, interval) => {
    const world = new UsageWorld();
    const meters = [world.meter({ minutesMax: 20, streamsMax: 5 }), world.meter(), world.meter()];
    const truth: Counted[] = [];
    for (const one of steps) {
      if ('flush' in one) {
        loseAnswers(world.metadata, one.lostAnswers);
        const meter = meters[one.flush];
        if (meter !== undefined) await world.flush(meter).catch(() => undefined);
        world.metadata.faults = undefined;
        continue;
      }
      world.time = (DAY + one.second) * 1_000;
      // The first meter is small: what it cannot hold it must have written before.
      if (one.writer === 0 && meters[0]?.isFull) await world.flush(meters[0]);
      meters[one.writer]?.basin(BASIN).add(counterIndex(one.counter), one.count);
      truth.push(one);
    }
    world.time = (DAY + RANGE_SECS) * 1_000;
    for (const meter of meters.slice(0, 2)) await world.flush(meter);
    const teller = meters[2] ?? world.meter();
    const metrics = world.metrics(teller);
    const sorted = [...cuts].sort((a, b) => a - b);
    const total = { append: 0, read: 0 };
    for (const isAtMinutes of [false, true]) {
      const edges = [0, ...(isAtMinutes ? sorted.map((cut) => cut - (cut % 60)) : sorted), RANGE_SECS];
      for (const [i, start] of edges.slice(0, -1).entries()) {
        const end = edges[i + 1] ?? 0;
        const told = sumsOf(await metrics.basin(BASIN, 'basin-ops', { start: DAY + start, end: DAY + end, interval }));
        const inPiece = (counter: string) =>
          truth
            .filter((one) => one.counter === counter)
            .filter(({ second }) => start < end && second - (second % 60) + 59 >= start && second - (second % 60) < end)
            .reduce((sum, { count }) => sum + count, 0);
        for (const counter of ['append', 'read'] as const) {
          expect(told[counter] ?? 0).toBe(inPiece(counter));
          if (isAtMinutes) total[counter] += told[counter] ?? 0;
        }
      }
    }
    for (const counter of ['append', 'read'] as const) {
      expect(total[counter]).toBe(truth.filter((one) => one.counter === counter).reduce((sum, { count }) => sum + count, 0));
    }
  },
);
