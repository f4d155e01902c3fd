import { describe, expect, test } from 'vitest';
import { decideBatch } from '#core/channel/batcher.ts';
import { HeldLease } from '#core/channel/held-lease.ts';
import { Lease, watchMs } from '#core/channel/lease.ts';
import { TestClock } from '../jobs/world.ts';

describe('Lease', () => {
  test('L1: it counts from before the renewal was sent, whenever the answer came', () => {
    const lease = new Lease(1_000);
    lease.renewed(5_000, 50_000);
    expect(lease.isValid(5_979, 50_979)).toBe(true);
    expect(lease.isValid(5_981, 50_981)).toBe(false);
  });

  test('L2: a successor waits longer than any owner believes in its lease', () => {
    expect(watchMs(1_000)).toBeGreaterThan(1_000);
    const lease = new Lease(1_000);
    lease.renewed(0, 0);
    expect(lease.isValid(1_000, 1_000)).toBe(false);
  });

  test('L3: a machine that was suspended has lost its lease, though its monotonic clock stood still', () => {
    const lease = new Lease(1_000);
    lease.renewed(0, 0);
    expect(lease.isValid(500, 500)).toBe(true);
    expect(lease.isValid(500, 3_600_500)).toBe(false);
    expect([lease.isValid(500, 509), lease.isValid(500, 511)]).toEqual([true, false]);
  });

  test('L1, L2, L3: no owner believes longer than its successor waits, clocks wrong and suspensions overlooked', () => {
    const lease = new Lease(1_000);
    lease.renewed(0, 0);
    const slow = 0.99;
    const fast = 1.01;
    const overlooked = 9.9;
    let believed = 0;
    for (let real = 0; real < 1_100; real += 0.1) {
      const monotonic = slow * Math.max(0, real - overlooked);
      if (lease.isValid(monotonic, monotonic + overlooked)) believed = real;
    }
    expect(believed).toBeGreaterThan(900);
    expect(believed).toBeLessThan(watchMs(1_000) / fast);
  });

  test('no lease is valid before the first renewal', () => {
    expect(new Lease(1_000).isValid(0, 0)).toBe(false);
  });
});

describe('HeldLease', () => {
  const held = () => {
    const clock = new TestClock();
    const told: number[] = [];
    const start = clock.monotonic();
    const lease = new HeldLease(clock, 1_000, () => told.push(clock.monotonic() - start));
    lease.renewed(lease.now());
    return { clock, lease, told };
  };

  test('L12: it is over one lease time after it ran out, and told once', () => {
    const { clock, lease, told } = held();
    lease.watch();
    clock.advance(1_979);
    expect([lease.isValid, told]).toEqual([false, []]);
    clock.advance(1);
    clock.advance(10_000);
    expect(told).toEqual([1_980]);
  });

  test('L12: a renewal counts from when it was sent, and puts that off', () => {
    const { clock, lease, told } = held();
    lease.watch();
    clock.advance(1_500);
    const sentAt = lease.now();
    clock.advance(400);
    lease.renewed(sentAt);
    expect(lease.isValid).toBe(true);
    clock.advance(1_579);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual([3_480]);
  });

  test('L12: a takeover that took longer than its lease has a lease time from its publish on', () => {
    const { clock, lease, told } = held();
    clock.advance(5_000);
    lease.watch();
    clock.advance(999);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual([6_000]);
  });

  test('L12: an owner that has stopped hears no more of it', () => {
    const { clock, lease, told } = held();
    lease.watch();
    lease.end();
    lease.renewed(lease.now());
    clock.advance(10_000);
    expect(told).toEqual([]);
  });
});

describe('decideBatch', () => {
  const config = { chunkBytesTarget: 64, chunkBytesMax: 256, lingerMs: 10 };
  const cases = [
    ['a lone append leaves at once', 1, 0, 0, true, { kind: 'close' }],
    ['a small chunk waits while another is in flight', 1, 3, 1, true, { kind: 'wait', ms: 7 }],
    ['a full one leaves beside it', 64, 0, 1, true, { kind: 'close' }],
    ['the fuller the pipeline, the larger the chunk', 64, 0, 3, true, { kind: 'wait', ms: 10 }],
    ['but never above its bound', 256, 0, 100, true, { kind: 'close' }],
    ['the linger ends every wait', 1, 10, 3, true, { kind: 'close' }],
    ['a full window blocks', 999, 99, 8, false, { kind: 'blocked' }],
  ] as const;
  test.each(cases)('%s', (_, bytes, openFor, inFlight, hasRoom, expected) => {
    expect(decideBatch(config, bytes, openFor, inFlight, hasRoom)).toEqual(expected);
  });
});
