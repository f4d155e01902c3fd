import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { Channel } from '#core/channel/channel.ts';
import type { ChannelMetadata } from '#core/channel/deps.ts';
import { Repair } from '#core/channel/repair.ts';
import { refused } from '#core/model/errors.ts';
import type { Epoch, OwnerNonce, Position, SeqNum, ZoneId } from '#core/model/ids.ts';
import { batch, bodies, refOf, World } from './world.ts';

const ref = refOf(1);
/** Long enough that nothing is lost to it, short enough that the owner looks every 50 ms. */
const LEASE_MS = 200;
const TICK_MS = LEASE_MS / 4;

interface Setting {
  readonly world: World;
  readonly channel: Channel;
}

async function opened(metadata: (world: World) => Partial<ChannelMetadata> = () => ({}), config = {}): Promise<Setting> {
  const world = new World();
  world.item = { ...world.item, leaseMs: LEASE_MS };
  const channel = world.channel({ leaseMs: LEASE_MS, ...config }, { ...world.metadata, ...metadata(world) });
  await channel.open('lock');
  onTestFinished(() => channel.close());
  await channel.append(ref, batch('a'), {});
  return { world, channel };
}

/** Zone c is wiped: another identity stands in its place. */
function replaceZone(world: World): void {
  world.zones.splice(2, 1, new MemoryChunkStore({ zone: 'zone-d' as ZoneId, checksum: zlibChecksum }));
}

/** What offload does with all that is committed: `records` of the stream. */
function offloadAll({ world, channel }: Setting, records: number): void {
  const to: Position | undefined = channel.offloadHint()?.to;
  if (to === undefined) expect.fail('nothing is left to offload');
  world.offloaded(ref.streamId, records, to);
}

/** Zone c is replaced, the owner has noticed, and the one record is offloaded: what comes next is the claim. */
async function zoneComes(setting: Setting): Promise<void> {
  replaceZone(setting.world);
  await sleep(2 * TICK_MS);
  offloadAll(setting, 1);
}

function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error) => `${error.code} ${error.effect}`,
  );
}

function within(promise: Promise<unknown>, ms: number): Promise<string> {
  return Promise.race([outcomeOf(promise), sleep(ms).then(() => 'silent')]);
}

/** A gate that a change of M waits at, once the owner claims for the second time. */
function gated(): { readonly arrived: Promise<void>; open(): void; pass(): Promise<void> } {
  let tellArrived = (): void => undefined;
  let open = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    tellArrived = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const pass = async () => {
    tellArrived();
    await opened;
  };
  return { arrived, open: () => open(), pass };
}

describe('a zone that takes the place of another', () => {
  test('L13: joins with the next epoch, once what was held is offloaded', async () => {
    const setting = await opened();
    const { world, channel } = setting;
    replaceZone(world);
    await sleep(3 * TICK_MS);
    expect(world.item.epoch).toBe(1);
    offloadAll(setting, 1);
    await expect.poll(() => world.item).toMatchObject({ epoch: 2, state: 'active' });
    expect(world.item.logs.map(({ zones }) => zones)).toEqual([
      ['zone-a', 'zone-b', 'zone-c'],
      ['zone-a', 'zone-b', 'zone-d'],
    ]);
    expect(await channel.append(ref, batch('b'), {})).toMatchObject({ start: { seqNum: 1 } });
    await expect.poll(() => [...(world.zones[2]?.stored.values() ?? [])].length).toBeGreaterThan(0);
    await sleep(3 * TICK_MS);
    expect(world.item.epoch).toBe(2);
  });

  test('L13: joins under load too: what came after it was noticed is replayed', async () => {
    const setting = await opened();
    const { world, channel } = setting;
    replaceZone(world);
    await sleep(2 * TICK_MS);
    const acks: Promise<unknown>[] = [];
    const more = setInterval(() => acks.push(channel.append(ref, batch(`${acks.length}`), {})), 1);
    onTestFinished(() => clearInterval(more));
    offloadAll(setting, 1);
    await expect.poll(() => world.item.epoch, { timeout: 3_000 }).toBe(2);
    await sleep(TICK_MS);
    clearInterval(more);
    await Promise.all(acks);
    expect(await bodies(channel, ref, 1)).toEqual(acks.map((_, i) => `${i}`));
  });

  test('L13: what is in flight is settled first', async () => {
    const setting = await opened();
    const { world, channel } = setting;
    await zoneComes(setting);
    for (const zone of world.zones) zone.faults = { before: ({ operation }) => (operation === 'put' ? sleep(3 * TICK_MS) : undefined) };
    const inFlight = channel.append(ref, batch('b'), {});
    await sleep(2 * TICK_MS);
    expect(world.item.epoch).toBe(1);
    expect(await inFlight).toMatchObject({ start: { seqNum: 1 } });
    for (const zone of world.zones) zone.faults = undefined;
    await expect.poll(() => world.item.epoch).toBe(2);
  });

  test('L13: appends, tails and deletions wait meanwhile, in their order and bounded, and do not fail', async () => {
    const gate = gated();
    const setting = await opened(
      (world) => ({
        publish: async (claimed, publication) => {
          if (claimed.epoch === 2) await gate.pass();
          return await world.metadata.publish(claimed, publication);
        },
      }),
      { waitingBytesMax: 500 },
    );
    const { channel } = setting;
    const follower = await channel.tail(ref);
    const followed = outcomeOf(follower.waitBeyond(99 as SeqNum, 60_000));
    await zoneComes(setting);
    await gate.arrived;
    const session = {};
    const appends = ['b', 'c', 'd'].map((body) => outcomeOf(channel.append(ref, batch(body), {}, session)));
    const tail = channel.tail(refOf(2));
    const room = channel.room();
    const deleted = outcomeOf(channel.deleteStream(refOf(3)));
    expect(await within(Promise.race([...appends, tail, room, deleted]), TICK_MS)).toBe('silent');
    expect(await outcomeOf(channel.append(refOf(4), batch('x'.repeat(500)), {}))).toBe('throttled none');
    gate.open();
    expect(await Promise.all([...appends, deleted])).toEqual(['done', 'done', 'done', 'done']);
    await room;
    // Who followed under the old epoch starts anew, and is told nothing by it.
    expect(await Promise.race([followed, sleep(10).then(() => 'silent')])).toBe('unavailable none');
    expect(await bodies(channel, ref, 1)).toEqual(['b', 'c', 'd']);
    expect(await (await tail).position()).toMatchObject({ seqNum: 0 });
    expect(follower.positionNow()).toBeUndefined();
    await expect(follower.position()).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    follower.release();
  });

  test('L13: an append that came before, and whose stream is known only meanwhile, waits too', async () => {
    const gate = gated();
    const loading = gated();
    const setting = await opened((world) => ({
      publish: async (claimed, publication) => {
        if (claimed.epoch === 2) await gate.pass();
        return await world.metadata.publish(claimed, publication);
      },
    }));
    const { world, channel } = setting;
    replaceZone(world);
    await sleep(2 * TICK_MS);
    world.beforeStateRead = loading.pass;
    const append = channel.append(refOf(2), batch('b'), {});
    await loading.arrived;
    world.beforeStateRead = undefined;
    offloadAll(setting, 1);
    await gate.arrived;
    loading.open();
    expect(await within(append, 20)).toBe('silent');
    gate.open();
    expect(await append).toMatchObject({ start: { seqNum: 0 } });
    expect(await bodies(channel, refOf(2))).toEqual(['b']);
  });

  test('L13: a claim that is lost to a change of M leaves all as it was, and is tried again', async () => {
    let claims = 0;
    const setting = await opened((world) => ({
      claim: async (seen, owner) => {
        claims += 1;
        return claims === 2 || claims === 3 ? undefined : await world.metadata.claim(seen, owner);
      },
    }));
    const { world, channel } = setting;
    replaceZone(world);
    await sleep(2 * TICK_MS);
    const follower = await channel.tail(ref);
    offloadAll(setting, 1);
    await expect.poll(() => claims).toBe(3);
    await channel.append(ref, batch('b'), {});
    expect([world.item.epoch, await follower.position()]).toMatchObject([1, { seqNum: 2 }]);
    follower.release();
    await expect.poll(() => world.item.epoch).toBe(2);
    expect(await bodies(channel, ref, 1)).toEqual(['b']);
  });

  test('L13: a takeover that fails after its claim is one by lease from then on, and appends nothing under the old epoch', async () => {
    let claims = 0;
    const setting = await opened((world) => ({
      claim: (seen, owner) => {
        claims += 1;
        return world.metadata.claim(seen, owner);
      },
      publish: async (claimed, publication) => (claimed.epoch === 2 ? undefined : await world.metadata.publish(claimed, publication)),
    }));
    const { world, channel } = setting;
    await zoneComes(setting);
    await expect.poll(() => claims).toBe(2);
    const waiting = outcomeOf(channel.append(ref, batch('b'), {}));
    expect(await waiting).toBe('unavailable none');
    await expect.poll(() => world.item, { timeout: 3_000 }).toMatchObject({ epoch: 3, state: 'active' });
    await expect.poll(() => channel.isReady).toBe(true);
    expect(await channel.append(ref, batch('c'), {})).toMatchObject({ start: { seqNum: 1 } });
  });

  test('L13: nobody waits for longer than a lease time: then it is a takeover like any other', async () => {
    const dark = { before: ({ operation }: { operation: string }) => (operation === 'put' ? away() : undefined) };
    const away = () => {
      throw refused('unavailable', 'the zone is dark');
    };
    const gate = gated();
    const setting = await opened(
      (world) => ({
        claim: async (seen, owner) => {
          if (seen.epoch === 1) await gate.pass();
          return await world.metadata.claim(seen, owner);
        },
      }),
      { idleMs: 60_000 },
    );
    const { world, channel } = setting;
    await zoneComes(setting);
    await channel.append(ref, batch('b'), {});
    await gate.arrived;
    // The window cannot be written again.
    for (const zone of world.zones) zone.faults = dark;
    gate.open();
    const append = outcomeOf(channel.append(ref, batch('c'), {}));
    const tail = outcomeOf(channel.tail(ref));
    expect(await Promise.race([append, sleep(LEASE_MS / 2).then(() => 'silent')])).toBe('silent');
    expect(await Promise.race([append, sleep(LEASE_MS).then(() => 'silent')])).toBe('unavailable none');
    expect([await tail, channel.room()]).toEqual(['unavailable none', undefined]);
    for (const zone of world.zones) zone.faults = undefined;
    await expect.poll(() => channel.isReady).toBe(true);
    expect(world.item.epoch).toBe(2);
    expect(await channel.append(ref, batch('d'), {})).toMatchObject({ start: { seqNum: 2 } });
    expect(await bodies(channel, ref, 1)).toEqual(['b', 'd']);
  });

  test('L7: another owner that came first is watched, not claimed from', async () => {
    let claims = 0;
    let isLost = false;
    const setting = await opened((world) => ({
      read: async () => {
        if (isLost) world.item = { ...world.item, epoch: 9 as Epoch, owner: 'f'.repeat(32) as OwnerNonce };
        return world.item;
      },
      claim: (seen, owner) => {
        claims += 1;
        return world.metadata.claim(seen, owner);
      },
    }));
    const { world, channel } = setting;
    await zoneComes(setting);
    isLost = true;
    await expect.poll(() => channel.isReady).toBe(false);
    await sleep(TICK_MS);
    expect([claims, world.item.epoch]).toEqual([1, 9]);
    expect(await outcomeOf(channel.append(ref, batch('b'), {}))).toBe('unavailable none');
  });

  test('L13: a close meanwhile ends what waits with effect none', async () => {
    const gate = gated();
    const setting = await opened((world) => ({
      claim: async (seen, owner) => {
        if (seen.epoch === 1) await gate.pass();
        return await world.metadata.claim(seen, owner);
      },
    }));
    const { world, channel } = setting;
    await zoneComes(setting);
    await gate.arrived;
    const waiting = outcomeOf(channel.append(ref, batch('b'), {}));
    // No quorum: the takeover cannot end by itself before its zones were asked for long enough.
    for (const zone of world.zones) {
      zone.faults = {
        before: () => {
          throw refused('unavailable', 'the zone is dark');
        },
      };
    }
    const closed = channel.close();
    gate.open();
    expect(await within(closed, 4_000)).toBe('done');
    expect(await waiting).toBe('draining none');
    for (const zone of world.zones) zone.faults = undefined;
    const heir = world.channel({ leaseMs: LEASE_MS });
    await heir.open('lease');
    expect(await heir.append(ref, batch('c'), {})).toMatchObject({ start: { seqNum: 1 } });
    await heir.close();
  });

  test('L11: a close meanwhile that lets the takeover end releases the new epoch', async () => {
    const gate = gated();
    const setting = await opened((world) => ({
      publish: async (claimed, publication) => {
        if (claimed.epoch === 2) await gate.pass();
        return await world.metadata.publish(claimed, publication);
      },
    }));
    const { world, channel } = setting;
    await zoneComes(setting);
    await gate.arrived;
    const closed = channel.close();
    gate.open();
    await closed;
    expect(world.item).toMatchObject({ epoch: 2, state: 'released' });
  });
});

describe('Repair.isDue', () => {
  const place = (epoch: number, at: number) => ({ epoch: epoch as Epoch, at: at as Position });
  const names = (zones: string) => [...zones] as ZoneId[];
  const view = (zones: string, committed: number, oldest?: readonly [epoch: number, at: number]) => ({
    item: { ...new World().item, logs: [{ epoch: 3 as Epoch, base: 0 as Position, zones: names('abc') }] },
    zones: names(zones),
    committed: place(3, committed),
    oldestHeld: oldest === undefined ? undefined : place(...oldest),
  });

  test.each([
    ['the same zones', 'abc', false],
    ['the same in another order', 'cab', false],
    ['one replaced', 'abd', true],
    ['one more', 'abcd', true],
    ['one gone', 'ab', false],
    ['two gone, and one new', 'ad', false],
  ])('L13: with nothing held, %s', (_, zones, isDue) => {
    expect(new Repair().isDue(view(zones, 5))).toBe(isDue);
  });

  test('L13: what was committed when it was noticed must be offloaded, in every log, and no more', () => {
    const repair = new Repair();
    expect(repair.isDue(view('abd', 5, [2, 9]))).toBe(false);
    expect(repair.isDue(view('abd', 7, [3, 4]))).toBe(false);
    expect(repair.isDue(view('abd', 9, [3, 5]))).toBe(true);
    expect(repair.isDue(view('abc', 9, [3, 5]))).toBe(false);
    expect(repair.isDue(view('abd', 9, [3, 5]))).toBe(false);
  });
});

test('L13: a zone that is only gone is waited for', async () => {
  const setting = await opened();
  const { world, channel } = setting;
  world.zones.splice(2, 1);
  await sleep(2 * TICK_MS);
  offloadAll(setting, 1);
  await sleep(3 * TICK_MS);
  expect(world.item.epoch).toBe(1);
  await channel.append(ref, batch('b'), {});
});
