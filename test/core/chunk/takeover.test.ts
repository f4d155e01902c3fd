import { describe, expect, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { findCommitPoint } from '#core/chunk/find.ts';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { ownerNonce, type Position, position } from '#core/model/ids.ts';
import type { Recovery } from '#core/ports/chunk-log.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';
import { chunkAt, LOG, lay, P, type Setup, setUp, text } from './support/setup.ts';
import { standing } from './support/zone.ts';

function recover(setup: Setup, floor = 0): Promise<Recovery> {
  return setup.world.settle(createChunkLogs(setup.options).recover(setup.description, position(floor)));
}

function said(recovery: Recovery): [Position, Position, string[]] {
  return [recovery.end, recovery.sealedAt, recovery.adopted.map(text)];
}

function at(setup: Setup, place: number): string[] {
  return setup.zones.map((zone) => standing(zone.disk, LOG, position(place)));
}

describe('ChunkLogs.recover', () => {
  test('seals an empty log at its start, and 2P positions at once', async () => {
    const setup = setUp();
    expect(said(await recover(setup))).toEqual([0, 0, []]);
    expect(setup.zones.map((zone) => zone.calls.seal)).toEqual([2 * P, 2 * P, 2 * P]);
    expect(at(setup, 0).filter((what) => what === 'seal').length).toBeGreaterThanOrEqual(2);
  });

  test('works where the log has one zone', async () => {
    const setup = setUp(1);
    await lay(setup.zones[0], [
      [0, 0],
      [1, 0],
      [2, 1],
    ]);
    expect(said(await recover(setup))).toEqual([1, 3, ['chunk 1', 'chunk 2']]);
  });

  test('C9: adopts a chunk that one of the zones that answer holds, and again whenever it is run', async () => {
    const setup = setUp();
    const [away, second, third] = setup.zones;
    for (const zone of setup.zones) await lay(zone, [[0, 0]]);
    await lay(second, [[1, 0]]);
    if (away !== undefined) away.isHanging = true;
    expect(said(await recover(setup))).toEqual([0, 2, ['chunk 0', 'chunk 1']]);
    // The old writer wakes up, and finds the door closed.
    await lay(third, [
      [1, 0],
      [2, 1],
    ]);
    expect(said(await recover(setup))).toEqual([0, 2, ['chunk 0', 'chunk 1']]);
  });

  test('C9: does not wait for a zone that is away, and takes nothing for empty without R seals', async () => {
    const setup = setUp();
    const [away, other] = setup.zones;
    if (away === undefined || other === undefined) return;
    away.isHanging = true;
    await lay(other, [[0, 0]]);
    expect(said(await recover(setup))).toEqual([0, 1, ['chunk 0']]);
    other.isHanging = true;
    await expect(recover(setup)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('C9: stops at the first empty position, whatever lies after it', async () => {
    const setup = setUp();
    for (const zone of setup.zones)
      await lay(zone, [
        [0, 0],
        [2, 0],
      ]);
    expect(said(await recover(setup))).toEqual([0, 1, ['chunk 0']]);
  });

  test('goes on behind 2P positions that are all taken', async () => {
    const setup = setUp();
    const chunks = Array.from({ length: 5 * P }, (_, i): [number, number] => [i, Math.max(0, i - 1)]);
    // The commit point that it starts from is old: a zone tears what it had last.
    for (const zone of setup.zones) {
      await lay(zone, chunks);
      for (let i = 1; i < 5 * P; i += 1) if (zone !== setup.zones[2]) zone.disk.tear(LOG, position(i), 3);
    }
    const third = setup.zones[2];
    if (third !== undefined) third.faults = { ...third.faults, latencyMax: 20 };
    expect(said(await recover(setup))).toEqual([5 * P - 2, 5 * P, [`chunk ${5 * P - 2}`, `chunk ${5 * P - 1}`]]);
  });

  test('is refused for a log that is closed', async () => {
    const { options, description, world } = setUp();
    const closed = { ...description, end: position(0), sealedAt: position(0) };
    await expect(world.settle(createChunkLogs(options).recover(closed, position(0)))).rejects.toThrow('C11');
  });
});

describe('the commit point that a takeover starts from', () => {
  test('C8: is at least base and the floor', async () => {
    const setup = setUp();
    expect(said(await recover(setup, 5))).toEqual([5, 5, []]);
  });

  test('C8: is the greatest of the first R answers, and a later one does not move it', async () => {
    const setup = setUp();
    const [slow, first, second] = setup.zones;
    await lay(slow, [
      [0, 0],
      [4, 3],
    ]);
    await lay(first, [
      [0, 0],
      [2, 1],
    ]);
    await lay(second, [
      [0, 0],
      [3, 2],
    ]);
    if (slow !== undefined) slow.isHanging = true;
    const found = await setup.world.settle(findCommitPoint(setup.options, setup.description, position(0)));
    if (slow !== undefined) slow.isHanging = false;
    await setup.world.elapse(100);
    expect(found).toBe(2);
  });

  test('C8: needs R zones', async () => {
    const setup = setUp();
    for (const zone of setup.zones.slice(1)) zone.isHanging = true;
    await expect(setup.world.settle(findCommitPoint(setup.options, setup.description, position(0)))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test('C8: is read from the last valid data chunk, past seals and torn ones, over all pages of the listing', async () => {
    const setup = setUp();
    for (const zone of setup.zones) {
      await lay(
        zone,
        Array.from({ length: 30 }, (_, i): [number, number] => [i, Math.max(0, i - 1)]),
      );
      zone.disk.tear(LOG, position(29), 3);
      for (let i = 30; i < 50; i += 1) await zone.disk.seal(LOG, position(i), 'absent');
    }
    expect(await setup.world.settle(findCommitPoint(setup.options, setup.description, position(0)))).toBe(27);
  });

  test('C7: a zone that was wiped does not count', async () => {
    const setup = setUp();
    for (const zone of setup.zones) await lay(zone, [[0, 0]]);
    setup.zones[0]?.wipe('zone-0-again');
    expect(said(await recover(setup))).toEqual([0, 1, ['chunk 0']]);
    expect(setup.zones[0]?.disk.stored.size).toBe(0);
    setup.zones[1]?.wipe('zone-1-again');
    await expect(recover(setup)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('C10: torn bytes', () => {
  test('do not give way while a zone that may hold a copy has not answered', async () => {
    const setup = setUp();
    const [torn, empty, late] = setup.zones;
    if (torn === undefined || empty === undefined || late === undefined) return;
    for (const zone of [torn, late]) await lay(zone, [[0, 0]]);
    torn.disk.tear(LOG, position(0));
    late.isHanging = true;
    await expect(recover(setup)).rejects.toMatchObject({ code: 'unavailable' });
    expect(at(setup, 0)).toEqual(['torn', 'seal', 'data']);
    late.isHanging = false;
    expect(said(await recover(setup))).toEqual([0, 1, ['chunk 0']]);
  });

  test('give way once all zones have answered and none holds a valid copy', async () => {
    const setup = setUp();
    for (const zone of setup.zones.slice(1)) {
      await lay(zone, [[0, 0]]);
      zone.disk.tear(LOG, position(0));
    }
    expect(said(await recover(setup))).toEqual([0, 0, []]);
    expect(at(setup, 0).filter((what) => what === 'seal').length).toBeGreaterThanOrEqual(2);
    expect(setup.traced).toContain('chunk.torn.sealed');
  });

  test('also count as answered in a zone that takes no seal, where the others still make R', async () => {
    const setup = setUp();
    const [salvaged, torn] = setup.zones;
    if (salvaged === undefined || torn === undefined) return;
    await lay(torn, [[0, 0]]);
    torn.disk.tear(LOG, position(0));
    salvaged.disk = new MemoryChunkStore({ zone: salvaged.disk.zone, checksum: zlibChecksum, isSalvage: true });
    expect(said(await recover(setup))).toEqual([0, 0, []]);
    expect(at(setup, 0)).toEqual(['absent', 'seal', 'seal']);
  });
});

describe('a zone that only gives back', () => {
  test('C9: has its copy adopted, and is no seal', async () => {
    const setup = setUp();
    const [salvaged, other, away] = setup.zones;
    if (salvaged === undefined || other === undefined || away === undefined) return;
    salvaged.disk = new MemoryChunkStore({ zone: salvaged.disk.zone, checksum: zlibChecksum, isSalvage: true });
    salvaged.disk.stored.set('test-0/7', new Map([[position(0), chunkAt(0, 0)]]));
    for (const zone of [other, away]) zone.faults = { ...zone.faults, latencyMax: 20 };
    expect(said(await recover(setup))).toEqual([0, 1, ['chunk 0']]);
    away.isHanging = true;
    await expect(recover(setup, 1)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('C11: the window of uncertainty', () => {
  test('is cut to what no adopted header says is committed', async () => {
    const setup = setUp();
    const [first, second] = setup.zones;
    for (const zone of [first, second])
      await lay(zone, [
        [0, 0],
        [1, 0],
        [2, 0],
        [3, 1],
        [4, 2],
        [5, 3],
      ]);
    for (const i of [3, 4, 5]) first?.disk.tear(LOG, position(i), 3);
    if (second !== undefined) second.faults = { ...second.faults, latencyMax: 25 };
    expect(said(await recover(setup))).toEqual([3, 6, ['chunk 3', 'chunk 4', 'chunk 5']]);
  });

  test('never holds more than P chunks', async () => {
    const setup = setUp();
    for (const zone of setup.zones)
      await lay(
        zone,
        Array.from({ length: P + 1 }, (_, i): [number, number] => [i, 0]),
      );
    await expect(recover(setup)).rejects.toThrow('C11');
  });
});

describe('a damaged log', () => {
  test('C12: halts the takeover when a chunk that it meets says that an empty position was committed', async () => {
    const setup = setUp();
    const { world, zones, options } = setup;
    for (const zone of zones) {
      zone.faults = { ...zone.faults, latencyMax: 0 };
      await lay(zone, [[0, 0]]);
      zone.disk.tear(LOG, position(0));
    }
    await lay(zones[2], [[2, 1]]);
    // The one zone that knows answers too late to be asked for the commit point, another too late for its seals to decide.
    const stores = (): ChunkStore[] =>
      options.stores().map((store, i) => ({
        ...store,
        seal: (log, at, over) => world.sleep(i === 0 ? 20 : 0).then(() => store.seal(log, at, over)),
        list: (log, cursor) => world.sleep(i === 2 ? 20 : 0).then(() => store.list(log, cursor)),
      }));
    await expect(recover({ ...setup, options: { ...options, stores } })).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('C16: halts the takeover when two owners wrote it', async () => {
    const setup = setUp();
    for (const zone of setup.zones) {
      await lay(zone, [[0, 0]]);
      await lay(zone, [[1, 0]], ownerNonce('ffffffffffffffffffffffffffffffff'));
    }
    await expect(recover(setup)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('C15: a chunk that claims to be committed itself is corruption', async () => {
    const setup = setUp();
    for (const zone of setup.zones) await lay(zone, [[1, 2]]);
    await expect(recover(setup)).rejects.toMatchObject({ code: 'corrupt' });
  });
});
