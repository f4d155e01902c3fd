import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import type { ChannelRegister } from '#core/metadata/channel-register.ts';
import type { ChannelState } from '#core/metadata/schema.ts';
import { checkChannel } from '#core/metadata/transitions.ts';
import { StoreError } from '#core/model/errors.ts';
import { type Epoch, position, zoneId } from '#core/model/ids.ts';
import { beforeNextCommit, CHANNEL, loseAnswers, nonce, type World, world } from './support.ts';

const ZONES = ['a', 'b', 'c'].map(zoneId);

function definite<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the condition did not hold');
  return value;
}

async function published(register: ChannelRegister, owner = 1): Promise<ChannelState> {
  const claimed = definite(await register.claim(await register.read(), nonce(owner)));
  const open = claimed.logs.find(({ end }) => end === undefined);
  const closed = open && { epoch: open.epoch, end: position(Math.max(open.base, claimed.pending?.to ?? 0) + 2), sealedAt: position(9) };
  return definite(await register.publish(claimed, { zones: ZONES, ...(closed === undefined ? {} : { closed }) }));
}

const offload = (state: ChannelState, from: number, to: number, object = `object-${to}`) => ({
  object,
  epoch: state.epoch,
  from: position(from),
  to: position(to),
});

function registerOf({ repository }: World): ChannelRegister {
  return repository.channel(CHANNEL, 5_000);
}

describe('ChannelRegister', () => {
  test('a new channel is released, at epoch 0, without logs', async () => {
    const register = registerOf(world());
    const made = await register.read();
    expect(made).toMatchObject({ epoch: 0, state: 'released', logs: [], version: 0 });
    expect(await register.read()).toEqual(made);
  });

  test('M2: a claim takes the next epoch, with its nonce, and leaves logs as they were', async () => {
    const register = registerOf(world());
    const first = await published(register);
    const claimed = definite(await register.claim(first, nonce(2)));
    expect(claimed).toMatchObject({ epoch: 2, owner: nonce(2), state: 'recovering', version: first.version + 1, leaseMs: 5_000 });
    expect(claimed.logs).toEqual(first.logs);
  });

  test('M23: the address in M is that of whoever claimed it last, also of one that has none, and nothing else changes it', async () => {
    const { repository } = world();
    const address = { peer: 'http://10.0.0.1:8080', edge: 'https://edge.example' };
    const named = repository.channel(CHANNEL, 5_000, address);
    const first = await published(named);
    expect(first.address).toEqual(address);
    expect(await named.look()).toEqual(first);
    const renewed = definite(await named.renew(first));
    const offloading = definite(await named.nameOffload(renewed, offload(first, 0, 2)));
    expect(definite(await named.finishOffload(offloading)).address).toEqual(address);
    expect(definite(await named.release(first)).address).toEqual(address);
    const unnamed = repository.channel(CHANNEL, 5_000);
    expect((await published(unnamed, 2)).address).toBeUndefined();
    const seen = await unnamed.read();
    expect(() => checkChannel(seen, { ...seen, version: seen.version + 1, address }, 'bump')).toThrow('M23');
  });

  test('M2: of two that saw the same, one claims', async () => {
    const register = registerOf(world());
    const seen = await register.read();
    const claims = await Promise.all([register.claim(seen, nonce(1)), register.claim(seen, nonce(2))]);
    expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
  });

  test('M2: a claim fails when the lease counter moved since it was watched', async () => {
    const register = registerOf(world());
    const seen = await published(register);
    expect(definite(await register.renew(seen)).version).toBe(seen.version);
    expect(await register.claim(seen, nonce(2))).toBeUndefined();
    expect(await register.claim(await register.read(), nonce(2))).toBeDefined();
  });

  test('M1: a renewal moves the lease counter and nothing else, and tells the owner where base is', async () => {
    const register = registerOf(world());
    const own = await published(register);
    const named = definite(await register.nameOffload(own, offload(own, 0, 3)));
    const finished = definite(await register.finishOffload(named));
    const renewed = definite(await register.renew(own));
    expect(renewed).toEqual({ ...finished, leaseCounter: own.leaseCounter + 1 });
    expect(renewed.logs[0]?.base).toBe(3);
  });

  test('M1: a renewal that comes late moves the counter on, never back', async () => {
    const register = registerOf(world());
    const own = await published(register);
    const second = definite(await register.renew(definite(await register.renew(own))));
    const late = definite(await register.renew(own));
    expect(late.leaseCounter).toBe(second.leaseCounter + 1);
  });

  test('a renewal is refused to whoever is no longer the owner', async () => {
    const register = registerOf(world());
    const own = await published(register);
    await register.claim(await register.read(), nonce(2));
    expect(await register.renew(own)).toBeUndefined();
  });

  test('a publish is refused once another claimed, and once offload or anything moved the version', async () => {
    const register = registerOf(world());
    const claimed = definite(await register.claim(await register.read(), nonce(1)));
    await register.claim(await register.read(), nonce(2));
    expect(await register.publish(claimed, { zones: ZONES })).toBeUndefined();
  });

  test('a publish survives renewals since the claim', async () => {
    const register = registerOf(world());
    const claimed = definite(await register.claim(await register.read(), nonce(1)));
    await register.renew(claimed);
    const active = definite(await register.publish(claimed, { zones: ZONES }));
    expect(active).toMatchObject({ state: 'active', leaseCounter: claimed.leaseCounter + 1 });
    expect(active.logs).toEqual([{ epoch: 1, base: 0, zones: ZONES }]);
  });

  test('M4: the next publish closes the log that was open', async () => {
    const register = registerOf(world());
    await published(register, 1);
    const second = await published(register, 2);
    expect(second.logs).toEqual([
      { epoch: 1, base: 0, end: 2, sealedAt: 9, zones: ZONES },
      { epoch: 2, base: 0, zones: ZONES },
    ]);
  });

  test('a claim that was never published opens no log: the next takes over from the same', async () => {
    const register = registerOf(world());
    await published(register, 1);
    await register.claim(await register.read(), nonce(2));
    const third = await published(register, 3);
    expect(third.logs.map(({ epoch }) => epoch)).toEqual([1, 3]);
  });

  const changes: readonly [string, (register: ChannelRegister) => Promise<(r: ChannelRegister) => Promise<unknown>>][] = [
    [
      'claim',
      async (r) => {
        const seen = await r.read();
        return () => r.claim(seen, nonce(1));
      },
    ],
    [
      'publish',
      async (r) => {
        const claimed = definite(await r.claim(await r.read(), nonce(1)));
        return () => r.publish(claimed, { zones: ZONES });
      },
    ],
    [
      'release',
      async (r) => {
        const own = await published(r);
        return () => r.release(own);
      },
    ],
    [
      'name',
      async (r) => {
        const own = await published(r);
        return () => r.nameOffload(own, offload(own, 0, 3));
      },
    ],
    [
      'finish',
      async (r) => {
        const own = await published(r);
        const named = definite(await r.nameOffload(own, offload(own, 0, 3)));
        return () => r.finishOffload(named);
      },
    ],
  ];
  test.each(changes)('a %s whose answer got lost is looked up, and counts', async (_name, prepare) => {
    const made = world();
    const register = registerOf(made);
    const change = await prepare(register);
    loseAnswers(made.store, 1);
    const state = await change(register);
    expect(state).toEqual(await register.read());
  });

  test.each(changes)('a %s that did not arrive is thrown with effect unknown, and can be asked for again', async (_name, prepare) => {
    const made = world();
    const register = registerOf(made);
    const change = await prepare(register);
    made.store.faults = {
      before({ operation }) {
        if (operation === 'commit') throw new StoreError('unavailable', 'unknown', 'no answer');
      },
    };
    await expect(change(register)).rejects.toMatchObject({ effect: 'unknown' });
    made.store.faults = undefined;
    expect(await change(register)).toEqual(await register.read());
  });

  test('a release is refused to whoever is no longer the owner, and goes through whatever offload does meanwhile', async () => {
    const made = world();
    const register = registerOf(made);
    const own = await published(register);
    beforeNextCommit(made.store, async () => {
      const now = await register.read();
      await register.nameOffload(now, offload(own, 0, 3));
    });
    expect(definite(await register.release(own))).toMatchObject({ state: 'released', pending: { to: 3 } });
    await register.claim(await register.read(), nonce(2));
    expect(await register.release(own)).toBeUndefined();
  });

  test('M6: only one of two offloads that start at the same base is named', async () => {
    const register = registerOf(world());
    const own = await published(register);
    const named = await Promise.all([
      register.nameOffload(own, offload(own, 0, 3, 'one')),
      register.nameOffload(own, offload(own, 0, 4, 'two')),
    ]);
    expect(named.filter((state) => state !== undefined)).toHaveLength(1);
  });

  test('M6: a pending offload stands through a takeover, and is finished once the channel is active again', async () => {
    const register = registerOf(world());
    const own = await published(register);
    const named = definite(await register.nameOffload(own, offload(own, 0, 3)));
    const claimed = definite(await register.claim(await register.read(), nonce(2)));
    expect(claimed.pending).toEqual(named.pending);
    expect(await register.finishOffload(named)).toBeUndefined();
    const closed = { epoch: own.epoch, end: position(5), sealedAt: position(5) };
    const active = definite(await register.publish(claimed, { zones: ZONES, closed }));
    const finished = definite(await register.finishOffload(active));
    expect(finished.pending).toBeUndefined();
    expect(finished.logs[0]).toMatchObject({ epoch: 1, base: 3, end: 5 });
  });

  test('M5: a log that is offloaded whole can be dropped, another cannot', async () => {
    const register = registerOf(world());
    await published(register, 1);
    let state = await published(register, 2);
    await expect(async () => register.dropLog(state, 1 as Epoch)).rejects.toThrow('M5');
    state = definite(await register.nameOffload(state, { ...offload(state, 0, 2), epoch: 1 as Epoch }));
    state = definite(await register.finishOffload(state));
    state = definite(await register.dropLog(state, 1 as Epoch));
    expect(state.logs.map(({ epoch }) => epoch)).toEqual([2]);
    await expect(async () => register.dropLog(state, 2 as Epoch)).rejects.toThrow('M5');
  });

  test('a bump keeps out an offload that was prepared before it', async () => {
    const register = registerOf(world());
    const own = await published(register);
    await register.bump(own);
    expect(await register.nameOffload(own, offload(own, 0, 3))).toBeUndefined();
  });

  const step = fc.record({
    actor: fc.nat(2),
    action: fc.constantFrom('look', 'claim', 'publish', 'renew', 'release', 'name', 'finish', 'drop', 'bump'),
    isLost: fc.boolean(),
    amount: fc.integer({ min: 1, max: 3 }),
  });
  property.prop([fc.array(step, { maxLength: 60 })])(
    'M1, M2, M3, M4, M5, M6: whatever owners, offloaders and gc do with what they saw long ago, M only moves forward',
    async (steps) => {
      const made = world();
      const register = registerOf(made);
      const views: ChannelState[] = [];
      let before = await register.read();
      for (const [i, { actor, action, isLost, amount }] of steps.entries()) {
        if (isLost) loseAnswers(made.store, 1);
        const seen = views[actor] ?? before;
        const next = await act(register, action, seen, i, amount).catch((error: unknown) => {
          if (error instanceof StoreError) return undefined;
          throw error;
        });
        made.store.faults = undefined;
        if (next !== undefined) views[actor] = next;
        const now = await register.read();
        expectForward(before, now);
        before = now;
      }
    },
  );
});

/** What a careful caller does with M as it saw it: nothing that its own view rules out. */
async function act(register: ChannelRegister, action: string, seen: ChannelState, i: number, amount: number) {
  const open = seen.logs.find(({ end }) => end === undefined);
  const oldest = seen.logs.find(({ base, end }) => end === undefined || base < end);
  const end = position(Math.max(open?.base ?? 0, seen.pending?.epoch === open?.epoch ? (seen.pending?.to ?? 0) : 0) + amount);
  const closed = open && { epoch: open.epoch, end, sealedAt: end };
  if (action === 'look') return register.read();
  if (action === 'claim') return register.claim(seen, nonce(i + 1));
  if (action === 'renew') return register.renew(seen);
  if (action === 'release') return register.release(seen);
  if (action === 'publish' && seen.state === 'recovering') return register.publish(seen, { zones: ZONES, ...(closed && { closed }) });
  if (seen.state !== 'active') return undefined;
  if (action === 'bump') return register.bump(seen);
  if (action === 'finish' && seen.pending !== undefined) return register.finishOffload(seen);
  if (action === 'name' && seen.pending === undefined && oldest !== undefined) {
    const to = position(Math.min(oldest.base + amount, oldest.end ?? Number.MAX_SAFE_INTEGER));
    return register.nameOffload(seen, { object: `o${i}`, epoch: oldest.epoch, from: oldest.base, to });
  }
  const done = seen.logs.find((log) => log.base === log.end && log.epoch !== seen.pending?.epoch);
  if (action === 'drop' && done !== undefined) return register.dropLog(seen, done.epoch);
  return undefined;
}

function expectForward(before: ChannelState, now: ChannelState): void {
  expect(now.version).toBeGreaterThanOrEqual(before.version);
  expect(now.epoch).toBeGreaterThanOrEqual(before.epoch);
  expect(now.leaseCounter).toBeGreaterThanOrEqual(before.leaseCounter);
  if (now.epoch === before.epoch) expect(now.owner).toBe(before.owner);
  expect(now.logs.filter(({ end }) => end === undefined).length).toBeLessThanOrEqual(1);
  for (const log of before.logs) {
    const after = now.logs.find(({ epoch }) => epoch === log.epoch);
    if (after === undefined) expect(log.base).toBe(log.end);
    else expect(after.base).toBeGreaterThanOrEqual(log.base);
    if (after !== undefined && log.end !== undefined) expect(after.end).toBe(log.end);
  }
  if (now.pending !== undefined) {
    const log = now.logs.find(({ epoch }) => epoch === now.pending?.epoch);
    expect(log?.base).toBe(now.pending.from);
  }
}
