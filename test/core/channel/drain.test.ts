import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ChannelMetadata } from '#core/channel/deps.ts';
import { refused } from '#core/model/errors.ts';
import { batch, bodies, metadataIsOut, refOf, World } from './world.ts';

const ref = refOf(1);
const dark = () => {
  throw refused('unavailable', 'the zone is dark');
};

function within(promise: Promise<unknown>, ms: number): Promise<unknown> {
  return Promise.race([
    promise.then(
      () => 'done',
      (error) => `${error.code} ${error.effect}`,
    ),
    sleep(ms).then(() => 'silent'),
  ]);
}

/** Counts the puts that a zone sees from now on. */
function countPuts(world: World, zone: number, before?: () => void): { puts: number } {
  const count = { puts: 0 };
  const store = world.zones[zone];
  if (store !== undefined) {
    store.faults = {
      before: ({ operation }) => {
        if (operation === 'put') count.puts += 1;
        before?.();
      },
    };
  }
  return count;
}

describe('Channel.close', () => {
  test('L11: what was taken before the release is acknowledged, what comes meanwhile is refused and not there', async () => {
    const world = new World();
    const channel = world.channel();
    await channel.open('lock');
    await channel.append(ref, batch('a'), {});
    for (const zone of world.zones) zone.faults = { before: () => sleep(5) };
    const outcomes: Promise<unknown>[] = [];
    const more = setInterval(() => outcomes.push(within(channel.append(ref, batch('x'), {}), 2_000)), 1);
    await sleep(20);
    const closed = channel.close();
    await sleep(20);
    await closed;
    await sleep(5);
    clearInterval(more);
    const found = await Promise.all(outcomes);
    expect(new Set(found)).toEqual(new Set(['done', 'draining none']));
    for (const zone of world.zones) zone.faults = undefined;
    const heir = world.channel();
    await heir.open('lease');
    expect(await bodies(heir, ref)).toHaveLength(1 + found.filter((outcome) => outcome === 'done').length);
    await heir.close();
  });

  test('L11: ends appends that wait for room', async () => {
    const world = new World();
    const channel = world.channel({ backlogBytesMax: 100 });
    await channel.open('lock');
    await channel.append(ref, batch('a'), {});
    const waiting = within(channel.append(ref, batch('b'), {}), 1_000);
    await sleep(5);
    await channel.close();
    expect(await waiting).toBe('draining none');
    expect(world.item.state).toBe('released');
  });

  test('L11: ends while the quorum is out of reach, and releases', async () => {
    const world = new World();
    const channel = world.channel();
    await channel.open('lock');
    await channel.append(ref, batch('a'), {});
    for (const zone of world.zones) zone.capacityBytes = 0;
    const pending = within(channel.append(ref, batch('b'), {}), 1_000);
    expect(await within(channel.close(), 1_000)).toBe('done');
    expect(await pending).toBe('disk_full unknown');
    expect(world.item.state).toBe('released');
  });

  test('L11: ends an opening that watches the lease of another owner, and takes nothing afterwards', async () => {
    const world = new World();
    const owner = world.channel();
    await owner.open('lock');
    onTestFinished(() => owner.close());
    const standby = world.channel();
    const opening = standby.open('lease');
    await sleep(30);
    expect(await within(standby.close(), 300)).toBe('done');
    expect(await within(opening, 300)).toBe('done');
    await owner.close();
    await sleep(100);
    expect(world.item).toMatchObject({ epoch: 1, state: 'released' });
  });

  test('L11: ends a takeover that waits for a quorum', async () => {
    const world = new World();
    const first = world.channel({ idleMs: 60_000 });
    await first.open('lock');
    await first.append(ref, batch('a'), {});
    const heir = world.channel();
    // Seals and reads pass, puts do not: the window cannot be written again.
    for (const zone of world.zones) zone.faults = { before: ({ operation }) => (operation === 'put' ? dark() : undefined) };
    const opening = heir.open('lock');
    await sleep(50);
    expect(await within(heir.close(), 1_000)).toBe('done');
    expect(await within(opening, 100)).toBe('done');
    for (const zone of world.zones) zone.faults = undefined;
    await first.close();
  });

  test('L11: the release that fails is left to the lease', async () => {
    const world = new World();
    const channel = world.channel({}, { ...world.metadata, release: metadataIsOut });
    await channel.open('lock');
    expect(await within(channel.close(), 300)).toBe('done');
  });
});

describe('an owner that is none any more', () => {
  test('L6: whose renewal is refused sends nothing more', async () => {
    const world = new World();
    let isLost = false;
    const renew: ChannelMetadata['renew'] = async (own) => (isLost ? undefined : world.metadata.renew(own));
    const channel = world.channel({ leaseMs: 100 }, { ...world.metadata, renew });
    await channel.open('lock');
    onTestFinished(() => channel.close());
    const count = countPuts(world, 2, dark);
    await channel.append(ref, batch('a'), {});
    isLost = true;
    await expect.poll(() => channel.isReady).toBe(false);
    world.item = { ...world.item, leaseMs: 60_000 };
    const { puts } = count;
    await sleep(100);
    expect(count.puts).toBe(puts);
  });

  test('L9: whose publish was lost sends nothing more', async () => {
    const world = new World();
    const first = world.channel({ idleMs: 60_000 });
    await first.open('lock');
    await first.append(ref, batch('a'), {});
    let claims = 0;
    const claim: ChannelMetadata['claim'] = async (...args) => {
      claims += 1;
      return claims > 1 ? undefined : world.metadata.claim(...args);
    };
    const publish = async () => undefined;
    const heir = world.channel({}, { ...world.metadata, claim, publish });
    const count = countPuts(world, 2, dark);
    const opening = heir.open('lock');
    await expect.poll(() => claims).toBeGreaterThan(1);
    const { puts } = count;
    expect(puts).toBeGreaterThan(0);
    await sleep(100);
    expect(count.puts).toBe(puts);
    await heir.close();
    await opening;
    await first.close();
  });

  test('L2: a recovery that takes longer than the lease is not taken for a crash', async () => {
    const world = new World();
    const first = world.channel({ leaseMs: 150 });
    world.item = { ...world.item, leaseMs: 150 };
    await first.open('lock');
    for (let i = 0; i < 10; i += 1) await first.append(ref, batch(`r${i}`), {});
    for (const zone of world.zones) zone.faults = { before: ({ operation }) => (operation === 'get' ? sleep(120) : undefined) };
    const slow = world.channel({ leaseMs: 150 });
    const opening = slow.open('lock');
    await expect.poll(() => world.item.epoch).toBe(2);
    const watching = world.channel({ leaseMs: 150 });
    const watched = watching.open('lease');
    await opening;
    expect(world.item.epoch).toBe(2);
    for (const zone of world.zones) zone.faults = undefined;
    await watching.close();
    await watched;
    await slow.close();
    await first.close();
  });
});
