// A cluster of real processes under load and faults: two tasks, three chunk servers, the stores. Half of the clients call either task,
// and what all of them saw is checked as one history a stream.

import { setTimeout as sleep } from 'node:timers/promises';
import { S2 } from '@s2-dev/streamstore';
import { Prng } from '#test/crash/prng.ts';
import { type ClusterOfTest, startClusterOfTest } from '#test/support/cluster.ts';
import type { Server } from '#test/support/server.ts';
import { type Checked, Checking } from './checking.ts';
import { BASIN, type ClientWorld } from './client.ts';
import { type ClusterFault, ClusterFaults } from './cluster-faults.ts';
import { ChaosFailure } from './life.ts';
import type { LiveStream, StreamKind } from './live-stream.ts';
import { Order } from './stream-history.ts';
import { Streams } from './streams.ts';
import { Workload } from './workload.ts';

const TASKS = 2;
const LEASE_SECS = 3;
const RECOVERY_MS = 30_000;
const WATCH_EVERY_MS = 200;
/** None that come and go: another task believes a name for ten seconds. */
const KINDS: readonly StreamKind[] = [
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'standard', comesAndGoes: false },
];

export interface ClusterChaosOptions {
  readonly ms: number;
  readonly seed: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  readonly print: (line: string) => void;
}

export interface ClusterChaosReport {
  readonly faults: Readonly<Record<ClusterFault, number>>;
  readonly streams: number;
  readonly operations: number;
  readonly unknown: number;
  readonly failure?: string;
}

export async function runClusterChaos(options: ClusterChaosOptions): Promise<ClusterChaosReport> {
  const cluster = await startClusterOfTest(TASKS, LEASE_SECS);
  const run = new ClusterRun(cluster, options);
  try {
    return await run.run();
  } finally {
    await run.close();
    await cluster.dispose();
  }
}

class ClusterRun {
  readonly #cluster: ClusterOfTest;
  readonly #options: ClusterChaosOptions;
  readonly #prng: Prng;
  readonly #checking = new Checking();
  readonly #faults: ClusterFaults;
  readonly #failed = Promise.withResolvers<never>();
  #totals = { streams: 0, operations: 0, unknown: 0 };
  #isOver = false;

  constructor(cluster: ClusterOfTest, options: ClusterChaosOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#prng = new Prng(options.seed);
    this.#faults = new ClusterFaults(cluster, this.#prng.fork('faults'), 1_000 * LEASE_SECS, options.print);
    this.#failed.promise.catch(() => undefined);
  }

  async run(): Promise<ClusterChaosReport> {
    let failure: string | undefined;
    void this.#watch();
    try {
      await Promise.race([this.#live(), this.#failed.promise]);
    } catch (error) {
      failure = error instanceof ChaosFailure ? error.message : String((error as Error).stack ?? error);
    }
    this.#isOver = true;
    this.#faults.stop();
    return { faults: this.#faults.counts, ...this.#totals, ...(failure === undefined ? {} : { failure }) };
  }

  async close(): Promise<void> {
    await this.#checking.close();
  }

  async #live(): Promise<void> {
    const { ms, faultEveryMs } = this.#options;
    const world = this.#world();
    await world.s2.basins.create({ basin: BASIN });
    const streams = new Streams(world, new Order(), this.#checking, this.#prng.fork('streams'), {
      kinds: KINDS,
      ageMs: { min: 10_000, max: 20_000 },
      callsMax: 2_000,
      onChecked: (stream, checked) => this.#count(stream, checked),
      onFailure: (error) => this.#failed.reject(error),
    });
    const workload = new Workload(world, streams, () => true, { clients: 10, followers: 4, pauseMs: 25 });
    workload.start(this.#prng.fork('workload'));
    const rotation = streams.run();
    const faults = this.#faults.run(faultEveryMs);
    for (const part of [rotation, faults]) part.catch((error: unknown) => this.#failed.reject(error));
    try {
      await Promise.race([sleep(ms), this.#failed.promise]);
      this.#faults.stop();
      await faults;
      await workload.stop();
      const late = sleep(RECOVERY_MS).then(() => {
        throw new ChaosFailure(`not within ${RECOVERY_MS / 1_000} s after everything was well again: every stream is read to its end`);
      });
      await Promise.race([streams.stop(), late]);
      late.catch(() => undefined);
      await rotation;
    } finally {
      workload.abandon();
      streams.abandon();
    }
  }

  /** Each client keeps to the task that it drew. */
  #world(): ClientWorld {
    const prng = this.#prng.fork('tasks');
    const all = this.#cluster.tasks.map(
      ({ url }) => new S2({ accessToken: 'any', endpoints: { account: url, basin: url }, retry: { maxAttempts: 1 } }),
    );
    let clients = 0;
    return {
      get s2() {
        return prng.pick(all);
      },
      newClient: () => {
        clients += 1;
        return clients;
      },
      onNonsense: (message) => this.#failed.reject(new ChaosFailure(`an answer that cannot be right: ${message}`)),
    };
  }

  #count(stream: LiveStream, { verdict, measure, explanation }: Checked): void {
    this.#totals.streams += 1;
    this.#totals.operations += measure.operations;
    this.#totals.unknown += measure.unknown * measure.operations;
    if (verdict.ok) return;
    const lines = verdict.violations.map(({ check, message }) => `${check}: ${message}`);
    this.#failed.reject(new ChaosFailure(`stream ${stream.name}: ${lines.join('\n')}\n${explanation}`));
  }

  /** Whatever a process says of a fault of its own ends the run. */
  async #watch(): Promise<void> {
    const servers: readonly Server[] = [this.#cluster.stores, ...this.#cluster.zones, ...this.#cluster.tasks];
    while (!this.#isOver) {
      for (const { output, url } of servers) {
        const broken = /InvariantError[^"\n]*|"event":"(?:server\.error|server\.crashed|channel\.halted)".*/.exec(output);
        if (broken !== null) this.#failed.reject(new ChaosFailure(`${url} failed by itself: ${broken[0].slice(0, 2_000)}`));
      }
      await sleep(WATCH_EVERY_MS);
    }
  }
}
