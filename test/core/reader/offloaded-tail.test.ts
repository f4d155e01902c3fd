import { describe, expect, test } from 'vitest';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { readableTail } from '#core/cell/settled-reads.ts';
import { Repository } from '#core/metadata/repository.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { ReadRequest } from '#core/model/read.ts';
import { openRead, type ReadSession } from '#core/reader/read-session.ts';
import { frameOf, idOf } from '../jobs/world.ts';
import { at, bodies, numbers, REF, ReaderWorld } from './world.ts';

/** Records 0 to 9 in segments, 10 to 14 in the owner's memory and its chunks alone. */
async function world(): Promise<ReaderWorld> {
  const made = await ReaderWorld.make();
  await made.name(1);
  await made.put(10);
  await made.append(frameOf({ stream: 2, first: 0, bodies: numbers(0, 10) }));
  await made.offloadAndForget();
  await made.put(5);
  return made;
}

/** As a process opens it that owns nothing. */
async function open(
  made: ReaderWorld,
  request: Partial<ReadRequest>,
  mode: 'unary' | 'session' = 'unary',
  ref = REF,
): Promise<ReadSession> {
  const whole: ReadRequest = { start: at(0), clamp: false, ...request };
  const own = () => Promise.reject(new Error('the channel is not here'));
  const tail = await readableTail({ owners: { isHere: () => false }, repository: made.repository, own }, ref, whole, mode);
  const { objects, repository, clock, limits, budget } = made;
  return await openRead(
    { objects, repository, tail, clock, checksum: zlibChecksum, random: systemRandom, limits, budget },
    ref,
    whole,
    mode,
  );
}

async function read(made: ReaderWorld, request: Partial<ReadRequest>): Promise<string[]> {
  const session = await open(made, request);
  try {
    const batch = await session.next();
    expect(batch).not.toHaveProperty('tail');
    return bodies(batch);
  } finally {
    session.close();
  }
}

const MOVED = { code: 'moved', effect: 'none', detail: { kind: 'moved', channel: REF.channel } };

describe('T13: who does not own the channel', () => {
  test('answers what a bound ends within segments', async () => {
    const made = await world();
    expect(await read(made, { count: 3, start: at(2) })).toEqual(numbers(2, 5));
    expect(await read(made, { count: 10 })).toEqual(numbers(0, 10));
    expect(await read(made, { until: 5n })).toEqual(numbers(0, 5));
    expect(await read(made, { count: 2, start: at(8), waitSecs: 10 })).toEqual(numbers(8, 10));
  });

  test.each<Partial<ReadRequest>>([
    { start: at(0) },
    { start: at(0), count: 11 },
    { start: at(10), count: 1 },
    { start: at(15) },
    { start: at(99), clamp: true },
    { start: at(9), bytes: 1_000 },
    { start: { kind: 'tailOffset', offset: 14 }, count: 1 },
    { start: { kind: 'timestamp', timestamp: 1n }, count: 1 },
  ])('leaves %o to the owner, with nothing given', async (request) => {
    await expect(read(await world(), request)).rejects.toMatchObject(MOVED);
  });

  test('leaves sessions to the owner', async () => {
    await expect(open(await world(), { count: 3 }, 'session')).rejects.toMatchObject(MOVED);
  });

  test('reads name and state strongly: what is believed of a name that stands for another stream is not answered', async () => {
    const made = await world();
    await expect(open(made, { count: 3 }, 'unary', { ...REF, streamId: idOf(2) })).rejects.toMatchObject(MOVED);
    const consistencies: string[] = [];
    made.metadata.faults = {
      before: (call) => {
        if (call.operation === 'get') consistencies.push(call.consistency);
      },
    };
    (await open(made, { count: 3 })).close();
    expect(consistencies.length).toBeGreaterThanOrEqual(2);
    expect(new Set(consistencies)).toEqual(new Set(['strong']));
  });

  test('gives nothing of a stream or basin that is being deleted', async () => {
    const made = await world();
    await made.repository.streams.markDeleting('test-basin', 'stream-1', REF.streamId);
    await expect(open(made, { count: 3 })).rejects.toMatchObject({ code: 'stream_deletion_pending' });
    const other = await world();
    await other.repository.basins.markDeleted('test-basin');
    await expect(open(other, { count: 3 })).rejects.toMatchObject({ code: 'basin_deletion_pending' });
  });

  test('begins at the trim point on record', async () => {
    const made = await world();
    await made.repository.segments.raiseTrimPoint(REF.streamId, 4 as SeqNum);
    expect(await read(made, { start: at(1), count: 2 })).toEqual(numbers(4, 6));
    expect(await new Repository(made.metadata, made.clock, systemRandom).segments.readState(REF.streamId, 'strong')).toMatchObject({
      trimPoint: 4,
    });
  });
});
