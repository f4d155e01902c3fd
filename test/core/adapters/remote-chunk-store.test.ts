// The chunk store of another process, over real sockets: what its port promises, and what a bad network and a bad server do to it.

import { afterEach, describe, expect, test } from 'vitest';
import { createChunkService, type ZoneStores } from '#core/adapters/node/chunk-service.ts';
import { type DirectZone, openDirectZone } from '#core/adapters/node/direct-chunk-store.ts';
import { openRemoteZone, type RemoteZone, type RemoteZoneOptions } from '#core/adapters/node/remote-chunk-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import { position } from '#core/model/ids.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';
import { chunkAt, chunkStoreContract, LOG, positionsOf } from '../../contract/chunk-store.ts';
import { BadNetwork, type RunningCalls, SECRET, type ServeOptions, serveCalls } from '../../support/call-server.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { tearRecord } from '../../support/direct-zone.ts';
import { folderOfTest, temporaryFolder } from './support.ts';

const SLAB = 512 * 1024;
const p = position;
const all = { start: p(0), end: p(Number.MAX_SAFE_INTEGER) };

const openZone = (dir: string): Promise<DirectZone> =>
  openDirectZone({ dir, capacityBytes: 16 * SLAB, slabBytes: SLAB, checksum, warn: () => undefined });
const connect = (url: string, more: Partial<RemoteZoneOptions> = {}): Promise<RemoteZone> =>
  openRemoteZone({ url, secret: SECRET, checksum, callMsMax: 2_000, ...more });

chunkStoreContract('a chunk server', async () => {
  const { dir, remove } = temporaryFolder();
  let zone = await openZone(dir);
  const server = await serveCalls({ service: createChunkService(() => zone, checksum) });
  const remotes = [await connect(server.url)];
  return {
    store: (remotes[0] as RemoteZone).current,
    tear: async (log, at) => tearRecord(dir, log, at),
    reopen: async () => {
      await zone.close();
      zone = await openZone(dir);
      remotes.push(await connect(server.url));
      return (remotes.at(-1) as RemoteZone).current;
    },
    close: async () => {
      for (const remote of remotes) await remote.close();
      await server.close();
      await zone.close();
      remove();
      expect(server.faults).toEqual([]);
      expect([server.calls.callsCount, server.calls.bytesCount]).toEqual([0, 0]);
    },
  };
});

describe('the chunk store of another process', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function zoneOf(dir = folderOfTest()): Promise<DirectZone> {
    const zone = await openZone(dir);
    closing.push(() => zone.close());
    return zone;
  }
  async function serve(stores: () => ZoneStores, options: Omit<ServeOptions, 'service'> = {}): Promise<RunningCalls> {
    const server = await serveCalls({ ...options, service: createChunkService(stores, checksum) });
    closing.push(() => server.close());
    return server;
  }
  async function networkTo(port: number): Promise<BadNetwork> {
    const network = await BadNetwork.before(port);
    closing.push(() => network.close());
    return network;
  }
  async function remoteOf(url: string, more: Partial<RemoteZoneOptions> = {}): Promise<RemoteZone> {
    const remote = await connect(url, more);
    closing.push(() => remote.close());
    return remote;
  }
  /** A zone behind a server behind a network. */
  async function behindNetwork(
    more: Partial<RemoteZoneOptions> = {},
  ): Promise<{ zone: DirectZone; network: BadNetwork; remote: RemoteZone }> {
    const zone = await zoneOf();
    const network = await networkTo((await serve(() => zone)).port);
    return { zone, network, remote: await remoteOf(network.url, more) };
  }
  const failure = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => expect.fail('it should have failed'),
      (error) => error,
    );

  /** A store that answers as `answers` says, and for the rest as `store`. */
  const bent = (store: ChunkStore, answers: Partial<ChunkStore>): ZoneStores => ({
    current: {
      zone: store.zone,
      isWritable: true,
      put: (...call) => store.put(...call),
      seal: (...call) => store.seal(...call),
      get: (...call) => store.get(...call),
      list: (...call) => store.list(...call),
      logs: (...call) => store.logs(...call),
      delete: (...call) => store.delete(...call),
      ...answers,
    },
    retired: [],
  });

  test('many calls share one connection', async () => {
    const { network, remote } = await behindNetwork();
    await Promise.all(Array.from({ length: 200 }, (_, at) => remote.current.put(LOG, p(at), chunkAt(LOG, at, 20_000))));
    expect(await positionsOf(remote.current, LOG)).toHaveLength(200);
    expect(network.connectionsCount).toBe(1);
  });

  test('Z17: a byte that is flipped on the way there is never stored, and the put is made again with the right ones', async () => {
    const { zone, network, remote } = await behindNetwork();
    const chunk = chunkAt(LOG, 0, 50_000);
    const inPayload = Buffer.from(chunk.subarray(30_000, 30_100));
    let flips = 0;
    network.bend = (bytes, direction) => {
      const at = direction === 'up' ? bytes.indexOf(inPayload) : -1;
      if (at === -1 || flips === 2) return bytes;
      flips += 1;
      bytes[at + 50] = (bytes[at + 50] ?? 0) ^ 4;
      return bytes;
    };
    expect(await remote.current.put(LOG, p(0), chunk)).toBe('stored');
    expect(flips).toBe(2);
    expect(await zone.current.get(LOG, p(0))).toEqual(chunk);
  });

  test('Z17: a put whose bytes are flipped each time fails, certainly without effect', async () => {
    const { zone, network, remote } = await behindNetwork();
    const chunk = chunkAt(LOG, 0, 5_000);
    const inPayload = Buffer.from(chunk.subarray(3_000, 3_100));
    network.bend = (bytes, direction) => {
      const at = direction === 'up' ? bytes.indexOf(inPayload) : -1;
      if (at !== -1) bytes[at] = (bytes[at] ?? 0) ^ 128;
      return bytes;
    };
    await expect(remote.current.put(LOG, p(0), chunk)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(await zone.current.get(LOG, p(0))).toBe('absent');
  });

  test('Z17: a byte that is flipped on the way back is not given, and not taken for a torn chunk: it is asked for again', async () => {
    const { network, remote } = await behindNetwork();
    const chunk = chunkAt(LOG, 0, 5_000);
    await remote.current.put(LOG, p(0), chunk);
    const inPayload = Buffer.from(chunk.subarray(3_000, 3_100));
    let flips = 0;
    network.bend = (bytes, direction) => {
      const at = direction === 'down' ? bytes.indexOf(inPayload) : -1;
      if (at === -1 || flips === 1) return bytes;
      flips += 1;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    expect(await remote.current.get(LOG, p(0))).toEqual(chunk);
    expect(flips).toBe(1);
  });

  test('Z16: a put that was stored while its connection was cut fails with effect unknown, and a retry finds it', async () => {
    const zone = await zoneOf();
    let network: BadNetwork | undefined;
    const put: ChunkStore['put'] = async (log, at, chunk) => {
      const outcome = await zone.current.put(log, at, chunk);
      network?.cut();
      return outcome;
    };
    const server = await serve(() => bent(zone.current, { put }));
    network = await networkTo(server.port);
    const remote = await remoteOf(network.url);
    const chunk = chunkAt(LOG, 0);
    await expect(remote.current.put(LOG, p(0), chunk)).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    network = undefined;
    expect(await remote.current.put(LOG, p(0), chunk)).toBe('occupied');
    expect(await remote.current.get(LOG, p(0))).toEqual(chunk);
  });

  test('Z16: what the server did not take is tried again, and fails without effect where nobody is there', async () => {
    const zone = await zoneOf();
    const first = await serve(() => zone);
    const remote = await remoteOf(first.url);
    await remote.current.put(LOG, p(0), chunkAt(LOG, 0));
    await first.close();
    await expect.poll(() => failure(remote.current.put(LOG, p(1), chunkAt(LOG, 1)))).toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(await zone.current.get(LOG, p(1))).toBe('absent');
    await serve(() => zone, { port: first.port });
    await expect.poll(() => remote.current.put(LOG, p(1), chunkAt(LOG, 1)).catch(String)).toBe('stored');
  });

  test('Z16: a read whose connection is cut is made again on another one', async () => {
    const { network, remote } = await behindNetwork();
    await remote.current.put(LOG, p(0), chunkAt(LOG, 0, 300_000));
    let cuts = 0;
    network.bend = (bytes, direction) => {
      if (direction === 'down' && bytes.length > 5_000 && cuts === 0) {
        cuts += 1;
        setImmediate(() => network.cut());
        return undefined;
      }
      return bytes;
    };
    expect(await remote.current.get(LOG, p(0))).toEqual(chunkAt(LOG, 0, 300_000));
    expect([cuts, network.connectionsCount]).toEqual([1, 2]);
  });

  test('Z16: a server that is slow has not answered, whatever it still does, and others are not held up', async () => {
    const zone = await zoneOf();
    const slow = Promise.withResolvers<void>();
    const put: ChunkStore['put'] = async (log, at, chunk) => {
      if (at === 0) await slow.promise;
      return await zone.current.put(log, at, chunk);
    };
    const server = await serve(() => bent(zone.current, { put }));
    const remote = await remoteOf(server.url, { callMsMax: 200 });
    const late = failure(remote.current.put(LOG, p(0), chunkAt(LOG, 0)));
    expect(await remote.current.put(LOG, p(1), chunkAt(LOG, 1))).toBe('stored');
    expect(await late).toMatchObject({ code: 'unavailable', effect: 'unknown' });
    // Z20: its bytes are in memory until the disk has them.
    expect(server.calls.bytesCount).toBe(chunkAt(LOG, 0).length);
    slow.resolve();
    await expect.poll(() => remote.current.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
    expect(server.calls.bytesCount).toBe(0);
  });

  test('a network that swallows everything is noticed, and the next connection serves', async () => {
    const { network, remote } = await behindNetwork({ callMsMax: 200 });
    network.bend = () => undefined;
    await expect(remote.current.get(LOG, p(0))).rejects.toMatchObject({ code: 'unavailable' });
    network.bend = (bytes) => bytes;
    await expect.poll(() => remote.current.get(LOG, p(0)).catch(String), { timeout: 5_000 }).toBe('absent');
    expect(network.connectionsCount).toBe(2);
  });

  test('Z17: without the secret nothing is done, and the failure says which setting', async () => {
    const { zone, network } = await behindNetwork();
    await zone.current.put(LOG, p(0), chunkAt(LOG, 0));
    const error = await failure(connect(network.url, { secret: 'another secret that is long enough' }));
    expect(error).toMatchObject({ code: 'unavailable', effect: 'none' });
    expect(String(error)).toContain('MILLRACE_ZONE_SECRET');
    expect(await zone.current.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
  });

  test('Z18: a wiped zone is another one: every call for the old identity is refused, and nothing is stored', async () => {
    let zone = await zoneOf();
    const old = zone.current.zone;
    const server = await serve(() => zone);
    const remote = await remoteOf(server.url);
    await remote.current.put(LOG, p(0), chunkAt(LOG, 0));
    expect(remote.isReplaced).toBe(false);
    zone = await zoneOf();
    const { current } = remote;
    const calls: Record<keyof ChunkStore, (() => Promise<unknown>) | undefined> = {
      zone: undefined,
      isWritable: undefined,
      put: () => current.put(LOG, p(1), chunkAt(LOG, 1)),
      seal: () => current.seal(LOG, p(1), 'absent'),
      get: () => current.get(LOG, p(0)),
      list: () => current.list(LOG),
      logs: () => current.logs(),
      delete: () => current.delete(LOG, all),
    };
    for (const call of Object.values(calls)) {
      if (call !== undefined) await expect(call()).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    }
    expect(await zone.current.logs()).toMatchObject({ logs: [] });
    expect([remote.current.zone, remote.isReplaced]).toEqual([old, true]);
    const again = await remoteOf(server.url);
    expect(again.current.zone).toBe(zone.current.zone);
    expect(await again.current.put(LOG, p(0), chunkAt(LOG, 0))).toBe('stored');
  });

  test('Z18: a zone that its server retired still gives back what it has, and takes nothing', async () => {
    const [zone, damaged] = [await zoneOf(), await zoneOf()];
    await damaged.current.put(LOG, p(0), chunkAt(LOG, 0));
    const server = await serve(() => ({ current: zone.current, retired: [damaged.current] }));
    const remote = await remoteOf(server.url);
    const [retired] = remote.retired;
    expect(retired?.zone).toBe(damaged.current.zone);
    expect(retired?.isWritable).toBe(false);
    expect(await retired?.get(LOG, p(0))).toEqual(chunkAt(LOG, 0));
    await expect(retired?.put(LOG, p(1), chunkAt(LOG, 1))).rejects.toMatchObject({ code: 'storage', effect: 'none' });
    await expect(retired?.seal(LOG, p(1), 'absent')).rejects.toMatchObject({ code: 'storage', effect: 'none' });
  });

  test('failures of the zone come as its port says them', async () => {
    const zone = await zoneOf();
    let error = refused('disk_full', 'no room');
    const server = await serve(() => bent(zone.current, { put: () => Promise.reject(error), get: () => Promise.reject(error) }));
    const remote = await remoteOf(server.url);
    for (const [code, effect] of [
      ['disk_full', 'none'],
      ['throttled', 'none'],
      ['storage', 'unknown'],
      ['unavailable', 'unknown'],
    ] as const) {
      error = new StoreError(code, effect, 'because');
      await expect(remote.current.put(LOG, p(0), chunkAt(LOG, 0))).rejects.toMatchObject({ code, effect });
      await expect(remote.current.get(LOG, p(0))).rejects.toMatchObject({ code, effect });
    }
    expect(server.faults).toEqual([]);
  });

  test('a fault of the server is no answer, and is reported there', async () => {
    const zone = await zoneOf();
    const server = await serve(() => bent(zone.current, { put: () => Promise.reject(new TypeError('a bug')) }));
    const remote = await remoteOf(server.url);
    await expect(remote.current.put(LOG, p(0), chunkAt(LOG, 0))).rejects.toMatchObject({ code: 'storage', effect: 'unknown' });
    expect(server.faults.map(String)).toEqual(['TypeError: a bug']);
  });

  test('Z2: a chunk that is not the one that was asked for is not given', async () => {
    const zone = await zoneOf();
    const server = await serve(() => bent(zone.current, { get: async () => chunkAt(LOG, 7) }));
    const remote = await remoteOf(server.url);
    await expect(remote.current.get(LOG, p(0))).rejects.toMatchObject({ code: 'storage' });
    await expect(remote.current.get(LOG, p(7), 'header')).rejects.toMatchObject({ code: 'storage' });
    expect(await remote.current.get(LOG, p(7))).toEqual(chunkAt(LOG, 7));
  });

  test('speaks TLS where the server does, to one whose certificate is known', async () => {
    const zone = await zoneOf();
    const certificate = await makeCertificate();
    const server = await serve(() => zone, { certificate });
    const remote = await remoteOf(server.url, { ca: certificate.cert });
    expect(await remote.current.put(LOG, p(0), chunkAt(LOG, 0))).toBe('stored');
    await expect(connect(server.url)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
  });
});
