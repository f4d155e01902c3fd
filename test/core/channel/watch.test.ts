import { expect, onTestFinished, test } from 'vitest';
import type { Epoch, OwnerNonce } from '#core/model/ids.ts';
import { batch, bodies, refOf, World } from './world.ts';

const LEASE_MS = 300;

test('L2, L7: what jobs go on to change in M does not put off the takeover from an owner that is gone', async () => {
  const world = new World();
  world.item = { ...world.item, leaseMs: LEASE_MS, state: 'active', epoch: 1 as Epoch, owner: 'f'.repeat(32) as OwnerNonce };
  const jobs = setInterval(() => {
    if (world.item.epoch === 1) world.change(true, {});
  }, LEASE_MS / 20);
  onTestFinished(() => clearInterval(jobs));
  const channel = world.channel({ leaseMs: LEASE_MS });
  onTestFinished(() => channel.close());
  const opened = channel.open('lease');
  await expect.poll(() => world.item, { timeout: 20 * LEASE_MS }).toMatchObject({ epoch: 2, state: 'active' });
  await opened;
  expect(world.item.version).toBeGreaterThan(5);
  await channel.append(refOf(1), batch('a'), {});
  expect(await bodies(channel, refOf(1))).toEqual(['a']);
});
