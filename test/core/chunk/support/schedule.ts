// One random schedule from a seed: which faults it knows, who owns the channel when, what is lost on the way. Then all heals.

import { Cluster, Owner, type PlantedBug } from './cluster.ts';
import { World } from './world.ts';
import { NO_FAULTS, type ZoneFaults } from './zone.ts';

export interface ScheduleResult {
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly met: ReadonlySet<string>;
}

export async function runSchedule(seed: number, bug?: PlantedBug): Promise<ScheduleResult> {
  const world = new World(seed);
  const isSingle = bug === undefined && world.chance(0.15);
  const windowMax = world.between(1, 4);
  const options = { zoneCount: isSingle ? 1 : 3, writeQuorum: isSingle ? 1 : 2, windowMax };
  const cluster = new Cluster(world, bug === undefined ? options : { ...options, bug });
  const faults = drawFaults(world);
  for (const zone of cluster.zones) zone.faults = faults;
  // A zone lost for good and torn writes in another are two faults: safe, but a takeover may then have to wait for ever.
  const isWiped = !isSingle && (faults.torn === 0 || world.chance(0.3)) && world.chance(bug === 'wiped zone counts' ? 1 : 0.4);
  const owners = startOwners(cluster, world.between(1, 4));
  startJobs(cluster);
  if (isWiped) world.after(world.between(5, 250), () => wipe(cluster));
  else if (!isSingle) startOutages(cluster);
  await world.run(() => world.now > 400, 100_000);

  for (const zone of cluster.zones) {
    zone.faults = NO_FAULTS;
    zone.isAway = false;
  }
  // Those that still believe that they own the channel go on, beside the one that takes over now.
  const heir = new Owner(cluster);
  let records: number[] | undefined;
  let isOver = false;
  const ending = async (): Promise<void> => {
    for (let i = 0; i < 5 && !heir.isActive; i += 1) if (!(await heir.takeOver())) await world.sleep(20);
    await world.sleep(100);
    await cluster.offload(heir);
    await cluster.collect(heir);
    await world.sleep(100);
    for (const owner of owners) owner.kill();
    if (heir.isActive) records = await cluster.readAll(heir);
  };
  void cluster.tell(ending()).finally(() => {
    isOver = true;
  });
  await world.run(() => isOver, 200_000);
  if (records !== undefined) cluster.judge(records);
  else if (!isWiped || faults.torn === 0) cluster.violations.push('all is healed, and nobody could take over');
  return { violations: cluster.violations, acknowledged: cluster.acknowledged.length, met: cluster.met };
}

/** Which faults there are, and then how often: schedules differ in kind, not only in amount. */
function drawFaults(world: World): ZoneFaults {
  const sometimes = (most: number): number => (world.chance(0.5) ? world.random() * most : 0);
  return {
    latencyMax: world.chance(0.3) ? 30 : 6,
    lostQuestion: sometimes(0.2),
    lostAnswer: sometimes(0.2),
    late: sometimes(0.2),
    lateMax: world.chance(0.5) ? 300 : 30,
    hang: sometimes(0.05),
    torn: sometimes(0.15),
  };
}

function startOwners(cluster: Cluster, count: number): Owner[] {
  const { world } = cluster;
  const owners = Array.from({ length: count }, () => new Owner(cluster));
  owners.forEach((owner, i) => {
    world.after(i === 0 ? 0 : world.between(0, 300), () => {
      const story = async (): Promise<void> => {
        if (await owner.takeOver()) await owner.append(world.between(5, 60), world.chance(0.5) ? 4 : 12);
      };
      void cluster.tell(story());
    });
    if (world.chance(0.4)) world.after(world.between(20, 350), () => owner.kill());
    if (world.chance(0.4)) {
      world.after(world.between(20, 300), () => {
        owner.asleepUntil = world.now + world.between(20, 400);
      });
    }
  });
  return owners;
}

function startJobs(cluster: Cluster): void {
  const { world } = cluster;
  const job = { isAlive: true, asleepUntil: 0 };
  for (let i = world.between(0, 6); i > 0; i -= 1) world.after(world.between(20, 390), () => void cluster.tell(cluster.offload(job)));
  for (let i = world.between(0, 3); i > 0; i -= 1) world.after(world.between(50, 390), () => void cluster.tell(cluster.collect(job)));
}

/** One zone is lost for good; an empty one takes its place. */
function wipe(cluster: Cluster): void {
  const victim = cluster.zones[cluster.world.between(0, cluster.zones.length - 1)];
  victim?.wipe(cluster.options.bug === 'wiped zone counts' ? victim.disk.zone : `${victim.disk.zone}-again`);
  cluster.met.add('wiped');
}

/** Zones that come and go, and one whose disk spoils some of what it held. */
function startOutages(cluster: Cluster): void {
  const { world } = cluster;
  for (const zone of cluster.zones) {
    if (world.chance(0.6)) continue;
    const start = world.between(0, 300);
    world.after(start, () => {
      zone.isAway = true;
    });
    world.after(start + world.between(5, 120), () => {
      zone.isAway = false;
    });
  }
  const spoiled = cluster.zones[world.between(0, cluster.zones.length - 1)];
  for (let i = world.chance(0.3) ? 4 : 0; i > 0; i -= 1) {
    world.after(world.between(20, 390), () => {
      const log = cluster.item.logs[world.between(0, cluster.item.logs.length - 1)]?.log;
      const chunks = log === undefined ? undefined : spoiled?.disk.stored.get(`${log.channel}/${log.epoch}`);
      const at = [...(chunks?.keys() ?? [])].sort((a, b) => b - a)[world.between(0, 3)];
      if (log !== undefined && at !== undefined) spoiled?.disk.tear(log, at);
    });
  }
}
