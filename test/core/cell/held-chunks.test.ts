import { describe, expect, test } from 'vitest';
import { readingHeld } from '#core/cell/held-chunks.ts';
import type { Epoch, Position } from '#core/model/ids.ts';
import type { ChunkLogs, LogDescription, WrittenChunk } from '#core/ports/chunk-log.ts';

const DESCRIPTION = { log: { channel: 'express-0', epoch: 3 }, base: 0, zones: [] } as unknown as LogDescription;

/** A log that has every position, and says which were read. */
function zones(reads: string[]): ChunkLogs {
  return {
    read: async function* (_: LogDescription, { start, end }: { start: number; end: number }): AsyncGenerator<WrittenChunk> {
      reads.push(`${start}-${end}`);
      for (let at = start; at < end; at += 1) yield { at: at as Position, payload: new Uint8Array([at, 0]) };
    },
  } as unknown as ChunkLogs;
}

async function read(held: readonly number[], start: number, end: number, epoch = 3) {
  const reads: string[] = [];
  const logs = readingHeld(zones(reads), (of: Epoch, at: Position) =>
    of === epoch && held.includes(at) ? new Uint8Array([at, 1]) : undefined,
  );
  const found: string[] = [];
  for await (const { at, payload } of logs.read(DESCRIPTION, { start: start as Position, end: end as Position })) {
    expect(payload[0]).toBe(at);
    found.push(`${at}${payload[1] === 1 ? 'h' : 'z'}`);
  }
  return { found: found.join(' '), reads: reads.join(' ') };
}

describe('O9: an offload by the owner', () => {
  test('reads what is held from memory, and the rest from the zones, in order', async () => {
    expect(await read([2, 3, 6], 1, 8)).toEqual({ found: '1z 2h 3h 4z 5z 6h 7z', reads: '1-2 4-6 7-8' });
  });

  test('asks no zone when all is held', async () => {
    expect(await read([0, 1, 2], 0, 3)).toEqual({ found: '0h 1h 2h', reads: '' });
  });

  test('takes nothing of another epoch from memory', async () => {
    expect(await read([0, 1, 2], 0, 3, 4)).toEqual({ found: '0z 1z 2z', reads: '0-3' });
  });
});
