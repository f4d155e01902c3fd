// Who of several tasks should have which of the channels: pure, so that every task comes to the same numbers from what it sees.
//
// Each task takes its share of every class, and only numbers are shared out: which channel it is, whoever claims first decides. Where
// shares cannot be equal, those that have most keep one more: nothing moves that need not. Moving channels by their load is for a
// balancer to add: here all channels weigh the same.

import { invariant } from '../base/invariant.ts';
import type { ChannelId } from '../model/ids.ts';

export interface PlacedChannel {
  readonly id: ChannelId;
  /** Channels of one class are shared out on their own. */
  readonly group: string;
  /** `late`: nobody has had it for so long that whoever should does not come. */
  readonly state: 'held' | 'vacant' | 'late';
  /** The task that has it, where that is known. */
  readonly task?: string | undefined;
}

export interface View {
  readonly self: string;
  /** Tasks that may be there, with `self`. */
  readonly present: readonly string[];
  /** Of them, those that were seen to live, with `self`: only for them is anything given up. */
  readonly alive: readonly string[];
  readonly channels: readonly PlacedChannel[];
}

export interface Moves {
  readonly claim: readonly ChannelId[];
  readonly release: readonly ChannelId[];
}

export function assign({ self, present, alive, channels }: View): Moves {
  const claim: ChannelId[] = [];
  const release: ChannelId[] = [];
  const groups = [...new Set(channels.map(({ group }) => group))].sort();
  for (const [turn, group] of groups.entries()) {
    const all = channels.filter((channel) => channel.group === group);
    const own = all.filter(({ state, task }) => state === 'held' && task === self);
    const vacant = all.filter(({ state }) => state === 'vacant');
    const wanted = shareOf(self, present, all, turn) - own.length;
    const rank = [...present].sort().indexOf(self);
    // Each begins elsewhere, so that those that claim at once seldom want the same.
    claim.push(
      ...rotated(vacant, rank)
        .slice(0, Math.max(0, wanted))
        .map(({ id }) => id),
    );
    claim.push(...all.filter(({ state }) => state === 'late').map(({ id }) => id));
    const surplus = own.length - shareOf(self, alive, all, turn);
    if (surplus > 0) release.push(...own.slice(-surplus).map(({ id }) => id));
  }
  return { claim, release };
}

/** Shares of all tasks add up to all channels. Of those that have equally many, who gets one more is another one for each `turn`. */
function shareOf(self: string, tasks: readonly string[], channels: readonly PlacedChannel[], turn: number): number {
  const names = [...tasks].sort();
  const count = (name: string): number => channels.filter(({ state, task }) => state === 'held' && task === name).length;
  const order = rotated(names, turn).toSorted((a, b) => count(b) - count(a));
  const rank = order.indexOf(self);
  invariant(rank >= 0, 'a task counts itself');
  return Math.floor(channels.length / tasks.length) + (rank < channels.length % tasks.length ? 1 : 0);
}

function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const at = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}
