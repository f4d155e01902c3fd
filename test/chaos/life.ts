// One data folder from its first start to its end: clients, faults, then everything healed, drained, read and checked.

import { setTimeout as sleep } from 'node:timers/promises';
import { S2 } from '@s2-dev/streamstore';
import type { Prng } from '#test/crash/prng.ts';
import type { Checked } from './checking.ts';
import { Checking } from './checking.ts';
import { BASIN, Client, type ClientWorld } from './client.ts';
import { type FaultCounts, Faults } from './faults.ts';
import { LiveStream } from './live-stream.ts';
import { Machine } from './machine.ts';
import { plainRecord } from './records.ts';
import { Order } from './stream-history.ts';
import { Streams } from './streams.ts';
import { Workload } from './workload.ts';

/** After everything is well again: how long appends may take to go on, and chunks to be offloaded. */
const RECOVERY_MS = 30_000;

export interface LifeOptions {
  readonly dir: string;
  readonly ms: number;
  readonly hasSmallDisks: boolean;
  readonly faultEveryMs: number;
  readonly longFreezes: boolean;
  readonly goesBack: boolean;
  readonly print: (line: string) => void;
}

/** Why a life failed, with what was recorded of the stream, if it is about one. */
export class ChaosFailure extends Error {
  override readonly name = 'ChaosFailure';
  readonly stream: LiveStream | undefined;

  constructor(message: string, stream?: LiveStream) {
    super(message);
    this.stream = stream;
  }
}

export interface LifeReport {
  readonly faults: FaultCounts;
  readonly streams: number;
  readonly operations: number;
  readonly overlapping: number;
  readonly unknown: number;
  readonly records: number;
  readonly checkMs: number;
  /** Events that servers warned of: how often. */
  readonly warnings: ReadonlyMap<string, number>;
}

export class Life {
  readonly #options: LifeOptions;
  readonly #machine: Machine;
  readonly #faults: Faults;
  readonly #checking = new Checking();
  readonly #prng: Prng;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #hasFailed = false;
  #abandon: () => void = () => undefined;
  #totals = { streams: 0, operations: 0, overlapping: 0, unknown: 0, records: 0, checkMs: 0 };

  private constructor(options: LifeOptions, prng: Prng, machine: Machine) {
    this.#options = options;
    this.#prng = prng;
    this.#machine = machine;
    this.#failed = new Promise((_, reject) => {
      this.#fail = (error) => {
        this.#hasFailed = true;
        reject(error);
      };
    });
    this.#failed.catch(() => undefined);
    machine.onAlarm((message) => this.#fail(new ChaosFailure(message)));
    const { faultEveryMs, longFreezes, goesBack, print } = options;
    this.#faults = new Faults(machine, prng.fork('faults'), { everyMs: faultEveryMs, longFreezes, goesBack, print });
  }

  static async begin(options: LifeOptions, prng: Prng): Promise<Life> {
    return new Life(options, prng, await Machine.build(options.dir, options.hasSmallDisks));
  }

  get machine(): Machine {
    return this.#machine;
  }

  /** @throws ChaosFailure, or whatever else went wrong */
  async run(): Promise<LifeReport> {
    const { hasSmallDisks, print } = this.#options;
    print(`a new data folder${hasSmallDisks ? ', on small disks' : ''}; faults: ${this.#faults.drawn}`);
    await this.#machine.start();
    try {
      // Whatever fails first ends the life.
      await Promise.race([this.#live(), this.#failed]);
    } finally {
      this.#hasFailed = true;
      this.#faults.stop();
      this.#abandon();
    }
    return { faults: this.#faults.counts, ...this.#totals, warnings: this.#machine.warnings() };
  }

  async end(): Promise<void> {
    await this.#machine.dispose();
    await this.#checking.close();
  }

  async #live(): Promise<void> {
    const world = this.#world();
    await world.s2.basins.create({ basin: BASIN });
    const order = new Order();
    const streams = new Streams(world, order, this.#checking, this.#prng.fork('streams'), {
      ageMs: { min: 10_000, max: 20_000 },
      callsMax: 2_000,
      onChecked: (stream, checked) => this.#count(stream, checked),
      onFailure: (error) => this.#fail(error as Error),
    });
    const workload = new Workload(world, streams, () => this.#machine.power === 'up', { clients: 14, followers: 4, pauseMs: 25 });
    this.#abandon = () => {
      workload.abandon();
      streams.abandon();
    };
    workload.start(this.#prng.fork('workload'));
    const rotation = streams.run().catch((error: unknown) => this.#fail(error as Error));
    const faults = this.#faults.run();
    faults.catch((error: unknown) => this.#fail(error as Error));
    await sleep(this.#options.ms);
    this.#faults.stop();
    await faults;
    await this.#faults.heal();
    await workload.stop();
    await this.#goOn(world, order);
    // A clean end keeps everything, too.
    await this.#machine.stop();
    await this.#machine.start();
    await streams.stop();
    await rotation;
    await this.#drain();
  }

  #world(): ClientWorld {
    const { url } = this.#machine;
    let clients = 0;
    return {
      s2: new S2({ accessToken: 'any', endpoints: { account: url, basin: url }, retry: { maxAttempts: 1 } }),
      newClient: () => {
        clients += 1;
        return clients;
      },
      onNonsense: (message) => this.#fail(new ChaosFailure(`an answer that cannot be right: ${message}`)),
    };
  }

  #count(stream: LiveStream, { verdict, measure, ms, explanation }: Checked): void {
    const { calls } = stream.history;
    this.#totals.streams += 1;
    this.#totals.operations += measure.operations;
    this.#totals.overlapping += measure.overlapping * measure.operations;
    this.#totals.unknown += measure.unknown * measure.operations;
    this.#totals.records += calls.reduce((sum, { outcome }) => sum + (outcome?.kind === 'appended' ? outcome.end - outcome.start : 0), 0);
    this.#totals.checkMs += ms;
    if (verdict.ok || this.#hasFailed) return;
    const lines = verdict.violations.map(({ check, message }) => `${check}: ${message}`);
    this.#fail(new ChaosFailure(`stream ${stream.name}: ${lines.join('\n')}\n${explanation}`, stream));
  }

  /** Healed, both classes of storage take appends again, and show them. */
  async #goOn(world: ClientWorld, order: Order): Promise<void> {
    const client = new Client(world, this.#prng.fork('afterwards'));
    for (const storageClass of ['express', 'standard'] as const) {
      const stream = new LiveStream(`afterwards-${storageClass}`, { storageClass, comesAndGoes: false }, order);
      const record = plainRecord(stream.nextName(), 100, 'bytes', this.#prng);
      await until(`a ${storageClass} stream can be made`, async () => {
        const { kind } = await client.create(stream);
        return kind === 'created' || kind === 'resource_already_exists';
      });
      await until(`a ${storageClass} stream takes appends`, async () => (await client.append(stream, [record])).kind === 'appended');
      await until(`a ${storageClass} stream can be read`, async () => (await client.read(stream, 0)).kind === 'read');
    }
  }

  /** Everything is offloaded in the end. */
  async #drain(): Promise<void> {
    await until('all channels are offloaded', async () => {
      const metrics = await this.#machine.metrics();
      const backlogs = [...metrics].filter(([name]) => name.startsWith('millrace_channel_backlog_bytes'));
      return backlogs.length > 0 && backlogs.every(([, bytes]) => bytes === 0);
    });
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + RECOVERY_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline)
      throw new ChaosFailure(`not within ${RECOVERY_MS / 1_000} s after everything was well again: ${what}`);
    await sleep(100);
  }
}
