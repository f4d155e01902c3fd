// One run: everything that a seed decides, built and put together; the safety phase, the liveness phase, and the verdict.

import { type CellConfig, type ChunkStoreKind, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { StoreError } from '#core/model/errors.ts';
import { Aged } from './aside/aged.ts';
import { Brief } from './aside/brief.ts';
import { Moods } from './aside/moods.ts';
import type { Aside } from './aside/side-calls.ts';
import { Audit, type Report } from './audit.ts';
import { Bounds } from './bounds.ts';
import { Catalog } from './catalog.ts';
import type { CheckName } from './checks.ts';
import type { ClientWorld } from './client.ts';
import { Cluster } from './cluster.ts';
import { EventLoop } from './event-loop.ts';
import { drawFaults, type FaultKind, type FaultPlan, Nemesis, RATE_ERROR_MAX, WALL_ERROR_MS_MAX } from './faults.ts';
import { Fingerprint } from './fingerprint.ts';
import { LeaseWatch } from './lease-watch.ts';
import { Ledger } from './ledger.ts';
import { START_MS } from './machine.ts';
import { Network } from './network.ts';
import { Observer } from './observer.ts';
import { Metadata } from './ports/metadata.ts';
import { Objects } from './ports/objects.ts';
import { Zones } from './ports/zones.ts';
import type { Process, Surroundings } from './process.ts';
import { Promptness } from './promptness.ts';
import { Dice } from './random.ts';
import { drawReader } from './reader-draw.ts';
import { Recorder } from './recorder.ts';
import { RetentionWatch } from './retention.ts';
import { Situations } from './situations.ts';
import { CHURN, drawWorkload, Workload, type WorkloadPlan } from './workload.ts';

const BOUNDS_EVERY_MS = 50;

export interface Failure {
  /** What was found wrong, as a stable name. */
  readonly check: CheckName;
  readonly message: string;
  /** Virtual time, milliseconds. */
  readonly at: number;
}

export interface WorldOptions {
  readonly operationsMax: number;
  readonly without: ReadonlySet<FaultKind>;
  /** What the product says of committed data that is lost counts for nothing: the run goes on. */
  readonly ignoresAlarms?: boolean;
  /** Told everything that happens, in words. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Drawn {
  readonly faults: FaultPlan;
  readonly workload: WorkloadPlan;
  readonly config: CellConfig;
  readonly kind: ChunkStoreKind;
  readonly tasksCount: number;
  /** Metadata is near, and leases are long: what a lease allows clocks to be wrong by shows where little else takes time. */
  readonly isNear: boolean;
}

function draw(dice: Dice, options: WorldOptions): Drawn {
  const config = dice.fork('config');
  const faults = drawFaults(dice.fork('faults'), options.without);
  const isNear = faults.kinds.has('clock-rates') && config.chance(0.5);
  const leaseMs = config.pick(isNear ? [1_500] : [600, 600, 1_000, 1_500]);
  const backlogBytesMax = config.pick([8, 24, 64]) * 1_024;
  return {
    faults,
    isNear,
    workload: drawWorkload(dice.fork('workload'), options.operationsMax),
    tasksCount: config.pick([2, 3, 3]),
    kind: {
      zonesCount: 3,
      writeQuorum: 2,
      windowMax: config.pick([2, 4, 6]),
      batching: { chunkBytesTarget: 512, chunkBytesMax: config.pick([800, 1_024, 4_096]), lingerMs: config.pick([1, 4, 15]) },
      answerTimeoutMs: config.pick([60, 150, 300]),
    },
    config: {
      ...DEFAULT_CELL_CONFIG,
      channel: {
        leaseMs,
        tailMs: config.pick([50, 500, 3_000]),
        tailBytesMax: config.pick([2, 16]) * 1_024,
        backlogBytesMax,
        inFlightBytesMax: config.pick([1, 4, 16]) * 1_024,
        waitingBytesMax: config.pick([1, 8]) * 1_024,
        roomMsMax: 3_000,
        idleMs: config.pick([10, 40]),
        // Wall clocks are set apart, and drift.
        wallErrorMsMax: 4 * WALL_ERROR_MS_MAX,
      },
      reader: drawReader(dice.fork('reader')),
      retryDelayMs: { min: 5, max: config.pick([40, 200]) },
      offload: { backlogBytesMin: backlogBytesMax / 4, ageMsMin: config.pick([100, 600, 1_500]), runBytesMax: config.pick([1, 8]) * 1_024 },
      everyMs: { offload: 60, gc: 400, trim: 900, compact: 700, sweep: 1_100, delete: 900, usage: 250, measure: 900 },
      usage: { flushMs: 250, minutesMax: config.pick([1, 2, 8]), streamsMax: config.pick([2, 6]), measureMs: 2_000, keptDays: 40 },
      jobBudgetMs: 500,
      walkBudgetMs: 200,
      readPlanAgeMs: 16_000,
    },
  };
}

export class World {
  readonly drawn: Drawn;
  readonly loop: EventLoop;
  readonly network: Network;
  readonly zones: Zones;
  readonly objects: Objects;
  readonly metadata: Metadata;
  readonly audit: Audit;
  readonly cluster: Cluster;
  readonly nemesis: Nemesis;
  readonly workload: Workload;
  readonly recorder = new Recorder();
  readonly situations = new Situations();
  readonly failures: Failure[] = [];
  readonly fingerprint = new Fingerprint();
  readonly observer: Observer;
  readonly promptness: Promptness;
  readonly bounds: Bounds;
  readonly leaseWatch: LeaseWatch;
  /** The root of everything that is drawn. */
  readonly dice: Dice;
  readonly catalog: Catalog;
  readonly aside: Aside;
  readonly #ignoresAlarms: boolean;
  readonly #log: ((line: string) => void) | undefined;

  constructor(seed: number, options: WorldOptions) {
    this.dice = new Dice(`seed ${seed}`);
    this.#ignoresAlarms = options.ignoresAlarms ?? false;
    this.#log = options.log;
    this.drawn = draw(this.dice, options);
    const { config, kind, faults, workload, tasksCount } = this.drawn;
    this.loop = new EventLoop(this.fingerprint);
    const note = (text: string): void => this.note(text);
    const { situations } = this;
    this.network = new Network(this.loop, this.dice.fork('network'), situations);
    this.objects = new Objects(this.dice.fork('objects'), situations);
    this.audit = new Audit(this.objects.store, situations, (check, message) => this.fail(check, message));
    this.zones = new Zones(this.dice.fork('zones'), this.network, this.audit, situations);
    this.metadata = new Metadata(this.dice.fork('metadata'), situations, () => this.loop.now);
    if (this.drawn.isNear) this.metadata.latencyMs = { min: 0.02, mean: 0.1 };
    this.observer = new Observer(this.audit, situations);
    this.bounds = new Bounds(config, kind, this.audit, situations, (check, message) => this.fail(check, message));
    const surroundings: Surroundings = {
      loop: this.loop,
      network: this.network,
      zones: this.zones,
      objects: this.objects,
      metadata: this.metadata,
      audit: this.audit,
      config,
      kind,
      traced: (process, name, fields) => this.#traced(process, name, fields),
      crashed: (process, error) => this.#crashed(process, error),
      sealed: (process, stream) => this.#sealed(process, stream),
      asked: (process) => this.bounds.look(process),
      unkept: (process, what) => this.fail('unkept', `${process.name} has drained, and leaves without an answer ${what}`),
    };
    const clocks = {
      rateError: faults.kinds.has('clock-rates') ? RATE_ERROR_MAX : 0,
      wallErrorMs: faults.kinds.has('wall-jumps') ? WALL_ERROR_MS_MAX : 0,
    };
    this.cluster = new Cluster(surroundings, this.dice.fork('cluster'), clocks, tasksCount, situations, note);
    this.leaseWatch = new LeaseWatch(this.audit, this.cluster, (check, message) => this.fail(check, message));
    this.promptness = new Promptness(
      this.cluster,
      () => this.loop.now,
      (check, message) => this.fail(check, message),
    );
    this.nemesis = new Nemesis(
      {
        ...surroundings,
        cluster: this.cluster,
        situations,
        leaseMs: config.channel.leaseMs,
        shadow: (process) => this.workload.shadow(process),
        note,
      },
      this.dice.fork('faults'),
      faults,
      workload.durationMs,
    );
    const report: Report = (check, message) => this.fail(check, message);
    const ledger = new Ledger(this.audit, kind.writeQuorum, report);
    const clock = {
      wall: () => START_MS + this.loop.now,
      errorMs: () => clocks.wallErrorMs + clocks.rateError * this.loop.now,
    };
    new RetentionWatch(this.audit, ledger, clock, situations, report);
    this.catalog = new Catalog(this.dice.fork('keys'), workload.secrecy);
    this.aside = {
      brief: new Brief(this.audit, ledger, situations, () => this.loop.now, report),
      aged: new Aged(this.audit, report),
      moods: new Moods(),
    };
    const clients: ClientWorld = {
      loop: this.loop,
      cluster: this.cluster,
      recorder: this.recorder,
      situations,
      known: new Map(),
      deleted: new Set(),
      losses: () => this.nemesis.clientLosses,
      epoch: () => this.observer.epoch,
      isWell: () => this.nemesis.isOver,
      fetches: () => this.objects.fetches,
      backlogBytesMax: config.channel.backlogBytesMax,
      acknowledged: (stream, start) => ledger.acknowledged(stream, start),
      fail: report,
      catalog: this.catalog,
      aside: this.aside,
    };
    this.workload = new Workload(clients, this.dice.fork('workload'), workload);
    this.aside.brief.onSealing = () => this.workload.meetSeal();
  }

  fail(check: CheckName, message: string): void {
    this.failures.push({ check, message, at: this.loop.now });
    this.note(`FAILURE ${check}: ${message}`);
  }

  note(text: string): void {
    this.#log?.(`${this.loop.now.toFixed(3).padStart(11)} ${text}`);
  }

  /** Looks at every queue from now on: none may grow beyond its bound, and nobody waits in one for ever. */
  watchBounds(): void {
    this.promptness.look();
    for (const process of this.cluster.processes) this.bounds.look(process);
    this.loop.after(BOUNDS_EVERY_MS, () => this.watchBounds());
  }

  /** The owner has sealed a stream that is being deleted, and its name does not say so yet. */
  #sealed(process: Process, stream: string): void {
    if (stream === CHURN && this.nemesis.sealed(process)) this.workload.remake(stream, process);
  }

  #published(successor: Process): void {
    for (const other of this.cluster.processes) if (other !== successor && other.isOwner) this.workload.haunt(other, successor);
  }

  #crashed(process: Process, error: unknown): void {
    // A process that ends as it finds committed data gone raises an alarm, too.
    if (this.#ignoresAlarms && error instanceof StoreError && error.code === 'corrupt') return;
    this.fail('crash', `${process.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }

  /** Chunks that were offloaded, and are gone since, are no damage. */
  #checkAlarm(process: Process, told: string): void {
    const [, channel, epoch, at] = /log (\S+)\/(\d+) is damaged: position (\d+)/.exec(told) ?? [];
    const log = this.audit.channels.find((known) => known.channel === channel)?.logs.find((known) => known.epoch === Number(epoch));
    if (at !== undefined && Number(at) < (log?.base ?? Number.POSITIVE_INFINITY)) {
      this.fail('false-alarm', `${process.name} takes position ${at} of ${channel}/${epoch} for lost, which is offloaded`);
    }
  }

  #traced(process: Process, name: string, fields: Parameters<Surroundings['traced']>[2]): void {
    const told =
      fields === undefined
        ? ''
        : Object.entries(fields)
            .map(([key, value]) => `${key}=${value}`)
            .join(' ');
    this.fingerprint.text(`${process.name} ${name} ${told}`);
    this.note(`${process.name} ${name} ${told}`);
    const { situations } = this;
    this.observer.traced(process, name, fields ?? {});
    this.nemesis.traced(process, name);
    if (name === 'chunk.writer.stalled') this.promptness.stalled(process, String(fields?.['code']));
    if (name === 'channel.repair') this.leaseWatch.repairs(process, Number(fields?.['epoch']));
    if (name === 'takeover.claimed') this.promptness.stalled(process, 'none');
    if (name === 'takeover.published') this.#published(process);
    if (fields?.['code'] === 'corrupt') this.#checkAlarm(process, told);
    if (fields?.['code'] === 'corrupt' && this.objects.explains(told)) situations.count('flipped segment refused');
    else if (fields?.['code'] === 'corrupt' && !this.#ignoresAlarms) this.fail('corrupt', `${process.name} ${name}: ${told}`);
    const adopted = name === 'takeover.published' ? Number(fields?.['adopted']) : 0;
    if (adopted > this.drawn.kind.windowMax) this.fail('bound', `${process.name} adopted ${adopted} chunks, more than a window`);
  }
}
