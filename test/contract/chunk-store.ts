// What every ChunkStore promises, run against each adapter.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, encodeChunk, encodeSeal } from '#core/format/chunk.ts';
import { channelId, epoch, type LogId, ownerNonce, type Position, position } from '#core/model/ids.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';

export interface ChunkStoreSubject {
  readonly store: ChunkStore;
  /** Breaks what is stored at a position in its payload (or, of a seal, anywhere), as a failing disk would. */
  tear(log: LogId, at: Position): Promise<void>;
  /** The same zone through a store opened anew; absent where nothing outlives the store. */
  reopen?(): Promise<ChunkStore>;
  close?(): Promise<void>;
}

export const LOG: LogId = { channel: channelId('express-0'), epoch: epoch(3) };
const OTHER: LogId = { channel: channelId('express-0'), epoch: epoch(4) };
const OWNER = ownerNonce('0123456789abcdef0123456789abcdef');

/** A data chunk with a payload of `bytes` bytes that depend on `fill`. */
export function chunkAt(log: LogId, at: number, bytes = 100, fill = at): Uint8Array {
  const payload = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i += 1) payload[i] = (fill * 31 + i * 7 + (i >>> 8)) & 0xff;
  return encodeChunk({ log, at: position(at), commitPoint: position(0), owner: OWNER }, [payload], zlibChecksum);
}

/** All positions of a log, page by page; fails when one is named twice. */
export async function positionsOf(store: ChunkStore, log: LogId): Promise<number[]> {
  const positions: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(log, cursor);
    positions.push(...page.positions);
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(new Set(positions).size).toBe(positions.length);
  return positions.sort((a, b) => a - b);
}

/** The logs of a store, each once; a store may name one on several pages. */
export async function logsOf(store: ChunkStore): Promise<string[]> {
  const names = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await store.logs(cursor);
    for (const log of page.logs) names.add(`${log.channel}/${log.epoch}`);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...names].sort();
}

const p = position;

export function chunkStoreContract(name: string, open: () => Promise<ChunkStoreSubject>): void {
  describe(`${name} as a ChunkStore`, () => {
    let subject: ChunkStoreSubject;
    let store: ChunkStore;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(() => subject.close?.());

    describe('put', () => {
      test('stores a chunk that get gives back byte for byte, whatever its size', async () => {
        const sizes = [0, 1, 127, 3_455, 3_456, 3_457, 3_712, 7_551, 7_552, 7_553, 8_192, 65_536, 300_001];
        for (const [at, bytes] of sizes.entries()) {
          expect(await store.put(LOG, p(at), chunkAt(LOG, at, bytes))).toBe('stored');
        }
        for (const [at, bytes] of sizes.entries()) {
          expect(await store.get(LOG, p(at))).toEqual(chunkAt(LOG, at, bytes));
        }
      });

      test('Z3: leaves what is there, and says occupied, also of the same bytes', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        expect(await store.put(LOG, p(0), chunkAt(LOG, 0))).toBe('occupied');
        expect(await store.put(LOG, p(0), chunkAt(LOG, 0, 100, 9))).toBe('occupied');
        expect(await store.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
      });

      test('has exactly one winner of many at a position', async () => {
        const results = await Promise.all(Array.from({ length: 8 }, (_, i) => store.put(LOG, p(5), chunkAt(LOG, 5, 5_000, i))));
        expect(results.filter((result) => result === 'stored')).toHaveLength(1);
        expect(await store.get(LOG, p(5))).toEqual(chunkAt(LOG, 5, 5_000, results.indexOf('stored')));
      });

      test('is refused where a seal stands', async () => {
        await store.seal(LOG, p(0), 'absent');
        expect(await store.put(LOG, p(0), chunkAt(LOG, 0))).toBe('occupied');
        expect(await store.get(LOG, p(0))).toEqual(encodeSeal(LOG, p(0), zlibChecksum));
      });

      test('is refused where a torn chunk lies', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        await subject.tear(LOG, p(0));
        expect(await store.put(LOG, p(0), chunkAt(LOG, 0))).toBe('occupied');
        expect(await store.get(LOG, p(0))).toBe('torn');
      });

      test('Z1: does not take bytes that belong elsewhere, are cut short, or are a seal', async () => {
        await expect(store.put(LOG, p(1), chunkAt(LOG, 2))).rejects.toThrow('Z1');
        await expect(store.put(OTHER, p(1), chunkAt(LOG, 1))).rejects.toThrow('Z1');
        await expect(store.put(LOG, p(1), chunkAt(LOG, 1).subarray(0, 200))).rejects.toThrow('Z1');
        await expect(store.put(LOG, p(1), encodeSeal(LOG, p(1), zlibChecksum))).rejects.toThrow('Z1');
        expect(await store.get(LOG, p(1))).toBe('absent');
      });

      test('takes many at once, of two logs, in any order', async () => {
        const all = Array.from({ length: 60 }, (_, i) => ({ log: i % 3 === 0 ? OTHER : LOG, at: (i * 37) % 60 }));
        await Promise.all(all.map(({ log, at }) => store.put(log, p(at), chunkAt(log, at, (at * 997) % 9_000))));
        for (const { log, at } of all) {
          expect(await store.get(log, p(at))).toEqual(chunkAt(log, at, (at * 997) % 9_000));
        }
      });
    });

    describe('seal', () => {
      test('takes an empty position, and is sealed again when repeated', async () => {
        expect(await store.seal(LOG, p(7), 'absent')).toBe('sealed');
        expect(await store.seal(LOG, p(7), 'absent')).toBe('sealed');
        expect(await store.seal(LOG, p(7), 'torn')).toBe('sealed');
        expect(await store.get(LOG, p(7))).toEqual(encodeSeal(LOG, p(7), zlibChecksum));
        expect(await store.get(LOG, p(7), 'header')).toEqual(encodeSeal(LOG, p(7), zlibChecksum));
      });

      test('Z3: does not replace a valid chunk', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        expect(await store.seal(LOG, p(0), 'absent')).toBe('occupied');
        expect(await store.seal(LOG, p(0), 'torn')).toBe('occupied');
        expect(await store.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
      });

      test('Z3: replaces a torn chunk only when told that it may', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        await subject.tear(LOG, p(0));
        expect(await store.seal(LOG, p(0), 'absent')).toBe('torn');
        expect(await store.get(LOG, p(0))).toBe('torn');
        expect(await store.seal(LOG, p(0), 'torn')).toBe('sealed');
        expect(await store.get(LOG, p(0))).toEqual(encodeSeal(LOG, p(0), zlibChecksum));
        expect(await store.seal(LOG, p(0), 'absent')).toBe('sealed');
      });

      test('racing a put, one of them has the position and both are told so', async () => {
        for (let at = 0; at < 12; at += 1) {
          const put = (): Promise<string> => store.put(LOG, p(at), chunkAt(LOG, at, 9_000));
          const seal = (): Promise<string> => store.seal(LOG, p(at), at % 4 < 2 ? 'absent' : 'torn');
          const [first, second] = at % 2 === 0 ? [put(), seal()] : [seal(), put()];
          const results = await Promise.all([first, second]);
          const found = await store.get(LOG, p(at), 'header');
          const kind = typeof found === 'string' ? found : decodeChunkHeader(found, zlibChecksum)?.kind;
          expect([...results, kind].sort()).toEqual(kind === 'data' ? ['data', 'occupied', 'stored'] : ['occupied', 'seal', 'sealed']);
        }
      });

      test('takes many positions at once', async () => {
        const all = Array.from({ length: 300 }, (_, at) => at);
        const results = await Promise.all(all.map((at) => store.seal(LOG, p(at), 'absent')));
        expect(new Set(results)).toEqual(new Set(['sealed']));
        expect(await positionsOf(store, LOG)).toEqual(all);
      });
    });

    describe('get', () => {
      test('says absent where nothing was stored', async () => {
        await store.put(LOG, p(1), chunkAt(LOG, 1));
        expect(await store.get(LOG, p(0))).toBe('absent');
        expect(await store.get(OTHER, p(1))).toBe('absent');
        expect(await store.get(OTHER, p(1), 'header')).toBe('absent');
      });

      test('gives the header alone when asked', async () => {
        await store.put(LOG, p(4), chunkAt(LOG, 4, 20_000));
        expect(await store.get(LOG, p(4), 'header')).toEqual(chunkAt(LOG, 4, 20_000).slice(0, CHUNK_HEADER_BYTES));
      });

      test('Z2: says torn of a chunk whose payload changed, however large', async () => {
        for (const [at, bytes] of [1, 5_000, 200_000].entries()) {
          await store.put(LOG, p(at), chunkAt(LOG, at, bytes));
          await subject.tear(LOG, p(at));
          expect(await store.get(LOG, p(at))).toBe('torn');
        }
        expect(await positionsOf(store, LOG)).toEqual([0, 1, 2]);
      });

      test('Z2: says torn of a seal that changed, and seals it again only when told that it may', async () => {
        await store.seal(LOG, p(2), 'absent');
        await subject.tear(LOG, p(2));
        expect(await store.get(LOG, p(2))).toBe('torn');
        expect(await store.put(LOG, p(2), chunkAt(LOG, 2))).toBe('occupied');
        expect(await store.seal(LOG, p(2), 'absent')).toBe('torn');
        expect(await store.seal(LOG, p(2), 'torn')).toBe('sealed');
        expect(await store.get(LOG, p(2))).toEqual(encodeSeal(LOG, p(2), zlibChecksum));
      });

      test('gives bytes that the caller owns', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        const bytes = await store.get(LOG, p(0));
        if (typeof bytes !== 'string') bytes.fill(0);
        expect(await store.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
      });
    });

    test('list and logs name data, seals and torn chunks of each log', async () => {
      await store.put(LOG, p(3), chunkAt(LOG, 3));
      await store.put(LOG, p(0), chunkAt(LOG, 0));
      await store.seal(LOG, p(9), 'absent');
      await subject.tear(LOG, p(0));
      await store.put(OTHER, p(0), chunkAt(OTHER, 0));
      expect(await positionsOf(store, LOG)).toEqual([0, 3, 9]);
      expect(await positionsOf(store, OTHER)).toEqual([0]);
      expect(await logsOf(store)).toEqual(['express-0/3', 'express-0/4']);
    });

    describe('delete', () => {
      test('removes data, seals and torn chunks of a half-open range, of one log', async () => {
        for (let at = 0; at < 6; at += 1) await store.put(LOG, p(at), chunkAt(LOG, at, at * 3_000));
        await store.seal(LOG, p(6), 'absent');
        await store.put(OTHER, p(2), chunkAt(OTHER, 2));
        await subject.tear(LOG, p(2));
        await store.delete(LOG, { start: p(1), end: p(4) });
        await store.delete(LOG, { start: p(6), end: p(7) });
        expect(await positionsOf(store, LOG)).toEqual([0, 4, 5]);
        expect(await store.get(LOG, p(2))).toBe('absent');
        expect(await store.get(LOG, p(6))).toBe('absent');
        expect(await store.get(LOG, p(4))).toEqual(chunkAt(LOG, 4, 12_000));
        expect(await positionsOf(store, OTHER)).toEqual([2]);
      });

      test('is no error for what is absent, for an empty range, and for one without end', async () => {
        await store.delete(LOG, { start: p(0), end: p(10) });
        await store.put(LOG, p(4), chunkAt(LOG, 4));
        await store.delete(LOG, { start: p(4), end: p(4) });
        expect(await positionsOf(store, LOG)).toEqual([4]);
        await store.delete(LOG, { start: p(0), end: p(Number.MAX_SAFE_INTEGER) });
        expect(await positionsOf(store, LOG)).toEqual([]);
        expect(await logsOf(store)).toEqual([]);
      });

      test('leaves a position that can be stored again', async () => {
        await store.put(LOG, p(0), chunkAt(LOG, 0));
        await store.delete(LOG, { start: p(0), end: p(1) });
        expect(await store.put(LOG, p(0), chunkAt(LOG, 0, 50, 8))).toBe('stored');
        expect(await store.get(LOG, p(0))).toEqual(chunkAt(LOG, 0, 50, 8));
        await store.delete(LOG, { start: p(0), end: p(1) });
        expect(await store.seal(LOG, p(0), 'absent')).toBe('sealed');
      });
    });

    test('what was stored and sealed is there after opening it again, under the same identity', async (context) => {
      if (subject.reopen === undefined) return context.skip();
      for (let at = 0; at < 20; at += 1) await store.put(LOG, p(at), chunkAt(LOG, at, at * 1_500));
      await store.seal(LOG, p(20), 'absent');
      const again = await subject.reopen();
      expect(again.zone).toBe(store.zone);
      expect(again.isWritable).toBe(true);
      expect(await positionsOf(again, LOG)).toEqual(Array.from({ length: 21 }, (_, at) => at));
      for (let at = 0; at < 20; at += 1) expect(await again.get(LOG, p(at))).toEqual(chunkAt(LOG, at, at * 1_500));
      expect(await again.put(LOG, p(3), chunkAt(LOG, 3))).toBe('occupied');
      expect(await again.put(LOG, p(20), chunkAt(LOG, 20))).toBe('occupied');
      expect(await again.put(LOG, p(21), chunkAt(LOG, 21))).toBe('stored');
    });

    test('Z3: what replaced a torn chunk, or came after a delete, is what opening it again finds', async (context) => {
      if (subject.reopen === undefined) return context.skip();
      for (const at of [0, 1, 2]) await store.put(LOG, p(at), chunkAt(LOG, at, 6_000));
      await store.seal(LOG, p(3), 'absent');
      await subject.tear(LOG, p(0));
      await store.seal(LOG, p(0), 'torn');
      await store.delete(LOG, { start: p(1), end: p(4) });
      await store.put(LOG, p(1), chunkAt(LOG, 1, 10, 99));
      await store.seal(LOG, p(2), 'absent');
      await store.put(LOG, p(3), chunkAt(LOG, 3));
      const again = await subject.reopen();
      expect(await again.get(LOG, p(0))).toEqual(encodeSeal(LOG, p(0), zlibChecksum));
      expect(await again.get(LOG, p(1))).toEqual(chunkAt(LOG, 1, 10, 99));
      expect(await again.get(LOG, p(2))).toEqual(encodeSeal(LOG, p(2), zlibChecksum));
      expect(await again.get(LOG, p(3))).toEqual(chunkAt(LOG, 3));
    });
  });
}
