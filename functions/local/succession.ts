// How a process comes to have its data folder and its port: at once, or after the process that has them now.
//
// In a rolling restart the next process is started first, and waits here, ready to serve. The one before lets go of the port as
// soon as it is told to end: from then on clients come here, and wait. It lets go of the folder when it has answered the last.

import { type FolderLock, lockFolder } from '#core/adapters/node/folder-lock.ts';
import type { HttpServer } from '#core/adapters/node/http-server.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { StoreError } from '#core/model/errors.ts';
import { tellWaiting } from './console.ts';
import { type LocalEnv, listenError } from './env.ts';

/** Between looks at what another process has: clients are refused for this long at most. */
const LOOK_MS = 10;

export interface Port {
  /** The one that is listened on. */
  readonly port: number;
}

export interface Place extends Port {
  readonly lock: FolderLock;
}

type PortOptions = Pick<LocalEnv, 'port' | 'host'>;
type PlaceOptions = PortOptions & Pick<LocalEnv, 'dataDir' | 'waitMs'>;

/** Listens. @throws SettingError when the port cannot be had */
export async function takePort(options: PortOptions, server: HttpServer): Promise<Port> {
  const port = await server.listen(options.port, options.host).catch((error: unknown) => {
    throw listenError(error, options);
  });
  return { port };
}

/** Locks the data folder and listens. @throws StoreError, SettingError when either cannot be had in time */
export async function takePlace(options: PlaceOptions, server: HttpServer): Promise<Place> {
  const { dataDir, waitMs } = options;
  const until = systemClock.monotonic() + waitMs;
  const lock = await lockFolder(dataDir).catch((error: unknown) => {
    if (waitMs === 0 || !isTaken(error)) throw error;
  });
  if (lock !== undefined) return { lock, ...(await takePort(options, server)) };
  tellWaiting(dataDir);
  let isLocked = false;
  const locking = lockOnceFree(dataDir, until).finally(() => {
    isLocked = true;
  });
  // Whoever has the folder has nobody before it who might still let go of the port.
  const [late, port] = await Promise.all([locking, listenOnceFree(options, server, () => isLocked)]);
  return { lock: late, port };
}

async function lockOnceFree(dataDir: string, until: number): Promise<FolderLock> {
  for (;;) {
    try {
      return await lockFolder(dataDir);
    } catch (error) {
      if (!isTaken(error) || systemClock.monotonic() >= until) throw error;
    }
    await systemClock.sleep(LOOK_MS);
  }
}

async function listenOnceFree(options: PortOptions, server: HttpServer, isLast: () => boolean): Promise<number> {
  for (;;) {
    const isTheLastTry = isLast();
    try {
      return await server.listen(options.port, options.host);
    } catch (error) {
      if (isTheLastTry || !isPortTaken(error)) throw listenError(error, options);
    }
    await systemClock.sleep(LOOK_MS);
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'unavailable';
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
