import { describe, expect, test } from 'vitest';
import { capObjects } from '#core/adapters/capped-object-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { StoreError } from '#core/model/errors.ts';
import { objectStoreContract } from '../../contract/object-store.ts';

const bytes = (count: number): Uint8Array[] => [new Uint8Array(count)];
const FULL = { code: 'disk_full', effect: 'none' };

objectStoreContract('a store with a cap', async () => {
  const memory = new MemoryObjectStore();
  return {
    store: await capObjects(memory, Number.MAX_SAFE_INTEGER, 'the store'),
    reopen: () => capObjects(memory, Number.MAX_SAFE_INTEGER, 'the store'),
    close: async () => undefined,
  };
});

describe('an object store with a cap', () => {
  test('refuses what is beyond it, says so, and takes it once something was deleted', async () => {
    const store = await capObjects(new MemoryObjectStore(), 100, 'segments');
    await store.put('a', bytes(60));
    await expect(store.put('b', bytes(41))).rejects.toMatchObject({ ...FULL, message: expect.stringContaining('segments') });
    expect(await store.get('b')).toBe('absent');
    await store.put('b', bytes(40));
    await store.delete(['a', 'nothing']);
    expect(store.usedBytes).toBe(40);
    await store.put('c', bytes(60));
  });

  test('counts what was there before, on every page', async () => {
    const memory = new MemoryObjectStore({ pageMax: 2 });
    for (const key of ['a', 'b', 'c', 'd', 'e']) await memory.put(key, bytes(10));
    const store = await capObjects(memory, 55, 'segments');
    expect(store.usedBytes).toBe(50);
    await expect(store.put('f', bytes(6))).rejects.toMatchObject(FULL);
  });

  test('an object that is replaced, or that is there already, counts once', async () => {
    const store = await capObjects(new MemoryObjectStore(), 100, 'segments');
    await store.put('a', bytes(30));
    await store.put('a', bytes(20));
    expect(store.usedBytes).toBe(20);
    expect(await store.put('a', bytes(25), { ifAbsent: true })).toBe('occupied');
    expect(store.usedBytes).toBe(20);
  });

  test('what was refused does not count, and what may be there does', async () => {
    const memory = new MemoryObjectStore({ capacityBytes: 10 });
    const store = await capObjects(memory, 100, 'segments');
    await expect(store.put('a', bytes(11))).rejects.toMatchObject(FULL);
    expect(store.usedBytes).toBe(0);
    memory.put = () => Promise.reject(new StoreError('storage', 'unknown', 'nobody knows'));
    await expect(store.put('a', bytes(5))).rejects.toMatchObject({ code: 'storage' });
    expect(store.usedBytes).toBe(5);
  });

  test('two puts of one moment do not find the same room, and what a restart needs always does', async () => {
    const store = await capObjects(new MemoryObjectStore(), 100, 'segments');
    const outcomes = await Promise.allSettled([store.put('a', bytes(60)), store.put('b', bytes(60))]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await store.put('c', bytes(60), { isUpkeep: true });
    expect(store.usedBytes).toBe(120);
  });
});
