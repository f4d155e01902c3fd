import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { objectStoreContract, text } from '../../contract/object-store.ts';
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
