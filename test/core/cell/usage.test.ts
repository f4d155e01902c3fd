// What the metrics tell of work that is known, in the whole store and in virtual time: as it is done, and after a restart.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Cell } from '#core/cell/cell.ts';
import type { RecordBatch } from '#core/format/record.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { BasinSet } from '#core/model/metrics.ts';
import type { ReadRequest } from '#core/model/read.ts';
import { batchOf, QUICK, VirtualStore } from '#test/support/virtual-cell.ts';
import { pointsOf, sumsOf } from '../api/usage/world.ts';

const BASIN = 'basin-one';
const FLUSH_MS = QUICK.usage.flushMs + QUICK.everyMs.usage;

async function opened(store: VirtualStore): Promise<{ readonly cell: Cell; kill(): void }> {
  const process = store.process();
  onTestFinished(process.kill);
  await process.cell.open('lock');
  return process;
}

const target = (stream: string) => ({ basin: BASIN, stream, request: {} });
const fromStart: ReadRequest = { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: false };

function rangeOf(store: VirtualStore) {
  const end = Math.ceil(store.now / 1_000);
  return { start: end - 86_400, end };
}

async function sums(store: VirtualStore, cell: Cell, set: BasinSet): Promise<Readonly<Record<string, number>>> {
  return sumsOf(await cell.service.metrics.basin(BASIN, set, rangeOf(store)));
}

async function everything(store: VirtualStore, cell: Cell) {
  return {
    appends: await sums(store, cell, 'append-ops'),
    appended: await sums(store, cell, 'append-throughput'),
    reads: await sums(store, cell, 'read-ops'),
    read: await sums(store, cell, 'read-throughput'),
    operations: await sums(store, cell, 'basin-ops'),
  };
}

async function storage(store: VirtualStore, cell: Cell, stream?: string): Promise<number | undefined> {
  const { metrics } = cell.service;
  const told =
    stream === undefined
      ? await metrics.basin(BASIN, 'storage', rangeOf(store))
      : await metrics.stream(BASIN, stream, 'storage', rangeOf(store));
  return pointsOf(told)['storage']?.at(-1)?.[1];
}

function metered(...batches: readonly RecordBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.meteredBytes, 0);
}

describe('metrics of known work', () => {
  test('are exact while it is done, after a restart, and once all is offloaded', async () => {
    const store = new VirtualStore('known', { storageClasses: ['express', 'standard'] });
    await store.run(async () => {
      const { cell } = await opened(store);
      const { service } = cell;
      await service.basins.create(BASIN, { createStreamOnAppend: false, createStreamOnRead: false });
      await service.streams.create(BASIN, 'fast', { storageClass: 'express' });
      await service.streams.create(BASIN, 'cheap', { storageClass: 'standard' });
      const unary = [batchOf('one', 'two'), batchOf('three')];
      for (const batch of unary) await service.append(target('fast'), batch, {});
      const inSession = [batchOf('a'), batchOf('b'), batchOf('c', 'd')];
      const session = await service.openAppendSession(target('cheap'));
      await Promise.all(inSession.map((batch) => session.submit(batch, {})));
      // What fails does not count.
      await expect(service.append(target('fast'), batchOf('no'), { matchSeqNum: 99 as SeqNum })).rejects.toThrow();
      await expect(service.append(target('nowhere'), batchOf('no'), {})).rejects.toThrow();
      await expect(service.streams.create(BASIN, 'fast', {})).rejects.toThrow();
      await expect(
        service.openRead(target('fast'), { ...fromStart, start: { kind: 'seqNum', seqNum: 9 as SeqNum } }, 'unary'),
      ).rejects.toThrow();
      for (let i = 0; i < 3; i += 1) {
        const read = await service.openRead(target('fast'), fromStart, 'unary');
        await read.next();
        read.close();
      }
      const following = await service.openRead(target('cheap'), { ...fromStart, count: 2 }, 'session');
      while ((await following.next()) !== 'end');
      following.close();
      await service.checkTail(target('fast'));
      await service.streams.get(BASIN, 'cheap');
      await service.streams.list(BASIN, { prefix: '', startAfter: '', limit: 10 });

      const expected = {
        appends: { express: 2, standard: 3 },
        appended: { express: metered(...unary), standard: metered(...inSession) },
        reads: { unary: 3, streaming: 1 },
        read: { read_throughput: 3 * metered(...unary) + metered(batchOf('a'), batchOf('b')) },
        operations: { append: 5, 'check-tail': 1, 'create-stream': 2, 'get-stream-config': 1, 'list-streams': 1, read: 4 },
      };
      expect(await everything(store, cell)).toEqual(expected);
      expect(await storage(store, cell, 'fast')).toBe(metered(...unary));
      expect(await storage(store, cell)).toBe(metered(...unary, ...inSession));
      await store.loop.sleep(30_000);
      // By now all is in segments.
      expect(await everything(store, cell)).toEqual(expected);
      expect(await storage(store, cell, 'fast')).toBe(metered(...unary));
      await cell.close();

      const { cell: next } = await opened(store);
      expect(await everything(store, next)).toEqual(expected);
      expect(await storage(store, next, 'cheap')).toBe(metered(...inSession));
      expect(await storage(store, next)).toBe(metered(...unary, ...inSession));
      await next.service.append(target('fast'), batchOf('more'), {});
      expect(await sums(store, next, 'append-ops')).toEqual({ express: 3, standard: 3 });
      const [active] = await next.service.metrics.account('active-basins', rangeOf(store));
      expect(active?.values).toEqual([BASIN]);
      expect(sumsOf(await next.service.metrics.account('account-ops', rangeOf(store)))).toMatchObject({ 'create-basin': 1 });
    });
  });

  test('a close right behind the work loses nothing; a crash at most what came since the last flush', async () => {
    const store = new VirtualStore('crash');
    await store.run(async () => {
      const first = await opened(store);
      await first.cell.service.basins.create(BASIN, { createStreamOnAppend: true, createStreamOnRead: false });
      for (let i = 0; i < 4; i += 1) await first.cell.service.append(target('s'), batchOf('x'), {});
      await store.loop.sleep(FLUSH_MS + 100);
      for (let i = 0; i < 2; i += 1) await first.cell.service.append(target('s'), batchOf('x'), {});
      first.kill();
      const second = await opened(store);
      expect(await sums(store, second.cell, 'append-ops')).toEqual({ express: 4 });
      // What is stored is known all the same.
      expect(await storage(store, second.cell, 's')).toBe(6 * metered(batchOf('x')));
      await second.cell.service.append(target('s'), batchOf('x'), {});
      await second.cell.close();
      const third = await opened(store);
      expect(await sums(store, third.cell, 'append-ops')).toEqual({ express: 5 });
      expect(await storage(store, third.cell, 's')).toBe(7 * metered(batchOf('x')));
    });
  });

  test('storage follows trims and deletions', async () => {
    const store = new VirtualStore('trims');
    await store.run(async () => {
      const { cell } = await opened(store);
      const { service } = cell;
      await service.basins.create(BASIN, { createStreamOnAppend: false, createStreamOnRead: false });
      await service.streams.create(BASIN, 'kept', {});
      await service.streams.create(BASIN, 'short', { retention: { ageSecs: 90 } });
      await service.append(target('kept'), batchOf('x'), {});
      await service.append(target('short'), batchOf('long', 'gone'), {});
      expect(await storage(store, cell)).toBe(metered(batchOf('x'), batchOf('long', 'gone')));
      await store.until(async () => ((await storage(store, cell, 'short')) === 0 ? true : undefined), 300_000, 500);
      expect(await storage(store, cell)).toBe(metered(batchOf('x')));
      // It was sampled before and after: so it is told by the minute, long after.
      await store.loop.sleep(10 * 60_000);
      const end = Math.floor(store.now / 1_000) - 120;
      const [gauge] = await service.metrics.stream(BASIN, 'short', 'storage', { start: end - 3_600, end });
      const values = gauge?.kind === 'gauge' ? gauge.values.map(([, value]) => value) : [];
      expect(Math.max(...values)).toBe(metered(batchOf('long', 'gone')));
      expect(values.at(-1)).toBe(0);
      await service.streams.delete(BASIN, 'kept');
      expect(await storage(store, cell)).toBe(0);
      await store.until(async () => ((await storage(store, cell, 'kept')) === undefined ? true : undefined));
      expect(await sums(store, cell, 'basin-ops')).toMatchObject({ 'delete-stream': 1 });
    });
  });
});
