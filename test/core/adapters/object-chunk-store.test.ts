import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import { position } from '#core/model/ids.ts';
import { chunkAt, chunkStoreContract, LOG, positionsOf } from '../../contract/chunk-store.ts';
import { text } from '../../contract/object-store.ts';
import { folderOfTest, tear, temporaryFolder } from './support.ts';

const common = { prefix: 'z/', name: 'zone-a', checksum, random };

chunkStoreContract('a zone over objects in memory', async () => {
  const objects = new MemoryObjectStore({ pageMax: 7 });
  return {
    store: await openObjectChunkStore({ ...common, objects }),
    tear: (log, at) => tear(objects, log, at),
    reopen: () => openObjectChunkStore({ ...common, objects }),
  };
});

chunkStoreContract('a zone over files', async () => {
  const { dir, remove } = temporaryFolder();
  const objects = await openFileObjectStore({ dir, random });
  return {
    store: await openObjectChunkStore({ ...common, objects }),
    tear: (log, at) => tear(objects, log, at),
    reopen: async () => openObjectChunkStore({ ...common, objects: await openFileObjectStore({ dir, random }) }),
    close: async () => remove(),
  };
});

describe('a zone over objects', () => {
  test('Z4: a wiped zone has another identity, in which nothing of the old one is found', async () => {
    const objects = new MemoryObjectStore();
    const before = await openObjectChunkStore({ ...common, objects });
    await before.put(LOG, position(0), chunkAt(LOG, 0));
    objects.objects.delete('z/zone');
    const after = await openObjectChunkStore({ ...common, objects });
    expect(after.zone).not.toBe(before.zone);
    expect(await positionsOf(after, LOG)).toEqual([]);
    expect(await after.get(LOG, position(0))).toBe('absent');
  });

  test('Z4: two that format at once agree on one identity', async () => {
    const objects = new MemoryObjectStore();
    const zones = await Promise.all([1, 2, 3].map(() => openObjectChunkStore({ ...common, objects })));
    expect(new Set(zones.map((store) => store.zone)).size).toBe(1);
  });

  test('a damaged identity is named, and not replaced', async () => {
    const objects = new MemoryObjectStore();
    await objects.put('z/zone', [text('millrace-zone 1 zone-a-0 00000000\n')]);
    await expect(openObjectChunkStore({ ...common, objects })).rejects.toThrow('object z/zone');
  });

  test('Z15: a damaged chunk is told of by its file, once', async () => {
    const objects = await openFileObjectStore({ dir: folderOfTest(), random });
    const told: string[] = [];
    const placeOf = (key: string) => objects.pathOf(key);
    const store = await openObjectChunkStore({ ...common, objects, placeOf, warn: (message) => told.push(message) });
    for (const at of [0, 1]) await store.put(LOG, position(at), chunkAt(LOG, at));
    await tear(objects, LOG, position(1));
    expect([(await store.get(LOG, position(0))) === 'torn', told]).toEqual([false, []]);
    for (let i = 0; i < 3; i += 1) expect(await store.get(LOG, position(1))).toBe('torn');
    expect(await store.seal(LOG, position(1), 'absent')).toBe('torn');
    const [file = ''] = told.map((message) => /^no valid chunk is in (.*)$/.exec(message)?.[1] ?? '');
    expect(told).toHaveLength(1);
    expect(readFileSync(file).length).toBeGreaterThan(0);
    expect(file).toMatch(/0000000000000001@$/);
  });

  test('Z15: a damaged identity is told of by its file', async () => {
    const objects = await openFileObjectStore({ dir: folderOfTest(), random });
    await objects.put('z/zone', [text('millrace-zone 1 zone-a-0 00000000\n')]);
    const opening = openObjectChunkStore({ ...common, objects, placeOf: (key) => objects.pathOf(key) });
    await expect(opening).rejects.toThrow(objects.pathOf('z/zone'));
  });

  test('ignores objects that it did not write', async () => {
    const objects = new MemoryObjectStore();
    const store = await openObjectChunkStore({ ...common, objects });
    await objects.put(`z/chunks/${store.zone}/express-0/0000000000000003/note.txt`, [text('mine')]);
    await store.delete(LOG, { start: position(0), end: position(Number.MAX_SAFE_INTEGER) });
    expect(await positionsOf(store, LOG)).toEqual([]);
    expect(objects.objects.size).toBe(2);
  });
});
