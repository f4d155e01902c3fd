import { describe, expect, test } from 'vitest';
import { Backlog } from '#core/channel/backlog.ts';
import type { Epoch, Position } from '#core/model/ids.ts';

const epoch = (n: number) => n as Epoch;
const at = (n: number) => n as Position;

/** Holds chunks at these places, each with its own payload; chunks without frames are never held. */
function holding(...places: readonly (readonly [epoch: number, at: number])[]): Backlog {
  const backlog = new Backlog(1_000, 1_000_000);
  for (const [e, position] of places) backlog.push(epoch(e), { at: at(position), payload: new Uint8Array([e, position]), frames: [] }, 0);
  return backlog;
}

describe('O9: the payload of a chunk that memory holds', () => {
  const backlog = holding([1, 4], [1, 6], [2, 0], [2, 3]);

  test.each([
    [1, 4],
    [1, 6],
    [2, 0],
    [2, 3],
  ])('is that of epoch %i, position %i', (e, position) => {
    expect(backlog.payloadAt(epoch(e), at(position))).toEqual(new Uint8Array([e, position]));
  });

  test.each([
    [1, 3],
    [1, 5],
    [1, 7],
    [2, 1],
    [2, 2],
    [2, 4],
    [0, 4],
    [3, 0],
  ])('is none where nothing is held: epoch %i, position %i', (e, position) => {
    expect(backlog.payloadAt(epoch(e), at(position))).toBeUndefined();
  });

  test('is none once the chunk was evicted', () => {
    const held = holding([1, 0], [1, 1]);
    held.evict(new Map([[epoch(1), at(1)]]), 10_000);
    expect([held.payloadAt(epoch(1), at(0)), held.payloadAt(epoch(1), at(1))]).toEqual([undefined, new Uint8Array([1, 1])]);
  });
});
