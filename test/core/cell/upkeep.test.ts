// What functions do, beside an owner that leaves it to them, over the same stores and in virtual time.

import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryOffloadQueue } from '#core/adapters/memory/memory-offload-queue.ts';
import type { Cell } from '#core/cell/cell.ts';
import type { Upkeep } from '#core/cell/upkeep.ts';
import { offloadObjectKey } from '#core/format/keys.ts';
import type { ChannelId } from '#core/model/ids.ts';
import { batchOf, QUICK, VirtualStore } from '#test/support/virtual-cell.ts';

const BASIN = 'basin-one';
const CHANNEL = 'express-0' as ChannelId;
/** Functions are all that offloads. */
const CONFIG = { upkeep: 'elsewhere' as const, hints: { everyMs: 1_000, lagMsMax: 1e9 } };

interface World {
  readonly store: VirtualStore;
  readonly queue: MemoryOffloadQueue;
  readonly cell: Cell;
  /** Of a function of its own. */
  upkeep(): Upkeep;
  append(stream: string, ...bodies: readonly string[]): Promise<void>;
  /** Whatever waits is hinted at, and offloaded. */
  offload(): Promise<void>;
}

async function within(seed: string, act: (world: World) => Promise<void>): Promise<VirtualStore> {
  const queue = new MemoryOffloadQueue();
  const store = new VirtualStore(seed, { offloadQueue: queue, config: CONFIG });
  await store.run(async () => {
    const { cell, kill } = store.process();
    onTestFinished(kill);
    await cell.open('lock');
    await cell.service.basins.create(BASIN, { createStreamOnAppend: true, createStreamOnRead: false });
    await act({
      store,
      queue,
      cell,
      upkeep: () => store.upkeep(),
      async append(stream, ...bodies) {
        await cell.service.append({ basin: BASIN, stream, request: {} }, batchOf(...bodies), {});
      },
      async offload() {
        queue.hints.splice(0);
        const hint = await store.until(async () => queue.hints.at(-1));
        await store.upkeep().offload(CHANNEL, hint, within60s(store));
      },
    });
  });
  return store;
}

function within60s(store: VirtualStore): () => number {
  const end = store.loop.now + 60_000;
  return () => end - store.loop.now;
}

describe('functions', () => {
  test('offload what a hint says, and what none says', async () => {
    await within('offload', async (world) => {
      const { store } = world;
      await world.append('s', 'a', 'b');
      await world.offload();
      const { streamId } = (await store.repository.streams.find(BASIN, 's')) ?? {};
      if (streamId === undefined) throw new Error('no stream');
      expect(await store.repository.segments.readState(streamId, 'strong')).toMatchObject({ offloaded: 2 });
      await world.append('s', 'c');
      await store.loop.sleep(1_000);
      expect(await store.upkeep().offload(CHANNEL, undefined, within60s(store))).toBe('done');
      expect(await store.repository.segments.readState(streamId, 'strong')).toMatchObject({ offloaded: 3 });
    });
  });

  test('twice at once do the work once', async () => {
    await within('twice', async (world) => {
      const { store } = world;
      await world.append('s', 'a', 'b');
      await store.loop.sleep(1_000);
      const runs = [1, 2, 3].map(() => store.upkeep().offload(CHANNEL, undefined, within60s(store)));
      expect((await Promise.all(runs)).toSorted()).toEqual(['busy', 'busy', 'done']);
      expect(store.events.filter((event) => event === 'offload.named')).toHaveLength(1);
      const gcs = await Promise.all([store.upkeep().gc(within60s(store)), store.upkeep().gc(within60s(store))]);
      const outcomes = gcs.map((each) => each[`gc/${CHANNEL}`]).toSorted();
      expect(outcomes).toEqual(['busy', 'done']);
    });
  });

  test('gc deletes chunks that are offloaded, and remembers in metadata how far', async () => {
    await within('gc', async (world) => {
      const { store } = world;
      for (let i = 0; i < 5; i += 1) {
        await world.append('s', `record ${i}`);
        await store.loop.sleep(100);
      }
      const before = store.chunksCount;
      await world.offload();
      expect(await store.upkeep().gc(within60s(store))).toEqual({ [`gc/${CHANNEL}`]: 'done', 'gc/objects': 'done' });
      expect(store.chunksCount).toBeLessThan(before / 2);
      const { cursor } = (await store.repository.jobRuns.read(`gc/${CHANNEL}`)) ?? {};
      const [log] = (await store.repository.channel(CHANNEL, 1).read()).logs;
      expect(cursor).toEqual({ [String(log?.epoch)]: log?.base });
    });
  });

  test('J4: remove what the owner sealed, and never seal', async () => {
    const store = await within('delete', async (world) => {
      await world.append('s', 'a', 'b');
      await world.offload();
      const { streamId } = (await world.store.repository.streams.find(BASIN, 's')) ?? {};
      await world.cell.service.basins.delete(BASIN);
      // Marked and sealed by the owner, a while after. Until that is offloaded nothing is removed.
      await world.store.until(async () => ((await world.store.repository.streams.deleting(10)).length > 0 ? true : undefined));
      await world.upkeep().trim(within60s(world.store));
      expect((await world.store.repository.streams.deleting(10)).map((each) => each.streamId)).toEqual([streamId]);
      await world.offload();
      expect(await world.upkeep().trim(within60s(world.store))).toEqual({ delete: 'done', trim: 'done', compact: 'done' });
      expect(await world.store.repository.streams.deleting(10)).toEqual([]);
      await world.upkeep().trim(within60s(world.store));
      expect(await world.store.repository.basins.deleting(10)).toEqual([]);
    });
    expect(store.events).toContain('trim.stream.removed');
  });

  test('J4: a deletion that no owner comes to seal waits for one', async () => {
    await within('unsealed', async (world) => {
      await world.append('s', 'a');
      await world.offload();
      await world.cell.close();
      await world.store.repository.basins.markDeleted(BASIN);
      await world.upkeep().trim(within60s(world.store));
      expect(await world.store.repository.basins.deleting(10)).toEqual([BASIN]);
      const stream = await world.store.repository.streams.find(BASIN, 's');
      expect(stream?.deletedAt).toBeUndefined();
      expect(await world.store.repository.segments.readState(stream?.streamId as never, 'strong')).toMatchObject({ isSealed: false });
    });
  });

  test('trim unlinks what retention ends, and sweep finds what nobody names', async () => {
    await within('trim', async (world) => {
      const { store, cell } = world;
      await cell.service.streams.create(BASIN, 'short', { retention: { ageSecs: 60 } });
      await world.append('short', 'a');
      await world.offload();
      const { streamId } = (await store.repository.streams.find(BASIN, 'short')) ?? {};
      if (streamId === undefined) throw new Error('no stream');
      await store.loop.sleep(120_000);
      await world.upkeep().trim(within60s(store));
      expect(await store.repository.segments.readState(streamId, 'strong')).toMatchObject({ trimPoint: 1 });
      const { version } = await store.repository.channel(CHANNEL, 1).read();
      await store.objects.put(offloadObjectKey(CHANNEL, version, 'ab'.repeat(16)), []);
      expect(store.objects.objects.size).toBe(2);
      expect(await world.upkeep().sweep(within60s(store))).toEqual({ [`sweep/${CHANNEL}`]: 'done', 'sweep/objects': 'done' });
      expect(store.objects.objects.size).toBe(1);
      await store.loop.sleep(QUICK.readPlanAgeMs + 1_000);
      await world.upkeep().gc(within60s(store));
      expect(store.objects.objects.size).toBe(0);
    });
  });

  test('a channel that is not here is refused', async () => {
    await within('unknown', async (world) => {
      await expect(world.upkeep().offload('other-0' as ChannelId, undefined, () => 1_000)).rejects.toMatchObject({ code: 'not_found' });
    });
  });
});
