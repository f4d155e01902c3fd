import { describe, expect, test } from 'vitest';
import { type HeldStream, storedBytes } from '#core/metadata/stored-bytes.ts';
import { seqNum } from '#core/model/ids.ts';
import { piece, STREAM, type World, world } from './support.ts';

/** Frames of ten records and 100 bytes each, from a sequence number on. */
function holding(first: number, frames: number, trimPoint = 0): HeldStream {
  return {
    frames: Array.from({ length: frames }, (_, i) => ({ first: seqNum(first + 10 * i), count: 10, meteredBytes: 100 })),
    trimPoint: seqNum(trimPoint),
  };
}

/** Each row holds 10 bytes, so that it can be told from the frames that it was made of. */
async function offloaded(made: World, ...ends: number[]): Promise<void> {
  for (const [i, end] of ends.entries()) {
    const object = `object-${end}`;
    await made.repository.segments.applyOffload({ key: object, bytes: 1_000 }, [piece(ends[i - 1] ?? 0, end, object)]);
  }
}

const bytes = (made: World, held?: HeldStream): Promise<number> => storedBytes(made.repository.segments, STREAM, () => held);

describe('storedBytes', () => {
  test('of a stream that was never written is nothing', async () => {
    expect(await bytes(world())).toBe(0);
  });

  test('counts what is offloaded by its rows, and what is not by the frames in memory: each record once', async () => {
    const made = world();
    expect(await bytes(made, holding(0, 4))).toBe(400);
    await offloaded(made, 20);
    expect(await bytes(made, holding(0, 4))).toBe(10 + 200);
    expect(await bytes(made, holding(20, 2))).toBe(10 + 200);
    await offloaded(made, 20, 40);
    expect(await bytes(made, holding(0, 4))).toBe(20);
    expect(await bytes(made)).toBe(20);
  });

  test('what is offloaded between the look at memory and that at the state counts once', async () => {
    const made = world();
    const { segments } = made.repository;
    const held = holding(0, 4);
    const late = {
      storedBytes: segments.storedBytes.bind(segments),
      readState: async (...of: Parameters<typeof segments.readState>) => {
        await offloaded(made, 30);
        return await segments.readState(...of);
      },
    };
    expect(await storedBytes(late, STREAM, () => held)).toBe(10 + 100);
  });

  test('does not count frames that are trimmed, on record or in memory', async () => {
    const made = world();
    expect(await bytes(made, holding(0, 4, 25))).toBe(200);
    expect(await bytes(made, holding(0, 4, 40))).toBe(0);
    await offloaded(made, 10);
    await made.repository.segments.raiseTrimPoint(STREAM, seqNum(10));
    expect(await bytes(made, holding(0, 4, 20))).toBe(10 + 200);
  });
});
