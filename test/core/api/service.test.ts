import { describe, expect, test } from 'vitest';
import { RecordBatchBuilder } from '#core/format/record.ts';
import { refused } from '#core/model/errors.ts';
import { FakeStore } from './fake-store.ts';

function batch() {
  const builder = new RecordBatchBuilder();
  builder.begin();
  builder.end();
  return builder.finish();
}

async function storeWithStream(): Promise<FakeStore> {
  const store = new FakeStore();
  await store.service.basins.create('a-basin', { createStreamOnAppend: false, createStreamOnRead: false });
  await store.service.streams.create('a-basin', 's', {});
  return store;
}

const TARGET = { basin: 'a-basin', stream: 's', request: {} };

describe('an append session', () => {
  test('A5: goes on under a configuration that was changed after it was opened', async () => {
    const store = await storeWithStream();
    const session = await store.service.openAppendSession(TARGET);
    await session.submit(batch(), {});
    expect(store.lastRef?.config.timestamping.mode).toBe('client-prefer');
    await store.service.streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await session.submit(batch(), {});
    expect(store.lastRef?.config.timestamping.mode).toBe('arrival');
    await store.service.streams.ensure('a-basin', 's', { timestamping: { mode: 'client-prefer', uncapped: true } });
    await session.submit(batch(), {});
    expect(store.lastRef?.config.timestamping).toEqual({ mode: 'client-prefer', uncapped: true });
  });

  test('A5: of another stream keeps its own', async () => {
    const store = await storeWithStream();
    await store.service.streams.create('a-basin', 'other', {});
    const session = await store.service.openAppendSession({ ...TARGET, stream: 'other' });
    await store.service.streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await session.submit(batch(), {});
    expect(store.lastRef?.config.timestamping.mode).toBe('client-prefer');
  });
});

describe('deleting a stream', () => {
  test('A6: says that it may have happened when the seal is committed and the mark is not', async () => {
    const store = await storeWithStream();
    store.metadata.faults = {
      before: ({ operation }) => {
        if (operation === 'commit') throw refused('throttled', 'too many writes');
      },
    };
    await expect(store.service.streams.delete('a-basin', 's')).rejects.toMatchObject({ code: 'throttled', effect: 'unknown' });
    await expect(store.service.append(TARGET, batch(), {})).rejects.toMatchObject({ code: 'stream_deletion_pending' });
    store.metadata.faults = undefined;
    await store.service.streams.delete('a-basin', 's');
    expect((await store.names.streams.find('a-basin', 's'))?.deletedAt).toBeDefined();
  });
});
