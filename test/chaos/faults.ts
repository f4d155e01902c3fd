// What befalls the machine, one thing after the other. Which kinds there are in a life is drawn first, then how often they come.

import { cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { damageZone, ZONES } from '#test/crash/damage.ts';
import type { Prng } from '#test/crash/prng.ts';
import { Api } from '#test/support/api.ts';
import { BASIN } from './client.ts';
import { DISK_NAMES, type Machine } from './machine.ts';
import { ZoneCare } from './settled.ts';

const LEASE_MS = 10_000;
const SLOW_START_MS = 3_000;
const HOUR_MS = 3_600_000;
const MIB = 1_024 * 1_024;
const FILLER_BYTES = 256 * 1_024;
/** Longer than a refusal for want of space takes. */
const FILL_MS_MAX = 15_000;
/** Far more than a backlog and the room that is left. */
const FILLER_APPENDS_MAX = 200;

type Kind = 'kill' | 'restart' | 'freeze' | 'long freeze' | 'clock' | 'disk full' | 'store full';

/** How often each kind comes, of all. */
const WEIGHTS: Readonly<Record<Kind, number>> = {
  kill: 6,
  restart: 1,
  freeze: 3,
  'long freeze': 0.6,
  clock: 2,
  'disk full': 3,
  'store full': 2,
};

export interface FaultCounts {
  kills: number;
  earlyKills: number;
  restarts: number;
  freezes: number;
  longFreezes: number;
  clockSteps: number;
  fullDisks: number;
  /** Starts with stores that may take no more than they hold. */
  fullStores: number;
  /** How often one of these refused an append, as there was no space. */
  refusedForSpace: number;
  damagedZones: number;
  spoiledFiles: number;
}

export function noFaults(): FaultCounts {
  return {
    kills: 0,
    earlyKills: 0,
    restarts: 0,
    freezes: 0,
    longFreezes: 0,
    clockSteps: 0,
    fullDisks: 0,
    fullStores: 0,
    refusedForSpace: 0,
    damagedZones: 0,
    spoiledFiles: 0,
  };
}

export interface FaultOptions {
  /** Mean time between two faults. */
  readonly everyMs: number;
  /** Whether the server is frozen for longer than its lease at times: that takes time. */
  readonly longFreezes: boolean;
  /**
   * Puts the whole data folder back to an earlier copy, once: what no store survives. It shows that the checks see what is lost.
   */
  readonly goesBack: boolean;
  readonly print: (line: string) => void;
}

export class Faults {
  readonly counts = noFaults();
  readonly #machine: Machine;
  readonly #prng: Prng;
  readonly #options: FaultOptions;
  readonly #care: ZoneCare;
  readonly #kinds: ReadonlyMap<Kind, number>;
  #isOver = false;
  #filling: Promise<void> = Promise.resolve();

  constructor(machine: Machine, prng: Prng, options: FaultOptions) {
    this.#machine = machine;
    this.#prng = prng;
    this.#options = options;
    this.#care = new ZoneCare(machine.dataDir);
    this.#kinds = drawKinds(prng, machine.hasSmallDisks, options.longFreezes);
  }

  /** Which kinds this life has. */
  get drawn(): string {
    return [...this.#kinds.keys()].join(', ');
  }

  /** Brings faults until `stop`. */
  async run(): Promise<void> {
    if (this.#options.goesBack) {
      await this.#goBack();
      return;
    }
    let kind: Kind = 'kill';
    while (!this.#isOver) {
      await sleep(-Math.log(1 - this.#prng.next()) * this.#options.everyMs);
      if (!this.#isOver) await this.#bring(kind);
      kind = this.#pick();
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Makes everything well again. */
  async heal(): Promise<void> {
    this.#machine.thaw();
    await this.#machine.empty();
    if (this.#machine.shiftMs !== 0) await this.#machine.shiftClock(0);
    if (this.#machine.storeMaxMib !== undefined) await this.#turnStores();
    if (this.#machine.power === 'down') await this.#machine.start();
    await this.#filling;
  }

  #pick(): Kind {
    let left = this.#prng.next() * [...this.#kinds.values()].reduce((sum, weight) => sum + weight, 0);
    for (const [kind, weight] of this.#kinds) {
      left -= weight;
      if (left < 0) return kind;
    }
    return 'kill';
  }

  async #bring(kind: Kind): Promise<void> {
    switch (kind) {
      case 'kill':
        return await this.#killAndStart();
      case 'restart':
        this.counts.restarts += 1;
        this.#say('SIGTERM, and start');
        await this.#machine.stop();
        return await this.#start();
      case 'freeze':
        this.counts.freezes += 1;
        return await this.#freeze(this.#prng.between(20, 1_500));
      case 'long freeze':
        this.counts.longFreezes += 1;
        return await this.#freeze(this.#prng.between(LEASE_MS, LEASE_MS + 3_000));
      case 'clock':
        return await this.#stepClock();
      case 'disk full':
        return await this.#turnDisk();
      case 'store full':
        return await this.#turnStores();
    }
  }

  async #killAndStart(): Promise<void> {
    this.counts.kills += 1;
    await this.#machine.kill();
    const harm = this.#prng.chance(0.5) ? await this.#harmFiles() : undefined;
    let early = 0;
    while (early < 3 && this.#prng.chance(0.2)) {
      this.#machine.spawn();
      await sleep(this.#prng.between(20, 600));
      await this.#machine.kill();
      early += 1;
    }
    this.counts.earlyKills += early;
    this.#say(`SIGKILL${harm === undefined ? '' : `; ${harm}`}${early === 0 ? '' : `; ${early} more while starting`}`);
    await this.#start();
  }

  /** What may be found broken after a machine went down. @returns what was done, in words */
  async #harmFiles(): Promise<string | undefined> {
    if (this.#prng.chance(0.35)) return await this.#spoilUnfinished();
    const zone = this.#prng.pick(ZONES);
    if (!(await this.#care.mayDamage(zone))) return undefined;
    const harm = await damageZone(this.#machine.dataDir, zone, this.#prng);
    if (harm === undefined) return undefined;
    await this.#care.damaged(zone);
    this.counts.damagedZones += 1;
    return harm;
  }

  /** Files that nobody has named yet may hold anything. */
  async #spoilUnfinished(): Promise<string> {
    const folder = path.join(this.#machine.dataDir, this.#prng.pick(['segments', 'chunks']), 'unfinished');
    await mkdir(folder, { recursive: true });
    const found = await readdir(folder);
    const name = found.length > 0 ? this.#prng.pick(found) : `0badf00d-${this.#prng.between(1, 99)}`;
    const bytes = this.#prng.between(0, 100_000);
    // On a full disk not even this fits.
    await writeFile(path.join(folder, name), Buffer.alloc(bytes, this.#prng.between(0, 255))).catch(() => undefined);
    this.counts.spoiledFiles += 1;
    return `${found.length > 0 ? 'an unfinished file spoiled' : 'an unfinished file planted'}`;
  }

  async #start(): Promise<void> {
    const begun = performance.now();
    try {
      await this.#machine.start();
      const ms = performance.now() - begun;
      if (ms > SLOW_START_MS) this.#say(`it took ${(ms / 1_000).toFixed(1)} s to start`);
    } catch (error) {
      // It may refuse to start where there is no space, if it says so.
      if (this.#machine.full.size === 0 || !/\bfull\b/.test(String(error))) throw error;
      this.#say('it did not start on a full disk, and said so');
      await this.#machine.empty();
      await this.#machine.kill();
      await this.#machine.start();
    }
  }

  async #freeze(forMs: number): Promise<void> {
    this.#machine.freeze();
    await sleep(forMs);
    const kills = this.#prng.chance(0.2);
    this.#say(`frozen for ${forMs} ms${kills ? ', and killed' : ''}`);
    if (kills) await this.#killAndStart();
    else this.#machine.thaw();
  }

  async #stepClock(): Promise<void> {
    this.counts.clockSteps += 1;
    const reach = this.#prng.pick([500, 20_000, 2 * HOUR_MS]);
    const isRight = this.#machine.shiftMs !== 0 && this.#prng.chance(0.3);
    const shiftMs = isRight ? 0 : this.#prng.between(-reach, reach);
    this.#say(`clock set from ${this.#machine.shiftMs} to ${shiftMs} ms`);
    await this.#machine.shiftClock(shiftMs);
  }

  /** Fills a disk, or gives all the space back. */
  async #turnDisk(): Promise<void> {
    if (this.#machine.full.size > 0) {
      this.#say('space on all disks');
      return await this.#machine.empty();
    }
    this.counts.fullDisks += 1;
    const disk = this.#prng.pick(DISK_NAMES);
    this.#say(`disk ${disk} is full`);
    await this.#machine.fill(disk);
  }

  /** Starts with a cap on what stores may take, just above what segments do, and writes until that is felt; or without one. */
  async #turnStores(): Promise<void> {
    await this.#machine.kill();
    const isFull = this.#machine.storeMaxMib !== undefined;
    const mib = Math.max(1, Math.ceil((await bytesBelow(path.join(this.#machine.dataDir, 'segments'))) / MIB));
    this.#machine.storeMaxMib = isFull ? undefined : mib;
    this.#say(isFull ? 'killed, and stores may take what there is' : `killed, and stores may take ${mib} MiB`);
    await this.#start();
    if (isFull) return;
    this.counts.fullStores += 1;
    this.#filling = this.#fill(`filler-${this.counts.fullStores}`);
    this.#filling.catch(() => undefined);
    // Mostly nothing else befalls the machine before the store is full; else it goes on beside that.
    await Promise.race([this.#filling, sleep(this.#options.longFreezes ? FILL_MS_MAX : FILL_MS_MAX / 5)]);
  }

  /** Appends until the store refuses it for want of space, or does not answer. */
  async #fill(stream: string): Promise<void> {
    const api = new Api(this.#machine.url, BASIN);
    try {
      await api.call('POST', '/streams', { body: { stream } });
      for (let i = 0; i < FILLER_APPENDS_MAX && !this.#isOver; i += 1) {
        const { status, json } = await api.append(stream, { records: [{ body: 'x'.repeat(FILLER_BYTES) }] });
        if (status === 200) continue;
        if ((json as { code?: string } | undefined)?.code !== 'hot_server') return;
        this.counts.refusedForSpace += 1;
        this.#say('the filled store refuses appends');
        return;
      }
    } catch (error) {
      // The connection broke: the server was killed.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async #goBack(): Promise<void> {
    const { dataDir } = this.#machine;
    const copy = `${dataDir}-earlier`;
    await sleep(1_500);
    await this.#machine.kill();
    await cp(dataDir, copy, { recursive: true });
    await this.#machine.start();
    await sleep(1_500);
    await this.#machine.kill();
    await rm(dataDir, { recursive: true });
    await cp(copy, dataDir, { recursive: true });
    this.#say('the data folder goes back to an earlier copy');
    await this.#machine.start();
  }

  #say(line: string): void {
    this.#options.print(line);
  }
}

/** Of the files in a folder and below. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(async (entry) => (entry.isFile() ? (await stat(path.join(entry.parentPath, entry.name))).size : 0));
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/** Not every life has every kind, so that lives differ in kind and not only in number. */
function drawKinds(prng: Prng, hasSmallDisks: boolean, longFreezes: boolean): ReadonlyMap<Kind, number> {
  const kinds = new Map<Kind, number>();
  for (const [kind, weight] of Object.entries(WEIGHTS) as [Kind, number][]) {
    if (kind === (hasSmallDisks ? 'store full' : 'disk full')) continue;
    if (kind === 'long freeze' && !longFreezes) continue;
    if (kind !== 'kill' && kind !== 'disk full' && kind !== 'store full' && prng.chance(0.2)) continue;
    kinds.set(kind, weight * (0.5 + prng.next()));
  }
  return kinds;
}
