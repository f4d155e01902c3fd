// What befalls a cluster of processes, one thing at a time: tasks, chunk servers and stores are killed, stopped and woken, and the
// disk of one zone is lost for good, as soon as the store promises to survive that.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CallClient } from '#core/adapters/node/calls/call-client.ts';
import { openRemoteZone } from '#core/adapters/node/remote-chunk-store.ts';
import { RemoteMetadataStore } from '#core/adapters/node/remote-metadata-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeChannel } from '#core/metadata/codec.ts';
import { channelKey } from '#core/metadata/schema.ts';
import { channelId, type ZoneId } from '#core/model/ids.ts';
import type { Prng } from '#test/crash/prng.ts';
import { SECRET } from '#test/support/chunk-servers.ts';
import type { ClusterOfTest } from '#test/support/cluster.ts';
import type { Server } from '#test/support/server.ts';

const KINDS = ['zone killed', 'zone frozen', 'zone wiped', 'task killed', 'task ended', 'task frozen', 'stores killed'] as const;
export type ClusterFault = (typeof KINDS)[number];

const WEIGHTS: Readonly<Record<ClusterFault, number>> = {
  'zone killed': 4,
  'zone frozen': 3,
  'zone wiped': 2,
  'task killed': 3,
  'task ended': 2,
  'task frozen': 3,
  'stores killed': 1,
};
/** Those whose logs are at the chunk servers. */
const CHANNELS = ['express-0', 'native-0'].map(channelId);
const CALL_MS_MAX = 2_000;

export class ClusterFaults {
  readonly counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<ClusterFault, number>;
  readonly #cluster: ClusterOfTest;
  readonly #prng: Prng;
  readonly #leaseMs: number;
  readonly #print: (line: string) => void;
  /** Identities whose disk is gone. */
  readonly #lost = new Set<ZoneId>();
  #isOver = false;

  constructor(cluster: ClusterOfTest, prng: Prng, leaseMs: number, print: (line: string) => void) {
    this.#cluster = cluster;
    this.#prng = prng;
    this.#leaseMs = leaseMs;
    this.#print = print;
  }

  /** Brings faults until `stop`; each is over when the next one comes. */
  async run(everyMs: number): Promise<void> {
    while (!this.#isOver) {
      await sleep(-Math.log(1 - this.#prng.next()) * everyMs);
      if (!this.#isOver) await this.#bring(this.#pick());
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  #pick(): ClusterFault {
    let left = this.#prng.next() * KINDS.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
    for (const kind of KINDS) {
      left -= WEIGHTS[kind];
      if (left < 0) return kind;
    }
    return 'zone killed';
  }

  async #bring(kind: ClusterFault): Promise<void> {
    const { zones, tasks, stores } = this.#cluster;
    const zone = this.#prng.pick(zones);
    const task = this.#prng.pick(tasks);
    switch (kind) {
      case 'zone killed':
        return await this.#kill(kind, zone, this.#prng.between(0, 4_000));
      case 'zone frozen':
        return await this.#freeze(kind, zone, this.#prng.between(50, 7_000));
      case 'zone wiped':
        return await this.#wipe(kind, zone);
      case 'task killed':
        return await this.#kill(kind, task, this.#prng.between(0, 2_000));
      case 'task ended':
        return await this.#end(kind, task);
      case 'task frozen':
        return await this.#freeze(kind, task, this.#prng.between(50, 2 * this.#leaseMs));
      case 'stores killed':
        return await this.#kill(kind, stores, this.#prng.between(0, 1_500));
    }
  }

  async #kill(kind: ClusterFault, server: Server, downMs: number): Promise<void> {
    this.#say(kind, server, `for ${downMs} ms`);
    await server.kill();
    await sleep(downMs);
    await server.start();
  }

  async #end(kind: ClusterFault, server: Server): Promise<void> {
    this.#say(kind, server, 'by SIGTERM');
    const { code, signal } = await server.stop();
    if (code !== 0) throw new Error(`SIGTERM ended a task with ${code ?? signal}:\n${server.output.slice(-2_000)}`);
    await server.start();
  }

  async #freeze(kind: ClusterFault, server: Server, forMs: number): Promise<void> {
    this.#say(kind, server, `for ${forMs} ms`);
    process.kill(server.pid, 'SIGSTOP');
    await sleep(forMs);
    process.kill(server.pid, 'SIGCONT');
  }

  async #wipe(kind: ClusterFault, server: Server): Promise<void> {
    const zone = await identityOf(server);
    if (!(await this.#mayLose(zone))) {
      this.#print(`${server.url} may not be wiped yet: another zone is not repaired`);
      return;
    }
    this.#say(kind, server, `which was ${zone}`);
    this.#lost.add(zone);
    await server.kill();
    await rm(path.join(server.dataDir, 'zone'), { recursive: true });
    await server.start();
  }

  /** A log survives the loss of any one of its zones: no other one of a log that is not offloaded may be lost already. */
  async #mayLose(zone: ZoneId): Promise<boolean> {
    const client = new CallClient({
      url: this.#cluster.stores.url,
      secret: SECRET,
      checksum,
      callMsMax: CALL_MS_MAX,
      answerBytesMax: 2 ** 20,
    });
    try {
      const metadata = new RemoteMetadataStore(client);
      for (const channel of CHANNELS) {
        const item = await metadata.get(channelKey(channel), 'strong');
        const logs = item === undefined ? [] : decodeChannel(channel, item).logs;
        const isNeeded = logs.filter((log) => log.zones.includes(zone) && !(log.end !== undefined && log.base >= log.end));
        if (isNeeded.some((log) => log.zones.some((other) => other !== zone && this.#lost.has(other)))) return false;
      }
      return true;
    } finally {
      await client.close();
    }
  }

  #say(kind: ClusterFault, server: Server, more: string): void {
    this.counts[kind] += 1;
    this.#print(`${kind}: ${server.url}, ${more}`);
  }
}

async function identityOf({ url }: Server): Promise<ZoneId> {
  const zone = await openRemoteZone({ url, secret: SECRET, checksum, callMsMax: CALL_MS_MAX });
  await zone.close();
  return zone.current.zone;
}
