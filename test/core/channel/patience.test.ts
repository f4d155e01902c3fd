import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import { refused } from '#core/model/errors.ts';
import { batch, refOf, World } from './world.ts';

const ref = refOf(1);
const ROOM_MS = 100;

/** A channel whose backlog is at its bound, and of which nothing is offloaded. */
async function full(): Promise<Channel> {
  const channel = new World().channel({ backlogBytesMax: 4_000, roomMsMax: ROOM_MS });
  await channel.open('lock');
  onTestFinished(() => channel.close());
  for (let i = 0; i < 3; i += 1) await channel.append(ref, batch('x'.repeat(1_000)), {});
  return channel;
}

function outcome(append: Promise<unknown>): Promise<string> {
  return append.then(
    () => 'done',
    (error) => `${error.code} ${error.effect}`,
  );
}

test('T10: an append that finds no room is refused in time, without effect, however many wait before it', async () => {
  const channel = await full();
  const began = performance.now();
  const waiting = Array.from({ length: 5 }, () => outcome(channel.append(ref, batch('waits'), {})));
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 5 }, () => 'throttled none'));
  expect(performance.now() - began).toBeLessThan(4 * ROOM_MS);
});

test('T10: it is refused at once where there is no space for what waits, and says so', async () => {
  const channel = await full();
  channel.offloadIs(refused('disk_full', 'the disk of segments is full'));
  const began = performance.now();
  await expect(channel.append(ref, batch('a'), {})).rejects.toMatchObject({
    code: 'disk_full',
    effect: 'none',
    message: expect.stringContaining('the disk of segments is full'),
  });
  expect(performance.now() - began).toBeLessThan(ROOM_MS);
  channel.offloadIs(undefined);
  expect(await outcome(channel.append(ref, batch('b'), {}))).toBe('throttled none');
});

test('T10: an append of a session is slowed and never refused, and who stops waiting for room leaves nothing behind', async () => {
  const channel = await full();
  channel.offloadIs(refused('disk_full', 'full'));
  const slowed = outcome(channel.append(ref, batch('slowed'), {}, {}));
  const gone = new AbortController();
  const room = channel.room(gone.signal);
  expect(room).toBeDefined();
  gone.abort();
  await room;
  expect(await Promise.race([slowed, sleep(3 * ROOM_MS).then(() => 'waits')])).toBe('waits');
  await channel.close();
  expect(await slowed).toBe('draining none');
});
