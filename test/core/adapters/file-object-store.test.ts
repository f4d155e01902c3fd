import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import type { Files } from '#core/adapters/node/files.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { objectStoreContract, text } from '../../contract/object-store.ts';
import { lossyDisk } from '../../support/lossy-files.ts';
import { folderOfTest, temporaryFolder } from './support.ts';

objectStoreContract('the file-system store', async () => {
  const { dir, remove } = temporaryFolder();
  return {
    store: await openFileObjectStore({ dir, random }),
    reopen: () => openFileObjectStore({ dir, random }),
    close: async () => remove(),
  };
});

describe('the file-system object store', () => {
  test('removes what unfinished puts left when it is opened', async () => {
    const dir = folderOfTest();
    await openFileObjectStore({ dir, random });
    writeFileSync(path.join(dir, 'unfinished', 'left'), 'half of an object');
    await openFileObjectStore({ dir, random });
    expect(readdirSync(path.join(dir, 'unfinished'))).toEqual([]);
  });

  test('stores large objects where O_DIRECT is refused, and asks only once', async () => {
    const disk = lossyDisk('/disk');
    let asked = 0;
    const files: Files = {
      ...disk.files,
      open: (target, options) => {
        if (options.isDirect !== true) return disk.files.open(target, options);
        asked += 1;
        return Promise.reject(Object.assign(new Error('refused'), { code: 'EINVAL' }));
      },
    };
    const store = await openFileObjectStore({ dir: '/disk/store', random, files });
    const large = new Uint8Array(2 * 1024 * 1024 + 1).fill(7);
    await store.put('a', [large]);
    await store.put('b', [large]);
    expect([asked, await store.get('a'), await store.get('b')]).toEqual([1, large, large]);
  });

  test('says how a large object failed, and leaves nothing of it', async () => {
    const disk = lossyDisk('/disk');
    const store = await openFileObjectStore({ dir: '/disk/store', random, files: disk.files });
    disk.fail('write', 'ENOSPC');
    const large = new Uint8Array(9 * 1024 * 1024);
    await expect(store.put('a', [large])).rejects.toMatchObject({ code: 'disk_full', effect: 'none' });
    expect([await store.get('a'), await disk.files.entries('/disk/store/unfinished')]).toEqual(['absent', []]);
    expect(await store.put('a', [large])).toBe('stored');
  });

  test('an error names the file', async () => {
    const disk = lossyDisk('/disk');
    const store = await openFileObjectStore({ dir: '/disk/store', random, files: disk.files });
    await store.put('a/b', [text('1')]);
    disk.fail('open', 'EIO');
    await expect(store.get('a/b')).rejects.toThrow('/disk/store/objects/a/b@');
    expect(store.pathOf('a/b')).toBe('/disk/store/objects/a/b@');
  });

  test('keeps no temporary file and no empty folder behind', async () => {
    const dir = folderOfTest();
    const store = await openFileObjectStore({ dir, random });
    await store.put('a/b/c', [text('1')], { ifAbsent: true });
    await store.put('a/b/c', [text('2')], { ifAbsent: true });
    await store.put('a/b/c', [text('3')]);
    expect(readdirSync(path.join(dir, 'unfinished'))).toEqual([]);
    await store.delete(['a/b/c']);
    expect(readdirSync(path.join(dir, 'objects'))).toEqual([]);
  });
});
