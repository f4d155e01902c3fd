// GET /metrics, /metrics/{basin} and /metrics/{basin}/{stream}. (Sections 1.6 and 6.3.)

import { strict as assert } from 'node:assert';
import { append, type Case, eventually, get, ok, post, read, refusal } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { type Expected, listOf, matching, number, oneOf, text, u64 } from '../expect.ts';
import { seconds, x } from '../helpers.ts';

const POINTS = listOf([u64, number]);
const UNIT = matching(/^(bytes|operations)$/);
const INTERVAL = matching(/^(minute|hour|day)$/);
const accumulation = (unit: Expected = UNIT, name: Expected = text, interval: Expected = INTERVAL): Expected => ({
  accumulation: { name, unit, interval, values: POINTS },
});
const gauge = (name: Expected = text, unit: Expected = UNIT): Expected => ({ gauge: { name, unit, values: POINTS } });
const label = (name: Expected = text): Expected => ({ label: { name, values: listOf(text) } });
const scalar: Expected = { scalar: { name: text, unit: UNIT, value: number } };
const values = (item: Expected) => ok({ values: listOf(item) });

/** How long figures may take to show what happened. */
const FIGURES_MS_MAX = 20_000;
const HOUR = 3_600;
const DAY = 24 * HOUR;
const lastHour = (): string => `start=${seconds() - HOUR}&end=${seconds() + 30}`;
const ACCOUNT_SETS = ['active-basins', 'account-ops'];
const BASIN_SETS = ['storage', 'append-ops', 'read-ops', 'read-throughput', 'append-throughput', 'basin-ops'];
const everySet = (basin: string): [path: string, set: string][] => [
  ...ACCOUNT_SETS.map((set): [string, string] => ['/metrics', set]),
  ...BASIN_SETS.map((set): [string, string] => [`/metrics/${basin}`, set]),
  [`/metrics/${basin}/s`, 'storage'],
];

interface Series {
  readonly name: string;
  readonly values: readonly (readonly [time: number, value: number])[];
}

async function seriesOf(client: CaseClient, path: string, set: string, range = lastHour()): Promise<Series[]> {
  const { json } = await client.expect(get(`${path}?set=${set}&${range}`), { status: 200 });
  return (json as { values: Record<string, Series>[] }).values.flatMap((value) => Object.values(value));
}

const total = (series: readonly Series[], name?: string): number =>
  series
    .filter((one) => name === undefined || one.name === name)
    .flatMap((one) => one.values)
    .reduce((sum, [, value]) => sum + Number(value), 0);

/** Clocks of the server and of the suite may differ by so much. */
const CLOCKS_SECS_MAX = 3;

/** A point of a gauge is the value at its second: none is in the future, and none is told twice. */
function checkMoments(series: readonly Series[]): void {
  const times = series[0]?.values.map(([time]) => Number(time)) ?? [];
  const now = seconds() + CLOCKS_SECS_MAX;
  for (const [at, time] of times.entries()) {
    assert.ok(time <= now, `a gauge has a point ${time - now} s in the future`);
    assert.ok(at === 0 || time > (times[at - 1] ?? 0), `the points of a gauge are at ${times}`);
  }
}

const last = (series: readonly Series[]): number => Number(series[0]?.values.at(-1)?.[1] ?? 0);

/** Asks again until the figures are as they must be. */
async function untilTrue(
  client: CaseClient,
  path: string,
  set: string,
  isTrue: (series: Series[]) => boolean,
  range: () => string = lastHour,
): Promise<void> {
  const until = performance.now() + FIGURES_MS_MAX;
  for (;;) {
    const series = await seriesOf(client, path, set, range());
    if (set === 'storage') checkMoments(series);
    if (isTrue(series)) return;
    assert.ok(performance.now() < until, `${set} stays ${JSON.stringify(series).slice(0, 500)}`);
    await client.sleep(250);
  }
}

const TRUE: Pick<Case, 'needs' | 'timeoutMs'> = { needs: ['metrics'], timeoutMs: FIGURES_MS_MAX + 10_000 };

export const METRIC_CASES: readonly Case[] = [
  {
    name: 'active-basins is one label with the names of the basins',
    shows: ['1.6-account-metrics', '6.3-account-active-basins', '6.3-shapes', '6.3-true'],
    ...TRUE,
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', [{ body: 'x' }]), { status: 200 });
      const { basin } = client;
      const until = performance.now() + FIGURES_MS_MAX;
      const ask = () => client.expect(get(`/metrics?set=active-basins&${lastHour()}`), ok({ values: [label('active_basins')] }));
      const names = async () => ((await ask()).json as { values: { label: { values: string[] } }[] }).values[0]?.label.values ?? [];
      while (!(await names()).includes(basin)) {
        assert.ok(performance.now() < until, 'the basin is not among the active ones');
        await client.sleep(250);
      }
    },
  },
  {
    name: 'account-ops are accumulations of operations, which grow with what is done',
    shows: ['6.3-account-ops', '6.3-shapes', '6.3-units', '6.3-true', '1.6-account-metrics'],
    ...TRUE,
    run: async (client) => {
      await client.expect(get(`/metrics?set=account-ops&${lastHour()}`), values(accumulation('operations')));
      const before = total(await seriesOf(client, '/metrics', 'account-ops'));
      for (let at = 0; at < 5; at += 1) await client.expect(get('/basins?limit=1'), { status: 200 });
      await untilTrue(client, '/metrics', 'account-ops', (series) => total(series) >= before + 5);
    },
  },
  {
    name: 'storage of a basin and of a stream is a gauge of bytes, by the hour and by the minute',
    shows: [
      '6.3-basin-storage',
      '6.3-stream-storage',
      '6.3-gauge-moments',
      '6.3-shapes',
      '6.3-units',
      '6.3-true',
      '1.6-basin-metrics',
      '1.6-stream-metrics',
    ],
    ...TRUE,
    streams: { s: {}, t: {} },
    run: async (client) => {
      for (const stream of ['s', 't']) await client.expect(append(stream, [{ body: x(100_000) }]), { status: 200 });
      for (const [path, interval] of [
        ['/metrics/{basin}', 'hour'],
        ['/metrics/{basin}/s', 'minute'],
      ] as const) {
        await client.expect(
          get(`${path}?set=storage&interval=${interval}&${lastHour()}`),
          ok({ values: [gauge(matching(/storage/), 'bytes')] }),
        );
      }
      await untilTrue(client, '/metrics/{basin}/s', 'storage', (series) => last(series) >= 100_000 && last(series) < 150_000);
      await untilTrue(client, '/metrics/{basin}', 'storage', (series) => last(series) >= 200_000 && last(series) < 300_000);
    },
  },
  {
    name: 'what a basin and its streams stored at a time that is over is told as it was, together the same, and stays so',
    shows: ['6.3-storage-past', '6.3-true'],
    needs: ['metrics', 'restart'],
    basin: null,
    timeoutMs: 150_000,
    run: async (client) => {
      const { server, client: other } = await client.startAnother();
      await other.expect(post('/basins', { basin: '{basin}' }), { status: 201 });
      for (const stream of ['s', 't']) await other.expect(post('/streams', { stream }), { status: 201 });
      let ahead = 0;
      const storedAt = async (path: string, at: number): Promise<number> =>
        last(await seriesOf(other, path, 'storage', `start=${at}&end=${at}`));
      const together = async (at: number): Promise<[basin: number, streams: number]> => [
        await storedAt('/metrics/{basin}', at),
        (await storedAt('/metrics/{basin}/s', at)) + (await storedAt('/metrics/{basin}/t', at)),
      ];
      /** A time that is over by now at which both say what is stored since. A server may look once a minute. */
      const toldAt = async (bytes: number): Promise<number> => {
        for (const until = performance.now() + 65_000; ; await other.sleep(1_000)) {
          const at = seconds() + ahead - 1;
          const [ofBasin, ofStreams] = await together(at);
          if (ofBasin >= bytes && ofBasin < 1.1 * bytes && ofStreams === ofBasin) return at;
          assert.ok(performance.now() < until, `of ${bytes} bytes the basin tells ${ofBasin}, its streams ${ofStreams}`);
        }
      };
      await Promise.all(['s', 't'].map((stream) => other.expect(append(stream, [{ body: x(100_000) }]), { status: 200 })));
      const first = await toldAt(200_000);
      const before = await together(first);
      ahead = 180;
      await server.setClockAhead(1_000 * ahead);
      const later = seconds() + ahead;
      await other.expect(get(`/metrics/{basin}?set=storage&start=${later}&end=${later}`), eventually({ status: 200 }, 5_000));
      await Promise.all(['s', 't'].map((stream) => other.expect(append(stream, [{ body: x(100_000) }]), { status: 200 })));
      await toldAt(400_000);
      assert.deepEqual(await together(first), before, 'the past has changed');
      await server.kill();
      await server.start();
      assert.deepEqual(await together(first), before, 'the past has changed with a crash');
    },
  },
  {
    name: 'a count is told from the minute on in which its range begins',
    shows: ['6.3-range-start', '6.3-true'],
    ...TRUE,
    streams: { s: {} },
    run: async (client) => {
      const at = seconds();
      await client.expect(append('s', [{ body: 'x' }]), { status: 200 });
      const range = (): string => `start=${at - 2}&end=${seconds() + 5}`;
      await untilTrue(client, '/metrics/{basin}', 'append-ops', (found) => total(found) === 1, range);
      assert.equal(total(await seriesOf(client, '/metrics/{basin}', 'append-ops', `start=${at - 120}&end=${at - 60}`)), 0);
    },
  },
  {
    name: 'storage has one interval: the hour for a basin, the minute for a stream',
    shows: ['6.3-basin-storage-hour', '6.3-stream-storage-minute', '1.5-invalid-metrics-range'],
    needs: ['metrics'],
    streams: { s: {} },
    run: async (client) => {
      for (const [path, allowed] of [
        ['/metrics/{basin}', 'hour'],
        ['/metrics/{basin}/s', 'minute'],
      ] as const) {
        for (const interval of ['minute', 'hour', 'day']) {
          const request = get(`${path}?set=storage&interval=${interval}&${lastHour()}`);
          await client.expect(request, interval === allowed ? { status: 200 } : refusal(422, 'invalid'));
        }
      }
    },
  },
  {
    name: 'append-ops and append-throughput are told by storage class, and are what was appended',
    shows: ['6.3-basin-append-ops', '6.3-basin-append-throughput', '6.3-units', '6.3-true', '1.6-basin-metrics'],
    ...TRUE,
    streams: { fast: { storage_class: 'express' }, slow: { storage_class: 'standard' } },
    run: async (client) => {
      for (let at = 0; at < 3; at += 1) await client.expect(append('fast', [{ body: x(1_000) }, { body: x(1_000) }]), { status: 200 });
      await client.expect(append('slow', [{ body: x(5_000) }]), { status: 200 });
      const session = await client.appendSession('slow');
      session.append({ records: [{ body: x(5_000) }] });
      await session.ack();
      const classes = matching(/^(standard|express)$/);
      await client.expect(get(`/metrics/{basin}?set=append-ops&${lastHour()}`), values(accumulation('operations', classes)));
      await client.expect(get(`/metrics/{basin}?set=append-throughput&${lastHour()}`), values(accumulation('bytes', classes)));
      await untilTrue(client, '/metrics/{basin}', 'append-ops', (found) => total(found, 'express') === 3 && total(found, 'standard') === 2);
      const isAbout = (bytes: number, expected: number): boolean => bytes >= expected && bytes <= expected * 1.1;
      await untilTrue(
        client,
        '/metrics/{basin}',
        'append-throughput',
        (found) => isAbout(total(found, 'express'), 6_000) && isAbout(total(found, 'standard'), 10_000),
      );
    },
  },
  {
    name: 'read-ops tell streaming from unary reads, and read-throughput is what was read',
    shows: ['6.3-basin-read-ops', '6.3-basin-read-throughput', '6.3-units', '6.3-true'],
    ...TRUE,
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', [{ body: x(10_000) }]), { status: 200 });
      for (let at = 0; at < 3; at += 1) await client.expect(read('s', 'seq_num=0'), { status: 200 });
      for (let at = 0; at < 2; at += 1) await (await client.readSession('s', 'seq_num=0&count=1')).batches();
      const kinds = matching(/^(streaming|unary)$/);
      await client.expect(get(`/metrics/{basin}?set=read-ops&${lastHour()}`), values(accumulation('operations', kinds)));
      await client.expect(get(`/metrics/{basin}?set=read-throughput&${lastHour()}`), values(accumulation('bytes')));
      await untilTrue(client, '/metrics/{basin}', 'read-ops', (found) => total(found, 'unary') === 3 && total(found, 'streaming') === 2);
      await untilTrue(client, '/metrics/{basin}', 'read-throughput', (found) => total(found) >= 50_000 && total(found) <= 55_000);
    },
  },
  {
    name: 'basin-ops are accumulations of operations, which grow with what is done in the basin',
    shows: ['6.3-basin-ops', '6.3-true'],
    ...TRUE,
    run: async (client) => {
      await client.expect(post('/streams', { stream: 's' }), { status: 201 });
      for (let at = 0; at < 4; at += 1) await client.expect(get('/streams'), { status: 200 });
      await client.expect(get(`/metrics/{basin}?set=basin-ops&${lastHour()}`), values(accumulation('operations')));
      await untilTrue(client, '/metrics/{basin}', 'basin-ops', (found) => total(found) >= 5 && found.some((one) => total([one]) >= 4));
    },
  },
  {
    name: 'every metric is a scalar, an accumulation, a gauge or a label, with an interval that was asked for or chosen',
    shows: ['6.3-shapes', '6.3-interval', '6.3-units'],
    needs: ['metrics'],
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', [{ body: 'x' }]), { status: 200 });
      for (const [path, set] of everySet(client.basin)) {
        const query = `${path}?set=${set}&${lastHour()}`;
        await client.expect(get(query), values(oneOf(scalar, accumulation(), gauge(), label())));
        if (set === 'storage') continue;
        for (const interval of ['minute', 'hour', 'day']) {
          await client.expect(
            get(`${query}&interval=${interval}`),
            values(oneOf(scalar, accumulation(UNIT, text, interval), gauge(), label())),
          );
        }
        await client.expect(get(`${query}&interval=week`), refusal(400, 'bad_query'));
      }
    },
  },
  {
    name: 'set is required, and must be one of those of its route',
    shows: ['6.3-set-required', '6.3-set-unknown', '1.5-code-bad-query'],
    needs: ['metrics'],
    run: async (client) => {
      for (const path of ['/metrics', '/metrics/{basin}', '/metrics/{basin}/s']) {
        await client.expect(get(`${path}?${lastHour()}`), refusal(400, 'bad_query'));
        await client.expect(get(`${path}?set=weather&${lastHour()}`), refusal(400, 'bad_query'));
      }
      await client.expect(get(`/metrics?set=storage&${lastHour()}`), refusal(400, 'bad_query'));
      await client.expect(get(`/metrics/{basin}?set=account-ops&${lastHour()}`), refusal(400, 'bad_query'));
      await client.expect(get(`/metrics/{basin}/s?set=append-ops&${lastHour()}`), refusal(400, 'bad_query'));
    },
  },
  {
    name: 'start and end are required for every set, and the message asks for both',
    shows: ['6.3-range-missing', '1.6-account-metrics-invalid', '1.5-invalid-metrics-range'],
    needs: ['metrics'],
    run: async (client) => {
      for (const [path, set] of everySet(client.basin)) {
        for (const range of ['', `&start=${seconds() - HOUR}`, `&end=${seconds()}`]) {
          await client.expect(get(`${path}?set=${set}${range}`), refusal(422, 'invalid', /start and end params required/));
        }
      }
    },
  },
  {
    name: 'a range that is backwards, too long or ahead of time is refused',
    shows: ['6.3-range-backwards', '6.3-range-future', '6.3-range-long', '1.5-invalid-metrics-range', '1.6-account-metrics-invalid'],
    needs: ['metrics'],
    run: async (client) => {
      for (const [path, set] of everySet(client.basin)) {
        const at = (start: number, end: number) => get(`${path}?set=${set}&start=${start}&end=${end}`);
        const now = seconds();
        await client.expect(at(now, now - 1), refusal(422, 'invalid'));
        await client.expect(at(now - HOUR, now + HOUR), refusal(422, 'invalid'));
        await client.expect(at(now - HOUR, now + 150), refusal(422, 'invalid'));
        await client.expect(at(now - 31 * DAY, now), refusal(422, 'invalid'));
        await client.expect(at(now - 29 * DAY, now), { status: 200 });
        await client.expect(at(now - HOUR, now + 20), { status: 200 });
      }
    },
  },
  {
    name: 'a range long ago, and one without any length, are answered',
    shows: ['6.3-range-past', '6.3-range-empty'],
    needs: ['metrics'],
    run: async (client) => {
      for (const [path, set] of everySet(client.basin)) {
        await client.expect(get(`${path}?set=${set}&start=0&end=3600`), values(oneOf(scalar, accumulation(), gauge(), label())));
        const now = seconds() - 60;
        await client.expect(get(`${path}?set=${set}&start=${now}&end=${now}`), { status: 200 });
      }
    },
  },
  {
    name: 'start and end are whole seconds of 32 bits',
    shows: ['6.3-seconds', '1.5-code-bad-query'],
    needs: ['metrics'],
    run: async (client) => {
      for (const bad of ['yesterday', '-1', '1.5', '4294967296']) {
        await client.expect(get(`/metrics?set=account-ops&start=${bad}&end=${seconds()}`), refusal(400, 'bad_query'));
        await client.expect(get(`/metrics/{basin}?set=append-ops&start=0&end=${bad}`), refusal(400, 'bad_query'));
      }
    },
  },
  {
    name: 'of an unknown basin or stream there are no figures, and no error',
    shows: ['6.3-unknown-resource'],
    needs: ['metrics'],
    run: async (client) => {
      for (const set of BASIN_SETS) {
        const { json } = await client.expect(get(`/metrics/{basin}-none?set=${set}&${lastHour()}`), { status: 200 });
        const found = (json as { values: Record<string, Series>[] }).values.flatMap((value) => Object.values(value));
        assert.equal(total(found), 0);
      }
      await client.expect(get(`/metrics/{basin}/none?set=storage&${lastHour()}`), { status: 200 });
      await client.expect(get(`/metrics/{basin}-none/s?set=storage&${lastHour()}`), { status: 200 });
    },
  },
];
