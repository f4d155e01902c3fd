import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import { NEW_STREAM, ResidentStream } from '#core/channel/resident-stream.ts';
import type { AppendSession } from '#core/channel/turns.ts';
import { NEW_STREAM_STATE } from '#core/metadata/segment-index.ts';
import type { StreamRef } from '#core/model/append.ts';
import { refused } from '#core/model/errors.ts';
import { DEFAULT_STREAM_CONFIG, type TimestampingMode } from '#core/model/stream-config.ts';
import { batch, metadataIsOut, refOf, World } from './world.ts';

/** As the stream was made; sessions and caches may hold it for ever. */
const old = refOf(1);

async function opened(world: World, ...options: Parameters<World['channel']>): Promise<Channel> {
  const channel = world.channel(...options);
  await channel.open('lock');
  onTestFinished(() => channel.close());
  return channel;
}

function inMode(mode: TimestampingMode, configVersion = 1): StreamRef {
  return { ...old, configVersion, config: { ...DEFAULT_STREAM_CONFIG, timestamping: { mode, uncapped: false } } };
}

/** What a change does: it is on record first, then the owner is told. */
async function changed(world: World, channel: Channel, ref: StreamRef): Promise<void> {
  onRecord(world, ref);
  await channel.updateConfig(ref);
}

function onRecord(world: World, { streamId, configVersion, config }: StreamRef): void {
  const state = world.states.get(streamId) ?? NEW_STREAM_STATE;
  world.states.set(streamId, { ...state, configured: { version: configVersion, config } });
}

const STRICT = inMode('client-require');
const REFUSED = { code: 'invalid', effect: 'none' };

describe('S5: a configuration that was changed counts from the next append on', () => {
  test('of a stream in memory, whatever configuration the append carries', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(old, batch('a'), {});
    await changed(world, channel, STRICT);
    await expect(channel.append(old, batch('b'), {})).rejects.toMatchObject(REFUSED);
  });

  test('of a stream that is not in memory', async () => {
    const world = new World();
    const channel = await opened(world, { tailMs: 0 });
    await channel.append(old, batch('a'), {});
    world.offloaded(old.streamId, 1, 1);
    await channel.refresh();
    expect(channel.gauges.streams).toBe(0);
    await changed(world, channel, STRICT);
    expect(channel.gauges.streams).toBe(0);
    await expect(channel.append(old, batch('b'), {})).rejects.toMatchObject(REFUSED);
  });

  test('of a stream that is being read into memory, with what was on record before', async () => {
    const world = new World();
    const channel = await opened(world);
    let read = (): void => undefined;
    const isRead = new Promise<void>((resolve) => {
      world.beforeStateRead = () =>
        new Promise((answer) => {
          read = answer;
          resolve();
        });
    });
    const overlapping = channel.append(old, batch('a'), {});
    await isRead;
    const change = channel.updateConfig(STRICT);
    read();
    await change;
    await overlapping;
    await expect(channel.append(old, batch('b'), {})).rejects.toMatchObject(REFUSED);
  });

  test('also for appends that wait for room when it comes, and for those behind them', async () => {
    const world = new World();
    const channel = await opened(world, { inFlightBytesMax: 1 });
    await channel.append(old, batch('0'), {});
    for (const zone of world.zones) zone.faults = { before: () => sleep(30) };
    const first = channel.append(old, batch('a'), {});
    // The change meets the waiting one: it may come before or behind, but what comes later is behind the change.
    const waiting = channel.append(old, batch('b'), {}).then(
      () => 'taken',
      ({ code }) => code,
    );
    await changed(world, channel, STRICT);
    const later = channel.append(old, batch('c'), {});
    await expect(later).rejects.toMatchObject(REFUSED);
    expect(['taken', 'invalid']).toContain(await waiting);
    await first;
  });

  test('of a session that was opened before', async () => {
    const world = new World();
    const channel = await opened(world);
    const session = {};
    await channel.append(old, batch('a'), {}, session);
    await changed(world, channel, STRICT);
    await expect(channel.append(old, batch('b'), {}, session)).rejects.toMatchObject(REFUSED);
  });

  test('under the next owner, whether it replays the stream or not', async () => {
    for (const isReplayed of [true, false]) {
      const world = new World();
      const first = await opened(world);
      await first.append(old, batch('a'), {});
      await changed(world, first, STRICT);
      if (!isReplayed) world.offloaded(old.streamId, 1, 1);
      onRecord(world, STRICT);
      const heir = await opened(world);
      expect(heir.gauges.streams).toBe(isReplayed ? 1 : 0);
      await expect(heir.append(old, batch('b'), {})).rejects.toMatchObject(REFUSED);
    }
  });
});

describe('updateConfig', () => {
  test('S5: of two that come in the wrong order, the newer stays', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(old, batch('a'), {});
    await changed(world, channel, inMode('client-require', 2));
    await channel.updateConfig(inMode('arrival', 1));
    await expect(channel.append(old, batch('b'), {})).rejects.toMatchObject(REFUSED);
    await expect(channel.append(inMode('arrival', 1), batch('b'), {})).rejects.toMatchObject(REFUSED);
    await channel.append(inMode('arrival', 3), batch('b'), {});
    // An append with a newer one counts as having told it.
    await channel.append(old, batch('c'), {});
  });

  test('S5: is not answered by an owner that may have been replaced', async () => {
    const world = new World();
    const channel = await opened(world, { leaseMs: 500, idleMs: 60_000 }, { ...world.metadata, renew: metadataIsOut });
    await channel.append(old, batch('a'), {});
    const heir = await opened(world);
    await sleep(510);
    await expect(channel.updateConfig(STRICT)).rejects.toMatchObject({ code: expect.stringMatching(/deposed|unavailable/) });
    await changed(world, heir, STRICT);
  });

  test('of a stream that is sealed is refused, and by who is no owner too', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.deleteStream(old);
    await expect(channel.updateConfig(STRICT)).rejects.toMatchObject({ code: 'stream_deletion_pending', effect: 'none' });
    await expect(world.channel().updateConfig(STRICT)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('S5: is answered behind the appends that were sequenced before: none of them is seen to come later', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(old, batch('a'), {});
    for (const zone of world.zones) zone.faults = { before: () => sleep(40) };
    let isDone = false;
    const before = channel.append(old, batch('b'), {}).then(() => {
      isDone = true;
    });
    await changed(world, channel, STRICT);
    expect(isDone).toBe(true);
    await before;
  });

  test('waits for nothing but the stream: a stalled quorum does not hold it up while the lease is valid', async () => {
    const world = new World();
    const channel = await opened(world, { leaseMs: 60_000 });
    await channel.append(old, batch('a'), {});
    for (const zone of world.zones) {
      zone.faults = {
        before: () => {
          throw refused('unavailable', 'the zone is dark');
        },
      };
    }
    await changed(world, channel, STRICT);
    for (const zone of world.zones) zone.faults = undefined;
  });
});

describe('ResidentStream', () => {
  test('S5: goes by what an append carries only while it knows of no change', () => {
    const stream = new ResidentStream(old.streamId, old.streamlet, NEW_STREAM);
    expect(stream.configFor(old)).toBe(old.config);
    expect(stream.configFor(STRICT)).toBe(STRICT.config);
    expect(stream.configFor(old)).toBe(STRICT.config);
  });
});

describe('S6: a stream that is gone', () => {
  test('is not begun again by who knew it before its state was purged', async () => {
    const world = new World();
    const channel = await opened(world, { tailMs: 0 });
    await channel.append(old, batch('a'), {});
    world.offloaded(old.streamId, 1, 1);
    await channel.refresh();
    world.states.delete(old.streamId);
    world.gone.add(old.streamId);
    const session: AppendSession = {};
    await expect(channel.append(old, batch('b'), {}, session)).rejects.toMatchObject({ code: 'stream_not_found', effect: 'none' });
    await expect(channel.tail(old)).rejects.toMatchObject({ code: 'stream_not_found', effect: 'none' });
    expect(await session.failed).toMatchObject({ code: 'stream_not_found' });
    expect(channel.gauges.streams).toBe(0);
  });
});
