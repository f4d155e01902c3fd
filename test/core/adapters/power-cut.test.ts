// The adapters on files over a disk that forgets what was not synced: opening again always means that the power was cut.

import { describe, expect, test } from 'vitest';
import { openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { openObjectChunkStore } from '#core/adapters/object-chunk-store.ts';
import { position } from '#core/model/ids.ts';
import { chunkAt, chunkStoreContract, LOG, positionsOf } from '../../contract/chunk-store.ts';
import { keysOf, objectStoreContract, text } from '../../contract/object-store.ts';
import { type LossyDisk, lossyDisk } from '../../support/lossy-files.ts';

const ROOT = '/disk';
const dir = `${ROOT}/store`;
const slabBytes = 512 * 1024;

function openZone(disk: LossyDisk): ReturnType<typeof openDirectZone> {
  return openDirectZone({ dir, capacityBytes: 8 * slabBytes, slabBytes, checksum, files: disk.files, warn: () => undefined });
}

objectStoreContract('the file-system store under power cuts', async () => {
  const disk = lossyDisk(ROOT);
  return {
    store: await openFileObjectStore({ dir, random, files: disk.files }),
    reopen: async () => {
      disk.crash();
      return await openFileObjectStore({ dir, random, files: disk.files });
    },
  };
});

chunkStoreContract('a zone over files under power cuts', async () => {
  const disk = lossyDisk(ROOT);
  const objects = await openFileObjectStore({ dir, random, files: disk.files });
  const options = { prefix: '', name: 'zone-a', checksum, random };
  return {
    store: await openObjectChunkStore({ ...options, objects }),
    tear: async (log, at) => {
      const wanted = `/${String(log.epoch).padStart(16, '0')}/${String(at).padStart(16, '0')}`;
      const key = (await keysOf(objects, 'chunks/')).find((each) => each.endsWith(wanted)) ?? '';
      const bytes = await objects.get(key);
      if (bytes !== 'absent') await objects.put(key, [bytes.subarray(0, bytes.length - 1)]);
    },
    reopen: async () => {
      disk.crash();
      return await openObjectChunkStore({ ...options, objects: await openFileObjectStore({ dir, random, files: disk.files }) });
    },
  };
});

describe('a direct zone under power cuts', () => {
  test('Z5: has every chunk and seal that was answered, cut after cut', async () => {
    const disk = lossyDisk(ROOT);
    let zone = await openZone(disk);
    const identity = zone.current.zone;
    for (let round = 0; round < 8; round += 1) {
      const from = round * 10;
      for (let at = from; at < from + 9; at += 1) await zone.current.put(LOG, position(at), chunkAt(LOG, at, (at * 977) % 40_000));
      await zone.current.seal(LOG, position(from + 9), 'absent');
      // In flight when the power goes: it may be there or not.
      const unfinished = zone.current.put(LOG, position(1_000 + round), chunkAt(LOG, 1_000 + round, 40_000)).catch(() => undefined);
      disk.crash();
      await unfinished;
      zone = await openZone(disk);
      expect(zone.current.zone).toBe(identity);
      expect(zone.retired).toEqual([]);
      for (let at = 0; at < from + 10; at += 1) {
        const found = await zone.current.get(LOG, position(at));
        if (at % 10 === 9) expect(found).toHaveLength(128);
        else expect(found).toEqual(chunkAt(LOG, at, (at * 977) % 40_000));
      }
    }
    await zone.close();
  });

  test('formats again when the power goes in the middle of the first start', async () => {
    for (const operation of ['rename', 'sync', 'syncFolder', 'write'] as const) {
      const disk = lossyDisk(ROOT);
      disk.fail(operation, 'EIO');
      await openZone(disk).then(
        (zone) => zone.close(),
        () => undefined,
      );
      disk.crash();
      const zone = await openZone(disk);
      expect(await positionsOf(zone.current, LOG)).toEqual([]);
      expect(await zone.current.put(LOG, position(0), chunkAt(LOG, 0))).toBe('stored');
      await zone.close();
    }
  });
});

describe('the file-system object store on a failing disk', () => {
  test('full: refuses with disk_full and no effect, keeps what it has, and goes on once there is space', async () => {
    for (const operation of ['open', 'write', 'sync', 'link', 'makeFolder'] as const) {
      const disk = lossyDisk(ROOT);
      const store = await openFileObjectStore({ dir, random, files: disk.files });
      await store.put('kept', [text('1')]);
      disk.fail(operation, 'ENOSPC');
      const put = store.put('a/b', [text('2')], { ifAbsent: true });
      await expect(put, operation).rejects.toMatchObject({ code: 'disk_full', effect: 'none' });
      expect(await keysOf(store, '')).toEqual(['kept']);
      expect(await store.put('a/b', [text('3')], { ifAbsent: true })).toBe('stored');
    }
  });

  test('a name that could not be made durable leaves the effect unknown, and is durable once a second try says occupied', async () => {
    const disk = lossyDisk(ROOT);
    const store = await openFileObjectStore({ dir, random, files: disk.files });
    await store.put('a/first', [text('0')]);
    disk.fail('syncFolder', 'EIO');
    await expect(store.put('a/b', [text('1')], { ifAbsent: true })).rejects.toMatchObject({ code: 'storage', effect: 'unknown' });
    expect(await store.put('a/b', [text('1')], { ifAbsent: true })).toBe('occupied');
    disk.crash();
    const again = await openFileObjectStore({ dir, random, files: disk.files });
    expect(await again.get('a/b')).toEqual(text('1'));
  });

  test('an object overwritten when the power goes is the old one or the new one, whole', async () => {
    const disk = lossyDisk(ROOT);
    const store = await openFileObjectStore({ dir, random, files: disk.files });
    await store.put('k', [text('old')]);
    const unfinished = store.put('k', [text('newer')]).catch(() => undefined);
    await Promise.resolve();
    disk.crash();
    await unfinished;
    const again = await openFileObjectStore({ dir, random, files: disk.files });
    const found = await again.get('k');
    expect([text('old'), text('newer')]).toContainEqual(found);
  });
});
