import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { CommitPoint } from '#core/chunk/commit-point.ts';
import { position } from '#core/model/ids.ts';

describe('CommitPoint', () => {
  test('stops at the first chunk without a quorum, whatever lies after it', () => {
    const point = new CommitPoint(3, 2);
    for (let i = 0; i < 3; i += 1) point.add();
    for (const zone of [0, 1, 2]) point.stored(position(2), zone);
    point.stored(position(0), 2);
    expect(point.stored(position(0), 1)).toBe(true);
    expect(point.stored(position(1), 0)).toBe(false);
    expect([point.value, point.end]).toEqual([1, 3]);
    expect(point.stored(position(1), 2)).toBe(true);
    expect(point.value).toBe(3);
  });

  test('counts a zone once, however often it answers', () => {
    const point = new CommitPoint(3, 2);
    point.add();
    point.stored(position(0), 1);
    expect(point.stored(position(0), 1)).toBe(false);
  });

  test('needs one copy where there is one zone', () => {
    const point = new CommitPoint(1, 1);
    point.add();
    expect(point.stored(position(0), 0)).toBe(true);
  });

  test('C1: takes no answer about what was not written, or of a zone that the log does not name', () => {
    const point = new CommitPoint(3, 2);
    point.add();
    expect(() => point.stored(position(1), 0)).toThrow('C1');
    expect(() => point.stored(position(0), 3)).toThrow('C1');
  });

  prop.prop([fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.array(fc.tuple(fc.nat(12), fc.nat(4)), { maxLength: 80 })])(
    'C1: all below it have a write quorum, the one at it has not, and it never moves back',
    (zones, quorum, answers) => {
      const writeQuorum = Math.min(zones, quorum);
      const point = new CommitPoint(zones, writeQuorum);
      const copies = Array.from({ length: 13 }, () => new Set<number>());
      for (const _ of copies) point.add();
      for (const [at, zone] of answers) {
        const before = point.value;
        copies[at]?.add(zone % zones);
        const moved = point.stored(position(at), zone % zones);
        const first = copies.findIndex((holders) => holders.size < writeQuorum);
        expect(point.value).toBe(first === -1 ? copies.length : first);
        expect(moved).toBe(point.value > before);
      }
    },
  );
});
