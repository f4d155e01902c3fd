import { describe, expect, test } from 'vitest';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { logName, type Position, position } from '#core/model/ids.ts';
import type { LogDescription, WrittenChunk } from '#core/ports/chunk-log.ts';
import { chunkAt, LOG, lay, type Setup, setUp, TIMEOUT_MS, text } from './support/setup.ts';

const COUNT = 20;

async function filled(): Promise<Setup> {
  const setup = setUp();
  const chunks = Array.from({ length: COUNT }, (_, i): [number, number] => [i, Math.max(0, i - 1)]);
  for (const zone of setup.zones) await lay(zone, chunks);
  return setup;
}

async function collect(chunks: AsyncIterable<WrittenChunk>): Promise<[Position, string][]> {
  const read: [Position, string][] = [];
  for await (const chunk of chunks) read.push([chunk.at, text(chunk.payload)]);
  return read;
}

function read(setup: Setup, start = 0, end = COUNT, description: LogDescription = setup.description): Promise<[Position, string][]> {
  const chunks = createChunkLogs(setup.options).read(description, { start: position(start), end: position(end) });
  return setup.world.settle(collect(chunks));
}

function expected(start = 0, end = COUNT): [number, string][] {
  return Array.from({ length: end - start }, (_, i) => [start + i, `chunk ${start + i}`]);
}

describe('ChunkLogs.read', () => {
  test('gives the chunks of a range in order, each read once', async () => {
    const setup = await filled();
    expect(await read(setup, 3, 17)).toEqual(expected(3, 17));
    expect(setup.zones.map((zone) => zone.calls.get).sort((a, b) => a - b)).toEqual([0, 0, 14]);
    expect(await read(setup, 5, 5)).toEqual([]);
  });

  test('takes from other zones what one has not, has torn, sealed, or does not answer for', async () => {
    const setup = await filled();
    const [first, second, third] = setup.zones;
    first?.disk.tear(LOG, position(4));
    await second?.disk.delete(LOG, { start: position(4), end: position(9) });
    await second?.disk.seal(LOG, position(7), 'absent');
    third?.disk.tear(LOG, position(11));
    if (first !== undefined) first.faults = { ...first.faults, lostQuestion: 0.5 };
    expect(await read(setup)).toEqual(expected());
  });

  test('C15: does not believe a chunk that stands where another belongs', async () => {
    const setup = await filled();
    for (const zone of setup.zones.slice(1)) {
      const chunks = zone.disk.stored.get(logName(LOG));
      chunks?.set(position(6), chunkAt(5, 4));
    }
    expect(await read(setup)).toEqual(expected());
  });

  test('C12: fails with corrupt where no zone holds a valid copy, after all that comes before', async () => {
    const setup = await filled();
    for (const zone of setup.zones) zone.disk.tear(LOG, position(6));
    const got: number[] = [];
    const story = async (): Promise<void> => {
      const range = { start: position(0), end: position(COUNT) };
      for await (const chunk of createChunkLogs(setup.options).read(setup.description, range)) got.push(chunk.at);
    };
    await expect(setup.world.settle(story())).rejects.toMatchObject({ code: 'corrupt' });
    expect(got).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('C12: waits for a zone that may hold the only copy, and gives up as unavailable', async () => {
    const setup = await filled();
    const [holder, torn, empty] = setup.zones;
    torn?.disk.tear(LOG, position(6));
    await empty?.disk.delete(LOG, { start: position(6), end: position(7) });
    if (holder === undefined) return;
    holder.isHanging = true;
    await expect(read(setup)).rejects.toMatchObject({ code: 'unavailable' });
    setup.world.after(TIMEOUT_MS / 2, () => {
      holder.isHanging = false;
    });
    expect(await read(setup)).toEqual(expected());
  });

  test('does not go on asking a zone first that keeps others waiting', async () => {
    const setup = await filled();
    for (const zone of setup.zones.slice(1)) zone.isHanging = true;
    expect(await read(setup)).toEqual(expected());
    expect(setup.world.now).toBeLessThan(5 * TIMEOUT_MS);
  });

  test('reads no further ahead than a few chunks when its reader stops', async () => {
    const setup = await filled();
    const story = async (): Promise<void> => {
      const range = { start: position(0), end: position(COUNT) };
      for await (const _ of createChunkLogs(setup.options).read(setup.description, range)) break;
    };
    await setup.world.settle(story());
    await setup.world.elapse(50);
    expect(setup.zones.reduce((sum, zone) => sum + zone.calls.get, 0)).toBeLessThanOrEqual(4);
  });

  test('C12: is refused below base, and beyond the end of a closed log', async () => {
    const setup = await filled();
    const closed = { ...setup.description, base: position(2), end: position(9), sealedAt: position(10) };
    await expect(read(setup, 1, 5, closed)).rejects.toThrow('C12');
    await expect(read(setup, 2, 10, closed)).rejects.toThrow('C12');
    expect(await read(setup, 2, 9, closed)).toEqual(expected(2, 9));
  });
});

describe('ChunkLogs.knownCommitPoint', () => {
  test('is what the last chunk records, at least base, and the end of a closed log', async () => {
    const setup = await filled();
    const logs = createChunkLogs(setup.options);
    const { description, world } = setup;
    expect(await world.settle(logs.knownCommitPoint(description))).toBe(COUNT - 2);
    expect(await world.settle(logs.knownCommitPoint({ ...description, base: position(30) }))).toBe(30);
    const closed = { ...description, end: position(9), sealedAt: position(10) };
    expect(await world.settle(logs.knownCommitPoint(closed))).toBe(9);
  });
});
