// What befalls the cell while clients write and read: the bucket of a zone fails, a task is killed under load, another one is released.
// Nothing that was acknowledged may be lost, and somebody must serve again in time.

import { setTimeout as sleep } from 'node:timers/promises';
import type { S2, S2Basin } from '@s2-dev/streamstore';
import { DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import type { Server } from '#test/support/server.ts';
import { type CellOfTest, ownerOf } from './cell.ts';
import { Histories } from './histories.ts';
import type { LoadedClass } from './load.ts';
import { Probe } from './probe.ts';
import { type Report, until } from './report.ts';
import type { RunOptions } from './run.ts';
import type { Services } from './services.ts';

const CALM_MS = 4_000;
const ZONE_FAILS_MS = 6_000;
const TAKEOVER_MS_MAX = DEFAULT_CELL_CONFIG.channel.leaseMs + 1_000;
/** A client must see it within this here, where two tasks, emulators and clients share two cores; what is aimed at is printed beside it. */
const HANDOVER_MS_MAX = 2_000;
const HANDOVER_MS_AIM = 300;
const WATCH_MS = 60_000;
const ZONES_SERVED_MIN = 10;
const PROBED: readonly LoadedClass[] = ['express', 'standard'];
const BROKEN = /InvariantError[^"\n]*|"event":"(?:server\.error|server\.crashed|channel\.halted)".*/;

export class Trouble {
  readonly #cell: CellOfTest;
  readonly #services: Services;
  readonly #options: RunOptions;
  readonly #report: Report;
  readonly #broken: string[] = [];

  constructor(cell: CellOfTest, services: Services, options: RunOptions, report: Report) {
    this.#cell = cell;
    this.#services = services;
    this.#options = options;
    this.#report = report;
  }

  /** @param impatient tries nothing again @param patient does */
  async bring(impatient: S2, patient: S2Basin): Promise<void> {
    const report = this.#report;
    report.step('clients write, read and follow through the edge, and what they see is recorded');
    const histories = new Histories(impatient, this.#options.seed);
    const probes = await Promise.all(PROBED.map((storageClass) => Probe.start(impatient.basin(patient.name), storageClass)));
    histories.start();
    try {
      await sleep(CALM_MS);
      await this.#failZone(probes);
      await this.#kill(probes);
      await this.#release(probes);
      await sleep(CALM_MS);
    } finally {
      for (const probe of probes) await probe.stop();
      await histories.stop();
    }
    report.step('what clients saw is judged');
    for (const probe of probes) {
      const lost = await probe.lost(patient);
      const detail = `${probe.acknowledgedCount} acknowledged, ${probe.failedCount} failed, ${lost.length} lost ${lost.slice(0, 5).join(', ')}`;
      report.check(`${probe.name}: nothing acknowledged is lost`, lost.length === 0 && probe.acknowledgedCount > 0, detail);
    }
    const { streams, operations, unknown, failures } = histories;
    const seen = `${operations} operations on ${streams} streams, of which ${unknown} ended unknown`;
    report.check('every history can be explained', failures.length === 0 && operations > 0, [seen, ...failures].join('\n'));
    for (const each of [...this.#cell.lastWords, ...this.#cell.tasks]) this.#look(each);
    report.check('no task failed by itself', this.#broken.length === 0, this.#broken.join('\n'));
  }

  async #failZone(probes: readonly Probe[]): Promise<void> {
    const { s3 } = this.#services;
    const bucket = this.#cell.expressBuckets[1] ?? '';
    this.#report.step(`the bucket of a zone fails: ${bucket}`);
    let refusedCount = 0;
    const before = probes.map(({ acknowledgedCount }) => acknowledgedCount);
    s3.fault = ({ path }) => {
      if (!path.startsWith(`/${bucket}/`)) return undefined;
      refusedCount += 1;
      return { answer: 503, code: 'ServiceUnavailable' };
    };
    await sleep(ZONE_FAILS_MS);
    s3.fault = undefined;
    const served = probes.map(({ acknowledgedCount }, i) => acknowledgedCount - (before[i] ?? 0));
    const detail = `${refusedCount} requests refused, ${served.join(' and ')} appends acknowledged meanwhile`;
    this.#report.check('appends go on without it', refusedCount > 0 && served.every((count) => count >= ZONES_SERVED_MIN), detail);
  }

  async #kill(probes: readonly Probe[]): Promise<void> {
    const [express] = probes;
    const owner = await this.#owner('express-0');
    this.#report.step(`the task that owns express-0 is killed: ${owner.url}`);
    this.#remember(owner);
    const killedAt = performance.now();
    await owner.kill();
    const ms = (await express?.firstAfter(killedAt, WATCH_MS)) ?? Number.POSITIVE_INFINITY;
    const detail = `${Math.round(ms)} ms, of which the lease may take ${DEFAULT_CELL_CONFIG.channel.leaseMs}`;
    this.#report.check(`another one acknowledges within ${TAKEOVER_MS_MAX} ms`, ms <= TAKEOVER_MS_MAX, detail);
    await this.#another(owner);
    await this.#owner('standard-0');
  }

  async #release(probes: readonly Probe[]): Promise<void> {
    const [express] = probes;
    const owner = await this.#owner('express-0');
    this.#report.step(`the task that owns express-0 is ended by SIGTERM: ${owner.url}`);
    const endedAt = performance.now();
    const { code, signal } = await owner.stop();
    this.#remember(owner);
    const stoppedMs = performance.now() - endedAt;
    this.#report.check('it drains and ends by itself', code === 0, `${code ?? signal}, after ${Math.round(stoppedMs)} ms`);
    // The release comes at the end of the drain; clients whose appends are refused meanwhile try again.
    const ms = (await express?.firstAfter(endedAt + stoppedMs, WATCH_MS)) ?? Number.POSITIVE_INFINITY;
    const detail = `${Math.round(ms)} ms after the end, where ${HANDOVER_MS_AIM} are aimed at`;
    this.#report.check(`another one goes on within ${HANDOVER_MS_MAX} ms`, ms <= HANDOVER_MS_MAX, detail);
    const gapMs = Math.round(express?.longestGap(endedAt) ?? Number.NaN);
    this.#report.note(`a client that tried all the while waited ${gapMs} ms between two acknowledgements at most, the drain included`);
    await this.#another(owner);
  }

  /** As ECS would start it: at another address. */
  async #another(ended: Server): Promise<void> {
    await ended.start();
    this.#cell.balancer.targets = this.#cell.tasks.map(({ url }) => url);
  }

  async #owner(channel: string): Promise<Server> {
    let owner: Server | undefined;
    await until(`somebody owns ${channel}`, WATCH_MS, async () => {
      owner = await ownerOf(this.#cell, channel);
      return owner !== undefined;
    });
    if (owner === undefined) throw new Error(`nobody owns ${channel}`);
    return owner;
  }

  /** Before a process goes, and its words with it. */
  #remember({ output, url }: Server): void {
    this.#cell.lastWords.push({ url, output });
  }

  #look({ output, url }: Pick<Server, 'output' | 'url'>): void {
    const found = BROKEN.exec(output)?.[0];
    if (found !== undefined) this.#broken.push(`${url}: ${found.slice(0, 2_000)}`);
  }
}
