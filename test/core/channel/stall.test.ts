import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { batch, bodies, metadataIsOut, refOf, World } from './world.ts';

const ref = refOf(1);
const BODY = 'x'.repeat(1_000);

async function opened(world: World, ...options: Parameters<World['channel']>): Promise<Channel> {
  const channel = world.channel(...options);
  await channel.open('lock');
  onTestFinished(async () => {
    setFull(world, false);
    await channel.close();
  });
  return channel;
}

function setFull(world: World, isFull: boolean): void {
  for (const zone of world.zones) zone.capacityBytes = isFull ? 0 : Number.POSITIVE_INFINITY;
}

/** What became of it within `ms`. */
function within(promise: Promise<unknown>, ms: number): Promise<unknown> {
  return Promise.race([
    promise.then(
      () => 'done',
      (error) => `${error.code} ${error.effect}`,
    ),
    sleep(ms).then(() => 'silent'),
  ]);
}

/** Puts chunks that never end, so that nothing is committed and no stall is told. */
function hold(world: World): () => void {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  for (const zone of world.zones) zone.faults = { before: ({ operation }) => (operation === 'put' ? held : undefined) };
  return () => {
    for (const zone of world.zones) zone.faults = undefined;
    release();
  };
}

describe('a channel whose quorum is out of reach', () => {
  test('L10: tells what is pending that it may be there, refuses what comes, and goes on without a hole once it heals', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(ref, batch('a'), {});
    setFull(world, true);
    const pending = ['b', 'c'].map((body) => within(channel.append(ref, batch(body), {}), 300));
    expect(await Promise.all(pending)).toEqual(['disk_full unknown', 'disk_full unknown']);
    expect(await within(channel.append(ref, batch('d'), {}), 300)).toBe('disk_full none');
    setFull(world, false);
    await expect.poll(() => within(channel.append(ref, batch('e'), {}), 300)).toBe('done');
    expect((await bodies(channel, ref)).slice(0, 4)).toEqual(['a', 'b', 'c', 'e']);
  });

  test('L10: refuses appends that wait for room, and does not keep them until it heals', async () => {
    const world = new World();
    const channel = await opened(world, { inFlightBytesMax: 500 });
    await channel.append(ref, batch('a'), {});
    setFull(world, true);
    const pending = within(channel.append(ref, batch(BODY), {}), 300);
    const waiting = within(channel.append(ref, batch('waits'), {}), 300);
    expect(await pending).toBe('disk_full unknown');
    expect(await waiting).toBe('disk_full none');
    expect(await within(channel.room() ?? Promise.resolve(), 100)).toBe('done');
    setFull(world, false);
    await expect.poll(() => within(channel.append(ref, batch('b'), {}), 300)).toBe('done');
  });

  test('L10: refuses a tail that needs a barrier, at once and also when it waited already', async () => {
    const world = new World();
    const channel = await opened(world, { leaseMs: 500 }, { ...world.metadata, renew: metadataIsOut });
    await channel.append(ref, batch('a'), {});
    await sleep(510);
    const tail = await channel.tail(ref);
    setFull(world, true);
    expect(await within(tail.position(), 300)).toMatch('disk_full');
    expect(await within(tail.position(), 300)).toMatch('disk_full');
    setFull(world, false);
    await expect.poll(() => within(tail.position(), 300)).toBe('done');
    tail.release();
  });

  test('L5: a 412 that depends on what is pending is not told, and the refused append says that it had no effect', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(ref, batch('a'), {});
    setFull(world, true);
    const pending = within(channel.append(ref, batch('b'), {}), 300);
    const conditional = within(channel.append(ref, batch('c'), { matchSeqNum: 1 as SeqNum }), 300);
    expect(await Promise.all([pending, conditional])).toEqual(['disk_full unknown', 'disk_full none']);
  });

  test('L5, A7: what stands behind a refused batch of its session is not told why before that batch is, nor anything else', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(ref, batch('a'), {});
    const release = hold(world);
    const deleted = within(channel.deleteStream(ref), 400);
    await sleep(10);
    const session = {};
    const refused = channel.append(ref, batch('b'), {}, session);
    const behind = channel.append(ref, batch('c'), {}, session);
    expect(await Promise.race([within(refused, 50), within(behind, 50)])).toBe('silent');
    setFull(world, true);
    release();
    expect(await deleted).toBe('disk_full unknown');
    expect(await Promise.all([within(refused, 300), within(behind, 300)])).toEqual(['disk_full none', 'disk_full none']);
    expect(await within(channel.append(ref, batch('d'), {}, session), 300)).toBe('disk_full none');
  });
});

describe('a channel without room', () => {
  test('T4: many that waited go on only as far as there is room again', async () => {
    const world = new World();
    const channel = await opened(world, { inFlightBytesMax: 4_000, backlogBytesMax: 8_000 });
    const refs = Array.from({ length: 60 }, (_, i) => refOf(i));
    for (const each of refs) (await channel.tail(each)).release();
    const appends = refs.map((each) => channel.append(each, batch(BODY), {}));
    await sleep(100);
    expect(channel.gauges.backlogBytes).toBeLessThan(8_000 + 4_000 + 2 * 1_700);
    const free = setInterval(() => {
      for (const each of refs) world.offloaded(each.streamId, 1, 1_000);
      void channel.refresh();
    }, 5);
    onTestFinished(() => clearInterval(free));
    await Promise.all(appends);
  });

  test('an append that is refused for want of waiting room does not fail those of its session that came before', async () => {
    const world = new World();
    const channel = await opened(world, { inFlightBytesMax: 500, waitingBytesMax: 3_000 });
    await channel.append(ref, batch('a'), {});
    const release = hold(world);
    const session = {};
    const outcomes = Promise.allSettled(['b', 'c', 'd', 'e', 'f'].map((name) => channel.append(ref, batch(name, BODY), {}, session)));
    await sleep(20);
    release();
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect((await bodies(channel, ref)).filter((body) => body !== BODY)).toEqual(['a', 'b', 'c', 'd']);
  });
});
