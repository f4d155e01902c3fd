// What a disk, or a person, may do to a data folder while the process is down: it is noticed, named, and nothing is deleted for it.

import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const BODIES = Array.from({ length: 40 }, (_, i) => `record ${i}`);
const STREAMS = { fast: {}, slow: { storage_class: 'standard' } };

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Stopped {
  readonly server: Server;
  readonly metadataFile: string;
  /** A copy of the metadata files. */
  readonly copy: string;
}

/** A server that has stopped well, with records of two streams, partly in segments. */
async function stopped(): Promise<Stopped> {
  const server = await startServer();
  undo.push(() => server.dispose());
  const api = new Api(server.url, 'damage-basin');
  await api.createBasin();
  for (const [stream, config] of Object.entries(STREAMS)) {
    await api.createStream(stream, config);
    await api.appendBodies(stream, ...BODIES);
  }
  const segments = path.join(server.dataDir, 'segments/objects');
  await expect.poll(() => filesIn(segments), { timeout: 15_000 }).not.toEqual([]);
  await server.stop();
  const copy = await mkdtemp(path.join(tmpdir(), 'millrace-copy-'));
  undo.push(() => rm(copy, { recursive: true }));
  for (const name of await readdir(server.dataDir)) {
    if (name.startsWith('metadata.db')) await cp(path.join(server.dataDir, name), path.join(copy, name));
  }
  return { server, metadataFile: path.join(server.dataDir, 'metadata.db'), copy };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : [])).sort();
}

/** Everything in the folder but metadata and who had the lock. */
async function contents(dataDir: string): Promise<[string, Buffer][]> {
  const files = (await filesIn(dataDir)).filter((file) => !/metadata\.db|lock/.test(path.basename(file)));
  return await Promise.all(files.map(async (file): Promise<[string, Buffer]> => [file, await readFile(file)]));
}

async function removeMetadata({ server }: Stopped): Promise<void> {
  for (const name of await readdir(server.dataDir)) {
    if (name.startsWith('metadata.db')) await rm(path.join(server.dataDir, name));
  }
}

async function putBack(setup: Stopped): Promise<void> {
  await removeMetadata(setup);
  await cp(setup.copy, setup.server.dataDir, { recursive: true });
}

/** @returns what the process said before it ended */
async function refusal({ server }: Stopped): Promise<string> {
  server.spawn();
  const exit = await server.exited;
  expect(exit.code, server.output).toBe(1);
  expect(server.output).toMatch(/^millrace cannot /m);
  expect(server.output).not.toMatch(/^\s+at /m);
  return server.output;
}

/** The same, and nothing in the folder was changed. */
async function refusalUntouched(setup: Stopped): Promise<string> {
  const before = await contents(setup.server.dataDir);
  const said = await refusal(setup);
  expect((await contents(setup.server.dataDir)).map(([file]) => file)).toEqual(before.map(([file]) => file));
  expect((await contents(setup.server.dataDir)).every(([, bytes], i) => before[i]?.[1].equals(bytes))).toBe(true);
  return said;
}

async function servesEverything({ server }: Stopped): Promise<void> {
  await server.start();
  const api = new Api(server.url, 'damage-basin');
  for (const stream of Object.keys(STREAMS)) {
    expect(await api.readBodies(stream)).toEqual(BODIES);
    expect(await api.appendBodies(stream, 'after')).toBe(BODIES.length);
  }
}

describe('M18: metadata that does not belong to the data folder', () => {
  test('a missing metadata file stops the start, and nothing is deleted; put back, everything is served', async () => {
    const setup = await stopped();
    await removeMetadata(setup);
    for (let i = 0; i < 2; i += 1) {
      const said = await refusalUntouched(setup);
      expect(said).toContain(`${setup.metadataFile} is not there`);
      expect(said).toContain('Put back');
      expect((await readdir(setup.server.dataDir)).filter((name) => name.startsWith('metadata'))).toEqual([]);
    }
    await putBack(setup);
    await servesEverything(setup);
  }, 60_000);

  test('an empty metadata file, and a copy from before the last start, stop the start', async () => {
    const setup = await stopped();
    await removeMetadata(setup);
    await writeFile(setup.metadataFile, '');
    expect(await refusalUntouched(setup)).toContain(`${setup.metadataFile} is new`);
    await putBack(setup);
    await setup.server.start();
    await setup.server.stop();
    const newest = await readFile(setup.metadataFile);
    await putBack(setup);
    expect(await refusalUntouched(setup)).toContain(`${setup.metadataFile} is from an earlier time`);
    await removeMetadata(setup);
    await writeFile(setup.metadataFile, newest);
    await servesEverything(setup);
  }, 60_000);
});

describe('M17: one flipped bit in the metadata file', () => {
  test.each([
    ['in a value', '"trimPoint":0', '"trimPoint":8'],
    ['in a key', 'channel/express-0M', 'channel/express-1M'],
    ['in a configuration', '"config":{', '"bonfig":{'],
  ])(
    '%s stops the start with its file and item; the good copy serves everything',
    async (_, from, to) => {
      const setup = await stopped();
      const bytes = await readFile(setup.metadataFile);
      let at = bytes.indexOf(from);
      expect(at).toBeGreaterThan(0);
      for (; at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at);
      await writeFile(setup.metadataFile, bytes);
      const said = await refusalUntouched(setup);
      expect(said).toContain(`${setup.metadataFile} is damaged`);
      expect(said).toMatch(/item "[^"]+" "[^"]+"/);
      await putBack(setup);
      await servesEverything(setup);
    },
    60_000,
  );
});

describe('Z15: damage in the chunk files', () => {
  test('a damaged identity of the zone stops the start by its file', async () => {
    const setup = await stopped();
    const file = path.join(setup.server.dataDir, 'chunks/objects/standard/zone@');
    const good = await readFile(file);
    await writeFile(file, good.subarray(1));
    expect(await refusal(setup)).toContain(file);
    await writeFile(file, good);
    await servesEverything(setup);
  }, 60_000);

  test('a damaged chunk is named by its file', async () => {
    const server = await startServer();
    undo.push(() => server.dispose());
    const api = new Api(server.url, 'damage-basin');
    await api.createBasin();
    await api.createStream('slow', STREAMS.slow);
    await api.appendBodies('slow', ...BODIES);
    await server.kill();
    const chunks = (await filesIn(path.join(server.dataDir, 'chunks/objects/standard/chunks'))).filter((file) =>
      file.includes('/standard-0/'),
    );
    for (const file of chunks) {
      const bytes = await readFile(file);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      await writeFile(file, bytes);
    }
    server.spawn();
    await expect.poll(() => chunks.some((file) => server.output.includes(`no valid chunk is in ${file}`)), { timeout: 15_000 }).toBe(true);
  }, 60_000);
});
