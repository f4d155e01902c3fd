// Owners whose cell leaves offload to functions, in virtual time.

import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryOffloadQueue } from '#core/adapters/memory/memory-offload-queue.ts';
import type { Cell } from '#core/cell/cell.ts';
import { refused } from '#core/model/errors.ts';
import { batchOf, QUICK, VirtualStore } from '#test/support/virtual-cell.ts';

const BASIN = 'basin-one';
const HINTS = { everyMs: 1_000, lagMsMax: 10_000 };
const KIB = 1024;

function storeOf(seed: string, offloadQueue: MemoryOffloadQueue, backlogBytesMax = QUICK.channel.backlogBytesMax): VirtualStore {
  const config = { upkeep: 'elsewhere' as const, hints: HINTS, channel: { ...QUICK.channel, backlogBytesMax } };
  return new VirtualStore(seed, { offloadQueue, config });
}

async function started(store: VirtualStore): Promise<Cell> {
  const { cell, kill } = store.process();
  onTestFinished(kill);
  await cell.open('lock');
  await cell.service.basins.create(BASIN, { createStreamOnAppend: true, createStreamOnRead: false });
  return cell;
}

const append = (cell: Cell, body: string) => cell.service.append({ basin: BASIN, stream: 's', request: {} }, batchOf(body), {});
const lagging = (store: VirtualStore): number => store.events.filter((event) => event === 'job.offload.lagging').length;
const offloads = (store: VirtualStore): number => store.events.filter((event) => event === 'offload.finished').length;

describe('an owner whose cell leaves offload to functions', () => {
  test('hints at what waits, at most once an interval, and offloads nothing by itself', async () => {
    const queue = new MemoryOffloadQueue();
    const store = storeOf('hints', queue);
    await store.run(async () => {
      const cell = await started(store);
      const begun = store.loop.now;
      for (let i = 0; i < 100; i += 1) {
        await append(cell, `record ${i}`);
        await store.loop.sleep(50);
      }
      const seconds = (store.loop.now - begun) / HINTS.everyMs;
      expect(queue.hints.length).toBeGreaterThan(seconds / 2);
      expect(queue.hints.length).toBeLessThanOrEqual(seconds + 1);
      expect(queue.hints.at(-1)).toMatchObject({ channel: 'express-0', epoch: 1 });
      expect(queue.hints.map(({ to }) => to)).toEqual(queue.hints.map(({ to }) => to).toSorted((a, b) => a - b));
      expect(offloads(store)).toBe(0);
    });
  });

  test('J3: whose queue fails, or whose functions do nothing, offloads by itself once the oldest is too old', async () => {
    const queue = new MemoryOffloadQueue();
    queue.faults = {
      before: () => {
        throw refused('unavailable', 'broken by the test');
      },
    };
    const store = storeOf('old', queue);
    await store.run(async () => {
      const cell = await started(store);
      await append(cell, 'one');
      await store.loop.sleep(HINTS.lagMsMax - 1_000);
      expect(offloads(store)).toBe(0);
      await store.loop.sleep(2_000);
      expect(offloads(store)).toBe(1);
      expect(lagging(store)).toBe(1);
      expect(store.events).toContain('job.hint.failed');
      // It is told again the next time it happens.
      await append(cell, 'two');
      await store.loop.sleep(HINTS.lagMsMax + 2_000);
      expect(lagging(store)).toBe(2);
    });
  });

  test('J3: offloads by itself before appends are held back, whatever the functions do', async () => {
    const queue = new MemoryOffloadQueue();
    queue.faults = { before: () => new Promise(() => undefined) };
    const store = storeOf('full', queue, 512 * KIB);
    await store.run(async () => {
      const cell = await started(store);
      const record = 'x'.repeat(16 * KIB);
      for (let i = 0; i < 100; i += 1) {
        const begun = store.loop.now;
        await append(cell, record);
        expect(store.loop.now - begun).toBeLessThan(100);
        await store.loop.sleep(100);
      }
      expect(offloads(store)).toBeGreaterThan(2);
      expect(lagging(store)).toBeGreaterThan(0);
    });
  });

  test('J4: still seals what is deleted, and leaves the rest to functions', async () => {
    const store = storeOf('seals', new MemoryOffloadQueue());
    await store.run(async () => {
      const cell = await started(store);
      await append(cell, 'one');
      await cell.service.basins.delete(BASIN);
      const { streamId } = (await store.repository.streams.find(BASIN, 's', 'strong')) ?? {};
      await store.until(async () => ((await store.repository.streams.deleting(10)).length > 0 ? true : undefined));
      await store.until(async () =>
        (await store.repository.segments.readState(streamId as never, 'strong'))?.isSealed ? true : undefined,
      );
      await store.loop.sleep(30_000);
      // Sealed, offloaded and marked; nobody has removed it.
      expect((await store.repository.streams.deleting(10)).map((each) => each.streamId)).toEqual([streamId]);
      expect(await store.repository.basins.deleting(10)).toEqual([BASIN]);
      expect(store.events).not.toContain('trim.stream.removed');
    });
  });
});
