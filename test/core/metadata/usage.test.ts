import { describe, expect, test } from 'vitest';
import { SampledHour } from '#core/api/usage/own-items.ts';
import { type OwnItem, USAGE_ITEMS_MAX } from '#core/metadata/usage.ts';
import { encodeUsageHour } from '#core/metadata/usage-codec.ts';
import { USAGE_DAYS } from '#core/metadata/usage-schema.ts';
import type { StorageSample, UsageHour, UsageOwner } from '#core/model/usage.ts';
import type { Write } from '#core/ports/metadata-store.ts';
import { loseAnswers, type World, world } from './support.ts';

const OWNER: UsageOwner = { kind: 'basin', basin: 'the-basin' };

/** An item that counts appends in minute 5 of an hour. */
function counted(hour: number, id: string, appends: number): OwnItem & { appends: number } {
  return {
    subject: { kind: 'basin', name: 'the-basin' },
    hour,
    id,
    flush: 0,
    isDirty: true,
    appends,
    encode(flush) {
      return encodeUsageHour(flush, { minutes: [5], counts: { append: [this.appends] } });
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const hours = ({ repository }: World, start: number, end: number): Promise<UsageHour[]> => all(repository.usage.hours(OWNER, start, end));
const appends = async (made: World): Promise<(number | undefined)[]> =>
  (await hours(made, 0, 1_000)).map(({ counts }) => counts['append']?.[0]);

describe('items of one writer', () => {
  test('U1: what is written again takes the place of what was there; what others wrote stands beside it', async () => {
    const made = world();
    const [mine, theirs] = [counted(10, 'a-1', 3), counted(10, 'b-1', 40)];
    await made.repository.usage.write([mine, theirs]);
    mine.appends = 5;
    await made.repository.usage.write([mine]);
    await made.repository.usage.write([mine]);
    expect(await appends(made)).toEqual([5, 40]);
    expect(await hours(made, 10, 11)).toHaveLength(2);
    expect(await hours(made, 11, 12)).toEqual([]);
    expect(await hours(made, 9, 10)).toEqual([]);
  });

  test('U1: a write of which no answer came may be repeated, whether it was applied or not', async () => {
    const made = world();
    const item = counted(10, 'a-1', 3);
    loseAnswers(made.store, 2);
    await expect(made.repository.usage.write([item])).rejects.toMatchObject({ effect: 'unknown' });
    expect(item.isDirty).toBe(true);
    item.appends = 4;
    await expect(made.repository.usage.write([item])).rejects.toMatchObject({ effect: 'unknown' });
    item.appends = 6;
    await made.repository.usage.write([item]);
    expect(item.isDirty).toBe(false);
    expect(await appends(made)).toEqual([6]);
  });

  test('U1: a write that comes late, when a later one has been there, changes nothing', async () => {
    const made = world();
    const item = counted(10, 'a-1', 3);
    const sent: (readonly Write[])[] = [];
    made.store.faults = {
      before(call) {
        if (call.operation === 'commit') sent.push(call.writes);
      },
    };
    for (const count of [3, 5, 9]) {
      item.appends = count;
      await made.repository.usage.write([item]);
    }
    for (const writes of [...sent, ...sent.toReversed()]) await made.store.commit(writes);
    expect(await appends(made)).toEqual([9]);
  });

  test('the most items of one write, each of another owner, fit into one transaction', async () => {
    const made = world();
    const items = Array.from({ length: USAGE_ITEMS_MAX }, (_, i) => ({
      ...counted(10, 'a-1', i + 1),
      subject: { kind: 'basin' as const, name: `basin-no-${i}` },
    }));
    let commits = 0;
    made.store.faults = {
      before({ operation }) {
        if (operation === 'commit') commits += 1;
      },
    };
    await made.repository.usage.write(items);
    expect(commits).toBe(1);
    await expect(made.repository.usage.write([...items, counted(10, 'a-2', 1)])).rejects.toThrow('U1');
  });

  test('a damaged item is named', async () => {
    const made = world();
    await made.repository.usage.write([counted(10, 'a-1', 3)]);
    const key = { partition: 'usage/the-basin', sort: '00000010/a-1' };
    for (const set of [{ minutes: [5, 6] }, { minutes: [60] }, { counts: { append: ['x'] } }, { minutes: 'x' }]) {
      await made.store.commit([{ kind: 'update', key, set }]);
      await expect(hours(made, 10, 11)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('00000010/a-1') });
    }
  });
});

describe('pages', () => {
  test('however many items there are, each is read once, in the order of time', async () => {
    const made = world();
    const count = 450;
    for (let hour = 0; hour < count; hour += 1) await made.repository.usage.write([counted(hour, 'a-1', hour)]);
    expect((await hours(made, 0, count)).map(({ hour }) => hour)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect((await hours(made, 100, 400)).map(({ hour }) => hour)).toEqual(Array.from({ length: 300 }, (_, i) => 100 + i));
  });

  test('basins that were active are listed day by day', async () => {
    const made = world();
    const of = (hour: number, name: string) => ({ ...counted(hour, 'a-1', 1), subject: { kind: 'basin' as const, name } });
    await made.repository.usage.write([of(0, 'basin-a'), of(23, 'basin-b'), of(24, 'basin-a'), of(72, 'basin-c')]);
    await made.repository.usage.putStorage('basin-stored', { second: 3_600, bytes: 1 });
    expect(await all(made.repository.usage.activeBasins(0, 3))).toEqual([
      { day: 0, basin: 'basin-a' },
      { day: 0, basin: 'basin-b' },
      { day: 1, basin: 'basin-a' },
    ]);
  });
});

describe('what a basin stores', () => {
  const samples = ({ repository }: World, start: number, end: number): Promise<StorageSample[]> =>
    all(repository.usage.samples({ kind: 'storage', name: 'the-basin' }, start, end));

  test('is kept in each hour from its first look on, whenever it changed, of a minute the first and the last', async () => {
    const made = world();
    const { usage } = made.repository;
    for (const [second, bytes] of [
      [7_200, 1],
      [7_260, 2],
      [7_270, 2],
      [7_320, 4],
      [7_330, 5],
      [7_379, 3],
      [7_400, 3],
      [10_800, 3],
      [10_900, 3],
    ] as const) {
      await usage.putStorage('the-basin', { second, bytes });
    }
    expect(await samples(made, 0, 100)).toEqual([
      { second: 7_200, bytes: 1 },
      { second: 7_260, bytes: 2 },
      { second: 7_320, bytes: 4 },
      { second: 7_379, bytes: 3 },
      { second: 10_800, bytes: 3 },
    ]);
    const subject = { kind: 'storage', name: 'the-basin' } as const;
    expect(await usage.lastSample(subject, 3)).toEqual({ second: 7_379, bytes: 3 });
    expect(await usage.lastSample(subject, 2)).toBeUndefined();
    expect(await usage.hasSamples(subject, 3)).toBe(true);
    expect(await usage.hasSamples(subject, 4)).toBe(false);
  });
});

test('the last sample of a stream is the latest, whichever of its writers it is of', async () => {
  const made = world();
  const { usage } = made.repository;
  const name = '5'.repeat(32);
  for (const [id, hour, second, bytes] of [
    ['z-1', 2, 7_300, 1],
    ['a-1', 2, 7_500, 2],
    ['m-1', 2, 7_400, 3],
    ['b-1', 1, 3_700, 4],
  ] as const) {
    const item = new SampledHour(name, hour, id);
    item.add({ second, bytes });
    await usage.write([item]);
  }
  const subject = { kind: 'stream', name } as const;
  expect(await usage.lastSample(subject, 9)).toEqual({ second: 7_500, bytes: 2 });
  expect(await usage.lastSample(subject, 2)).toEqual({ second: 3_700, bytes: 4 });
});

describe('purge', () => {
  const never = (): boolean => false;
  const left = ({ store }: World): string[] => store.items().map(({ partition, sort }) => `${partition} ${sort}`);

  test('U1: takes all that is about days before, of every kind, and nothing else', async () => {
    const made = world();
    const { usage } = made.repository;
    const stream = { ...counted(30, 'a-1', 1), subject: { kind: 'stream' as const, name: '5'.repeat(32) } };
    const account = { ...counted(47, 'a-1', 1), subject: { kind: 'account' as const, name: '' } };
    await usage.write([counted(0, 'a-1', 1), counted(23, 'b-1', 1), stream, account, counted(48, 'a-2', 7)]);
    await usage.putStorage('the-basin', { second: 100, bytes: 1 });
    expect(await usage.purge(0, never)).toBe(true);
    expect(left(made)).toHaveLength(11);
    expect(await usage.purge(2, never)).toBe(true);
    expect(left(made)).toEqual(['usage/the-basin 00000048/a-2', `${USAGE_DAYS} 000002/basin/the-basin`]);
    expect(await usage.purge(3, never)).toBe(true);
    expect(left(made)).toEqual([]);
  });

  test('goes on where its budget ended, also amid the items of one day', async () => {
    const made = world();
    const { usage } = made.repository;
    for (let i = 0; i < 250; i += 1) await usage.write([counted(0, `a-${i}`, 1)]);
    let asked = 0;
    const once = (): boolean => {
      asked += 1;
      return asked > 1;
    };
    let runs = 0;
    for (let isDone = false; !isDone; runs += 1) {
      asked = 0;
      isDone = await usage.purge(1, once);
      expect(runs).toBeLessThan(10);
    }
    expect(runs).toBeGreaterThan(1);
    expect(left(made)).toEqual([]);
  });
});
