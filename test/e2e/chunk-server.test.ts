// A chunk server as a process: killed, restarted, wiped, misconfigured.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openRemoteZone, type RemoteZone } from '#core/adapters/node/remote-chunk-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { position as p } from '#core/model/ids.ts';
import { chunkAt, LOG, positionsOf } from '#test/contract/chunk-store.ts';
import { newServer, type Server, type ServerOptions, startServer } from '#test/support/server.ts';

const SECRET = 'a-secret-of-tests-that-is-long-enough';
const command = [process.execPath, 'functions/chunk-server/main.ts'] as const;
const env = { MILLRACE_ZONE_SECRET: SECRET, MILLRACE_ZONE_NAME: 'zone-a', MILLRACE_STORE_MAX_MIB: '128' };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function started(options: ServerOptions = {}): Promise<Server> {
  const server = await startServer({ command, env, ...options });
  closing.push(() => server.dispose());
  return server;
}

async function zoneAt({ url }: Server): Promise<RemoteZone> {
  const zone = await openRemoteZone({ url, secret: SECRET, checksum, callMsMax: 2_000 });
  closing.push(() => zone.close());
  return zone;
}

/** Puts chunks one after the other until one fails. @returns what was stored for certain */
async function putUntilItFails({ current }: RemoteZone): Promise<number[]> {
  const stored: number[] = [];
  for (let at = 0; ; at += 1) {
    try {
      await current.put(LOG, p(at), chunkAt(LOG, at, 30_000));
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable' });
      return stored;
    }
    stored.push(at);
  }
}

describe('a chunk server', () => {
  test('Z5: what it stored is there after a kill -9 under load, under the same identity, and it goes on', async () => {
    const server = await started();
    const zone = await zoneAt(server);
    const putting = putUntilItFails(zone);
    await expect.poll(async () => (await positionsOf(zone.current, LOG)).length).toBeGreaterThan(5);
    await server.kill();
    const stored = await putting;
    await server.start();
    expect((await zoneAt(server)).current.zone).toBe(zone.current.zone);
    for (const at of stored) expect(await zone.current.get(LOG, p(at))).toEqual(chunkAt(LOG, at, 30_000));
    const next = stored.length + 1;
    expect(await zone.current.put(LOG, p(next), chunkAt(LOG, next))).toBe('stored');
  });

  test('SIGTERM answers what is under way, and ends well', async () => {
    const server = await started();
    const zone = await zoneAt(server);
    const puts = Array.from({ length: 40 }, (_, at) => zone.current.put(LOG, p(at), chunkAt(LOG, at, 100_000)));
    await puts[0];
    const exit = server.stop();
    const outcomes = await Promise.allSettled(puts);
    expect(await exit).toEqual({ code: 0, signal: null });
    await server.start();
    const isThere = new Set(await positionsOf(zone.current, LOG));
    outcomes.forEach((outcome, at) => {
      if (outcome.status === 'fulfilled') expect(isThere.has(at)).toBe(true);
      else expect(outcome.reason).toMatchObject({ code: 'unavailable' });
      if (outcome.status === 'rejected' && outcome.reason.effect === 'none') expect(isThere.has(at)).toBe(false);
    });
  });

  test('Z18: a disk that was wiped makes another zone of it', async () => {
    const server = await started();
    const zone = await zoneAt(server);
    await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    await server.stop();
    await rm(path.join(server.dataDir, 'zone'), { recursive: true });
    await server.start();
    await expect(zone.current.get(LOG, p(0))).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(zone.isReplaced).toBe(true);
    const other = await zoneAt(server);
    expect(other.current.zone).toMatch(/^zone-a-[0-9a-f]{32}$/);
    expect(other.current.zone).not.toBe(zone.current.zone);
  });

  test('a full zone says so without effect, gives what it has, and goes on once something is deleted', async () => {
    const { current } = await zoneAt(await started({ env: { ...env, MILLRACE_STORE_MAX_MIB: '64' } }));
    const chunk = (at: number): Uint8Array => chunkAt(LOG, at, 2_000_000, 1);
    let full = 0;
    for (; ; full += 1) {
      const outcome = await current.put(LOG, p(full), chunk(full)).catch((error: unknown) => error);
      if (outcome === 'stored') continue;
      expect(outcome).toMatchObject({ code: 'disk_full', effect: 'none' });
      break;
    }
    expect(full).toBeGreaterThan(20);
    expect(await current.get(LOG, p(0))).toEqual(chunk(0));
    expect(await current.get(LOG, p(full))).toBe('absent');
    expect(await current.seal(LOG, p(full), 'absent')).toBe('sealed');
    await current.delete(LOG, { start: p(0), end: p(full) });
    await expect.poll(() => current.put(LOG, p(full + 1), chunk(full + 1)).catch(String)).toBe('stored');
  });

  test('its health and its figures need no secret, and its log and its output tell none', async () => {
    const server = await started();
    await zoneAt(server);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('millrace_zone_used_bytes{zone="zone-a"} 0');
    expect((await fetch(`${server.url}/other`)).status).toBe(404);
    expect(server.output).not.toContain(SECRET);
  });

  test('a zone has one server', async () => {
    const server = await started();
    const second = await newServer({ command, env, dataDir: server.dataDir });
    closing.push(() => second.dispose());
    second.spawn();
    expect((await second.exited).code).toBe(1);
    expect(second.output).toContain(server.dataDir);
  });

  test.each([
    ['MILLRACE_ZONE_SECRET', '', 'MILLRACE_ZONE_SECRET is missing'],
    ['MILLRACE_ZONE_SECRET', 'too-short', 'MILLRACE_ZONE_SECRET must be at least 32 characters'],
    ['MILLRACE_ZONE_NAME', 'Zone A', 'MILLRACE_ZONE_NAME is "Zone A"'],
    ['MILLRACE_STORE_MAX_MIB', 'much', 'MILLRACE_STORE_MAX_MIB is "much"'],
    ['MILLRACE_TLS_CERT', 'cert.pem', 'MILLRACE_TLS_KEY is missing'],
    ['PORT', '99999', 'PORT is "99999"'],
  ])('a bad %s ends it with 1 and names it, and what it must be', async (name, value, message) => {
    const bad = await newServer({ command, env: { ...env, [name]: value } });
    closing.push(() => bad.dispose());
    bad.spawn();
    expect((await bad.exited).code).toBe(1);
    expect(bad.output).toContain(message);
    expect(bad.output).not.toContain('too-short');
  });
});
