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
    await store.service.streams.reconfigure('a-basin', 's', { timestamping: { mode: 'client-require' } });
    await expect(session.submit(batch(), {})).rejects.toMatchObject({ code: 'invalid', effect: 'none' });
  });
});

describe('changing a configuration', () => {
  test('A5: tells the owner what is on record, also where this change changed nothing: the one before may not have', async () => {
    const store = await storeWithStream();
    const { streams } = store.service;
    const told: number[] = [];
    const { updateConfig } = store.channels;
    store.updateConfig = async (ref) => {
      told.push(ref.configVersion);
      await updateConfig(ref);
    };
    await streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await streams.ensure('a-basin', 's', {});
    await streams.ensure('a-basin', 's', {});
    await streams.ensure('a-basin', 'another', {});
    expect(told).toEqual([1, 1, 2, 2]);
  });

  test('A5: says that it may take effect when it is on record and its owner was not told', async () => {
    const store = await storeWithStream();
    store.updateConfig = () => Promise.reject(refused('unavailable', 'the channel is being taken over'));
    const change = store.service.streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await expect(change).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    await expect(store.service.streams.ensure('a-basin', 's', {})).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
  });

  test('of a stream that is sealed meanwhile is refused as on one that is being deleted', async () => {
    const store = await storeWithStream();
    const { updateConfig } = store.channels;
    store.updateConfig = async (ref) => {
      await store.channels.deleteStream(ref);
      await updateConfig(ref);
    };
    const change = store.service.streams.reconfigure('a-basin', 's', { timestamping: { mode: 'arrival' } });
    await expect(change).rejects.toMatchObject({ code: 'stream_deletion_pending', effect: 'none' });
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
