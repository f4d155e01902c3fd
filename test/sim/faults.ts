// What goes wrong in a run, and how far it may go.
//
// Swarm testing (Groce et al., 2012): which kinds of faults exist in a run is drawn first, then how often each comes, so that
// runs differ in kind and not only in amount.
//
// THE BUDGET, what the protocol promises to survive; a violation found outside of it would be a bug of the simulator:
//
//   - Any number of processes may be killed, closed, frozen, suspended at any time, all at once too; messages may be lost, late,
//     reordered, applied twice; metadata, objects and any zones may be dark, zones slow or full, too. All of that costs liveness only.
//   - At most one zone at a time has lost bytes that were acknowledged (wiped, or torn at rest). It counts as lost until M is
//     active and no log that is still needed (open, or not offloaded whole) names what was lost.
//   - A write that tears before it was acknowledged may happen in any zone, but not while a zone is lost: torn bytes give way
//     to a seal only once all N zones have answered, and a lost one never does. (A takeover would wait for ever: liveness.)
//   - Nobody sleeps longer than an object that no row names is kept (`readPlanAgeMs`), less the age of cached names.
//   - The rate of a clock is wrong by less than leases allow for (1 %); wall clocks by less than a small part of `readPlanAgeMs`.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import type { ChannelState } from '#core/metadata/schema.ts';
import type { Write } from '#core/ports/metadata-store.ts';
import { cutBehindRenewals } from './last-renewal.ts';
import type { Weather } from './network.ts';
import { fairWeather } from './network.ts';
import type { Fate } from './ports/metadata.ts';
import { chunksIn, damage, type Zone } from './ports/zones.ts';
import type { Process } from './process.ts';
import type { Dice } from './random.ts';
import type { Scene } from './scene.ts';

/** Every kind of fault there is; a run has some of them. */
export const FAULT_KINDS = [
  'kill',
  'close',
  'deploy',
  'ambush',
  'freeze',
  'suspend',
  'clock-rates',
  'wall-jumps',
  'lost-requests',
  'lost-answers',
  'late-messages',
  'ghosts',
  'duplicates',
  'throttling',
  'client-losses',
  'cuts',
  'zone-dark',
  'zone-slow',
  'zone-wipe',
  'zone-tear',
  'torn-writes',
  'flipped-reads',
  'disk-full',
  'stale-reads',
  'metadata-dark',
  'objects-dark',
  'functions',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Moments of the protocol at which an ambush strikes. */
const AMBUSHES: ReadonlySet<string> = new Set([
  'takeover.claimed',
  'chunk.recovered',
  'takeover.window.nonempty',
  'takeover.window.empty',
  'takeover.published',
  'channel.repair',
  'chunk.torn.sealed',
  'chunk.writer.deposed',
  'offload.named',
  'offload.finished',
  'gc.log.dropped',
  'compact.joined',
  'trim.stream.removed',
  'sweep.object.deleted',
]);

/**
 * Kinds that exist in most runs, and in how many of them: without the first three there is hardly a takeover, and where every answer
 * arrives hardly a call ends unknown.
 */
const COMMON: ReadonlyMap<FaultKind, number> = new Map([
  ['kill', 0.85],
  ['freeze', 0.8],
  ['ambush', 0.8],
  ['client-losses', 0.6],
]);

/** Frozen or suspended, a process sleeps at most this long. */
export const SLEEP_MS_MAX = 5_000;
/** A creation arrives once more at most so late: below the age at which the states of removed streams are purged. */
const CREATED_AGAIN_MS_MAX = 11_000;
/** Just below what the product allows (core/channel/lease.ts). */
export const RATE_ERROR_MAX = 0.0099;
export const WALL_ERROR_MS_MAX = 500;

export interface FaultPlan {
  readonly kinds: ReadonlySet<FaultKind>;
  /** How often each kind comes in the safety phase. */
  readonly times: Readonly<Record<FaultKind, number>>;
}

export function drawFaults(dice: Dice, without: ReadonlySet<FaultKind>): FaultPlan {
  // A share of runs has few kinds, another nearly all.
  const share = dice.pick([0.15, 0.35, 0.6]);
  const kinds = new Set<FaultKind>();
  const times = {} as Record<FaultKind, number>;
  for (const kind of FAULT_KINDS) {
    const own = dice.fork(kind);
    const exists = own.chance(COMMON.get(kind) ?? share);
    times[kind] = COMMON.has(kind) ? own.between(4, 11) : own.between(2, 9);
    if (exists && !without.has(kind)) kinds.add(kind);
  }
  if (kinds.size === 0 && !without.has('kill')) kinds.add('kill');
  return { kinds, times };
}

export class Nemesis {
  readonly scene: Scene;
  readonly #dice: Dice;
  readonly #plan: FaultPlan;
  readonly #durationMs: number;
  readonly #seals: Dice;
  /** Share of client messages that get lost. */
  clientLosses = 0;
  #isOver = false;
  #ambush: { readonly dice: Dice; readonly share: number } | undefined;
  /** Epoch in which a zone's bytes were torn at rest, by slot. */
  readonly tornIn = new Map<number, number>();

  constructor(scene: Scene, dice: Dice, plan: FaultPlan, durationMs: number) {
    this.scene = scene;
    this.#dice = dice;
    this.#plan = plan;
    this.#durationMs = durationMs;
    this.#seals = dice.fork('seals');
  }

  start(): void {
    const { kinds } = this.#plan;
    for (const kind of kinds) this.#repeat(kind, this.#dice.fork(`${kind}/strikes`));
    this.#constant('lost-requests', (dice) => this.#set({ requestLost: dice.range(0.001, 0.02) }));
    this.#constant('lost-answers', (dice) => this.#set({ answerLost: dice.range(0.001, 0.02) }));
    this.#constant('late-messages', (dice) => this.#set({ late: dice.range(0.01, 0.1), lateMsMax: dice.range(20, 300) }));
    this.#constant('duplicates', (dice) => this.#set({ duplicated: dice.range(0.005, 0.08), duplicateMsMax: dice.range(10, 8_000) }));
    this.#constant('ghosts', (dice) => this.#set({ ghosts: dice.range(0.2, 1), ghostMsMax: dice.range(50, 8_000) }));
    this.#constant('duplicates', (dice) => {
      // By then the stream may have been deleted, and be gone.
      this.scene.metadata.onCreation = () => (!this.#isOver && dice.chance(0.5) ? dice.range(1_000, CREATED_AGAIN_MS_MAX) : undefined);
    });
    this.#constant('client-losses', (dice) => {
      this.clientLosses = dice.range(0.03, 0.17);
    });
    this.#constant('clock-rates', (dice) => {
      cutBehindRenewals(this.scene, dice, { later: (ms, act) => this.later(ms, act), cut: (name, ms) => this.cut(name, ms) });
    });
    this.#constant('ambush', (dice) => {
      const share = dice.range(0.02, 0.25);
      this.#ambush = { dice, share };
      this.scene.metadata.onChannelWrite = (machine, write) => this.#channelWrite(machine, write, dice, share);
    });
    this.#constant('stale-reads', (dice) => {
      this.scene.metadata.staleShare = dice.range(0.05, 0.7);
      this.scene.metadata.staleDeeper = dice.pick([0, 0.3, 0.7]);
    });
    this.#constant('functions', (dice) => {
      const everyMs = dice.range(60, 600);
      // Functions are fed by a queue: they may be as fast as the owner that has just published, and go on while it is slow.
      const share = dice.range(0.2, 1);
      this.scene.audit.onChannel.push((before, now) => {
        if (this.#isOver || before?.state !== 'recovering' || now.state !== 'active' || !dice.chance(share)) return;
        const { cluster, zones, metadata } = this.scene;
        const cutMs = dice.range(50, 500);
        // What the new owner reads after its publish it reads late: what is there then is what functions have left.
        if (dice.chance(0.4)) for (const { name } of zones.current) this.cut(`${metadata.channelWriter} ${name}`, cutMs);
        for (const process of cluster.processes) {
          for (const ms of [0, 40, 90, 150]) this.later(ms + dice.gap(10), () => process.runJobs());
        }
        const slow = dice.pick(zones.current);
        slow.slowness = 20;
        this.later(dice.range(100, 400), () => {
          slow.slowness = 1;
        });
      });
      const next = (): void => {
        this.later(dice.gap(everyMs), () => {
          const { processes } = this.scene.cluster;
          if (processes.length > 0) dice.pick(processes).runJobs();
          next();
        });
      };
      next();
    });
    this.#constant('flipped-reads', (dice) => {
      this.scene.objects.flippedShare = dice.range(0.02, 0.25);
    });
    this.#constant('torn-writes', (dice) => {
      this.scene.zones.tornWrites = dice.range(0.002, 0.02);
      this.scene.zones.mayTear = () => !this.#isOver && this.lostSlots().size === 0;
    });
  }

  /** Everything was healed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A process told of something: at times it is killed or frozen right there, or a moment later. */
  traced(process: Process, name: string): void {
    if (this.#ambush === undefined || this.#isOver || !AMBUSHES.has(name)) return;
    const { dice, share } = this.#ambush;
    if (!dice.chance(share)) return;
    const { cluster, situations } = this.scene;
    const how = dice.pick(['kill', 'kill', 'kill', 'freeze', 'freeze', 'cut'] as const);
    const cutMs = dice.range(20, 1_500);
    const restartMs = 20 + dice.gap(300);
    const ms = sleepMs(dice, this.scene.leaseMs);
    this.later(dice.chance(0.5) ? 0 : dice.gap(6), () => {
      const index = cluster.indexOf(process);
      if (index === undefined) return;
      situations.count('ambushed');
      if (how === 'kill') cluster.kill(index, restartMs);
      else if (how === 'freeze') cluster.freeze(index, ms, false);
      else this.cut(`${process.machine.name} metadata`, cutMs);
    });
  }

  /**
   * A process has sealed a stream, and goes on to mark its name. Whether it falls asleep just then, or its look at the name takes so
   * long that others may carry the deletion through, and make another stream of that name.
   */
  sealed(process: Process): boolean {
    const { kinds } = this.#plan;
    const dice = this.#seals;
    const isAsleep = dice.chance(0.5);
    const ms = dice.range(3_000, SLEEP_MS_MAX);
    if (this.#isOver || !dice.chance(0.6) || !kinds.has(isAsleep ? 'freeze' : 'late-messages')) return false;
    const { cluster, metadata, situations } = this.scene;
    const index = cluster.indexOf(process);
    if (index === undefined) return false;
    situations.count('deletion dawdles behind its seal');
    if (isAsleep) cluster.freeze(index, ms, false);
    else metadata.lateLook = { machine: process.machine.name, ms };
    return true;
  }

  cut(name: string, ms: number): void {
    const { cuts } = this.scene.network;
    cuts.add(name);
    this.later(ms, () => cuts.delete(name));
  }

  /**
   * A write of a channel's item is on its way. While a claim dawdles, those that sleep wake up, those that were cut off are back; they
   * renew, and are cut off once more. Whoever renews falls asleep before the answer.
   */
  #channelWrite(machine: string, write: Write, dice: Dice, share: number): Fate {
    if (this.#isOver || write.kind !== 'update') return {};
    const { cluster, leaseMs, network } = this.scene;
    const fields = Object.keys(write.set);
    const isRenewal = fields.length === 1 && fields[0] === 'leaseCounter';
    if (fields.includes('epoch') && dice.chance(Math.min(0.3, 2 * share))) {
      const lateMs = dice.range(20, 120);
      const others = cluster.machines.filter(({ name }) => name !== machine).map(({ name }) => `${name} metadata`);
      const cutMs = dice.chance(0.6) ? leaseMs : 0;
      this.later(dice.gap(2), () => {
        cluster.thawAll();
        for (const cut of others) network.cuts.delete(cut);
      });
      this.later(lateMs + dice.range(0, 40), () => {
        for (const cut of others) if (cutMs > 0) this.cut(cut, cutMs);
      });
      return { lateMs };
    }
    if (!isRenewal) {
      const isRepeated = this.#plan.kinds.has('duplicates') && dice.chance(0.15);
      return isRepeated ? { againMs: dice.range(5, 3_000) } : {};
    }
    if (!dice.chance(share / 8)) return {};
    const ms = sleepMs(dice, leaseMs);
    this.later(dice.gap(2), () => {
      cluster.freeze(
        cluster.machines.findIndex(({ name }) => name === machine),
        ms,
        false,
      );
    });
    return {};
  }

  /** Everything is well from here on, but for what is lost. */
  heal(): void {
    const { network, zones, objects, metadata, cluster } = this.scene;
    this.#isOver = true;
    this.clientLosses = 0;
    Object.assign(network.weather, fairWeather());
    network.cuts.clear();
    // Stale reads are no fault: they may come at any time.
    metadata.staleShare = Math.min(metadata.staleShare, 0.3);
    zones.tornWrites = 0;
    objects.flippedShare = 0;
    for (const remote of [...zones.current, objects, metadata]) {
      remote.isDark = false;
      remote.slowness = 1;
    }
    for (const zone of zones.current) zone.store.capacityBytes = Number.POSITIVE_INFINITY;
    cluster.heal();
  }

  /** Slots of which acknowledged bytes are lost, as far as anything still needs them. */
  lostSlots(): ReadonlySet<number> {
    const { zones, audit } = this.scene;
    const lost = new Set<number>();
    const identities = new Set(zones.current.map((zone) => zone.store.zone));
    for (const channel of audit.channels) {
      for (const zone of neededLogs(channel).flatMap((log) => log.zones)) {
        if (!identities.has(zone)) lost.add(Number(zone.split('-')[1]));
      }
    }
    for (const zone of zones.current) if (this.#isDamaged(zone)) lost.add(zone.slot);
    return lost;
  }

  #isDamaged(zone: Zone): boolean {
    const epoch = this.tornIn.get(zone.slot);
    if (epoch === undefined) return false;
    const isOver = this.scene.audit.channels.every((channel) => {
      return channel.state === 'active' && neededLogs(channel).every((log) => log.epoch > epoch);
    });
    if (isOver) this.tornIn.delete(zone.slot);
    return !isOver;
  }

  /** Whether the bytes of `slot` may be lost now. */
  mayLose(slot: number): boolean {
    const { audit, zones } = this.scene;
    if (audit.channels.some(({ state }) => state !== 'active') || audit.channels.length === 0) return false;
    const others = [...this.lostSlots()].filter((lost) => lost !== slot);
    if (others.length > 0) return false;
    const needed = new Set(audit.channels.flatMap((channel) => neededLogs(channel).map((log) => `${channel.channel}/${log.epoch}`)));
    // Broken writes elsewhere that a takeover would have to seal over.
    for (const zone of zones.current) {
      if (zone.slot === slot) continue;
      for (const { log, bytes } of chunksIn(zone)) {
        if (needed.has(`${log.channel}/${log.epoch}`) && decodeChunk(bytes, zlibChecksum) === undefined) return false;
      }
    }
    return true;
  }

  #set(weather: Partial<Weather>): void {
    Object.assign(this.scene.network.weather, weather);
  }

  /** What lasts as long as the safety phase. */
  #constant(kind: FaultKind, act: (dice: Dice) => void): void {
    if (this.#plan.kinds.has(kind)) act(this.#dice.fork(`${kind}/always`));
  }

  #repeat(kind: FaultKind, dice: Dice): void {
    const mean = this.#durationMs / this.#plan.times[kind];
    const next = (): void => {
      this.scene.loop.after(dice.gap(mean), () => {
        if (this.#isOver) return;
        this.#strike(kind, dice);
        next();
      });
    };
    next();
  }

  /** Undoes something, unless everything was undone meanwhile. */
  later(ms: number, act: () => void): void {
    this.scene.loop.after(ms, () => {
      if (!this.#isOver) act();
    });
  }

  #strike(kind: FaultKind, dice: Dice): void {
    STRIKES[kind]?.(this, dice);
  }

  /** Bytes of a zone rot: some chunks, or a lot of them. */
  tear(zone: Zone, dice: Dice): void {
    const share = dice.pick([0.1, 0.5, 1]);
    let torn = 0;
    for (const { log, at } of [...chunksIn(zone)]) {
      if (!dice.chance(share)) continue;
      damage(zone.store, log, at, dice, this.scene.situations);
      torn += 1;
    }
    if (torn === 0) return;
    zone.isDamaged = true;
    this.scene.situations.count('zone torn');
    this.scene.note(`${torn} chunks of ${zone.name} are torn`);
    this.tornIn.set(zone.slot, Math.max(...this.scene.audit.channels.map(({ epoch }) => epoch)));
  }

  darken(remote: { readonly name: string; isDark: boolean }, dice: Dice, ms = dice.range(100, 2_500)): void {
    remote.isDark = true;
    this.scene.note(`${remote.name} is dark`);
    this.later(ms, () => {
      remote.isDark = false;
    });
  }

  /** Bad weather for a while. */
  storm(dice: Dice, weather: Partial<Weather>): void {
    const { weather: now } = this.scene.network;
    const before = Object.fromEntries(Object.keys(weather).map((name) => [name, now[name as keyof Weather]]));
    this.scene.note(`a storm: ${Object.keys(weather).join(', ')}`);
    this.#set(weather);
    this.later(dice.range(100, 1_500), () => this.#set(before));
  }

  /** Mostly an owner: nobody notices when another one goes. */
  victim(dice: Dice): number {
    const { cluster } = this.scene;
    const owners = cluster.owners();
    if (owners.length > 0 && dice.chance(0.75)) return dice.pick(owners);
    return dice.between(0, cluster.machines.length - 1);
  }
}

/** What each kind does when it strikes; the others last as long as the safety phase, and do nothing more. */
const STRIKES: Partial<Record<FaultKind, (nemesis: Nemesis, dice: Dice) => void>> = {
  kill: (nemesis, dice) => nemesis.scene.cluster.kill(nemesis.victim(dice), 20 + dice.gap(400)),
  'clock-rates': (nemesis, dice) => {
    // Nothing but its lease tells an owner that it is replaced.
    const { cluster, leaseMs } = nemesis.scene;
    const owner = cluster.machines[nemesis.victim(dice)];
    if (owner !== undefined) nemesis.cut(`${owner.name} metadata`, leaseMs * dice.range(1.2, 2));
  },
  close: (nemesis, dice) => nemesis.scene.cluster.close(nemesis.victim(dice), 20 + dice.gap(400)),
  deploy: (nemesis, dice) => {
    if (dice.chance(0.3)) nemesis.scene.cluster.deploy(dice.range(0, 800));
  },
  freeze: (nemesis, dice) => {
    const { cluster, leaseMs, shadow } = nemesis.scene;
    const victim = nemesis.victim(dice);
    const ms = sleepMs(dice, leaseMs);
    const process = cluster.at(victim);
    if (process?.isOwner) shadow(process);
    nemesis.later(dice.range(0, 150), () => cluster.freeze(victim, ms, false));
  },
  suspend: (nemesis, dice) => nemesis.scene.cluster.freeze(nemesis.victim(dice), sleepMs(dice, nemesis.scene.leaseMs), true),
  'wall-jumps': (nemesis, dice) => {
    dice.pick(nemesis.scene.cluster.machines).setWallOffset(dice.range(-WALL_ERROR_MS_MAX, WALL_ERROR_MS_MAX));
  },
  'lost-requests': (nemesis, dice) => nemesis.storm(dice, { requestLost: dice.range(0.1, 0.5) }),
  'lost-answers': (nemesis, dice) => nemesis.storm(dice, { answerLost: dice.range(0.1, 0.5) }),
  throttling: (nemesis, dice) => nemesis.storm(dice, { throttled: dice.range(0.05, 0.6) }),
  cuts: (nemesis, dice) => {
    const { cluster, network, note } = nemesis.scene;
    const victim = nemesis.victim(dice);
    const machine = cluster.machines[victim];
    if (machine === undefined) return;
    const cut = dice.chance(0.4) ? 'metadata' : dice.chance(0.3) ? 'objects' : `zone-${dice.between(0, 2)}`;
    const name = `${machine.name} ${cut}`;
    note(`nothing passes between ${machine.name} and ${cut}`);
    network.cuts.add(name);
    const process = cluster.at(victim);
    if (cut === 'metadata' && process?.isOwner) nemesis.scene.shadow(process);
    nemesis.later(dice.range(200, 4_000), () => network.cuts.delete(name));
  },
  'metadata-dark': (nemesis, dice) => {
    nemesis.scene.situations.count('metadata dark');
    nemesis.darken(nemesis.scene.metadata, dice);
  },
  'objects-dark': (nemesis, dice) => {
    nemesis.scene.situations.count('object store dark');
    nemesis.darken(nemesis.scene.objects, dice);
  },
  'zone-dark': (nemesis, dice) => {
    const { zones } = nemesis.scene;
    if (!dice.chance(0.2)) return nemesis.darken(dice.pick(zones.current), dice);
    // No quorum, and so long that nobody can be let wait for it.
    const ms = dice.range(300, 4_000);
    for (const zone of zones.current) nemesis.darken(zone, dice, ms * dice.range(0.9, 1));
  },
  'zone-slow': (nemesis, dice) => {
    const zone = dice.pick(nemesis.scene.zones.current);
    zone.slowness = dice.range(4, 60);
    nemesis.scene.note(`${zone.name} is slow`);
    nemesis.later(dice.range(200, 4_000), () => {
      zone.slowness = 1;
    });
  },
  'zone-wipe': (nemesis, dice) => {
    const { zones, situations, note } = nemesis.scene;
    disaster(nemesis, dice, ({ slot, name }) => {
      note(`${name} is wiped`);
      situations.count('zone wiped');
      nemesis.tornIn.delete(slot);
      zones.wipe(slot);
    });
  },
  'zone-tear': (nemesis, dice) => disaster(nemesis, dice, (zone) => nemesis.tear(zone, dice)),
  'torn-writes': (nemesis, dice) => {
    const { zones } = nemesis.scene;
    const before = zones.tornWrites;
    zones.tornWrites = dice.range(0.05, 0.6);
    nemesis.later(dice.range(50, 600), () => {
      zones.tornWrites = before;
    });
    // Broken writes matter most when nobody is left to write them again.
    if (dice.chance(0.5)) nemesis.later(dice.range(0, 300), () => nemesis.scene.cluster.kill(nemesis.victim(dice), 20 + dice.gap(200)));
  },
  'disk-full': (nemesis, dice) => {
    const { zones, situations, note } = nemesis.scene;
    note('disks are full');
    situations.count('disk full');
    const first = dice.between(0, 2);
    for (const { slot, store } of zones.current) {
      if (slot === first || dice.chance(0.3)) store.capacityBytes = store.usedBytes + dice.between(0, 2_000);
    }
    nemesis.later(dice.range(200, 2_500), () => {
      for (const { store } of zones.current) store.capacityBytes = Number.POSITIVE_INFINITY;
    });
  },
};

/**
 * A zone is lost; often another one lags just then, the owner goes down, and by the takeover it is the third zone that is slow: what
 * was committed may be known to a single zone, and that is the last to answer.
 */
function disaster(nemesis: Nemesis, dice: Dice, lose: (zone: Zone) => void): void {
  const { zones, cluster, note } = nemesis.scene;
  const slot = dice.between(0, zones.current.length - 1);
  const strike = (): void => {
    const zone = zones.current[slot];
    if (zone !== undefined && nemesis.mayLose(slot)) lose(zone);
  };
  if (dice.chance(0.4)) {
    strike();
    return;
  }
  const other = zones.current[(slot + dice.between(1, 2)) % zones.current.length];
  if (other !== undefined) {
    const isDark = dice.chance(0.6);
    note(`${other.name} is ${isDark ? 'dark' : 'slow'}`);
    other.isDark = isDark;
    other.slowness = isDark ? 1 : dice.range(10, 60);
    nemesis.later(dice.range(300, 1_500), () => {
      other.isDark = false;
      other.slowness = 1;
    });
  }
  const restartMs = 20 + dice.gap(300);
  const slowness = dice.range(10, 60);
  const turns = dice.chance(0.6);
  nemesis.later(dice.range(20, 200), () => {
    strike();
    nemesis.later(dice.gap(8), () => {
      cluster.kill(nemesis.victim(dice), restartMs);
      const third = zones.current.find((zone) => zone.slot !== slot && zone.slot !== other?.slot);
      if (!turns || other === undefined || third === undefined) return;
      other.isDark = false;
      other.slowness = 1;
      third.slowness = slowness;
      nemesis.later(3_000, () => {
        third.slowness = 1;
      });
    });
  });
}

/** Short, about as long as it takes to be replaced and not to notice at once, or long. */
function sleepMs(dice: Dice, leaseMs: number): number {
  const drawn = dice.unit();
  if (drawn < 0.2) return dice.range(5, 200);
  return drawn < 0.7 ? Math.min(SLEEP_MS_MAX, leaseMs * dice.range(1.05, 2.4)) : dice.range(200, SLEEP_MS_MAX);
}

function neededLogs(channel: ChannelState): ChannelState['logs'] {
  return channel.logs.filter(({ base, end }) => end === undefined || base < end);
}
