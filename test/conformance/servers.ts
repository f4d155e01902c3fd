// The real server as a target, with everything switched on: what `npm test` runs the suite against.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeCertificate, writeCertificate } from '#test/support/certificate.ts';
import { newServer, type Server, type ServerOptions } from '#test/support/server.ts';
import type { OtherServer, Target } from './target.ts';

const SUFFIX = 'b.localhost';
/** Makes the wall clock of a server go by what a file says. */
const SHIFTED_CLOCK = path.join(import.meta.dirname, '../chaos/shifted-clock.ts');

export interface FullTarget {
  readonly target: Target;
  dispose(): Promise<void>;
}

function settings(token: string): Record<string, string> {
  return { MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: token, MILLRACE_BASIN_SUFFIX: SUFFIX };
}

async function startOne(token: string, isSecure: boolean, more: Pick<ServerOptions, 'command' | 'env'> = {}): Promise<Server> {
  const env = { ...settings(token), ...more.env };
  const server = await newServer({ ...more, env });
  if (isSecure) Object.assign(env, await writeCertificate(server.dataDir, await makeCertificate()));
  try {
    await server.start();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}

async function startAnother(): Promise<OtherServer> {
  const token = newToken();
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-clock-'));
  const clockFile = path.join(folder, 'clock');
  const server = await startOne(token, false, {
    command: [process.execPath, `--import=${SHIFTED_CLOCK}`, 'functions/local/main.ts'],
    env: { CHAOS_CLOCK_FILE: clockFile },
  });
  return {
    target: { url: server.url, token },
    stop: async () => void (await server.stop()),
    kill: () => server.kill(),
    start: () => server.start(),
    setClockAhead: (ms) => writeFile(clockFile, String(ms)),
    dispose: async () => {
      await server.dispose();
      await rm(folder, { recursive: true });
    },
  };
}

function newToken(): string {
  return `root-${randomBytes(24).toString('hex')}`;
}

/** A server with authentication, host-based basins and encryption; its twin with TLS; and more of them on demand. */
export async function startFullTarget(): Promise<FullTarget> {
  const token = newToken();
  const [server, secure] = await Promise.all([startOne(token, false), startOne(token, true)]);
  return {
    target: { url: server.url, token, basinSuffix: SUFFIX, tlsUrl: secure.url, startAnother },
    dispose: async () => void (await Promise.all([server.dispose(), secure.dispose()])),
  };
}
