import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AlignedMemory, PAGE_BYTES } from '#core/adapters/node/aligned-memory.ts';
import { readHead, readTail, recordPages } from '#core/adapters/node/direct/record.ts';
import { type DirectZone, type DirectZoneOptions, openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import { type Files, nodeFiles, type OpenFile } from '#core/adapters/node/files.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { encodeSeal } from '#core/format/chunk.ts';
import { type LogId, position } from '#core/model/ids.ts';
import { chunkAt, chunkStoreContract, LOG, positionsOf } from '../../contract/chunk-store.ts';
import { flip, flipPages, recordOf, tearRecord } from '../../support/direct-zone.ts';
import { folderOfTest, temporaryFolder } from './support.ts';

const KIB = 1024;
const SLAB = 512 * KIB;
const p = position;
const all = { start: p(0), end: p(Number.MAX_SAFE_INTEGER) };

const opened: DirectZone[] = [];
afterEach(async () => {
  for (const zone of opened.splice(0)) await zone.close();
});

/** Opens a zone that is closed when the test ends. */
async function open(dir: string, options: Partial<DirectZoneOptions> = {}): Promise<DirectZone> {
  const zone = await openDirectZone({ dir, capacityBytes: 16 * SLAB, slabBytes: SLAB, checksum, warn: () => undefined, ...options });
  opened.push(zone);
  return zone;
}

for (const isDirect of [true, false]) {
  chunkStoreContract(`a direct zone ${isDirect ? 'with' : 'without'} O_DIRECT`, async () => {
    const { dir, remove } = temporaryFolder();
    const files = isDirect ? nodeFiles : refusingDirect();
    const zones = [await open(dir, { files })];
    return {
      store: (zones[0] as DirectZone).current,
      tear: async (log, at) => tearRecord(dir, log, at),
      reopen: async () => {
        await zones.at(-1)?.close();
        zones.push(await open(dir, { files }));
        return (zones.at(-1) as DirectZone).current;
      },
      close: async () => {
        await zones.at(-1)?.close();
        remove();
      },
    };
  });
}

/** A file system that refuses O_DIRECT, as tmpfs did. */
function refusingDirect(): Files {
  return {
    ...nodeFiles,
    open: async (target, options) => {
      if (options.isDirect === true) throw Object.assign(new Error('invalid argument'), { code: 'EINVAL' });
      return await nodeFiles.open(target, options);
    },
  };
}

/** A disk whose slab writes go through `write` (which may fail, or write half) instead. */
function withSlabWrites(write: (file: OpenFile, parts: readonly Uint8Array[], at: number) => Promise<void>): Files {
  return {
    ...nodeFiles,
    open: async (target, options) => {
      const file = await nodeFiles.open(target, options);
      if (!/slab-\d+$/.test(target)) return file;
      const bent = Object.create(file) as OpenFile;
      return Object.assign(bent, {
        fd: file.fd,
        read: (into: Uint8Array, at: number) => file.read(into, at),
        write: (parts: readonly Uint8Array[], at: number) => write(file, parts, at),
        size: () => file.size(),
        sync: () => file.sync(),
        close: () => file.close(),
      });
    },
  };
}

const eio = (): Error => Object.assign(new Error('i/o error'), { code: 'EIO' });

/** The flags with which this process has files below `dir` open, as the kernel tells them. */
function openFlags(dir: string, name: RegExp): number[] {
  const flags: number[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
      const link = statSync(`/proc/self/fd/${fd}`);
      const isOurs = readdirSync(dir).some((each) => name.test(each) && statSync(path.join(dir, each)).ino === link.ino);
      if (isOurs) flags.push(Number.parseInt(/flags:\s*([0-7]+)/.exec(target)?.[1] ?? '0', 8));
    } catch {
      // The descriptor was closed meanwhile.
    }
  }
  return flags;
}

const O_DSYNC = 0o10000;
const O_DIRECT = process.arch === 'arm64' ? 0o200000 : 0o40000;

describe('a direct zone', () => {
  test('Z5: has its slabs and seals open with O_DSYNC and O_DIRECT', async () => {
    const dir = folderOfTest();
    const zone = await open(dir);
    await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    for (const name of [/^slab-\d+$/, /^seals$/]) {
      const flags = openFlags(dir, name);
      expect(flags.length).toBeGreaterThan(0);
      for (const each of flags) expect(each & (O_DSYNC | O_DIRECT)).toBe(O_DSYNC | O_DIRECT);
    }
  });

  test('Z5: where O_DIRECT is refused keeps O_DSYNC, and warns once', async () => {
    const dir = folderOfTest();
    const warn = vi.fn();
    const zone = await open(dir, { files: refusingDirect(), warn });
    await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    for (const each of openFlags(dir, /^(slab-\d+|seals)$/)) expect(each & (O_DSYNC | O_DIRECT)).toBe(O_DSYNC);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain('O_DIRECT');
  });

  test('allocates its slabs for real', async () => {
    const dir = folderOfTest();
    const zone = await open(dir);
    await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    const slab = statSync(path.join(dir, 'slab-000000'));
    expect(slab.size).toBe(SLAB);
    expect(slab.blocks * 512).toBeGreaterThanOrEqual(SLAB);
  });

  test('Z13: three zones copy a chunk once, and give its memory back', async () => {
    const memory = new AlignedMemory();
    const stage = vi.spyOn(memory, 'take');
    const zones = await Promise.all([1, 2, 3].map(() => open(folderOfTest(), { memory })));
    for (const zone of zones) await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    stage.mockClear();
    const chunk = chunkAt(LOG, 1, 100 * KIB);
    await Promise.all(zones.map((zone) => zone.current.put(LOG, p(1), chunk)));
    const large = stage.mock.calls.filter(([pages]) => pages === recordPages(chunk.length) - 2);
    expect(large).toHaveLength(1);
    for (const zone of zones) expect(await zone.current.get(LOG, p(1))).toEqual(chunk);
    for (const zone of zones) await zone.close();
    expect(memory.lentBytes).toBe(0);
  });

  describe('space', () => {
    test('is bounded by the capacity however much is written, as long as it is deleted', async () => {
      const dir = folderOfTest();
      const zone = await open(dir, { capacityBytes: 4 * SLAB });
      let peak = 0;
      for (let at = 0; at < 200; at += 1) {
        expect(await zone.current.put(LOG, p(at), chunkAt(LOG, at, 64 * KIB))).toBe('stored');
        await zone.current.delete(LOG, { start: p(0), end: p(Math.max(0, at - 8)) });
        peak = Math.max(peak, zone.usedBytes());
      }
      expect(readdirSync(dir).filter((name) => /^slab-\d+$/.test(name)).length).toBeLessThanOrEqual(4);
      expect(zone.allocatedBytes()).toBeLessThanOrEqual(4 * SLAB + 1024 * KIB);
      expect(peak).toBeLessThanOrEqual(10 * 17 * PAGE_BYTES);
      for (let at = 192; at < 200; at += 1) expect(await zone.current.get(LOG, p(at))).toEqual(chunkAt(LOG, at, 64 * KIB));
    });

    test('when used up refuses with disk_full and no effect, still reads and seals, and recovers after a delete', async () => {
      const zone = await open(folderOfTest(), { capacityBytes: 2 * SLAB });
      let at = 0;
      for (; ; at += 1) {
        const stored = await zone.current.put(LOG, p(at), chunkAt(LOG, at, 100 * KIB)).catch((error: unknown) => error);
        if (stored === 'stored') continue;
        expect(stored).toMatchObject({ code: 'disk_full', effect: 'none' });
        break;
      }
      expect(at).toBeGreaterThanOrEqual(4);
      expect(await zone.current.get(LOG, p(at))).toBe('absent');
      expect(await zone.current.get(LOG, p(0))).toEqual(chunkAt(LOG, 0, 100 * KIB));
      expect(await zone.current.seal(LOG, p(500), 'absent')).toBe('sealed');
      await zone.current.delete(LOG, { start: p(0), end: p(at) });
      expect(await zone.current.put(LOG, p(at), chunkAt(LOG, at, 100 * KIB))).toBe('stored');
    });

    test('of a disk that is full is refused the same way, and used once there is some', async () => {
      let isFull = true;
      const files: Files = { ...nodeFiles, freeBytes: async () => (isFull ? SLAB : 100 * SLAB) };
      const zone = await open(folderOfTest(), { files });
      await expect(zone.current.put(LOG, p(0), chunkAt(LOG, 0))).rejects.toMatchObject({ code: 'disk_full', effect: 'none' });
      isFull = false;
      expect(await zone.current.put(LOG, p(0), chunkAt(LOG, 0))).toBe('stored');
    });

    test('of the one slab that a disk has room for is used again once nothing of it counts', async () => {
      let slabs = 0;
      const freeBytes = async () => (slabs++ === 0 ? 100 * SLAB : SLAB);
      const zone = await open(folderOfTest(), { capacityBytes: 10 * SLAB, files: { ...nodeFiles, freeBytes } });
      let at = 0;
      const put = () => zone.current.put(LOG, p(at), chunkAt(LOG, at, 100 * KIB));
      for (let round = 0; round < 3; round += 1) {
        const first = at;
        for (let full = false; !full; ) {
          await put().then(
            () => {
              at += 1;
            },
            (error: unknown) => {
              expect(error).toMatchObject({ code: 'disk_full', effect: 'none' });
              full = true;
            },
          );
        }
        expect(at).toBeGreaterThan(first);
        await zone.current.delete(LOG, { start: p(0), end: p(at) });
      }
    });

    test('of a slab is used again although a seal was set while it was written', async () => {
      const zone = await open(folderOfTest(), { capacityBytes: 2 * SLAB });
      for (let at = 0; at < 40; at += 2) {
        await zone.current.put(LOG, p(at), chunkAt(LOG, at, 200 * KIB));
        await zone.current.seal(LOG, p(at + 1), 'absent');
        await zone.current.delete(LOG, { start: p(at), end: p(at + 1) });
      }
      expect(await positionsOf(zone.current, LOG)).toHaveLength(20);
    });

    test('a chunk larger than a slab is refused', async () => {
      const zone = await open(folderOfTest());
      await expect(zone.current.put(LOG, p(0), chunkAt(LOG, 0, SLAB))).rejects.toMatchObject({ code: 'too_large', effect: 'none' });
    });

    test('Z9: many writers and deleters never meet each other in a slab', async () => {
      const zone = await open(folderOfTest(), { capacityBytes: 6 * SLAB });
      const writer = async (epochOffset: number): Promise<void> => {
        const log = { ...LOG, epoch: (LOG.epoch + epochOffset) as LogId['epoch'] };
        for (let at = 0; at < 60; at += 1) {
          const chunk = chunkAt(log, at, ((at * 7919 + epochOffset) % 60) * KIB);
          expect(await zone.current.put(log, p(at), chunk)).toBe('stored');
          expect(await zone.current.get(log, p(at))).toEqual(chunk);
          if (at >= 3) await zone.current.delete(log, { start: p(at - 3), end: p(at - 2) });
        }
      };
      await Promise.all([0, 1, 2, 3].map(writer));
    });
  });

  describe('opened again', () => {
    async function fill(dir: string, count = 12): Promise<string> {
      const zone = await open(dir);
      for (let at = 0; at < count; at += 1) await zone.current.put(LOG, p(at), chunkAt(LOG, at, 30 * KIB));
      await zone.current.seal(LOG, p(100), 'absent');
      await zone.close();
      return zone.current.zone;
    }

    test('Z8: a lost or flipped page leaves a chunk torn at its position, whichever page it is', async () => {
      const dir = folderOfTest();
      const identity = await fill(dir);
      const pages = recordPages(chunkAt(LOG, 0, 30 * KIB).length);
      const victims = [0, 1, Math.floor(pages / 2), pages - 1];
      for (const [at, page] of victims.entries()) flipPages(recordOf(dir, at), page);
      const zone = await open(dir);
      expect(zone.current.zone).toBe(identity);
      expect(zone.retired).toHaveLength(0);
      expect((await positionsOf(zone.current, LOG)).slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, at) => at));
      expect(await zone.current.get(LOG, p(0))).toBe('torn');
      expect(await zone.current.get(LOG, p(1))).toBe('torn');
      expect(await zone.current.get(LOG, p(2))).toBe('torn');
      expect(await zone.current.get(LOG, p(3))).toBe('torn');
      expect(await zone.current.get(LOG, p(4))).toEqual(chunkAt(LOG, 4, 30 * KIB));
    });

    test('Z8: of a chunk on two pages either may be lost', async () => {
      const dir = folderOfTest();
      const first = await open(dir);
      for (let at = 0; at < 4; at += 1) await first.current.put(LOG, p(at), chunkAt(LOG, at, 10));
      await first.close();
      flipPages(recordOf(dir, 1), 0);
      flipPages(recordOf(dir, 2), 1);
      const { current } = await open(dir);
      expect(await current.get(LOG, p(1))).toBe('torn');
      // Its bytes are all on the other page.
      expect(await current.get(LOG, p(2))).toEqual(chunkAt(LOG, 2, 10));
      expect(await current.get(LOG, p(3))).toEqual(chunkAt(LOG, 3, 10));
    });

    test('a seal stands while either of its pages does', async () => {
      const dir = folderOfTest();
      await fill(dir);
      flipPages(recordOf(dir, 100), 0);
      const { current } = await open(dir);
      expect(await current.get(LOG, p(100))).toEqual(encodeSeal(LOG, p(100), checksum));
      expect(await current.put(LOG, p(100), chunkAt(LOG, 100))).toBe('occupied');
    });

    test('an unfinished last write is torn or absent, and nothing else is touched by it', async () => {
      for (const kept of [0, 1, 4]) {
        const dir = folderOfTest();
        let isCrashing = false;
        const files = withSlabWrites(async (file, parts, at) => {
          if (!isCrashing) return await file.write(parts, at);
          const bytes = Buffer.concat(parts).subarray(0, kept * PAGE_BYTES);
          const memory = new AlignedMemory().take(16);
          memory.bytes.set(bytes);
          if (bytes.length > 0) await file.write([memory.bytes.subarray(0, bytes.length)], at);
          throw eio();
        });
        const before = await open(dir, { files });
        for (let at = 0; at < 3; at += 1) await before.current.put(LOG, p(at), chunkAt(LOG, at, 30 * KIB));
        isCrashing = true;
        await expect(before.current.put(LOG, p(3), chunkAt(LOG, 3, 30 * KIB))).rejects.toMatchObject({
          code: 'storage',
          effect: 'unknown',
        });
        await before.close();
        const { current, retired } = await open(dir);
        expect(retired).toHaveLength(0);
        expect(await current.get(LOG, p(3))).toBe(kept === 0 ? 'absent' : 'torn');
        expect(await current.get(LOG, p(2))).toEqual(chunkAt(LOG, 2, 30 * KIB));
        expect(await current.put(LOG, p(4), chunkAt(LOG, 4, 30 * KIB))).toBe('stored');
        expect(await current.get(LOG, p(4))).toEqual(chunkAt(LOG, 4, 30 * KIB));
      }
    });

    test('goes on in the slab that was open, so that many restarts take no space', async () => {
      const dir = folderOfTest();
      for (let at = 0; at < 12; at += 1) {
        const zone = await open(dir, { capacityBytes: 2 * SLAB });
        expect(await zone.current.put(LOG, p(at), chunkAt(LOG, at))).toBe('stored');
        await zone.close();
      }
      const zone = await open(dir, { capacityBytes: 2 * SLAB });
      expect(await positionsOf(zone.current, LOG)).toHaveLength(12);
      expect(readdirSync(dir).filter((name) => /^slab-\d+$/.test(name))).toHaveLength(2);
    });

    test('what was deleted with all of its slab stays deleted', async () => {
      const dir = folderOfTest();
      const before = await open(dir);
      for (let at = 0; at < 40; at += 1) await before.current.put(LOG, p(at), chunkAt(LOG, at, 60 * KIB));
      await before.current.delete(LOG, { start: p(0), end: p(30) });
      await before.close();
      const { current } = await open(dir);
      const positions = await positionsOf(current, LOG);
      expect(positions.length).toBeLessThan(20);
      expect(positions.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => 30 + i));
    });

    test('Z9: leftovers of an earlier use of a slab are not found again', async () => {
      const dir = folderOfTest();
      const before = await open(dir, { capacityBytes: 2 * SLAB });
      for (let at = 0; at < 40; at += 1) {
        await before.current.put(LOG, p(at), chunkAt(LOG, at, 60 * KIB));
        await before.current.delete(LOG, { start: p(0), end: p(at) });
      }
      await before.close();
      const { current, retired } = await open(dir, { capacityBytes: 2 * SLAB });
      expect(retired).toEqual([]);
      const positions = await positionsOf(current, LOG);
      expect(positions.every((at) => at > 40 - 9)).toBe(true);
      expect(positions).toContain(39);
    });

    test('Z10: a write that failed and left nothing is not taken for damage later', async () => {
      const dir = folderOfTest();
      let isFailing = false;
      const files = withSlabWrites(async (file, parts, at) => {
        if (isFailing) throw eio();
        await file.write(parts, at);
      });
      const before = await open(dir, { files });
      for (let at = 0; at < 5; at += 1) {
        isFailing = at === 1;
        await before.current.put(LOG, p(at), chunkAt(LOG, at)).catch(() => undefined);
      }
      await before.close();
      for (let start = 0; start < 2; start += 1) {
        const zone = await open(dir);
        expect(zone.retired).toEqual([]);
        expect(await zone.current.get(LOG, p(1))).toBe('absent');
        expect(await zone.current.get(LOG, p(4))).toEqual(chunkAt(LOG, 4));
        await zone.current.put(LOG, p(10 + start), chunkAt(LOG, 10 + start));
        await zone.close();
      }
    });

    test('Z12: damage that no crash explains keeps the old identity to be read, and formats another', async () => {
      const damages: Record<string, (dir: string) => void> = {
        'slab-000000 does not start': (dir) => flip(path.join(dir, 'slab-000000'), 0, 2 * PAGE_BYTES),
        'slab-000000 has lost 1 chunks': (dir) => flipPages(recordOf(dir, 5), 0, recordOf(dir, 5).pages),
        'slab-000000 is missing': (dir) => rmSync(path.join(dir, 'slab-000000')),
        'slab-000000 has 8192 bytes': (dir) => truncateSync(path.join(dir, 'slab-000000'), 8192),
        'seals is missing': (dir) => rmSync(path.join(dir, 'seals')),
        'seals has lost 1 seals': (dir) => flipPages(recordOf(dir, 100), 0, 2),
        'zone is damaged': (dir) => flip(path.join(dir, 'zone'), 30, 1),
        'zone is missing': (dir) => rmSync(path.join(dir, 'zone')),
      };
      for (const [message, damage] of Object.entries(damages)) {
        const dir = folderOfTest();
        const identity = await fill(dir, 20);
        damage(dir);
        const warn = vi.fn();
        const zone = await open(dir, { warn });
        expect(warn.mock.calls.map(([said]) => said).join('\n')).toContain(message);
        expect(zone.current.zone, message).not.toBe(identity);
        expect(await positionsOf(zone.current, LOG)).toEqual([]);
        expect(await zone.current.put(LOG, p(0), chunkAt(LOG, 0))).toBe('stored');
        const [old] = zone.retired;
        expect(old, message).toMatchObject({ zone: identity, isWritable: false });
        expect(await old?.get(LOG, p(19)), message).toEqual(chunkAt(LOG, 19, 30 * KIB));
        expect(await old?.get(LOG, p(5))).toEqual(
          message.includes('000000') && !message.includes('start') ? 'torn' : chunkAt(LOG, 5, 30 * KIB),
        );
        expect(await old?.get(LOG, p(77))).toBe('torn');
        await expect(old?.put(LOG, p(30), chunkAt(LOG, 30))).rejects.toMatchObject({ effect: 'none' });
        await expect(old?.seal(LOG, p(30), 'absent')).rejects.toMatchObject({ effect: 'none' });
      }
    });

    test('a retired zone is found at every start until it is removed', async () => {
      const dir = folderOfTest();
      const identity = await fill(dir);
      rmSync(path.join(dir, 'seals'));
      const first = await open(dir);
      await first.current.put(LOG, p(0), chunkAt(LOG, 0, 10, 42));
      await first.close();
      const second = await open(dir);
      expect(second.current.zone).toBe(first.current.zone);
      expect(second.retired.map((store) => store.zone)).toEqual([identity]);
      const [old] = second.retired;
      if (old === undefined) throw new Error('no retired zone');
      expect(await old.get(LOG, p(3))).toEqual(chunkAt(LOG, 3, 30 * KIB));
      await old.delete(LOG, all);
      expect(await positionsOf(old, LOG)).toEqual([]);
      await second.removeRetired(old.zone);
      expect(second.retired).toEqual([]);
      expect(existsSync(path.join(dir, `retired-${identity}`))).toBe(false);
      expect(await second.current.get(LOG, p(0))).toEqual(chunkAt(LOG, 0, 10, 42));
    });

    test('Z4: a deleted folder is formatted anew, with another identity', async () => {
      const dir = path.join(folderOfTest(), 'zone');
      const identity = await fill(dir);
      rmSync(dir, { recursive: true });
      const zone = await open(dir);
      expect(zone.current.zone).not.toBe(identity);
      expect(zone.retired).toEqual([]);
      expect(await zone.current.get(LOG, p(0))).toBe('absent');
    });
  });

  describe('a write that fails', () => {
    test('leaves the position torn, lets the same bytes be tried again, and no others', async () => {
      const dir = folderOfTest();
      let failures = 1;
      const files = withSlabWrites(async (file, parts, at) => {
        if (at > 2 * PAGE_BYTES && failures-- > 0) throw eio();
        await file.write(parts, at);
      });
      const { current } = await open(dir, { files });
      await current.put(LOG, p(0), chunkAt(LOG, 0));
      await expect(current.put(LOG, p(1), chunkAt(LOG, 1))).rejects.toMatchObject({ code: 'storage', effect: 'unknown' });
      expect(await current.get(LOG, p(1))).toBe('torn');
      expect(await current.seal(LOG, p(1), 'absent')).toBe('torn');
      expect(await current.put(LOG, p(1), chunkAt(LOG, 1, 100, 77))).toBe('occupied');
      expect(await current.put(LOG, p(1), chunkAt(LOG, 1))).toBe('stored');
      expect(await current.get(LOG, p(1))).toEqual(chunkAt(LOG, 1));
      expect(await current.seal(LOG, p(1), 'torn')).toBe('occupied');
    });

    test('gives way to a seal that may replace what is torn, also after opening again', async () => {
      const dir = folderOfTest();
      const files = withSlabWrites(async (file, parts, at) => {
        await file.write(parts, at);
        if (at > 2 * PAGE_BYTES) throw eio();
      });
      const before = await open(dir, { files });
      await before.current.put(LOG, p(0), chunkAt(LOG, 0));
      await expect(before.current.put(LOG, p(1), chunkAt(LOG, 1))).rejects.toMatchObject({ effect: 'unknown' });
      expect(await before.current.seal(LOG, p(1), 'torn')).toBe('sealed');
      await before.close();
      // The chunk did reach the disk, and still the seal counts: it was answered.
      const { current } = await open(dir);
      expect(await current.get(LOG, p(1))).toEqual(encodeSeal(LOG, p(1), checksum));
    });
  });

  test('Z14: a seal and a get wait for the put that came first', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    const files = withSlabWrites(async (file, parts, at) => {
      if (isHeld) await held;
      await file.write(parts, at);
    });
    const { current } = await open(folderOfTest(), { files });
    await current.put(LOG, p(0), chunkAt(LOG, 0));
    isHeld = true;
    const put = current.put(LOG, p(1), chunkAt(LOG, 1));
    const seal = current.seal(LOG, p(1), 'torn');
    const get = current.get(LOG, p(1));
    const other = current.put(LOG, p(1), chunkAt(LOG, 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    release();
    expect(await Promise.all([put, seal, get, other])).toEqual(['stored', 'occupied', chunkAt(LOG, 1), 'occupied']);
  });

  test('the tail mark of a record says the same as its head', async () => {
    const dir = folderOfTest();
    const { current } = await open(dir);
    await current.put(LOG, p(0), chunkAt(LOG, 0, 9_000));
    const record = recordOf(dir, 0);
    const bytes = readFileSync(record.file).subarray(record.page * PAGE_BYTES, (record.page + record.pages) * PAGE_BYTES);
    expect(readTail(bytes.subarray(-PAGE_BYTES), checksum)).toEqual(readHead(bytes.subarray(0, PAGE_BYTES), checksum));
  });

  test('refuses calls once it is closed', async () => {
    const zone = await open(folderOfTest());
    await zone.close();
    await expect(zone.current.put(LOG, p(0), chunkAt(LOG, 0))).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
  });
});
