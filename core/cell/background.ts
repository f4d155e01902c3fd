// Runs the background jobs of an embedded cell on timers: the same jobs that functions run on queues and schedules elsewhere.
//
// One failed run is told and tried again at the next tick: every job is resumable, and safe when run twice at once.

import type { Access } from '../api/access/access.ts';
import type { Meter } from '../api/usage/meter.ts';
import { InvariantError } from '../base/invariant.ts';
import type { Repository } from '../metadata/repository.ts';
import { StoreError } from '../model/errors.ts';
import { accessJobs } from './access-jobs.ts';
import type { CellPorts, OwnedChannel } from './cell.ts';
import type { CellConfig } from './config.ts';
import { type Job, listJobs } from './jobs.ts';

/** A job that fails is tried again at most this late, and told that often. */
const FAILED_EVERY_MS_MAX = 1_000;

export class Background {
  readonly #ports: CellPorts;
  readonly #jobs: readonly Job[];
  readonly #stop = new AbortController();
  #running: Promise<void>[] = [];

  constructor(
    ports: CellPorts,
    config: CellConfig,
    repository: Repository,
    channels: readonly OwnedChannel[],
    access: Access,
    meter: Meter,
    isOneOfSeveral: boolean,
  ) {
    this.#ports = ports;
    this.#jobs = [...listJobs(ports, config, repository, channels, meter, isOneOfSeveral), ...accessJobs(access, config, repository)];
  }

  /** Again: nothing. */
  start(): void {
    if (this.#running.length > 0) return;
    this.#running = this.#jobs.map((job) => this.#repeat(job));
  }

  /** Resolves once nothing runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #repeat(job: Job): Promise<void> {
    const { clock, trace } = this.#ports;
    let failures = 0;
    let delayMs = job.firstMs ?? job.everyMs;
    while (!this.#stop.signal.aborted) {
      try {
        await clock.sleep(delayMs, this.#stop.signal);
      } catch {
        return;
      }
      try {
        await job.run();
        failures = 0;
      } catch (error) {
        if (error instanceof InvariantError || !(error instanceof StoreError)) throw error;
        failures += 1;
        trace.event('job.failed', { job: job.name, code: error.code, message: error.message });
      }
      delayMs = Math.max(job.everyMs, Math.min(job.everyMs * 2 ** failures, FAILED_EVERY_MS_MAX));
    }
  }
}
