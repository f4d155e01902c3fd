import { afterEach, describe, expect, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { refused } from '#core/model/errors.ts';
import { zoneId } from '#core/model/ids.ts';
import { readChannelEnv } from '#functions/channel/env.ts';
import { type OpenedZone, openRemoteZones, type RemoteZones, type ZonePlace } from '#functions/channel/remote-zones.ts';

const KIND = CHUNK_STORE_KINDS.native;
const REOPEN_MS = 20;

const memory = (zone: string): MemoryChunkStore => new MemoryChunkStore({ zone: zoneId(zone), checksum });

/** A place whose zone a test exchanges; undefined: it does not answer. */
class Place implements ZonePlace {
  readonly name: string;
  readonly place: string;
  zone: OpenedZone | undefined;
  closed: string[] = [];

  constructor(name: string, isThere = true) {
    this.name = name;
    this.place = `http://${name}`;
    this.zone = isThere ? { current: memory(`${name}-1`) } : undefined;
  }

  async open(): Promise<OpenedZone> {
    const { zone } = this;
    if (zone === undefined) throw refused('unavailable', 'nobody is there');
    return Object.assign(zone, {
      close: async () => {
        this.closed.push(zone.current.zone);
      },
    });
  }
}

describe('the zones of a cell that lie elsewhere', () => {
  const opened: RemoteZones[] = [];
  const events: string[] = [];
  afterEach(async () => {
    for (const zones of opened.splice(0)) await zones.close();
    events.length = 0;
  });

  async function open(places: readonly Place[]): Promise<RemoteZones> {
    const zones = await openRemoteZones('native', KIND, places, { event: (name) => events.push(name) }, REOPEN_MS);
    opened.push(zones);
    return zones;
  }

  test('one that does not answer is left out, and opened once it does', async () => {
    const places = [new Place('a'), new Place('b', false), new Place('c')];
    const { zones } = await open(places);
    expect(zones.currentZones()).toEqual(['a-1', 'c-1']);
    expect(events).toContain('zone.open.failed');
    Object.assign(places[1] as Place, { zone: { current: memory('b-1') } });
    await expect.poll(() => [...zones.currentZones()].sort()).toEqual(['a-1', 'b-1', 'c-1']);
  });

  test('fewer than the write quorum are none, and what was opened is let go', async () => {
    const places = [new Place('a'), new Place('b', false), new Place('c', false)];
    await expect(open(places)).rejects.toThrow('only 1 of 3 zones of storage class native answer (http://a and its likes)');
    expect(places[0]?.closed).toEqual(['a-1']);
  });

  test('one that was replaced is opened as the zone that it is now, with what is left of the one before', async () => {
    const places = [new Place('a'), new Place('b'), new Place('c')];
    const { zones } = await open(places);
    const [first] = places as [Place];
    Object.assign(first.zone as OpenedZone, { isReplaced: true });
    first.zone = { current: memory('a-2'), retired: [memory('a-1')] };
    await expect.poll(() => zones.currentZones()).toEqual(['a-2', 'b-1', 'c-1']);
    expect(zones.stores().map(({ zone }) => zone)).toEqual(['a-2', 'a-1', 'b-1', 'c-1']);
    expect(first.closed).toEqual(['a-1']);
    expect(events).toContain('zone.replaced');
  });

  test('Z19: two places that lead to the same zone are one copy, never a quorum', async () => {
    const twin = new Place('b');
    twin.zone = { current: memory('a-1') };
    const { zones } = await open([new Place('a'), twin, new Place('c')]);
    expect([...zones.currentZones()].sort()).toEqual(['a-1', 'c-1']);
    await expect(open([new Place('a'), twin])).rejects.toThrow('only 1 of 2');
  });
});

describe('the settings of a channel task', () => {
  const SECRET = 'a-secret-of-tests-that-is-long-enough';
  const variables = { MILLRACE_AUTH: 'off', MILLRACE_TABLE: 'table', MILLRACE_BUCKET: 'bucket' };
  const URLS = 'http://10.0.1.5:8090, http://10.0.2.5:8090,https://zone-c.internal';

  test('native zones are three chunk servers and the secret that they take', () => {
    expect(readChannelEnv(variables).nativeZones).toEqual([]);
    expect(readChannelEnv({ ...variables, MILLRACE_NATIVE_ZONES: URLS, MILLRACE_ZONE_SECRET: SECRET }).nativeZones).toEqual([
      { url: 'http://10.0.1.5:8090', secret: SECRET },
      { url: 'http://10.0.2.5:8090', secret: SECRET },
      { url: 'https://zone-c.internal', secret: SECRET },
    ]);
  });

  test.each([
    'http://a:1,http://b:1',
    'http://a:1,http://b:1,http://b:1',
    'http://a:1,http://b:1,c',
    'http://a:1,http://b:1,ftp://c:1',
    'http://a:1,http://b:1,http://c:1/path',
    'http://a:1,http://b:1,http://user:word@c:1',
  ])('MILLRACE_NATIVE_ZONES "%s" is refused', (list) => {
    const read = (): unknown => readChannelEnv({ ...variables, MILLRACE_NATIVE_ZONES: list, MILLRACE_ZONE_SECRET: SECRET });
    expect(read).toThrow('MILLRACE_NATIVE_ZONES is');
  });

  test('native zones need their secret, and nobody is told what it is', () => {
    const read = (secret?: string) => () => readChannelEnv({ ...variables, MILLRACE_NATIVE_ZONES: URLS, MILLRACE_ZONE_SECRET: secret });
    expect(read()).toThrow('MILLRACE_ZONE_SECRET is missing');
    expect(read('short')).toThrow('MILLRACE_ZONE_SECRET must be at least 32 characters');
    expect(read('short')).not.toThrow('short,');
  });
});
