import { describe, expect, test } from 'vitest';
import type { SeqNum } from '#core/model/ids.ts';
import type { ReadBatch, ReadRequest } from '#core/model/read.ts';
import { at, REF, ReaderWorld } from './world.ts';

async function settledOf(world: ReaderWorld, request: Partial<ReadRequest>): Promise<ReadBatch['settled']> {
  const session = await world.open(request, 'unary');
  const batch = await session.next();
  session.close();
  if (batch === 'end') throw new Error('a unary read gives one batch');
  expect(batch.count).toBeGreaterThan(0);
  return batch.settled;
}

/** Records 0 to 9 in segments, 10 to 14 in memory. */
async function world(): Promise<ReaderWorld> {
  const made = await ReaderWorld.make();
  await made.put(10);
  await made.offloadAndForget();
  await made.put(5);
  return made;
}

describe('T12: a unary read is called settled', () => {
  test('where a bound ends it within segments', async () => {
    const made = await world();
    const settled = { streamId: REF.streamId, trimPoint: 0 };
    expect(await settledOf(made, { start: at(2), count: 3 })).toEqual(settled);
    expect(await settledOf(made, { start: at(0), bytes: 20 })).toEqual(settled);
    expect(await settledOf(made, { start: at(0), until: 5n })).toEqual(settled);
    expect(await settledOf(made, { start: at(0), count: 10 })).toEqual(settled);
  });

  test('not where the tail ends it, or anything of it lies in memory', async () => {
    const made = await world();
    expect(await settledOf(made, { start: at(0) })).toBeUndefined();
    expect(await settledOf(made, { start: at(0), count: 11 })).toBeUndefined();
    expect(await settledOf(made, { start: at(12), count: 2 })).toBeUndefined();
    await made.offload();
    // Offloaded, and given from memory all the same.
    expect(await settledOf(made, { start: at(12), count: 2 })).toBeUndefined();
    made.tail.evict();
    // All of it, up to the tail: more may come.
    expect(await settledOf(made, { start: at(12) })).toBeUndefined();
  });

  test('not where its start is relative to what changes', async () => {
    const made = await world();
    expect(await settledOf(made, { start: { kind: 'timestamp', timestamp: 2n }, count: 3 })).toBeUndefined();
    expect(await settledOf(made, { start: { kind: 'tailOffset', offset: 13 }, count: 3 })).toBeUndefined();
  });

  test('only from the trim point on, which it tells', async () => {
    const made = await world();
    made.tail.trimPoint = 4 as SeqNum;
    expect(await settledOf(made, { start: at(2), count: 3 })).toBeUndefined();
    expect(await settledOf(made, { start: at(4), count: 3 })).toEqual({ streamId: REF.streamId, trimPoint: 4 });
  });

  test('not where it is trimmed while it is read', async () => {
    const made = await world();
    made.tail.onRead = () => {
      made.tail.trimPoint = 4 as SeqNum;
    };
    expect(await settledOf(made, { start: at(2), count: 3 })).toBeUndefined();
  });

  test('never of a session', async () => {
    const made = await world();
    const session = await made.open({ start: at(2), count: 3 });
    const batch = await session.next();
    expect(batch === 'end' ? 'end' : [batch.count, batch.settled]).toEqual([3, undefined]);
    session.close();
  });
});
