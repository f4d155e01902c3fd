// The processes of a cluster one by one, so that a test kills and restarts what it likes.

import { type ChunkServers, Group, startChunkServers } from './chunk-servers.ts';
import type { Server } from './server.ts';

export interface ClusterOfTest extends Omit<ChunkServers, 'env'> {
  readonly stores: Server;
  readonly tasks: readonly Server[];
}

/** Three chunk servers, the stores, and `tasks` channel tasks with leases of so many seconds. */
export async function startClusterOfTest(tasks: number, leaseSecs: number): Promise<ClusterOfTest> {
  const group = new Group();
  return await group.all(async () => {
    const [stores, { zones, env, dispose }] = await Promise.all([group.start('cluster/stores', {}), startChunkServers(group)]);
    const started: Server[] = [];
    const settings = { ...env, MILLRACE_STORES_URL: stores.url, MILLRACE_LEASE_SECS: String(leaseSecs) };
    for (let i = 0; i < tasks; i += 1) started.push(await group.start('cluster/task', settings));
    return { stores, zones, tasks: started, dispose };
  });
}
