import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import type { ChannelMetadata } from '#core/channel/deps.ts';
import { refused } from '#core/model/errors.ts';
import { batch, bodies, refOf, World } from './world.ts';

const ref = refOf(1);
const LEASE_MS = 300;

/** A channel whose renewals a test decides over. */
async function opened(world: World, renew: ChannelMetadata['renew'], config: Parameters<World['channel']>[0] = {}): Promise<Channel> {
  world.item = { ...world.item, leaseMs: LEASE_MS };
  const channel = world.channel({ leaseMs: LEASE_MS, ...config }, { ...world.metadata, renew });
  await channel.open('lock');
  onTestFinished(() => channel.close());
  return channel;
}

function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error) => `${error.code} ${error.effect}`,
  );
}

describe('an owner whose lease ran out', () => {
  test('L12: goes on appending for one more lease time, then stops: what is in flight is unknown, what waits is not there', async () => {
    const world = new World();
    let isOut = false;
    const renew: ChannelMetadata['renew'] = async (own) => {
      if (isOut) throw refused('unavailable', 'the metadata store is out');
      return await world.metadata.renew(own);
    };
    const channel = await opened(world, renew, { inFlightBytesMax: 100 });
    await channel.append(ref, batch('a'), {});
    await sleep(3 * LEASE_MS);
    expect(channel.isReady).toBe(true);
    isOut = true;
    await sleep(1.2 * LEASE_MS);
    await channel.append(ref, batch('b'), {});
    for (const zone of world.zones) zone.faults = { before: ({ operation }) => (operation === 'put' ? sleep(3 * LEASE_MS) : undefined) };
    const inFlight = outcomeOf(channel.append(ref, batch('x'.repeat(100)), {}));
    await sleep(5);
    const waiting = outcomeOf(channel.append(ref, batch('waits'), {}));
    expect(await Promise.all([inFlight, waiting])).toEqual(['unavailable unknown', 'unavailable none']);
    expect(channel.isReady).toBe(false);
    expect(world.events).toContain('channel.lease.over');
    for (const zone of world.zones) zone.faults = undefined;

    isOut = false;
    await expect.poll(() => channel.isReady, { timeout: 3_000 }).toBe(true);
    expect(world.item).toMatchObject({ epoch: 2, state: 'active' });
    const found = await bodies(channel, ref);
    expect([found.slice(0, 2), found.includes('waits')]).toEqual([['a', 'b'], false]);
    await channel.append(ref, batch('c'), {});
  });

  test('L12: stops also while a renewal stays without an answer, and takes the channel over again', async () => {
    const world = new World();
    let isSilent = true;
    const renew: ChannelMetadata['renew'] = (own) => (isSilent ? new Promise(() => undefined) : world.metadata.renew(own));
    const channel = await opened(world, renew);
    await channel.append(ref, batch('a'), {});
    await expect.poll(() => channel.isReady, { timeout: 3_000 }).toBe(false);
    isSilent = false;
    await expect.poll(() => channel.isReady, { timeout: 3_000 }).toBe(true);
    expect(world.item.epoch).toBe(2);
    expect(await bodies(channel, ref)).toEqual(['a']);
  });

  test('L12: a renewal that is answered after its owner stopped changes nothing for the next one', async () => {
    const world = new World();
    let answer: (() => void) | undefined;
    const renew: ChannelMetadata['renew'] = (own) => {
      if (answer !== undefined) return world.metadata.renew(own);
      const before = world.item;
      return new Promise((resolve) => {
        answer = () => resolve(before);
      });
    };
    const channel = await opened(world, renew);
    await expect.poll(() => world.item.epoch, { timeout: 3_000 }).toBe(2);
    await expect.poll(() => channel.isReady).toBe(true);
    answer?.();
    await sleep(LEASE_MS);
    expect([channel.isReady, world.item.epoch]).toEqual([true, 2]);
    await channel.append(ref, batch('a'), {});
  });
});
