// Whether leases keep their word: who claims a channel by its lease does so when no lease of it is valid any more, by any clock.

import type { ChannelState } from '#core/metadata/schema.ts';
import type { Audit, Report } from './audit.ts';
import type { Cluster } from './cluster.ts';
import type { Process } from './process.ts';

export class LeaseWatch {
  /** The epoch in which an owner last took the next one from itself: it lets nothing be said meanwhile, and needs no lease to end. */
  readonly #repaired = new Map<Process, number>();

  constructor(audit: Audit, cluster: Cluster, fail: Report) {
    audit.onChannel.push((before, now) => {
      if (before === undefined || now.epoch === before.epoch || before.state === 'released') return;
      for (const process of cluster.processes) {
        if (this.#vouches(process, before)) {
          fail('lease-overlap', `epoch ${now.epoch} is claimed, and ${process.name} still vouches for epoch ${before.epoch}`);
        }
      }
    });
  }

  repairs(process: Process, epoch: number): void {
    this.#repaired.set(process, epoch);
  }

  #vouches(process: Process, { channel, epoch }: ChannelState): boolean {
    if (!process.isUp || this.#repaired.get(process) === epoch) return false;
    return process.cell.channels.some((owned) => owned.id === channel && owned.channel.vouches);
  }
}
