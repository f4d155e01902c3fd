import { describe, expect, test } from 'vitest';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { ReadBudget } from '#core/reader/read-budget.ts';
import { READER_LIMITS } from '#core/reader/reader-limits.ts';
import { bodies, numbers, ReaderWorld } from './world.ts';

const WAIT_MS = 40;

function budgetOf(bytesMax: number): ReadBudget {
  return new ReadBudget(systemClock, bytesMax, WAIT_MS);
}

describe('T11: the budget of all readers', () => {
  test('is handed on in the order in which readers came, and never exceeded', async () => {
    const budget = budgetOf(100);
    const order: number[] = [];
    await budget.take(90);
    const waiting = [60, 10, 40].map(async (bytes) => {
      await budget.take(bytes);
      order.push(bytes);
    });
    expect(budget.takenBytes).toBe(90);
    budget.give(90);
    await Promise.all(waiting.slice(0, 2));
    expect([order, budget.takenBytes]).toEqual([[60, 10], 70]);
    budget.give(60);
    await waiting[2];
    expect([order, budget.takenBytes]).toEqual([[60, 10, 40], 50]);
  });

  test('serves nobody ahead once half of it is taken, or while others wait', async () => {
    const budget = budgetOf(100);
    expect([budget.tryTake(50), budget.tryTake(1)]).toEqual([true, false]);
    await budget.take(50);
    const waiting = budget.take(80);
    budget.give(50);
    expect(budget.tryTake(1)).toBe(false);
    budget.give(50);
    await waiting;
    expect(budget.takenBytes).toBe(80);
  });

  test('lets a range that is larger than itself go alone', async () => {
    const budget = budgetOf(10);
    await budget.take(25);
    await expect(budget.take(1)).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
    budget.give(25);
    await budget.take(1);
    expect(budget.takenBytes).toBe(1);
  });

  test('tells whoever finds no room in time, and those behind go on', async () => {
    const budget = budgetOf(100);
    await budget.take(60);
    const large = budget.take(80);
    const small = budget.take(30);
    await expect(large).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
    await small;
    expect(budget.takenBytes).toBe(90);
  });
});

describe('T11: readers of segments', () => {
  async function worldWith(rows: number): Promise<ReaderWorld> {
    const world = await ReaderWorld.make();
    for (let i = 0; i < rows; i += 1) {
      await world.put(4);
      await world.offload();
    }
    await world.offloadAndForget();
    world.limits = { ...READER_LIMITS, planPauseMs: 1 };
    return world;
  }

  test('give everything back at their end, however they end', async () => {
    const world = await worldWith(6);
    expect(await world.unary({})).toEqual(numbers(0, 24));
    expect(world.budget.takenBytes).toBe(0);
    const session = await world.open({ count: 5 });
    expect(bodies(await session.next())).toEqual(numbers(0, 5));
    expect(world.budget.takenBytes).toBeGreaterThan(0);
    session.close();
    expect(world.budget.takenBytes).toBe(0);
    await world.open({ start: { kind: 'timestamp', timestamp: 11n } }, 'unary').then((read) => read.close());
    expect(world.budget.takenBytes).toBe(0);
  });

  test('that are closed at any step of a read hold nothing afterwards', async () => {
    const world = await worldWith(6);
    // One read takes this many steps; closed before each of them in turn.
    for (let steps = 0; steps < 120; steps += 1) {
      const session = await world.open({ count: 20 });
      const reading = session.next();
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      session.close();
      await reading;
      await world.clock.sleep(0);
      expect(world.budget.takenBytes, `closed after ${steps} steps`).toBe(0);
    }
  });

  test('go one after the other when there is room for one range only', async () => {
    const world = await worldWith(6);
    world.budget = new ReadBudget(world.clock, 1, 5_000);
    const all = await Promise.all(Array.from({ length: 5 }, () => world.unary({})));
    expect(all).toEqual(Array.from({ length: 5 }, () => numbers(0, 24)));
    expect(world.budget.takenBytes).toBe(0);
  });

  test('that stand still leave others without, who are told', async () => {
    const world = await worldWith(6);
    world.budget = budgetOf(1);
    const standing = await world.open({ count: 5 });
    await standing.next();
    await expect(world.unary({})).rejects.toMatchObject({ code: 'throttled' });
    standing.close();
    expect(await world.unary({})).toEqual(numbers(0, 24));
  });
});
