// Who of several tasks should have which of the channels: pure, so that every task comes to the same numbers from what it sees.
//
// Each task takes its share of every class, and only numbers are shared out: which channel it is, whoever claims first decides. Moving
// channels by their load is for a balancer to add: here all channels weigh the same.

import { invariant } from '../base/invariant.ts';
import type { ChannelId } from '../model/ids.ts';

export interface PlacedChannel {
  readonly id: ChannelId;
  /** Channels of one class are shared out on their own. */
  readonly group: string;
  /** `late`: nobody has had it for so long that whoever should does not come. */
  readonly holder: 'self' | 'other' | 'vacant' | 'late';
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
    const own = all.filter(({ holder }) => holder === 'self');
    const vacant = all.filter(({ holder }) => holder === 'vacant');
    const wanted = shareOf(self, present, all.length, turn) - own.length;
    const rank = [...present].sort().indexOf(self);
    // Each begins elsewhere, so that those that claim at once seldom want the same.
    claim.push(
      ...rotated(vacant, rank)
        .slice(0, Math.max(0, wanted))
        .map(({ id }) => id),
    );
    claim.push(...all.filter(({ holder }) => holder === 'late').map(({ id }) => id));
    const surplus = own.length - shareOf(self, alive, all.length, turn);
    if (surplus > 0) release.push(...own.slice(-surplus).map(({ id }) => id));
  }
  return { claim, release };
}

/** Shares of all tasks add up to `count`; who gets one more is another one for each `turn`. */
function shareOf(self: string, tasks: readonly string[], count: number, turn: number): number {
  const rank = [...tasks].sort().indexOf(self);
  invariant(rank >= 0, 'a task counts itself');
  const extra = count % tasks.length;
  return Math.floor(count / tasks.length) + ((rank + turn) % tasks.length < extra ? 1 : 0);
}

function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const at = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}
