// Streams that delete themselves, in the whole store and in virtual time.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Cell } from '#core/cell/cell.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { PartialStreamConfig } from '#core/model/stream-config.ts';
import { batchOf, QUICK, VirtualStore } from '#test/support/virtual-cell.ts';

const BASIN = 'basin-one';
const AGE_SECS = 600;
/** A minute of retention, and ten without a write. */
const CONFIG: PartialStreamConfig = { retention: { ageSecs: 60 }, deleteOnEmptyMinAgeSecs: AGE_SECS };

async function started(store: VirtualStore, createStreamOnAppend = false): Promise<Cell> {
  const { cell, kill } = store.process();
  onTestFinished(kill);
  await cell.open('lock');
  await cell.service.basins.create(BASIN, { createStreamOnAppend, createStreamOnRead: false });
  return cell;
}

const target = (stream: string) => ({ basin: BASIN, stream, request: {} });

function names(cell: Cell): Promise<string[]> {
  const page = { prefix: '', startAfter: '', limit: 1_000 };
  return cell.service.streams.list(BASIN, page).then(({ items }) => items.map(({ name, deletedAt }) => (deletedAt ? `(${name})` : name)));
}

/** How long it took until the name was gone. */
async function goneAfter(store: VirtualStore, cell: Cell, stream: string, since: number): Promise<number> {
  await store.until(async () => ((await names(cell)).includes(stream) ? undefined : true), 3 * AGE_SECS * 1_000, 1_000);
  return store.loop.now - since;
}

const slow = {
  config: {
    ...QUICK,
    channel: { ...QUICK.channel, leaseMs: 20_000 },
    everyMs: { ...QUICK.everyMs, offload: 2_000, gc: 20_000, trim: 10_000, delete: 10_000 },
  },
};

describe('a stream that is to delete itself', () => {
  test('goes the minimum age after its last record, once retention has trimmed that, and its name is free', async () => {
    const store = new VirtualStore('goes', slow);
    await store.run(async () => {
      const cell = await started(store);
      await cell.service.streams.create(BASIN, 's', CONFIG);
      const { streamId } = await cell.service.streams.get(BASIN, 's');
      await store.loop.sleep(5 * 60_000);
      for (const body of ['a', 'b']) await cell.service.append(target('s'), batchOf(body), {});
      const writtenAt = store.loop.now;
      const ms = await goneAfter(store, cell, 's', writtenAt);
      expect(ms).toBeGreaterThanOrEqual(AGE_SECS * 1_000);
      expect(ms).toBeLessThan(AGE_SECS * 1_000 + 60_000);
      await store.until(async () => ((await names(cell)).length === 0 ? true : undefined));
      await cell.service.streams.create(BASIN, 's', CONFIG);
      expect((await cell.service.streams.get(BASIN, 's')).streamId).not.toBe(streamId);
      expect(await cell.service.append(target('s'), batchOf('anew'), { fencingToken: '' })).toMatchObject({ start: { seqNum: 0 } });
    });
    expect(store.events).toContain('trim.stream.empty');
  });

  test('that was never written goes the minimum age after its creation; one that holds a record, or needs not go, stays', async () => {
    const store = new VirtualStore('never', slow);
    await store.run(async () => {
      const cell = await started(store);
      const { streams } = cell.service;
      await streams.create(BASIN, 'never', CONFIG);
      const since = store.loop.now;
      await streams.create(BASIN, 'endless', { ...CONFIG, retention: 'infinite' });
      await streams.create(BASIN, 'off', { retention: { ageSecs: 60 } });
      await streams.create(BASIN, 'held', { ...CONFIG, retention: { ageSecs: 10 * AGE_SECS } });
      await cell.service.append(target('held'), batchOf('kept'), {});
      const ms = await goneAfter(store, cell, 'never', since);
      expect(ms).toBeGreaterThanOrEqual(AGE_SECS * 1_000);
      await store.loop.sleep(2 * AGE_SECS * 1_000);
      expect(await names(cell)).toEqual(['endless', 'held', 'off']);
    });
  });

  test('stays as long as somebody writes now and then, over a change of owners, and goes when that ends', async () => {
    const store = new VirtualStore('now and then', slow);
    await store.run(async () => {
      let cell = await started(store);
      await cell.service.streams.create(BASIN, 's', CONFIG);
      let writtenAt = 0;
      for (let i = 0; i < 4; i += 1) {
        await store.loop.sleep(8 * 60_000);
        await cell.service.append(target('s'), batchOf(`r${i}`), {});
        writtenAt = store.loop.now;
        await cell.close();
        const next = store.process();
        onTestFinished(next.kill);
        cell = next.cell;
        await cell.open('lock');
      }
      expect(await goneAfter(store, cell, 's', writtenAt)).toBeGreaterThanOrEqual(AGE_SECS * 1_000);
    });
  });

  test('costs no memory while it is idle, and a follower keeps it from nothing: it is told of the end', async () => {
    const store = new VirtualStore('follower', slow);
    await store.run(async () => {
      const cell = await started(store);
      await cell.service.streams.create(BASIN, 's', CONFIG);
      await cell.service.append(target('s'), batchOf('a'), {});
      await store.loop.sleep(3 * 60_000);
      expect(cell.channels[0]?.channel.gauges.streams).toBe(0);
      const start = { kind: 'seqNum', seqNum: 0 as SeqNum } as const;
      const reading = await cell.service.openRead(target('s'), { start, clamp: false }, 'session');
      const end = await (async () => {
        for (;;) if ((await reading.next()) === 'end') return 'end';
      })().catch(({ code }) => code);
      expect(end).toBe('stream_deletion_pending');
      expect(store.loop.now).toBeGreaterThanOrEqual(AGE_SECS * 1_000);
    });
  });

  test('is refused to an append while it goes, and made anew by one where the basin says so', async () => {
    const store = new VirtualStore('anew', slow);
    await store.run(async () => {
      const cell = await started(store, true);
      await cell.service.streams.create(BASIN, 's', CONFIG);
      const since = store.loop.now;
      await goneAfter(store, cell, 's', since);
      const pending = { code: 'stream_deletion_pending', effect: 'none' };
      await expect(cell.service.append(target('s'), batchOf('late'), {})).rejects.toMatchObject(pending);
      const ack = await store.until(() => cell.service.append(target('s'), batchOf('new'), {}).catch(() => undefined));
      expect(ack).toMatchObject({ start: { seqNum: 0 } });
    });
  });

  test('D1: stays when its configuration is changed, however long ago it was last written', async () => {
    const store = new VirtualStore('changed', slow);
    await store.run(async () => {
      const cell = await started(store);
      await cell.service.streams.create(BASIN, 's', CONFIG);
      await store.loop.sleep((AGE_SECS - 60) * 1_000);
      await cell.service.streams.reconfigure(BASIN, 's', { deleteOnEmptyMinAgeSecs: null });
      await store.loop.sleep(2 * AGE_SECS * 1_000);
      expect(await names(cell)).toEqual(['s']);
      await cell.service.streams.reconfigure(BASIN, 's', { deleteOnEmptyMinAgeSecs: 60 });
      await store.loop.sleep(60_000);
      expect(await names(cell)).toEqual([]);
    });
  });
});
