import { describe, expect, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { StoreError } from '#core/model/errors.ts';
import { position, zoneId } from '#core/model/ids.ts';
import { chunkAt, chunkStoreContract, LOG } from '../../contract/chunk-store.ts';
import { objectStoreContract, text } from '../../contract/object-store.ts';

const zone = zoneId('zone-a');
const options = { zone, checksum: zlibChecksum };

objectStoreContract('MemoryObjectStore', async () => ({ store: new MemoryObjectStore() }));

chunkStoreContract('MemoryChunkStore', async () => {
  const store = new MemoryChunkStore({ ...options, pageMax: 7 });
  return { store, tear: async (log, at) => store.tear(log, at) };
});

describe('MemoryChunkStore', () => {
  test('a fault before a call keeps it from being applied, one after it does not', async () => {
    const store = new MemoryChunkStore(options);
    const failure = new StoreError('unavailable', 'unknown', 'the zone does not answer');
    const fail = (): never => {
      throw failure;
    };
    store.faults = { before: fail };
    await expect(store.put(LOG, position(0), chunkAt(LOG, 0))).rejects.toBe(failure);
    store.faults = { after: fail };
    await expect(store.put(LOG, position(1), chunkAt(LOG, 1))).rejects.toBe(failure);
    store.faults = undefined;
    expect(await store.get(LOG, position(0))).toBe('absent');
    expect(await store.get(LOG, position(1))).toEqual(chunkAt(LOG, 1));
  });

  test('lists one log in different orders', async () => {
    const store = new MemoryChunkStore(options);
    for (let at = 0; at < 30; at += 1) await store.put(LOG, position(at), chunkAt(LOG, at));
    const orders = new Set<string>();
    for (let i = 0; i < 5; i += 1) orders.add((await store.list(LOG)).positions.join());
    expect(orders.size).toBeGreaterThan(1);
  });

  test('is full at its capacity, and takes chunks again after a delete', async () => {
    const store = new MemoryChunkStore({ ...options, capacityBytes: 500 });
    await store.put(LOG, position(0), chunkAt(LOG, 0, 300));
    await expect(store.put(LOG, position(1), chunkAt(LOG, 1, 300))).rejects.toMatchObject({
      code: 'disk_full',
      effect: 'none',
    });
    await store.delete(LOG, { start: position(0), end: position(1) });
    expect(await store.put(LOG, position(1), chunkAt(LOG, 1, 300))).toBe('stored');
  });

  test('kept for salvage, answers torn where it has nothing, and refuses to store', async () => {
    const store = new MemoryChunkStore({ ...options, isSalvage: true });
    expect(await store.get(LOG, position(0))).toBe('torn');
    await expect(store.put(LOG, position(0), chunkAt(LOG, 0))).rejects.toMatchObject({ effect: 'none' });
    await expect(store.seal(LOG, position(0), 'absent')).rejects.toMatchObject({ effect: 'none' });
  });
});

describe('MemoryObjectStore', () => {
  test('is full at its capacity', async () => {
    const store = new MemoryObjectStore({ capacityBytes: 10 });
    await store.put('a', [text('12345678')]);
    await expect(store.put('b', [text('123')])).rejects.toMatchObject({ code: 'disk_full', effect: 'none' });
    expect(await store.put('a', [text('1234567890')])).toBe('stored');
  });
});
