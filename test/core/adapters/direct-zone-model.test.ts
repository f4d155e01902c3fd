import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { type DirectZone, openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunkHeader } from '#core/format/chunk.ts';
import { isDefinite } from '#core/model/errors.ts';
import { position } from '#core/model/ids.ts';
import { chunkAt, LOG } from '../../contract/chunk-store.ts';
import { lossyDisk } from '../../support/lossy-files.ts';

const POSITIONS = 6;
const at = fc.nat(POSITIONS - 1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), at, bytes: fc.nat(30_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), at }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('seal' as const), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const) }) },
);

/** What a position may hold: `absent`, `seal`, or the fill of a chunk. */
type Held = 'absent' | 'seal' | number;

describe('a direct zone', () => {
  test.prop([fc.array(step, { maxLength: 60 })], { numRuns: 60 })(
    'Z3, Z11: every position holds what was answered last, over deletes, reuse of slabs and power cuts',
    async (steps) => {
      const disk = lossyDisk('/disk');
      const options = { dir: '/disk/zone', capacityBytes: 4 * 65_536, slabBytes: 65_536, checksum, files: disk.files };
      const open = (): Promise<DirectZone> => openDirectZone({ ...options, warn: (said) => expect.fail(said) });
      let zone = await open();
      const held = Array.from({ length: POSITIONS }, (): Set<Held> => new Set(['absent']));
      // Chunks that were deleted, and that a crash may bring back.
      const ghosts = Array.from({ length: POSITIONS }, (): Set<Held> => new Set());
      const sizes: number[] = [];
      const look = async (index: number): Promise<void> => {
        const found = await zone.current.get(LOG, position(index));
        const kind = typeof found === 'string' ? found : decodeChunkHeader(found, checksum)?.kind;
        const fill = [...(held[index] ?? [])].find((each) => typeof each === 'number' && isChunk(found, index, sizes[each] ?? 0, each));
        const value: Held | undefined = kind === 'data' ? fill : kind === 'seal' || kind === 'absent' ? kind : undefined;
        expect([...(held[index] ?? [])], `position ${index} is ${kind}`).toContain(value);
        held[index] = new Set([value as Held]);
      };
      for (const each of steps) {
        if (each.kind === 'cut') {
          disk.crash();
          zone = await open();
          for (const [index, may] of held.entries()) if (may.has('absent')) for (const ghost of ghosts[index] ?? []) may.add(ghost);
          for (let index = 0; index < POSITIONS; index += 1) await look(index);
          continue;
        }
        const where = position(each.at);
        const [before] = held[each.at] ?? [];
        if (each.kind === 'put') {
          const fill = sizes.push(each.bytes) - 1;
          const put = await zone.current.put(LOG, where, chunkAt(LOG, each.at, each.bytes, fill)).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'disk_full' });
            expect(isDefinite(error)).toBe(true);
            return 'full';
          });
          if (put !== 'full') expect(put).toBe(before === 'absent' ? 'stored' : 'occupied');
          if (put === 'stored') held[each.at] = new Set([fill]);
        } else if (each.kind === 'seal') {
          const isData = typeof before === 'number';
          expect(await zone.current.seal(LOG, where, 'torn')).toBe(isData ? 'occupied' : 'sealed');
          if (!isData) held[each.at] = new Set(['seal']);
        } else {
          await zone.current.delete(LOG, { start: where, end: position(each.at + 1) });
          if (typeof before === 'number') ghosts[each.at]?.add(before);
          held[each.at] = new Set(['absent']);
        }
        await look(each.at);
      }
      await zone.close();
    },
  );
});

function isChunk(found: Uint8Array | string, index: number, bytes: number, fill: number): boolean {
  return typeof found !== 'string' && Buffer.from(found).equals(chunkAt(LOG, index, bytes, fill));
}
