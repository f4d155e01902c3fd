// Looks, all the time, whether the processes keep their promises (pledges.ts) in time. What a process sleeps, or is kept waiting on purpose, does not count.

import type { Report } from './audit.ts';
import type { Cluster } from './cluster.ts';
import type { Pledge } from './pledges.ts';
import type { Process } from './process.ts';

/** Of a channel that was lost: it may still wait for an answer of metadata or two, and for nothing else. */
const LOST_MS_MAX = 2_000;
/** Of a channel that stalls: the same. Outages last longer (faults.ts). */
const STALL_MS_MAX = 1_000;
/** Once everything is well: far beyond any pause that the core makes by itself, heartbeats of idle followers included. */
const WELL_MS_MAX = 20_000;

interface Seen {
  /** Since when its channel is not ready, as far as was looked. */
  lostAt?: number | undefined;
  /** Since when its writer cannot reach a quorum. */
  stalledAt?: number | undefined;
}

export class Promptness {
  readonly #cluster: Cluster;
  readonly #now: () => number;
  readonly #fail: Report;
  readonly #seen = new Map<Process, Seen>();
  #healedAt = Number.POSITIVE_INFINITY;

  constructor(cluster: Cluster, now: () => number, fail: Report) {
    this.#cluster = cluster;
    this.#now = now;
    this.#fail = fail;
  }

  healed(): void {
    this.#healedAt = this.#now();
  }

  /** @param code of the failure; `none`: it goes on. */
  stalled(process: Process, code: string): void {
    this.#of(process).stalledAt = code === 'none' ? undefined : this.#now();
  }

  look(): void {
    for (const process of this.#cluster.processes) {
      const seen = this.#of(process);
      if (process.isOwner) seen.lostAt = undefined;
      else {
        seen.lostAt ??= this.#now();
        seen.stalledAt = undefined;
      }
      if (process.gate.isFrozen) continue;
      this.#lookAt(process, seen);
    }
  }

  #lookAt(process: Process, { lostAt, stalledAt }: Seen): void {
    const { pledges } = process;
    const lost = this.#isLate(process, lostAt, LOST_MS_MAX) ? pledges.oldest(lostAt ?? 0, true) : undefined;
    if (lost !== undefined) this.#tell(process, lost, `it lost the channel at ${lostAt?.toFixed(1)}`);
    const stalled = this.#isLate(process, stalledAt, STALL_MS_MAX) ? pledges.oldest(stalledAt ?? 0, true) : undefined;
    if (stalled !== undefined) this.#tell(process, stalled, `it stalls since ${stalledAt?.toFixed(1)}`);
    const isWell = this.#isLate(process, this.#healedAt, WELL_MS_MAX);
    const late = isWell ? pledges.oldest(this.#now() - WELL_MS_MAX) : undefined;
    if (late !== undefined) this.#tell(process, late, `all is well since ${this.#healedAt.toFixed(1)}`);
  }

  #isLate(process: Process, since: number | undefined, ms: number): boolean {
    return since !== undefined && this.#now() - Math.max(since, process.gate.excusedUntil) > ms;
  }

  #tell(process: Process, { what, begunAt }: Pledge, why: string): void {
    this.#fail('unkept', `${process.name} leaves without an answer, since ${begunAt.toFixed(1)}, ${what}: ${why}`);
  }

  #of(process: Process): Seen {
    const seen = this.#seen.get(process) ?? {};
    this.#seen.set(process, seen);
    return seen;
  }
}
