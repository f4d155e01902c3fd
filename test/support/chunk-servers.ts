// Three chunk servers, each a process that a test kills and restarts as it likes.

import { type Server, startServer } from './server.ts';

export const SECRET = 'a-secret-of-tests-that-is-long-enough';
const ZONES = ['a', 'b', 'c'];

export interface ChunkServers {
  readonly zones: readonly Server[];
  /** What a task needs to use them. */
  readonly env: Readonly<Record<string, string>>;
  dispose(): Promise<void>;
}

/** Starts processes, and ends those that run where one does not start. */
export class Group {
  readonly #servers: Server[] = [];

  async start(script: string, env: Readonly<Record<string, string>>): Promise<Server> {
    const server = await startServer({
      command: [process.execPath, `functions/${script}.ts`],
      env: { MILLRACE_ZONE_SECRET: SECRET, ...env },
      readyTimeoutMs: 30_000,
    });
    this.#servers.push(server);
    return server;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.dispose()));
  }

  async all<T>(starting: () => Promise<T>): Promise<T> {
    try {
      return await starting();
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }
}

/** Three chunk servers. */
export async function startChunkServers(group = new Group()): Promise<ChunkServers> {
  return await group.all(async () => {
    const zones = await Promise.all(
      ZONES.map((zone) => group.start('chunk-server/main', { MILLRACE_ZONE_NAME: zone, MILLRACE_STORE_MAX_MIB: '256' })),
    );
    const env = { MILLRACE_NATIVE_ZONES: zones.map(({ url }) => url).join(','), MILLRACE_ZONE_SECRET: SECRET };
    return { zones, env, dispose: () => group.dispose() };
  });
}
