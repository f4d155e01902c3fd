import { expect, test } from 'vitest';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import { metadataStoreContract } from '#test/contract/metadata-store.ts';

metadataStoreContract('MemoryMetadataStore', async () => ({ store: new MemoryMetadataStore() }));

const KEY = { partition: 'p', sort: 'a' };

test('a fault before a commit leaves nothing, one after it leaves everything', async () => {
  const store = new MemoryMetadataStore();
  store.faults = {
    before() {
      throw refused('throttled', 'slow down');
    },
  };
  await expect(store.commit([{ kind: 'put', key: KEY, fields: { x: 1 } }])).rejects.toMatchObject({ code: 'throttled', effect: 'none' });
  expect(store.items()).toEqual([]);
  store.faults = {
    after() {
      throw new StoreError('unavailable', 'unknown', 'the answer got lost');
    },
  };
  await expect(store.commit([{ kind: 'put', key: KEY, fields: { x: 1 } }])).rejects.toMatchObject({ effect: 'unknown' });
  expect(store.items()).toEqual([{ ...KEY, fields: { x: 1 } }]);
});

test('a stale read may answer what was there before the last change; a strong one never does', async () => {
  const store = new MemoryMetadataStore({ staleBy: ({ sort }) => (sort === 'a' ? 1 : 0) });
  await store.commit([{ kind: 'put', key: KEY, fields: { x: 1 } }]);
  expect(await store.get(KEY, 'stale')).toBeUndefined();
  await store.commit([{ kind: 'delete', key: KEY }]);
  expect(await store.get(KEY, 'stale')).toEqual({ ...KEY, fields: { x: 1 } });
  expect(await store.query('p', { start: '' }, 1, 'stale')).toHaveLength(1);
  expect(await store.get(KEY, 'strong')).toBeUndefined();
  expect(await store.query('p', { start: '' }, 1, 'strong')).toEqual([]);
});

test('a stale read may be several changes old, and never older than what is remembered', async () => {
  let unseen = 0;
  const store = new MemoryMetadataStore({ staleBy: () => unseen });
  for (let x = 1; x <= 9; x += 1) await store.commit([{ kind: 'put', key: KEY, fields: { x } }]);
  const seen: unknown[] = [];
  for (unseen = 0; unseen < 8; unseen += 1) seen.push((await store.get(KEY, 'stale'))?.fields['x']);
  expect(seen).toEqual([9, 8, 7, 6, 5, 4, 4, 4]);
});
