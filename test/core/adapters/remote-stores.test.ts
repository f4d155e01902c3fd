// Metadata and objects of another process, over real sockets.

import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { CallClient } from '#core/adapters/node/calls/call-client.ts';
import { RemoteMetadataStore } from '#core/adapters/node/remote-metadata-store.ts';
import { RemoteObjectStore } from '#core/adapters/node/remote-object-store.ts';
import { createStoresService, type ServedStores } from '#core/adapters/node/stores-service.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';
import { metadataStoreContract } from '../../contract/metadata-store.ts';
import { objectStoreContract, text } from '../../contract/object-store.ts';
import { BadNetwork, type RunningCalls, SECRET, serveCalls } from '../../support/call-server.ts';

const BYTES_MAX = 64 * 1024 * 1024;

const serve = (stores: ServedStores): Promise<RunningCalls> => serveCalls({ service: createStoresService(stores, BYTES_MAX) });
const clientOf = (url: string): CallClient =>
  new CallClient({ url, secret: SECRET, checksum, callMsMax: 5_000, answerBytesMax: BYTES_MAX });

/** Memory behind the server: its pages and its order are stricter than those of files. */
async function behindServer() {
  const server = await serve({ metadata: new MemoryMetadataStore(), objects: new MemoryObjectStore() });
  const clients = [clientOf(server.url)];
  return {
    client: clients[0] as CallClient,
    another: (): CallClient => {
      const client = clientOf(server.url);
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) await client.close();
      await server.close();
      expect(server.faults).toEqual([]);
    },
  };
}

metadataStoreContract('metadata of another process', async () => {
  const { client, another, close } = await behindServer();
  return { store: new RemoteMetadataStore(client), reopen: async () => new RemoteMetadataStore(another()), close };
});

objectStoreContract('objects of another process', async () => {
  const { client, another, close } = await behindServer();
  return { store: new RemoteObjectStore(client), reopen: async () => new RemoteObjectStore(another()), close };
});

describe('stores of another process whose connection is cut as they answer', () => {
  async function behindNetwork() {
    const stores = { metadata: new MemoryMetadataStore(), objects: new MemoryObjectStore() };
    const server = await serve(stores);
    const network = await BadNetwork.before(server.port);
    const client = clientOf(network.url);
    onTestFinished(async () => {
      await client.close();
      await network.close();
      await server.close();
    });
    const key = { partition: 'p', sort: 'a' };
    // Connected, so that what is cut is an answer.
    await client.call({ head: text('{"op":"object.head","key":"x"}'), mayRepeat: true });
    let cuts = 1;
    network.bend = (bytes, direction) => {
      if (direction === 'up' || cuts === 0) return bytes;
      cuts -= 1;
      setImmediate(() => network.cut());
      return undefined;
    };
    return { ...stores, remoteMetadata: new RemoteMetadataStore(client), remoteObjects: new RemoteObjectStore(client), key };
  }

  test('M21: a commit that was applied fails with effect unknown', async () => {
    const { metadata, remoteMetadata, key } = await behindNetwork();
    const commit = remoteMetadata.commit([{ kind: 'put', key, fields: { x: 1 }, when: { absent: true } }]);
    await expect(commit).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    expect((await metadata.get(key, 'strong'))?.fields).toEqual({ x: 1 });
  });

  test('Z16: an object that was stored fails with effect unknown, and a read is made again', async () => {
    const { objects, remoteObjects } = await behindNetwork();
    const put = remoteObjects.put('k', [text('bytes')], { ifAbsent: true });
    await expect(put).rejects.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    expect(await objects.get('k')).toEqual(text('bytes'));
    expect(await remoteObjects.get('k')).toEqual(text('bytes'));
  });
});
