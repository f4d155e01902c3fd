// Metrics and locations as the official SDK asks for them, against the real process: exact for work that is known, and still so
// after a stop; after a kill -9 as far as they were written.

import { AppendInput, AppendRecord, type Metric, meteredBytes, S2, type S2Basin } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const BASIN = 'metrics-basin';
/** Counted work is written at least this often, and a write takes its time. */
const FLUSHED_MS = 8_000;

let server: Server;
let s2: S2;
let basin: S2Basin;

type AccountSet = Parameters<S2['metrics']['account']>[0]['set'];
type BasinSet = Parameters<S2['metrics']['basin']>[0]['set'];

function batch(...bodies: string[]): AppendInput {
  return AppendInput.create(bodies.map((body) => AppendRecord.string({ body })));
}

const metered = (...inputs: AppendInput[]): number =>
  inputs.reduce((sum, { records }) => sum + records.reduce((all, one) => all + meteredBytes(one), 0), 0);

// The end is exclusive, in whole seconds: what is done in the first second of a minute lies behind an end of now.
const lastHour = () => ({ start: new Date(Date.now() - 3_600_000), end: new Date(Date.now() + 2_000) });

/** What each accumulation adds up to; nothing for those that are empty. */
function sums(values: readonly Metric[]): Record<string, number> {
  const all = values.flatMap((metric) => ('accumulation' in metric ? [metric.accumulation] : []));
  expect(all).toHaveLength(values.length);
  const added = all.map(({ name, values: points }) => [name, points.reduce((sum, [, value]) => sum + value, 0)] as const);
  return Object.fromEntries(added.filter(([, sum]) => sum > 0));
}

async function basinSums(set: BasinSet): Promise<Record<string, number>> {
  return sums((await s2.metrics.basin({ basin: BASIN, set, ...lastHour() })).values);
}

async function accountSums(set: AccountSet): Promise<Record<string, number>> {
  return sums((await s2.metrics.account({ set, ...lastHour() })).values);
}

/** The newest value of a gauge. */
function stored(values: readonly Metric[]): number | undefined {
  const [metric] = values;
  if (metric === undefined || !('gauge' in metric)) throw new Error('no gauge');
  expect(metric.gauge).toMatchObject({ name: expect.stringContaining('storage'), unit: 'bytes' });
  return metric.gauge.values.at(-1)?.[1];
}

async function basinStorage(): Promise<number | undefined> {
  return stored((await s2.metrics.basin({ basin: BASIN, set: 'storage', interval: 'hour', ...lastHour() })).values);
}

async function streamStorage(stream: string): Promise<number | undefined> {
  return stored((await s2.metrics.stream({ basin: BASIN, stream, set: 'storage', interval: 'minute', ...lastHour() })).values);
}

async function everything() {
  return {
    appends: await basinSums('append-ops'),
    appended: await basinSums('append-throughput'),
    reads: await basinSums('read-ops'),
    read: await basinSums('read-throughput'),
    operations: await basinSums('basin-ops'),
    basinStorage: await basinStorage(),
    fast: await streamStorage('fast/one'),
    cheap: await streamStorage('cheap'),
  };
}

beforeAll(async () => {
  server = await startServer({ env: { MILLRACE_LOCATION: 'aws:eu-north-1' } });
  s2 = new S2({ accessToken: 'any', endpoints: { account: server.url, basin: server.url }, retry: { maxAttempts: 10 } });
  await s2.basins.create({ basin: BASIN });
  basin = s2.basin(BASIN);
});

afterAll(async () => {
  await server?.dispose();
});

describe('metrics', () => {
  const unary = [batch('one', 'two'), batch('three')];
  const inSession = Array.from({ length: 20 }, (_, i) => batch(`record ${i}`, 'x'.repeat(i)));
  const after = [batch('after the stop')];
  let expected: Awaited<ReturnType<typeof everything>>;

  test('of known work are exact, in every set', async () => {
    await basin.streams.create({ stream: 'fast/one' });
    await basin.streams.create({ stream: 'cheap', config: { storageClass: 'standard' } });
    const fast = basin.stream('fast/one');
    for (const input of unary) await fast.append(input);
    const session = await basin.stream('cheap').appendSession();
    for (const input of inSession) await (await session.submit(input)).ack();
    await session.close();
    await expect(fast.append(AppendInput.create([AppendRecord.string({ body: 'no' })], { matchSeqNum: 77 }))).rejects.toThrow();

    for (let i = 0; i < 2; i += 1) await fast.read({ start: { from: { seqNum: 0 } } });
    const reading = await basin.stream('cheap').readSession({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 40 } } });
    let records = 0;
    for await (const _ of reading) records += 1;
    expect(records).toBe(40);
    await fast.checkTail();
    await basin.streams.list();
    await basin.streams.getConfig({ stream: 'cheap' });

    expected = {
      appends: { express: 2, standard: 20 },
      appended: { express: metered(...unary), standard: metered(...inSession) },
      reads: { unary: 2, streaming: 1 },
      read: { read_throughput: 2 * metered(...unary) + metered(...inSession) },
      operations: { append: 22, 'check-tail': 1, 'create-stream': 2, 'get-stream-config': 1, 'list-streams': 1, read: 3 },
      basinStorage: metered(...unary, ...inSession),
      fast: metered(...unary),
      cheap: metered(...inSession),
    };
    expect(await everything()).toEqual(expected);
    expect(await accountSums('account-ops')).toEqual({ 'basin-metrics': 6, 'create-basin': 1, 'stream-metrics': 2 });
    const { values } = await s2.metrics.account({ set: 'active-basins', ...lastHour() });
    expect(values).toEqual([{ label: { name: 'active_basins', values: [BASIN] } }]);
  });

  test('are told by the minute, the hour and the day, with the same sum', async () => {
    for (const interval of ['minute', 'hour', 'day'] as const) {
      const { values } = await s2.metrics.basin({ basin: BASIN, set: 'append-ops', interval, ...lastHour() });
      for (const metric of values) {
        expect(metric).toMatchObject({ accumulation: { interval, unit: 'operations' } });
        const [[at] = []] = 'accumulation' in metric ? metric.accumulation.values : [];
        expect((at?.getTime() ?? 0) % { minute: 60_000, hour: 3_600_000, day: 86_400_000 }[interval]).toBe(0);
      }
      expect(sums(values)).toEqual(expected.appends);
    }
  });

  test('after a SIGTERM are as they were before', async () => {
    expect((await server.stop()).code).toBe(0);
    await server.start();
    expect(await everything()).toEqual(expected);
    expect(await accountSums('account-ops')).toMatchObject({ 'account-metrics': 2, 'create-basin': 1, 'stream-metrics': 4 });
  });

  test('after a kill -9 lack at most what was not written yet, and storage is exact', async () => {
    await basin.stream('fast/one').append(after[0] as AppendInput);
    await new Promise((resolve) => setTimeout(resolve, FLUSHED_MS));
    const late = batch('just before the end');
    await basin.stream('fast/one').append(late);
    await server.kill();
    await server.start();
    const appends = await basinSums('append-ops');
    expect(appends['standard']).toBe(20);
    expect([3, 4]).toContain(appends['express']);
    expect(await streamStorage('fast/one')).toBe(metered(...unary, ...after, late));
    expect(await basinStorage()).toBe(metered(...unary, ...after, late, ...inSession));
  });
});

describe('requests for metrics', () => {
  const now = (): number => Math.floor(Date.now() / 1_000);
  const get = (path: string) => new Api(server.url, BASIN).call('GET', `/metrics${path}`);
  const sets = [
    ['', 'active-basins'],
    ['', 'account-ops'],
    ...['storage', 'append-ops', 'read-ops', 'read-throughput', 'append-throughput', 'basin-ops'].map((set) => [`/${BASIN}`, set]),
    [`/${BASIN}/fast%2Fone`, 'storage'],
  ] as [string, string][];

  test.each(sets)('%s?set=%s: both start and end are required, in order, not ahead, and at most 30 days apart', async (path, set) => {
    const ask = (query: string) => get(`${path}?set=${set}${query}`);
    const required = { code: 'invalid', message: 'start and end params required' };
    for (const query of ['', `&start=${now() - 60}`, `&end=${now()}`]) {
      expect(await ask(query)).toMatchObject({ status: 422, json: required });
    }
    for (const [start, end] of [
      [now(), now() - 1],
      [now(), now() + 120],
      [now() - 31 * 86_400, now()],
    ]) {
      expect(await ask(`&start=${start}&end=${end}`)).toMatchObject({ status: 422, json: { code: 'invalid' } });
    }
    for (const query of [
      '&start=-1&end=5',
      '&start=4294967296&end=4294967296',
      '&start=1.5&end=2',
      '&start=x&end=2',
      '&start=1&end=2&interval=week',
    ]) {
      expect(await ask(query)).toMatchObject({ status: 400, json: { code: 'bad_query' } });
    }
    for (const [start, end] of [
      [0, 3_600],
      [now() - 60, now() - 60],
      [now() - 30 * 86_400, now()],
      [now() - 60, now() + 30],
    ]) {
      expect(await ask(`&start=${start}&end=${end}`)).toMatchObject({ status: 200, json: { values: expect.any(Array) } });
    }
  });

  test('a set of another level, an unknown one, or none is a bad query', async () => {
    const range = `start=${now() - 60}&end=${now()}`;
    for (const path of [
      `?set=storage&${range}`,
      `/${BASIN}?set=account-ops&${range}`,
      `/${BASIN}/s?set=append-ops&${range}`,
      `?set=&${range}`,
      `?${range}`,
    ]) {
      expect(await get(path)).toMatchObject({ status: 400, json: { code: 'bad_query' } });
    }
  });

  test('storage is told by the hour in a basin and by the minute in a stream only', async () => {
    const range = `set=storage&start=${now() - 60}&end=${now()}`;
    expect(await get(`/${BASIN}?${range}&interval=hour`)).toMatchObject({ status: 200 });
    expect(await get(`/${BASIN}/s?${range}&interval=minute`)).toMatchObject({ status: 200 });
    for (const path of [`/${BASIN}?${range}&interval=minute`, `/${BASIN}?${range}&interval=day`, `/${BASIN}/s?${range}&interval=hour`]) {
      expect(await get(path)).toMatchObject({ status: 422, json: { code: 'invalid' } });
    }
  });

  test('names that nobody knows have no data; names that are none are bad paths', async () => {
    const range = `set=storage&start=${now() - 60}&end=${now()}`;
    const empty = { values: [{ gauge: { name: 'storage', unit: 'bytes', values: [] } }] };
    expect(await get(`/nobody-knows?${range}`)).toMatchObject({ status: 200, json: empty });
    expect(await get(`/nobody-knows/s?${range}`)).toMatchObject({ status: 200, json: empty });
    expect(await get(`/${BASIN}/nobody?${range}`)).toMatchObject({ status: 200, json: empty });
    expect(await get(`/Bad_Name?${range}`)).toMatchObject({ status: 400, json: { code: 'bad_path' } });
  });

  test('GET /metrics outside of /v1 is Prometheus text as before', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain('# TYPE millrace_channel_ready gauge');
  });
});

describe('locations', () => {
  const own = { name: 'aws:eu-north-1', isPrivate: false };

  test('there is one, which is the default, and in which basins are made', async () => {
    expect(await s2.locations.list()).toEqual([own]);
    expect(await s2.locations.getDefault()).toEqual(own);
    expect(await s2.locations.setDefault({ location: own.name })).toEqual(own);
    expect(await s2.locations.getDefault()).toEqual(own);
    const made = await s2.basins.create({ basin: 'located-basin', location: own.name });
    expect(made.location).toBe(own.name);
    expect((await s2.basins.list({ prefix: 'located-' })).basins[0]?.location).toBe(own.name);
  });

  test('any other is refused', async () => {
    await expect(s2.locations.setDefault({ location: 'mars' })).rejects.toMatchObject({ status: 422, code: 'invalid' });
    await expect(s2.basins.create({ basin: 'lost-basin', location: 'mars' })).rejects.toMatchObject({ status: 422, code: 'invalid' });
    const api = new Api(server.url, BASIN);
    expect(await api.call('PUT', '/locations/default', { body: '{}', headers: { 'content-type': 'application/json' } })).toMatchObject({
      status: 400,
      json: { code: 'bad_json' },
    });
  });
});
