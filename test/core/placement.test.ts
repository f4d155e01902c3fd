// Who should have which channels, and who is there.

import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { type ChannelId, channelId } from '#core/model/ids.ts';
import { assign, type PlacedChannel } from '#core/placement/assign.ts';
import { Presence } from '#core/placement/presence.ts';

const TASKS = ['a', 'b', 'c', 'd', 'e'];

describe('assign', () => {
  property.prop([fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 3 }), fc.nat()])(
    'brings every channel to a task, even shares to all, and then moves nothing more',
    (tasksCount, express, standard, seed) => {
      const tasks = TASKS.slice(0, tasksCount);
      const groups = [...Array<string>(express).fill('express'), ...Array<string>(standard).fill('standard')];
      const channels = groups.map((group, i) => ({ group, id: channelId(`${group}-${i}`) }));
      const owners = new Map<ChannelId, string | undefined>(
        channels.map(({ id }, i) => [id, seed % 3 === 0 ? undefined : tasks[(seed * (i + 1)) % tasksCount]]),
      );
      let moves = 1;
      for (let round = 0; moves > 0; round += 1) {
        expect(round).toBeLessThan(20);
        moves = 0;
        for (const self of tasks) {
          const placed = channels.map(({ id, group }): PlacedChannel => {
            const owner = owners.get(id);
            return owner === undefined ? { id, group, state: 'vacant' } : { id, group, state: 'held', task: owner };
          });
          const { claim, release } = assign({ self, present: tasks, alive: tasks, channels: placed });
          for (const id of claim) owners.set(id, self);
          for (const id of release) owners.set(id, undefined);
          moves += claim.length + release.length;
        }
      }
      for (const group of new Set(groups)) {
        const counts = tasks.map((task) => channels.filter((channel) => channel.group === group && owners.get(channel.id) === task).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(groups.filter((one) => one === group).length);
      }
    },
  );

  const channel = (n: number, task: string | undefined, state: PlacedChannel['state'] = 'held'): PlacedChannel => ({
    id: channelId(`x-${n}`),
    group: 'x',
    state,
    task,
  });

  test('moves nothing that need not move: one channel stays with its task, whoever joins', () => {
    for (const self of ['a', 'b']) {
      const channels = [channel(0, self)];
      expect(assign({ self, present: ['a', 'b'], alive: ['a', 'b'], channels })).toEqual({ claim: [], release: [] });
    }
  });

  test('gives nothing up for a task that was not seen to live, and leaves it what nobody has', () => {
    const own = [channel(0, 'a'), channel(1, 'a')];
    expect(assign({ self: 'a', present: ['a', 'b'], alive: ['a'], channels: own })).toEqual({ claim: [], release: [] });
    expect(assign({ self: 'a', present: ['a', 'b'], alive: ['a', 'b'], channels: own }).release).toHaveLength(1);
    const vacant = [channel(0, 'a'), channel(1, undefined, 'vacant')];
    expect(assign({ self: 'a', present: ['a', 'b'], alive: ['a'], channels: vacant }).claim).toEqual([]);
  });

  test('claims what nobody came for, whatever its share', () => {
    const channels = [channel(0, 'a'), channel(1, undefined, 'late')];
    expect(assign({ self: 'a', present: ['a', 'b'], alive: ['a', 'b'], channels }).claim).toEqual(['x-1']);
  });
});

describe('Presence', () => {
  test('a task lives while its counter moves, and is gone once it stood still for long enough, by the watcher’s clock', () => {
    const presence = new Presence(100);
    presence.observe([{ task: 'a', counter: 7, peer: 'http://a' }], 0);
    expect([presence.present(50), presence.alive(50)]).toEqual([['a'], []]);
    presence.observe([{ task: 'a', counter: 8, peer: 'http://a' }], 60);
    expect([presence.at('http://a'), presence.at('http://b')]).toEqual(['a', undefined]);
    expect([presence.present(159), presence.alive(159)]).toEqual([['a'], ['a']]);
    presence.observe([{ task: 'a', counter: 8, peer: 'http://a' }], 159);
    expect([presence.present(160), presence.alive(160)]).toEqual([[], []]);
    expect(presence.remains(1_061)).toEqual([{ task: 'a', counter: 8 }]);
    presence.observe([], 1_100);
    expect(presence.remains(9_000)).toEqual([]);
  });
});
