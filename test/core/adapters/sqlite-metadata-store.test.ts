import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteMetadata, type SqliteMetadata } from '#core/adapters/node/sqlite-metadata-store.ts';
import { StoreError } from '#core/model/errors.ts';
import type { Write } from '#core/ports/metadata-store.ts';
import { metadataStoreContract } from '#test/contract/metadata-store.ts';

metadataStoreContract('SqliteMetadata', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-metadata-'));
  const file = path.join(folder, 'metadata.db');
  let store = await openSqliteMetadata(file);
  return {
    store,
    async reopen() {
      await store.close();
      store = await openSqliteMetadata(file);
      return store;
    },
    async close() {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});

const put = (sort: string, bytes = 10, when?: { absent: true }): Write =>
  ({ kind: 'put', key: { partition: 'p', sort }, fields: { filler: 'x'.repeat(bytes) }, ...(when ? { when } : {}) }) as Write;

describe('SqliteMetadata', () => {
  let folder: string;
  let file: string;
  let store: SqliteMetadata | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'millrace-metadata-'));
    file = path.join(folder, 'metadata.db');
  });
  afterEach(async () => {
    await store?.close();
    store = undefined;
    await rm(folder, { recursive: true });
  });

  const FULL = 2;
  test('M14: the connection that writes syncs at every commit', async () => {
    store = await openSqliteMetadata(file);
    expect(await store.pragma('synchronous')).toBe(FULL);
    expect(await store.pragma('journal_mode')).toBe('wal');
    await store.close();
    store = await openSqliteMetadata(file);
    expect(await store.pragma('synchronous')).toBe(FULL);
    expect(await store.pragma('journal_mode')).toBe('wal');
  });

  test('its files are for their user alone, also those of a store that was made otherwise', async () => {
    const modes = () => Promise.all(['', '-wal', '-shm'].map(async (end) => (await stat(`${file}${end}`)).mode & 0o777));
    store = await openSqliteMetadata(file);
    await store.commit([put('a')]);
    expect(await modes()).toEqual([0o600, 0o600, 0o600]);
    await store.close();
    await chmod(file, 0o644);
    store = await openSqliteMetadata(file);
    await store.commit([put('b')]);
    expect(await modes()).toEqual([0o600, 0o600, 0o600]);
    expect(await store.get({ partition: 'p', sort: 'a' }, 'strong')).toBeDefined();
  });

  test('a commit whose condition fails takes nothing from the others of its group', async () => {
    const opened = await openSqliteMetadata(file);
    store = opened;
    await opened.commit([put('taken')]);
    const answers = await Promise.all([
      opened.commit([put('a')]),
      opened.commit([put('b'), put('taken', 10, { absent: true })]),
      opened.commit([put('c')]),
      opened.commit([put('c', 10, { absent: true })]),
    ]);
    expect(answers.map(({ committed }) => committed)).toEqual([true, false, true, false]);
    const items = await opened.query('p', { start: '' }, 10, 'strong');
    expect(items.map(({ sort }) => sort)).toEqual(['a', 'c', 'taken']);
  });

  test('a full file refuses commits with disk_full and no effect, keeps what it has, and serves reads', async () => {
    const opened = await openSqliteMetadata(file, { pagesMax: 40 });
    store = opened;
    const stored: string[] = [];
    let failure: unknown;
    for (let i = 0; failure === undefined && i < 1_000; i += 1) {
      const sort = `k${String(i).padStart(4, '0')}`;
      await opened.commit([put(sort, 3_000)]).then(
        () => stored.push(sort),
        (error: unknown) => {
          failure = error;
        },
      );
    }
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ code: 'disk_full', effect: 'none' });
    expect((await opened.query('p', { start: '' }, 1_000, 'strong')).map(({ sort }) => sort)).toEqual(stored);
    // What frees space goes on, and after it there is room again.
    const removals = stored.slice(0, 20).map((sort): Write => ({ kind: 'delete', key: { partition: 'p', sort } }));
    expect((await opened.commit(removals)).committed).toBe(true);
    expect((await opened.commit([put('again', 3_000)])).committed).toBe(true);
  });

  test('a group that meets the full file answers every commit of it, and none of the refused is stored', async () => {
    const opened = await openSqliteMetadata(file, { pagesMax: 40 });
    store = opened;
    const commits = Array.from({ length: 100 }, (_, i) => opened.commit([put(`k${i}`, 3_000)]));
    const settled = await Promise.allSettled(commits);
    const stored = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [`k${i}`] : []));
    expect(stored.length).toBeLessThan(100);
    for (const outcome of settled) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'disk_full', effect: 'none' });
    }
    const found = await opened.query('p', { start: '' }, 1_000, 'strong');
    expect(found.map(({ sort }) => sort).sort()).toEqual(stored.sort());
  });

  test('close finishes what is queued; what is asked for afterwards is refused', async () => {
    const opened = await openSqliteMetadata(file);
    const commits = Array.from({ length: 3_000 }, (_, i) => opened.commit([put(`k${i}`)]));
    await opened.close();
    await Promise.all(commits);
    await expect(opened.commit([put('late')])).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    await expect(opened.get({ partition: 'p', sort: 'k0' }, 'strong')).rejects.toMatchObject({ code: 'unavailable' });
    store = await openSqliteMetadata(file);
    expect(await store.get({ partition: 'p', sort: 'k2999' }, 'strong')).toBeDefined();
    expect(await store.get({ partition: 'p', sort: 'late' }, 'strong')).toBeUndefined();
  });

  test('commits beyond the queue are refused at once, without effect', async () => {
    const opened = await openSqliteMetadata(file);
    store = opened;
    const commits = Array.from({ length: 20_200 }, (_, i) => opened.commit([put(`k${i}`)]));
    const settled = await Promise.allSettled(commits);
    const rejected = settled.filter((outcome) => outcome.status === 'rejected');
    expect(rejected).toHaveLength(200);
    for (const { reason } of rejected) expect(reason).toMatchObject({ code: 'throttled', effect: 'none' });
  });

  test('a damaged file, and one that is not ours, are refused by name', async () => {
    await writeFile(file, 'not a database, '.repeat(1_000));
    await expect(openSqliteMetadata(file)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(file) });
    await rm(file);
    const foreign = new DatabaseSync(file);
    foreign.exec('CREATE TABLE other (x)');
    foreign.close();
    await expect(openSqliteMetadata(file)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(file) });
  });

  /** Changes bytes of the closed file, as a disk that rots would. */
  async function flip(from: string, to: string): Promise<void> {
    const bytes = await readFile(file);
    let at = bytes.indexOf(from);
    expect(at).toBeGreaterThan(0);
    // Also what lies in the free space of a page.
    for (; at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at);
    await writeFile(file, bytes);
  }

  async function fill(): Promise<void> {
    const opened = await openSqliteMetadata(file);
    const fields = { trimPoint: 0, text: 'ä€😀 "\n\0' };
    const puts = Array.from(
      { length: 300 },
      (_, i): Write => ({ kind: 'put', key: { partition: 'channel', sort: `k${i} ä` }, fields: { ...fields, i } }),
    );
    for (const write of puts) await opened.commit([write]);
    await opened.close();
  }

  test('M17: one changed bit in a value or a key is found when the file is opened, and told by item and file', async () => {
    await fill();
    const good = await readFile(file);
    for (const [from, to, item] of [
      [',"i":117', ',"i":317', '"channel" "k117 ä"'],
      ['channelk8 ', 'channelk: ', '"channel" "k: ä"'],
      ['channelk200 ', 'channdlk200 ', '"channdl" "k200 ä"'],
    ] as const) {
      await flip(from, to);
      const error = await openSqliteMetadata(file).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'corrupt', effect: 'none' });
      expect((error as StoreError).message).toContain(`${file} is damaged`);
      expect((error as StoreError).message).toContain(item);
      await writeFile(file, good);
    }
    store = await openSqliteMetadata(file);
    expect(await store.query('channel', { start: '' }, 1_000, 'strong')).toHaveLength(300);
  });

  test('M17: a damaged page is found when the file is opened', async () => {
    await fill();
    const bytes = await readFile(file);
    const pageBytes = 4_096;
    bytes.fill(0x5a, 3 * pageBytes, 3 * pageBytes + 8);
    await writeFile(file, bytes);
    await expect(openSqliteMetadata(file)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(file) });
  });

  test('M17: damage after the file was opened fails what reads it, a commit too, and nothing else', async () => {
    await fill();
    const opened = await openSqliteMetadata(file);
    store = opened;
    const rot = new DatabaseSync(file, { timeout: 5_000 });
    rot.exec(`UPDATE items SET fields = replace(fields, '"trimPoint":0', '"trimPoint":8') WHERE sort = 'k7 ä'`);
    rot.close();
    const key = { partition: 'channel', sort: 'k7 ä' };
    const damaged = { code: 'corrupt', effect: 'none', message: expect.stringContaining('"k7 ä"') };
    await expect(opened.get(key, 'strong')).rejects.toMatchObject(damaged);
    await expect(opened.query('channel', { start: '' }, 1_000, 'strong')).rejects.toMatchObject(damaged);
    await expect(opened.commit([{ kind: 'update', key, set: { trimPoint: 9 } }])).rejects.toMatchObject(damaged);
    expect((await opened.commit([{ kind: 'update', key: { ...key, sort: 'k8 ä' }, set: { trimPoint: 9 } }])).committed).toBe(true);
  });

  test('a folder that is not there is refused with a StoreError', async () => {
    await expect(openSqliteMetadata(path.join(folder, 'no', 'such'))).rejects.toMatchObject({ code: 'storage', effect: 'none' });
  });
});
