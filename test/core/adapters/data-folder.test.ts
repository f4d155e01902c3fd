import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { openDataFolder } from '#core/adapters/node/data-folder.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import type { StoreError } from '#core/model/errors.ts';
import { lossyDisk } from '#test/support/lossy-files.ts';
import { folderOfTest } from './support.ts';

const KEY = { partition: 'data-folder', sort: 'identity' };

/** A folder whose metadata lies in memory; the file stands for it. */
class Folder {
  readonly dir = folderOfTest();
  readonly metadataFile = path.join(this.dir, 'metadata.db');
  readonly identityFile = path.join(this.dir, 'identity');

  async start(metadata: MemoryMetadataStore): Promise<void> {
    const folder = await openDataFolder({ dir: this.dir, metadataFile: this.metadataFile, random, checksum });
    await writeFile(this.metadataFile, '');
    await folder.tie(metadata);
  }

  async addSegment(): Promise<string> {
    const file = path.join(this.dir, 'segments/objects/segments/offload/x/1/a@');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, 'bytes');
    return file;
  }
}

async function refusal(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'StoreError', code: 'corrupt', effect: 'none' });
  return error as StoreError;
}

async function copyOf(metadata: MemoryMetadataStore): Promise<MemoryMetadataStore> {
  const copy = new MemoryMetadataStore();
  const item = await metadata.get(KEY, 'strong');
  if (item !== undefined) await copy.commit([{ kind: 'put', key: KEY, fields: item.fields }]);
  return copy;
}

describe('M18: a data folder and its metadata', () => {
  test('belong together from the first start on, however often it is started', async () => {
    const folder = new Folder();
    const metadata = new MemoryMetadataStore();
    await folder.start(metadata);
    await folder.addSegment();
    for (let i = 0; i < 3; i += 1) await folder.start(metadata);
    expect((await metadata.get(KEY, 'strong'))?.fields['starts']).toBe(4);
    expect(await readFile(folder.identityFile, 'utf8')).toMatch(/^millrace-folder 1 [0-9a-f]{32} 4 [0-9a-f]{8}\n$/);
  });

  test('a folder in use whose metadata file is gone is refused before one is made', async () => {
    const folder = new Folder();
    await folder.start(new MemoryMetadataStore());
    await rm(folder.metadataFile);
    const { message } = await refusal(folder.start(new MemoryMetadataStore()));
    expect(message).toContain(`${folder.metadataFile} is not there`);
    expect(message).toContain('Put back');
    expect(await readdir(folder.dir)).toEqual(['identity']);
    await rm(folder.identityFile);
    const segment = await folder.addSegment();
    expect((await refusal(folder.start(new MemoryMetadataStore()))).message).toContain(segment);
  });

  test.each(['with its file', 'without its file'])('new metadata in a folder in use is refused, %s', async (how) => {
    const folder = new Folder();
    await folder.start(new MemoryMetadataStore());
    await folder.addSegment();
    if (how === 'without its file') await rm(folder.identityFile);
    const { message } = await refusal(folder.start(new MemoryMetadataStore()));
    expect(message).toContain(`${folder.metadataFile} is new`);
  });

  test("another folder's metadata is refused", async () => {
    const [folder, other] = [new Folder(), new Folder()];
    const [metadata, others] = [new MemoryMetadataStore(), new MemoryMetadataStore()];
    await folder.start(metadata);
    await other.start(others);
    expect((await refusal(folder.start(others))).message).toContain(`${folder.metadataFile} belongs to another data folder`);
    await folder.start(metadata);
  });

  test('an old copy of metadata is refused, and an old copy of the file; the newest is taken', async () => {
    const folder = new Folder();
    const metadata = new MemoryMetadataStore();
    await folder.start(metadata);
    const [oldMetadata, oldFile] = [await copyOf(metadata), await readFile(folder.identityFile)];
    await folder.start(metadata);
    expect((await refusal(folder.start(oldMetadata))).message).toContain(`${folder.metadataFile} is from an earlier time`);
    await folder.start(metadata);
    await writeFile(folder.identityFile, oldFile);
    expect((await refusal(folder.start(metadata))).message).toContain(`${folder.identityFile} is from an earlier time`);
  });

  test('a file that is lost or damaged is refused, with the line that a person may write to it', async () => {
    const folder = new Folder();
    const metadata = new MemoryMetadataStore();
    await folder.start(metadata);
    await folder.addSegment();
    const line = await readFile(folder.identityFile, 'utf8');
    for (const damage of [() => rm(folder.identityFile), () => writeFile(folder.identityFile, line.replace(' 1 ', ' 2 '))]) {
      await damage();
      const { message } = await refusal(folder.start(metadata));
      expect(message).toContain(folder.identityFile);
      expect(message).toContain(line.trim());
    }
    await writeFile(folder.identityFile, line.trim());
    await folder.start(metadata);
  });

  test('wherever a start is cut off, the next one finishes it', async () => {
    for (const operation of ['open', 'write', 'sync', 'rename', 'syncFolder'] as const) {
      for (const startsBefore of [0, 1, 2]) {
        const { files, crash, fail } = lossyDisk('/data');
        const metadata = new MemoryMetadataStore();
        const start = async (): Promise<void> => {
          const folder = await openDataFolder({ dir: '/data', metadataFile: '/data/metadata.db', random, checksum, files });
          if (startsBefore > 0) await files.makeFolder('/data/segments').catch(() => undefined);
          await folder.tie(metadata);
        };
        const file = await files.open('/data/metadata.db', { write: true, create: 'new' });
        await file.sync();
        await files.syncFolder('/data');
        for (let i = 0; i < startsBefore; i += 1) await start();
        fail(operation, 'EIO');
        await start().catch(() => undefined);
        crash();
        await start();
        await start();
        const line = await (await files.open('/data/identity', { write: false })).size();
        expect(line).toBeGreaterThan(0);
      }
    }
  });

  test('a full disk does not keep a folder from being opened', async () => {
    const { files, fail } = lossyDisk('/data');
    await (await files.open('/data/metadata.db', { write: true, create: 'new' })).sync();
    const metadata = new MemoryMetadataStore();
    const start = async (): Promise<void> =>
      (await openDataFolder({ dir: '/data', metadataFile: '/data/metadata.db', random, checksum, files })).tie(metadata);
    await start();
    for (let i = 0; i < 3; i += 1) {
      fail('write', 'ENOSPC');
      await start();
    }
    fail('write', 'ENOSPC', 0);
    await start();
  });
});
