import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { runCompact } from '#core/jobs/compact.ts';
import { runChunkGc, runObjectGc } from '#core/jobs/gc.ts';
import { runSweepObjects } from '#core/jobs/sweep.ts';
import { runTrim } from '#core/jobs/trim.ts';
import { READER_LIMITS } from '#core/reader/reader-limits.ts';
import { CHANNEL } from '../jobs/world.ts';
import { at, bodies, numbers, ReaderWorld } from './world.ts';

const move = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'offload' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('evict' as const), kept: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.constantFrom({ kind: 'compact' as const }, { kind: 'gc' as const }, { kind: 'takeover' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), batches: fc.integer({ min: 1, max: 3 }) }) },
);
type Move = typeof move extends fc.Arbitrary<infer M> ? M : never;

async function apply(world: ReaderWorld, one: Exclude<Move, { kind: 'read' }>, offloadedFrames: { count: number }): Promise<void> {
  if (one.kind === 'append') await world.put(one.count);
  if (one.kind === 'offload') {
    await world.offload();
    offloadedFrames.count = 0;
  }
  // Only what is offloaded may leave memory.
  if (one.kind === 'evict') world.tail.evict(Math.min(world.tail.frames.length, offloadedFrames.count + one.kept));
  if (one.kind === 'compact') await runCompact(world.ports, { rowsMin: 2 }, 1_000);
  if (one.kind === 'takeover') await world.own();
  if (one.kind === 'gc') {
    await runChunkGc(world.ports, { channel: CHANNEL }, 1_000);
    world.clock.advance(1_000);
    await runObjectGc(world.ports, { safetyAgeMs: 500 }, 1_000);
    await runSweepObjects(world.ports, {}, 1_000);
    await runTrim(world.ports, {}, 1_000);
  }
  if (one.kind === 'append') offloadedFrames.count += 1;
}

describe('reading while everything moves', () => {
  prop.prop([fc.array(move, { minLength: 5, maxLength: 40 }), fc.integer({ min: 1, max: 7 }), fc.nat({ max: 20 })], { numRuns: 150 })(
    'T6: a reader gets every record once and in order, whatever moves between memory and segments',
    async (moves, batchRecordsMax, start) => {
      const world = await ReaderWorld.make();
      await world.name(1);
      world.limits = {
        ...READER_LIMITS,
        batchRecordsMax,
        rowsPage: 2,
        wholeSectionBytesMax: 200,
        firstRangeBytes: 50,
        rangeBytes: 100,
        tailBytes: 40,
      };
      await world.put(start + 1);
      const unoffloaded = { count: 1 };
      const session = await world.open({ start: at(start) });
      const given: string[] = [];
      for (const one of moves) {
        if (one.kind !== 'read') {
          await apply(world, one, unoffloaded);
          continue;
        }
        for (let i = 0; i < one.batches && start + given.length < world.tail.tail.seqNum; i += 1)
          given.push(...bodies(await session.next()));
      }
      while (start + given.length < world.tail.tail.seqNum) given.push(...bodies(await session.next()));
      session.close();
      expect(given).toEqual(numbers(start, world.tail.tail.seqNum));
    },
  );
});
