// Cuts an owner off behind a renewal, and holds the looks of those that wait for its lease until just behind that renewal: the one
// counts from then on the shortest time that it may, and the others the longest. Only so close together do the errors of their clocks
// decide who is first.

import type { Dice } from './random.ts';
import type { Scene } from './scene.ts';

/** The owner gets its answer yet, and not the next. */
const ANSWERED_MS = 5;

interface Means {
  later(ms: number, act: () => void): void;
  /** Nothing passes between this pair for so long. */
  cut(pair: string, ms: number): void;
}

export function cutBehindRenewals(scene: Scene, dice: Dice, means: Means): void {
  const { audit, cluster, loop, leaseMs, metadata, situations } = scene;
  let held: { readonly renewed: Promise<void>; end(): void } | undefined;
  audit.onChannel.push((before, now) => {
    const owner = cluster.processes.find((process) => process.isOwner);
    if (before?.epoch !== now.epoch || before.leaseCounter === now.leaseCounter || owner === undefined) return;
    if (held === undefined) {
      if (dice.chance(0.7)) held = holding();
      return;
    }
    held.end();
    means.later(ANSWERED_MS, () => {
      situations.count('owner cut off behind a renewal');
      means.cut(`${owner.machine.name} metadata`, 2 * leaseMs);
    });
  });
  metadata.onChannelRead = (machine) => {
    const isOwner = cluster.processes.some((process) => process.isOwner && process.machine.name === machine);
    return isOwner ? undefined : held?.renewed;
  };

  /** Until the next renewal, or until it should have come long ago. */
  function holding(): NonNullable<typeof held> {
    let tell = (): void => undefined;
    const renewed = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const end = (): void => {
      if (held?.renewed === renewed) held = undefined;
      tell();
    };
    loop.after(leaseMs / 2, end);
    return { renewed, end };
  }
}
