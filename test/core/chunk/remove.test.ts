import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { deletable } from '#core/chunk/remove.ts';
import { channelId, epoch, position } from '#core/model/ids.ts';
import type { LogDescription } from '#core/ports/chunk-log.ts';
import { LOG, lay, type Setup, setUp } from './support/setup.ts';
import { standing } from './support/zone.ts';

const range = (start: number, end: number) => ({ start: position(start), end: position(end) });

function closed(setup: Setup, base: number, end: number, sealedAt: number): LogDescription {
  return { ...setup.description, base: position(base), end: position(end), sealedAt: position(sealedAt) };
}

function kinds(setup: Setup, places: number): string[] {
  return setup.zones.map((zone) => Array.from({ length: places }, (_, i) => standing(zone.disk, LOG, position(i)).charAt(0)).join(''));
}

async function sealedLog(): Promise<Setup> {
  const setup = setUp();
  for (const zone of setup.zones) {
    await lay(zone, [
      [0, 0],
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    for (const at of [4, 5]) await zone.disk.seal(LOG, position(at), 'absent');
    await lay(zone, [[6, 2]]);
  }
  return setup;
}

describe('ChunkLogs.delete', () => {
  test('C13: leaves the seal, and takes late chunks beyond it', async () => {
    const setup = await sealedLog();
    await setup.world.settle(createChunkLogs(setup.options).delete(closed(setup, 3, 3, 4), range(0, 100)));
    expect(kinds(setup, 7)).toEqual(['aaaasaa', 'aaaasaa', 'aaaasaa']);
  });

  test('C14: deletes only what is offloaded', async () => {
    const setup = await sealedLog();
    const logs = createChunkLogs(setup.options);
    const open = { ...setup.description, base: position(2) };
    await expect(setup.world.settle(logs.delete(open, range(0, 3)))).rejects.toThrow('C14');
    await expect(setup.world.settle(logs.delete(closed(setup, 2, 3, 4), range(2, 9)))).rejects.toThrow('C14');
    await setup.world.settle(logs.delete(open, range(0, 2)));
    expect(kinds(setup, 4)).toEqual(['aadd', 'aadd', 'aadd']);
  });

  test('C13: is refused for a closed log that does not say where its seal stands', async () => {
    const setup = await sealedLog();
    const vague = { ...setup.description, base: position(3), end: position(3) };
    await expect(setup.world.settle(createChunkLogs(setup.options).delete(vague, range(0, 3)))).rejects.toThrow('C13');
    expect(kinds(setup, 5)[0]).toBe('dddds');
  });

  test('passes over a zone that does not answer', async () => {
    const setup = await sealedLog();
    const [away] = setup.zones;
    if (away !== undefined) away.isHanging = true;
    await setup.world.settle(createChunkLogs(setup.options).delete(closed(setup, 3, 3, 4), range(0, 3)));
    expect(kinds(setup, 4)).toEqual(['dddd', 'aaad', 'aaad']);
    expect(setup.traced).toContain('chunk.delete.unanswered');
  });

  prop.prop([fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(30)])(
    'C13, C14: neither the seal nor anything in [base, end) is ever among what may go',
    (base, more, window, start, length) => {
      const end = base + more;
      const sealedAt = end + window;
      const description = { log: LOG, zones: [], base: position(base), end: position(end), sealedAt: position(sealedAt) };
      let ranges: readonly { start: number; end: number }[] = [];
      try {
        ranges = deletable(description, range(start, start + length));
      } catch (error) {
        expect(String(error)).toContain('C14');
      }
      for (const some of ranges) {
        for (let at = some.start; at < some.end; at += 1) {
          expect(at === sealedAt || (at >= base && at < end)).toBe(false);
          expect(at >= start && at < start + length).toBe(true);
        }
      }
    },
  );
});

describe('ChunkLogs.stored', () => {
  test('names what any zone holds of a channel, with the seals, log by log', async () => {
    const setup = await sealedLog();
    const other = { channel: channelId('test-1'), epoch: epoch(1) };
    const earlier = { ...LOG, epoch: epoch(2) };
    await setup.zones[0]?.disk.seal(other, position(0), 'absent');
    await setup.zones[1]?.disk.seal(earlier, position(9), 'absent');
    const logs = createChunkLogs(setup.options);
    expect(await setup.world.settle(logs.stored(LOG.channel))).toEqual([
      { log: earlier, zone: 'zone-1', seals: [9], othersCount: 0, commitPoint: 0, storedEnd: 10 },
      ...['zone-0', 'zone-1', 'zone-2'].map((zone) => ({
        log: LOG,
        zone,
        seals: [4, 5],
        othersCount: 5,
        commitPoint: 2,
        storedEnd: 7,
      })),
    ]);
  });

  test('leaves out a zone that does not answer, so that no seal in it is overlooked', async () => {
    const setup = await sealedLog();
    const [away] = setup.zones;
    if (away !== undefined) away.isHanging = true;
    const stored = await setup.world.settle(createChunkLogs(setup.options).stored(LOG.channel));
    expect(stored.map(({ zone }) => zone)).toEqual(['zone-1', 'zone-2']);
  });
});
