// What followers are told of a stream, by an owner that may be none any more.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { Channel } from '#core/channel/channel.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { ReadRequest } from '#core/model/read.ts';
import { ReadBudget } from '#core/reader/read-budget.ts';
import { openRead, type ReadSession } from '#core/reader/read-session.ts';
import { READER_LIMITS } from '#core/reader/reader-limits.ts';
import { batch, metadataIsOut, refOf, World } from './world.ts';

const ref = refOf(1);
const LEASE_MS = 500;

/** An owner that cannot renew its lease, nor learn that it was replaced. */
async function cutOff(world: World): Promise<Channel> {
  const channel = world.channel({ leaseMs: LEASE_MS, idleMs: 60_000 }, { ...world.metadata, renew: metadataIsOut });
  await channel.open('lock');
  onTestFinished(() => channel.close());
  await channel.append(ref, batch('a'), {});
  return channel;
}

async function follow(channel: Channel, request: Partial<ReadRequest>): Promise<ReadSession> {
  const segments = () => expect.fail('nothing lies in segments');
  const deps = {
    objects: new MemoryObjectStore({}),
    repository: { segments: { readState: segments, rowAt: segments, rowsFrom: segments, rowByTimestamp: segments } },
    tail: await channel.tail(ref),
    clock: systemClock,
    checksum: zlibChecksum,
    random: systemRandom,
    limits: { ...READER_LIMITS, heartbeatMsMin: 2 * LEASE_MS, heartbeatMsMax: 2 * LEASE_MS },
    budget: new ReadBudget(systemClock, READER_LIMITS.allReadsBytesMax, 1_000),
  };
  const session = await openRead(deps, ref, { start: { kind: 'seqNum', seqNum: 1 as SeqNum }, clamp: false, ...request }, 'session');
  onTestFinished(() => session.close());
  return session;
}

describe('an owner that was replaced and does not know', () => {
  test('T9: tells its followers neither a tail nor an end, under no lease that ran out', async () => {
    const world = new World();
    const old = await cutOff(world);
    const following = await follow(old, {});
    const waiting = await follow(old, { waitSecs: 0.6 });
    const tail = await old.tail(ref);
    expect(await following.next()).toMatchObject({ count: 0, tail: { seqNum: 1 } });
    expect(await waiting.next()).toMatchObject({ count: 0, tail: { seqNum: 1 } });
    expect(tail.positionNow()).toMatchObject({ seqNum: 1 });
    await sleep(LEASE_MS + 10);
    const heir = world.channel();
    await heir.open('lock');
    onTestFinished(() => heir.close());
    await heir.append(ref, batch('b'), {});
    expect(tail.positionNow()).toBeUndefined();
    await expect(waiting.next()).rejects.toMatchObject({ code: 'deposed' });
    await expect(following.next()).rejects.toMatchObject({ code: 'deposed' });
    await expect(tail.position()).rejects.toMatchObject({ code: 'deposed' });
    tail.release();
  });

  test('T9: live batches of an owner without a lease go without their tail', async () => {
    const world = new World();
    const channel = await cutOff(world);
    const following = await follow(channel, {});
    expect(await following.next()).toMatchObject({ count: 0, tail: { seqNum: 1 } });
    await channel.append(ref, batch('b'), {});
    expect(await following.next()).toMatchObject({ count: 1, tail: { seqNum: 2 } });
    await sleep(LEASE_MS);
    await channel.append(ref, batch('c'), {});
    const live = await following.next();
    expect([live === 'end' ? live : live.count, live === 'end' ? live : live.tail]).toEqual([1, undefined]);
  });

  test('T9: a deleted stream has no tail to tell any more', async () => {
    const world = new World();
    const channel = world.channel();
    await channel.open('lock');
    onTestFinished(() => channel.close());
    const tail = await channel.tail(ref);
    await channel.deleteStream(ref);
    expect(tail.positionNow()).toBeUndefined();
    tail.release();
  });
});
