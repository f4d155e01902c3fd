// One channel task: the whole core over simulated ports, on a machine, behind a gate. It can be killed, frozen, closed.

import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { Service } from '#core/api/service.ts';
import { type Cell, type CellPorts, createCell } from '#core/cell/cell.ts';
import type { CellConfig, ChunkStoreKind } from '#core/cell/config.ts';
import { runChunkGc } from '#core/jobs/gc.ts';
import { runOffload } from '#core/jobs/offload.ts';
import { Repository } from '#core/metadata/repository.ts';
import { StoreError } from '#core/model/errors.ts';
import type { Trace } from '#core/ports/trace.ts';
import { noTokens } from '#test/support/no-tokens.ts';
import type { Audit } from './audit.ts';
import type { EventLoop } from './event-loop.ts';
import { clockOf, Gate, type Machine } from './machine.ts';
import type { Network } from './network.ts';
import { Pledges } from './pledges.ts';
import type { Metadata } from './ports/metadata.ts';
import type { Objects } from './ports/objects.ts';
import type { Zones } from './ports/zones.ts';
import type { Dice } from './random.ts';

const cipher = await loadNodeCiphers();

/** What every process shares. */
export interface Surroundings {
  readonly loop: EventLoop;
  readonly network: Network;
  readonly zones: Zones;
  readonly objects: Objects;
  readonly metadata: Metadata;
  readonly audit: Audit;
  readonly config: CellConfig;
  readonly kind: ChunkStoreKind;
  /** Everything that any process tells. */
  readonly traced: (process: Process, name: string, fields: Parameters<Trace['event']>[1]) => void;
  /** A failure that no process may have. */
  readonly crashed: (process: Process, error: unknown) => void;
  /** Its channel has sealed a stream: whoever asked for that learns it next. */
  readonly sealed: (process: Process, stream: string) => void;
  /** A process has been asked for something, and has had its first turn with it. */
  readonly asked: (process: Process) => void;
  /** A process whose drain has ended still owes something that was asked of it before. */
  readonly unkept: (process: Process, what: string) => void;
}

/** How a request ended, as its client sees it. */
export type Answer<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: StoreError }
  /** It never reached the process. */
  | { readonly kind: 'not-sent' }
  /** Nobody knows. */
  | { readonly kind: 'lost' };

/** From the end of a drain to the last answer of a call that waits for nothing but metadata and objects. */
const DRAINED_MS_MAX = 5_000;
const LOOK_AGAIN_MS = 20;

export class Process {
  readonly name: string;
  readonly machine: Machine;
  readonly gate = new Gate();
  readonly pledges: Pledges;
  readonly cell: Cell;
  /** The newest epoch that it knows to have published. */
  epoch = 0;
  readonly #world: Surroundings;
  readonly #ports: CellPorts;
  #isClosing = false;

  constructor(world: Surroundings, machine: Machine, dice: Dice, generation: number) {
    this.#world = world;
    this.machine = machine;
    this.name = `${machine.name}.${generation}`;
    const { network, zones, objects, metadata, audit, kind, loop } = world;
    const { gate } = this;
    const place = machine.name;
    this.#ports = {
      clock: clockOf(loop, machine, gate),
      random: dice.port(),
      checksum: zlibChecksum,
      cipher,
      trace: { event: (name, fields) => world.traced(this, name, fields) },
      metadata: metadata.portFor(place, gate, network, audit),
      authority: noTokens,
      objects: objects.portFor(place, gate, network, audit),
      zones: [zones.setFor(place, gate, kind)],
    };
    this.cell = createCell(this.#ports, world.config);
    this.pledges = new Pledges(() => loop.now);
    for (const { channel } of this.cell.channels) this.pledges.watch(channel, (stream) => world.sealed(this, stream));
    this.cell.open('lease').catch((error: unknown) => world.crashed(this, error));
  }

  get isUp(): boolean {
    return !this.gate.isShut;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Whether it is the owner, as far as it knows. */
  get isOwner(): boolean {
    return this.isUp && this.cell.channels.some(({ channel }) => channel.isReady);
  }

  /** Jobs of the channels as a function runs them that owns nothing, and has nobody's word for what is committed. */
  runJobs(): void {
    const { config, crashed, traced } = this.#world;
    const { metadata, clock, random } = this.#ports;
    const repository = new Repository(metadata, clock, random);
    for (const { id, logs } of this.cell.channels) {
      const ports = { ...this.#ports, repository, chunkLogs: logs };
      const run = async (): Promise<void> => {
        await runOffload(ports, { channel: id, bytesMax: config.offload.runBytesMax }, config.jobBudgetMs);
        await runChunkGc(ports, { channel: id }, config.jobBudgetMs);
      };
      this.gate.deliver(() => {
        run().catch((error: unknown) => {
          if (error instanceof StoreError) traced(this, 'job.failed', { job: 'function', code: error.code, message: error.message });
          else crashed(this, error);
        });
      });
    }
  }

  kill(): void {
    this.gate.shut();
  }

  /** Drains, releases and ends; killed when that takes longer than `graceMs`. */
  close(graceMs: number, ended: () => void): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const finish = (): void => {
      if (this.isUp) this.kill();
      ended();
    };
    const grace = this.#world.loop.after(graceMs, finish);
    this.gate.deliver(() => {
      this.cell.close().then(
        () => {
          grace.cancel();
          // The answers of the last calls leave before the process ends.
          this.#world.loop.after(5, () => this.#endOnceKept(this.#world.loop.now, finish));
        },
        (error: unknown) => this.#world.crashed(this, error),
      );
    });
  }

  /** What was asked of it before it had drained is answered, or refused, before the process ends. */
  #endOnceKept(drainedAt: number, finish: () => void): void {
    const { loop, unkept } = this.#world;
    const owed = this.pledges.oldest(drainedAt);
    if (!this.isUp || owed === undefined) finish();
    else if (!this.gate.isFrozen && loop.now - Math.max(drainedAt, this.gate.excusedUntil) > DRAINED_MS_MAX) unkept(this, owed.what);
    else loop.after(LOOK_AGAIN_MS, () => this.#endOnceKept(drainedAt, finish));
  }

  /**
   * A client's request: it takes its way here, is handled, and answered, unless one of these fails.
   *
   * @param what is asked, in words.
   */
  serve<T>(
    dice: Dice,
    lossOfMessages: number,
    timeoutMs: number,
    handle: (service: Service) => Promise<T>,
    what = 'a call',
  ): Promise<Answer<T>> {
    const { loop } = this.#world;
    const latency = (): number => 0.2 + dice.gap(0.8);
    return new Promise((resolve) => {
      let isDone = false;
      const settle = (answer: Answer<T>): void => {
        if (isDone) return;
        isDone = true;
        patience.cancel();
        noLonger();
        resolve(answer);
      };
      const noLonger = this.gate.onShut(() => loop.after(latency(), () => settle({ kind: 'lost' })));
      const patience = loop.after(timeoutMs, () => settle({ kind: 'lost' }));
      if (dice.chance(lossOfMessages)) return;
      const isAnswerLost = dice.chance(lossOfMessages);
      const answer = (sent: Answer<T>): void => {
        if (!isAnswerLost) loop.after(latency(), () => settle(sent));
      };
      loop.after(latency(), () => {
        if (!this.isUp) return settle({ kind: 'not-sent' });
        this.gate.deliver(() => {
          this.pledges.track(what, handle(this.cell.service)).then(
            (value) => answer({ kind: 'value', value }),
            (error: unknown) => {
              if (error instanceof StoreError) answer({ kind: 'error', error });
              else this.#world.crashed(this, error);
            },
          );
          this.#world.asked(this);
        });
      });
    });
  }
}
