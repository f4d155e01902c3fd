import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CustomerKey } from '#core/api/customer-key.ts';
import { RecordBatchBuilder } from '#core/format/record.ts';
import { streamKey } from '#core/metadata/schema.ts';
import { refused } from '#core/model/errors.ts';
import { channelId, type SeqNum } from '#core/model/ids.ts';
import type { StreamCipher } from '#core/model/stream-config.ts';
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

describe('deleting a basin', () => {
  test('A23: no session appends on once that is answered, and no look-up that overlaps it brings a stream back', async () => {
    const store = await storeWithStream();
    const { basins, streams } = store.service;
    const session = await store.service.openAppendSession(TARGET);
    await session.submit(batch(), {});
    const overlapping = streams.resolve(TARGET, 'append');
    await basins.delete('a-basin');
    await overlapping.catch(() => undefined);
    const pending = { code: 'basin_deletion_pending', effect: 'none' };
    await expect(session.submit(batch(), {})).rejects.toMatchObject(pending);
    await expect(store.service.append(TARGET, batch(), {})).rejects.toMatchObject(pending);
    await expect(store.service.openAppendSession(TARGET)).rejects.toMatchObject(pending);
    expect(store.appended).toBe(1);
  });

  test('A23: that fails leaves sessions and streams as they are', async () => {
    const store = await storeWithStream();
    const session = await store.service.openAppendSession(TARGET);
    const commit = store.metadata.commit.bind(store.metadata);
    store.metadata.commit = () => Promise.reject(refused('unavailable', 'the store is away'));
    await expect(store.service.basins.delete('a-basin')).rejects.toMatchObject({ code: 'unavailable' });
    store.metadata.commit = commit;
    await session.submit(batch(), {});
    await store.service.append(TARGET, batch(), {});
    expect(store.appended).toBe(2);
  });
});

describe('changing a configuration', () => {
  test('of one basin many times at once is taken each time: none gives up for the others', async () => {
    const { basins } = (await storeWithStream()).service;
    const ages = Array.from({ length: 60 }, (_, at) => at + 1);
    await Promise.all(ages.map((ageSecs) => basins.reconfigure('a-basin', { defaultStreamConfig: { retention: { ageSecs } } })));
    expect((await basins.get('a-basin')).config.defaultStreamConfig).toEqual({ retention: { ageSecs: 60 } });
  });

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

  test('A7, L5: a batch behind one that is refused is told so no sooner than that one', async () => {
    const store = await storeWithStream();
    const session = await store.service.openAppendSession(TARGET);
    let open: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const told: string[] = [];
    const note = (name: string) => (error: { readonly code: string }) => void told.push(`${name} ${error.code}`);
    const refused = session.submit(batch(), { matchSeqNum: 7 as SeqNum }).catch(note('first'));
    await Promise.resolve();
    const behind = session.submit(batch(), {}).catch(note('behind'));
    await setImmediate();
    expect(told).toEqual([]);
    open();
    await Promise.all([refused, behind]);
    expect(new Set(told)).toEqual(new Set(['first seq_num_mismatch', 'behind seq_num_mismatch']));
    expect(store.appended).toBe(0);
  });
});

describe('a stream with a cipher', () => {
  const KEY = new CustomerKey(Buffer.alloc(32, 1).toString('base64'));
  const WITH_KEY = { ...TARGET, key: KEY };

  async function storeWithCipher(): Promise<FakeStore> {
    const store = new FakeStore();
    await store.service.basins.create('a-basin', {
      streamCipher: 'aegis-256',
      createStreamOnAppend: false,
      createStreamOnRead: false,
    });
    await store.service.streams.create('a-basin', 's', {});
    return store;
  }

  /** Somebody else deletes the stream and makes another of its name, which this process does not hear of. */
  async function replaced(store: FakeStore, cipher?: StreamCipher): Promise<void> {
    const { streams } = store.names;
    const { streamId, config } = await streams.resolve('a-basin', 's');
    if (store.lastRef !== undefined) await store.channels.deleteStream(store.lastRef);
    await streams.markDeleting('a-basin', 's', streamId);
    await store.metadata.commit([{ kind: 'delete', key: streamKey('a-basin', 's') }]);
    await streams.create('a-basin', 's', () => ({ config, channel: channelId('express-0'), cipher }));
  }

  test('whose name stands for another one by now: the batch is encrypted for that one, once more', async () => {
    const store = await storeWithCipher();
    await store.service.append(WITH_KEY, batch(), {});
    const first = store.lastRef?.streamId;
    await replaced(store, 'aes-256-gcm');
    await store.service.append(WITH_KEY, batch(), {});
    expect(store.lastRef).toMatchObject({ streamId: expect.not.stringContaining(first ?? ''), cipher: 'aes-256-gcm' });
    const read = await store.service.openRead(WITH_KEY, { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: false }, 'unary');
    expect(await read.next()).toMatchObject({ count: 1, isDecrypted: true });
    read.close();
  });

  test('whose name stands for one without a cipher by now: no key is asked for', async () => {
    const store = await storeWithCipher();
    await store.service.append(WITH_KEY, batch(), {});
    await replaced(store);
    await store.service.append(TARGET, batch(), {});
    expect(store.lastRef?.cipher).toBeUndefined();
    expect(store.bytesOf(store.lastRef)).toHaveLength(1);
  });

  test.each(['may not be appended', 'cannot be encrypted'])(
    'A7: a batch of a session that %s fails what comes behind it, and nothing before it: that the channel may not have seen yet',
    async (why) => {
      const store = await storeWithCipher();
      store.opening = setImmediate();
      let mayAppend = true;
      const session = await store.service.openAppendSession(WITH_KEY, () => {
        if (!mayAppend) throw refused('permission_denied', 'not this one');
      });
      const before = [session.submit(batch(), {}), session.submit(batch(), {})];
      if (why === 'may not be appended') mayAppend = false;
      else store.failRandom = true;
      const failed = session.submit(batch(), {});
      mayAppend = true;
      store.failRandom = false;
      const behind = session.submit(batch(), {});
      expect(await Promise.allSettled([failed, behind])).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
      expect((await Promise.all(before)).map(({ end }) => end.seqNum)).toEqual([1, 2]);
      expect(store.appended).toBe(2);
    },
  );

  test('A7: a batch of a session that cannot be encrypted fails it, and nothing behind it takes effect', async () => {
    const store = await storeWithCipher();
    const session = await store.service.openAppendSession(WITH_KEY);
    await session.submit(batch(), {});
    store.failRandom = true;
    const failed = session.submit(batch(), {});
    store.failRandom = false;
    await expect(failed).rejects.toThrow('no randomness');
    await expect(session.submit(batch(), {})).rejects.toMatchObject({ code: 'other', effect: 'none' });
    expect(store.appended).toBe(1);
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
